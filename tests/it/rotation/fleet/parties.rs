//! The counterparties' half of a rotation: what they are given, what they make, and when they use it.

use super::vault;
use crate::rotation::change;
use crate::stand::Stand;
use codecs::payment::Outcome;
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::sm2::{Engine, PublicKey};
use keys::store::{Changes, NewKey, OpenFolder, Source};
use simulators::centre::{Desk, NewKey as Announcing};
use simulators::counterparty::Party;
use std::path::PathBuf;
use std::sync::Arc;
use time::OffsetDateTime;

/// The keys of one link, side and usage as the gateway sees them, and the serial number of the one to come.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) link: &'static str,
    pub(super) side: &'static str,
    pub(super) usage: &'static str,
    pub(super) next: &'static str,
    /// Id of the counterparty's key that ends.
    old: &'static str,
}

pub(super) const SHELVES: [Shelf; 6] = [
    shelf("centre", "ours", "sign", "4000000011", "bank-sign"),
    shelf("centre", "theirs", "sign", "5000000011", "centre-sign"),
    shelf("centre", "ours", "seal", "4000000012", "bank-seal"),
    shelf("centre", "theirs", "seal", "5000000012", "centre-seal"),
    shelf("platform", "shared", "mac", "platform-mac-2", "platform-mac"),
    shelf("journal", "shared", "journal", "journal-2", "journal"),
];

const fn shelf(link: &'static str, side: &'static str, usage: &'static str, next: &'static str, old: &'static str) -> Shelf {
    Shelf {
        link,
        side,
        usage,
        next,
        old,
    }
}

impl Shelf {
    fn side(&self) -> Side {
        Side::parse(self.side).unwrap()
    }

    fn usage(&self) -> Usage {
        Usage::parse(self.usage).unwrap()
    }

    /// Whether the counterparty decides when the successor is used first.
    fn is_theirs_to_use(&self) -> bool {
        matches!(
            (self.side(), self.usage()),
            (Side::Theirs, Usage::Sign) | (Side::Ours, Usage::Seal)
        )
    }

    /// The key as its counterparty files it.
    fn entry(&self, status: Status) -> KeyEntry {
        let side = match self.side() {
            Side::Ours => Side::Theirs,
            Side::Theirs => Side::Ours,
            Side::Shared => Side::Shared,
        };
        let not_before = OffsetDateTime::now_utc() - time::Duration::DAY;
        KeyEntry {
            id: format!("next-{}", self.old),
            link: self.link.to_owned(),
            side,
            usage: self.usage(),
            algorithm: Algorithm::default_of(side, self.usage()).unwrap(),
            status,
            serial: self.next.to_owned(),
            primary_from: None,
            not_before,
            not_after: not_before + time::Duration::days(30),
            user_id: None,
        }
    }
}

/// Centre and platform with their key folders.
pub(super) struct Counterparties {
    folder: PathBuf,
    centre: Party,
    platform: Party,
}

impl Counterparties {
    pub(super) fn of(stand: &Stand) -> Self {
        Self {
            folder: stand.folder.path().to_owned(),
            centre: stand.parties.centre.clone(),
            platform: stand.parties.platform.clone(),
        }
    }

    /// What a counterparty does before the gateways take a step.
    pub(super) fn before(&self, shelf: &Shelf, stage: &str) {
        // It is sure by then that the gateways take the successor.
        if stage == "promote" && shelf.is_theirs_to_use() {
            self.switch(shelf);
        }
    }

    /// What it does once they have taken it.
    pub(super) fn after(&self, shelf: &Shelf, stage: &str) {
        if stage == "promote" && shelf.side() == Side::Shared && shelf.link != "journal" {
            self.switch(shelf);
        }
    }

    /// Options by which the gateways' successor is made: for a key of theirs they make the pair and give its public half.
    pub(super) fn prepared(&self, shelf: &Shelf) -> Vec<String> {
        let mut options = vec!["--serial".to_owned(), shelf.next.to_owned()];
        if let Some(agreed) = self.agreed(shelf) {
            if !agreed.exists() {
                vault::secret(&agreed, &format!("{:064x}", u64::from(std::process::id())));
            }
            options.extend(["--from".to_owned(), agreed.display().to_string()]);
        }
        if shelf.side() == Side::Theirs {
            options.push("--announced".to_owned());
        }
        options
    }

    /// Of a key of theirs they make the pair, and announce its public half by message.
    pub(super) async fn announce(&self, shelf: &Shelf, desk: &Desk) {
        if shelf.side() != Side::Theirs {
            return;
        }
        let new = NewKey {
            entry: shelf.entry(Status::Accepted),
            bits: 0,
        };
        let made = keys::store::create(&self.place(shelf), &new, &mut Random(&SystemEntropy)).unwrap();
        self.reload(shelf);
        let key = Announcing {
            usage: shelf.usage(),
            serial: shelf.next.to_owned(),
            public: PublicKey::from_pem(&std::fs::read_to_string(made.public.unwrap()).unwrap()).unwrap(),
            from: new.entry.not_before,
            valid: new.entry.not_after - new.entry.not_before,
        };
        let sent = desk.send(desk.announcement(&key).unwrap()).await.unwrap();
        assert_eq!(sent.outcome, Outcome::Success, "{shelf:?}");
    }

    /// They enter what was made for them, or agreed on: the public half of a pair, or the secret. A key of ours that verifies
    /// they know by its announcement and by nothing else.
    pub(super) fn handed_over(&self, shelf: &Shelf) {
        let entry = shelf.entry(Status::Accepted);
        match (shelf.side(), self.agreed(shelf)) {
            (Side::Ours, _) if shelf.usage() == Usage::Sign => return,
            (Side::Ours, _) => {
                let public = vault::public(&self.folder, shelf.next);
                keys::store::import(&self.place(shelf), &entry, &public).unwrap();
            }
            (Side::Shared, Some(agreed)) => {
                let new = NewKey { entry, bits: 0 };
                let made = keys::store::create(&self.place(shelf), &new, &mut Random(&SystemEntropy)).unwrap();
                // The entry with a secret of its own, and then the secret that was agreed on.
                std::fs::copy(agreed, made.secret).unwrap();
            }
            (Side::Theirs | Side::Shared, _) => return,
        }
        self.reload(shelf);
    }

    /// The file of a secret that both sides are to have.
    fn agreed(&self, shelf: &Shelf) -> Option<PathBuf> {
        let is_agreed = shelf.side() == Side::Shared && shelf.link != "journal";
        is_agreed.then(|| self.folder.join(format!("{}.agreed", shelf.next)))
    }

    /// From here on they use the successor; the predecessor still works.
    fn switch(&self, shelf: &Shelf) {
        let folder = OpenFolder::new(&self.place(shelf), Engine::default());
        let keyring = folder.load().unwrap();
        let next = format!("next-{}", shelf.old);
        if keyring.infos().any(|info| info.id == next && info.status == Status::Primary) {
            return;
        }
        let now = OffsetDateTime::now_utc();
        folder.apply(&[change(&next, Status::Primary, Some(now))]).unwrap();
        self.reload(shelf);
    }

    fn reload(&self, shelf: &Shelf) {
        let party = if shelf.link == "platform" {
            &self.platform
        } else {
            &self.centre
        };
        party.replace_keyring(Arc::new(keys::store::load(&self.place(shelf)).unwrap()));
    }

    fn place(&self, shelf: &Shelf) -> PathBuf {
        self.folder.join(if shelf.link == "platform" { "platform" } else { "centre" })
    }
}
