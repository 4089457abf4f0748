//! Keys of a running scenario rotated, at the gateway and at the counterparty whose key it is or who shares it.
//!
//! A scenario that rotates has key folders of its own: the other scenarios of the run keep theirs.

mod announced; // keys that are announced first

use hangu::clock::{Random, SeededEntropy};
use hangu::exchange::Gateway;
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::keyring::Keyring;
use keys::sm2::Engine;
use keys::store::{Change, Changes, NewKey, OpenFolder, create, import, load};
use simulators::centre::Desk;
use simulators::counterparty::Party;
use simulators::scenario::rotate::{Rotate, Rotated, Stage};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// The parties of one stage, whose keys can change.
pub(super) struct Keys {
    /// Where the keys of the whole run lie, and where this scenario's own go.
    pub(super) shared: PathBuf,
    pub(super) own: PathBuf,
    pub(super) centre: Party,
    pub(super) platform: Party,
    pub(super) seed: u64,
}

/// The two key folders of a rotation, and what the key is to the gateway.
struct Pair<'a> {
    key: Rotated,
    gateway: PathBuf,
    party: PathBuf,
    counterparty: &'a Party,
}

impl Keys {
    /// Takes a step, and puts the changed keyrings in place.
    pub(super) async fn rotate(&self, rotate: Rotate, gateway: &Gateway, desk: &Desk, now: OffsetDateTime) -> Result<(), String> {
        self.own_folders().map_err(|error| error.to_string())?;
        let pair = self.pair(rotate.key);
        match rotate.stage {
            Stage::Announce => return pair.announce((self.seed, now), gateway, desk).await,
            Stage::Accept if pair.is_begun()? => pair.accept_announced(gateway, now).await?,
            Stage::Accept => pair.accept(self.seed, now)?,
            Stage::Promote => pair.change(Status::Primary, Status::Draining, Some(now))?,
            Stage::Retire => pair.change(Status::Primary, Status::Retired, None)?,
        }
        let keyring = loaded(&pair.gateway)?;
        gateway.adopt(keyring).map_err(|unfit| unfit.to_string())?;
        pair.counterparty.replace_keyring(Arc::new(loaded(&pair.party)?));
        Ok(())
    }

    fn own_folders(&self) -> std::io::Result<()> {
        if self.own.exists() {
            return Ok(());
        }
        for name in ["gateway", "centre", "platform"] {
            let (from, to) = (self.shared.join(name), self.own.join(name));
            std::fs::create_dir_all(&to)?;
            for file in std::fs::read_dir(from)? {
                let file = file?;
                std::fs::copy(file.path(), to.join(file.file_name()))?;
            }
        }
        Ok(())
    }

    fn pair(&self, key: Rotated) -> Pair<'_> {
        let (name, counterparty) = match key {
            Rotated::PlatformMac => ("platform", &self.platform),
            Rotated::OurSign | Rotated::OurSeal | Rotated::CentreSign | Rotated::CentreSeal => ("centre", &self.centre),
        };
        Pair {
            key,
            gateway: self.own.join("gateway"),
            party: self.own.join(name),
            counterparty,
        }
    }
}

impl Pair<'_> {
    /// The new key at both, beside the old one: the owner makes it, the other one gets the public half or the secret.
    fn accept(&self, seed: u64, now: OffsetDateTime) -> Result<(), String> {
        let side = self.side();
        let (owner, other) = if side == Side::Theirs {
            (&self.party, &self.gateway)
        } else {
            (&self.gateway, &self.party)
        };
        let owned = if side == Side::Shared { Side::Shared } else { Side::Ours };
        let made = create(owner, &self.entered(owned, now), &mut Random(&SeededEntropy::new(seed)));
        let made = made.map_err(|error| error.to_string())?;
        if let Some(public) = made.public {
            let text = std::fs::read_to_string(public).map_err(|error| error.to_string())?;
            let theirs = self.entered(Side::Theirs, now).entry;
            return import(other, &theirs, &text).map(drop).map_err(|error| error.to_string());
        }
        // The entry with a secret of its own, and then the one that was made first.
        let again = create(other, &self.entered(owned, now), &mut Random(&SeededEntropy::new(seed)));
        let again = again.map_err(|error| error.to_string())?;
        std::fs::copy(made.secret, again.secret)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The new key and the old one in their next statuses, at both.
    fn change(&self, new: Status, old: Status, from: Option<OffsetDateTime>) -> Result<(), String> {
        for (folder, side) in [(&self.gateway, self.side()), (&self.party, turned(self.side()))] {
            let keyring = loaded(folder)?;
            let of_pair = keyring
                .infos()
                .filter(|info| (info.link.as_str(), info.side, info.usage) == (self.link(), side, self.usage()));
            let mut changes = Vec::new();
            for info in of_pair {
                let is_new = info.id == self.id();
                if !is_new && !matches!(info.status, Status::Primary | Status::Draining) {
                    continue;
                }
                changes.push(Change {
                    id: info.id.clone(),
                    status: if is_new { new } else { old },
                    primary_from: from.filter(|_| is_new).or(info.primary_from),
                });
            }
            let open = OpenFolder::new(folder, Engine::default());
            open.apply(&changes).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn entered(&self, side: Side, now: OffsetDateTime) -> NewKey {
        let not_before = (now - Duration::DAY).replace_nanosecond(0).unwrap_or(now);
        let entry = KeyEntry {
            id: self.id(),
            link: self.link().to_owned(),
            side,
            usage: self.usage(),
            algorithm: Algorithm::default_of(side, self.usage()).unwrap_or(Algorithm::Sm2),
            status: Status::Accepted,
            serial: self.serial().to_owned(),
            primary_from: None,
            not_before,
            not_after: not_before + Duration::days(30),
            user_id: None,
        };
        NewKey { entry, bits: 0 }
    }

    fn id(&self) -> String {
        format!("rotated-{}", self.key.name())
    }

    /// Of the gateway's own view.
    const fn side(&self) -> Side {
        match self.key {
            Rotated::OurSign | Rotated::OurSeal => Side::Ours,
            Rotated::CentreSign | Rotated::CentreSeal => Side::Theirs,
            Rotated::PlatformMac => Side::Shared,
        }
    }

    const fn usage(&self) -> Usage {
        match self.key {
            Rotated::OurSign | Rotated::CentreSign => Usage::Sign,
            Rotated::OurSeal | Rotated::CentreSeal => Usage::Seal,
            Rotated::PlatformMac => Usage::Mac,
        }
    }

    const fn link(&self) -> &'static str {
        match self.key {
            Rotated::PlatformMac => "platform",
            Rotated::OurSign | Rotated::OurSeal | Rotated::CentreSign | Rotated::CentreSeal => "centre",
        }
    }

    const fn serial(&self) -> &'static str {
        match self.key {
            Rotated::OurSign => "4000000011",
            Rotated::OurSeal => "4000000012",
            Rotated::CentreSign => "5000000011",
            Rotated::CentreSeal => "5000000012",
            Rotated::PlatformMac => "platform-mac-2",
        }
    }
}

/// The same key as its counterparty files it.
const fn turned(side: Side) -> Side {
    match side {
        Side::Ours => Side::Theirs,
        Side::Theirs => Side::Ours,
        Side::Shared => Side::Shared,
    }
}

fn loaded(folder: &Path) -> Result<Keyring, String> {
    load(folder).map_err(|error| error.to_string())
}
