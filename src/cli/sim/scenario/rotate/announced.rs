//! A rotation that begins with a message: the owner makes the key and announces it, and the other side takes it from there.

use super::{Pair, loaded};
use hangu::clock::{Random, SeededEntropy};
use hangu::exchange::{Announced, Distributed, Gateway};
use keys::key::{KeyEntry, Side, Status};
use keys::sm2::{Engine, PublicKey};
use keys::store::{Change, Changes, NewKey, OpenFolder, create, import};
use simulators::centre::{Desk, NewKey as Announcing};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

impl Pair<'_> {
    pub(super) async fn announce(
        &self,
        (seed, now): (u64, OffsetDateTime),
        gateway: &Gateway,
        desk: &Desk,
    ) -> Result<(), String> {
        let (owner, status) = match self.side() {
            Side::Shared => return Err("a secret is not announced".to_owned()),
            // The centre may use what it has announced as soon as it wants to.
            Side::Theirs => (&self.party, Status::Accepted),
            Side::Ours => (&self.gateway, Status::Pending),
        };
        let new = self.entered(Side::Ours, now);
        let entry = KeyEntry { status, ..new.entry };
        let made = create(owner, &NewKey { entry, ..new }, &mut Random(&SeededEntropy::new(seed)));
        let made = made.map_err(|error| error.to_string())?;
        if self.side() == Side::Ours {
            gateway.adopt(loaded(&self.gateway)?).map_err(|unfit| unfit.to_string())?;
            return self.is_confirmed(gateway).await;
        }
        self.counterparty.replace_keyring(Arc::new(loaded(&self.party)?));
        let public = std::fs::read_to_string(made.public.unwrap_or(made.secret)).map_err(|error| error.to_string())?;
        let request = desk.announcement(&Announcing {
            usage: self.usage(),
            serial: self.serial().to_owned(),
            public: PublicKey::from_pem(&public).map_err(|error| error.to_string())?,
            from: now,
            valid: time::Duration::days(30),
        });
        let sent = desk.send(request.map_err(|refusal| refusal.to_string())?).await;
        let outcome = sent.map_err(|refusal| refusal.to_string())?.outcome;
        (outcome.name() == "success")
            .then_some(())
            .ok_or_else(|| format!("the announcement was answered {outcome:?}"))
    }

    /// Whether the key was made already, at its owner.
    pub(super) fn is_begun(&self) -> Result<bool, String> {
        let owner = if self.side() == Side::Theirs {
            &self.party
        } else {
            &self.gateway
        };
        Ok(loaded(owner)?.infos().any(|info| info.id == self.id()))
    }

    /// What was announced to the gateway is entered from its journal; what it announced itself works from here on.
    pub(super) async fn accept_announced(&self, gateway: &Gateway, now: OffsetDateTime) -> Result<(), String> {
        if self.side() == Side::Ours {
            let change = Change {
                id: self.id(),
                status: Status::Accepted,
                primary_from: None,
            };
            let applied = OpenFolder::new(&self.gateway, Engine::default()).apply(&[change]);
            return applied.map(drop).map_err(|error| error.to_string());
        }
        let kept = Announced::all(&**gateway.journal())
            .await
            .map_err(|trouble| trouble.to_string())?;
        let one = kept.iter().find(|one| one.announcement.serial == self.serial());
        let one = one.ok_or("no such key is kept as announced")?;
        let key = one
            .proven(&gateway.keyring(), now)
            .map_err(|disbelief| disbelief.to_string())?;
        let entry = KeyEntry {
            not_before: key.not_before,
            not_after: key.not_after,
            ..self.entered(Side::Theirs, now).entry
        };
        import(&self.gateway, &entry, &key.pem)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    async fn is_confirmed(&self, gateway: &Gateway) -> Result<(), String> {
        for _ in 0..LOOKS {
            let all = Distributed::all(&**gateway.journal())
                .await
                .map_err(|trouble| trouble.to_string())?;
            let keyring = gateway.keyring();
            let mut ours = keyring.infos().filter(|info| info.id == self.id());
            if ours.any(|info| all.iter().any(|one| one.is_confirmed(info))) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the centre has not confirmed the key in time".to_owned())
    }
}

/// Ten seconds.
const LOOKS: u32 = 200;
