//! The keyring: which key signs, verifies, seals and opens for a link. Built once, then only read.
//!
//! A key is picked by link, side, usage and serial, never by trying several: trying is how a downgrade works.

use crate::envelope::{Envelopes, Reuse};
use crate::error::KeyError;
use crate::key::{KeyInfo, Status};
use crate::provider::{Placed, Probe};
use crate::sm2::PublicKey;
use crate::sm3::HmacSm3;
use crate::sm4::Sm4Gcm;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

mod builder; // checks and prepares keys
mod kinds; // what a key is, by its algorithm
mod shelf;
mod working; // keys that a sign-in hands out // the keys of one link, side and usage

pub use builder::{BuildError, KeyringBuilder};
pub use kinds::{KeyPair, MacKey, SealKey, Sealed, SignKey, UnwrapKey, VerifyKey, WrapKey};

pub use working::{HandedOut, NotHanded, WorkingKey};

use shelf::Shelf;
use working::WorkingKeys;

/// The link under which journal keys are filed; no counterparty has it.
pub const JOURNAL_LINK: &str = "journal";

/// Prepared keys of every link. Has no `Debug` and no `Clone`; is shared in an `Arc`.
#[derive(Default)]
pub struct Keyring {
    links: BTreeMap<String, LinkKeys>,
    journal: Shelf<Sm4Gcm>,
    digest: Option<Arc<HmacSm3>>,
    version: String,
    placements: Vec<Placement>,
    /// Public halves of our SM2 keys, by id.
    publics: BTreeMap<String, PublicKey>,
    /// For links without keys; keeps nothing.
    no_envelopes: Envelopes,
    /// What terminals hold since they signed in; goes on from one keyring to the next.
    working: Arc<WorkingKeys>,
}

/// Where a key lies that is not in this process.
pub struct Placement {
    /// Of the key.
    pub id: String,
    pub placed: Placed,
    pub probe: Arc<dyn Probe>,
}

/// A key that may be used for what was asked, with its description.
pub struct Usable<'a, T: ?Sized> {
    pub info: &'a KeyInfo,
    pub key: &'a T,
}

impl Keyring {
    pub fn builder() -> KeyringBuilder {
        KeyringBuilder::default()
    }

    /// Sets what envelopes of a link may be used again. A link without keys has none.
    #[must_use]
    pub fn with_reuse(mut self, link: &str, reuse: Reuse) -> Self {
        if let Some(keys) = self.links.get_mut(link) {
            keys.envelopes = Envelopes::new(reuse);
        }
        self
    }

    pub fn envelopes(&self, link: &str) -> &Envelopes {
        self.links.get(link).map_or(&self.no_envelopes, |keys| &keys.envelopes)
    }

    pub fn infos(&self) -> impl Iterator<Item = &KeyInfo> {
        self.links.values().flat_map(LinkKeys::infos).chain(self.journal.infos())
    }

    /// The keys that lie in devices.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// The public half of an SM2 key of ours, whatever its status.
    pub fn public(&self, id: &str) -> Option<&PublicKey> {
        self.publics.get(id)
    }

    /// By which two keyrings are known to be the same: SM3 over the canonical list of their keys, shortened, in hex.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The latest instant at which a primary key takes its place. It only grows, so that of two keyrings the one with the
    /// earlier instant is the older.
    pub fn promoted(&self) -> Option<OffsetDateTime> {
        self.infos().filter_map(|info| info.primary_from).max()
    }

    /// The same of those instants that have come.
    pub fn promoted_by(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.infos()
            .filter_map(|info| info.primary_from)
            .filter(|from| *from <= now)
            .max()
    }

    /// Our primary signing key for a link.
    pub fn signer(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, SignKey>, KeyError> {
        self.primary(link, "signing", |keys| &keys.sign_ours, now)
    }

    /// Our signing key with this serial: accepted, primary or draining, and valid now.
    pub fn signer_with(&self, link: &str, serial: &str, now: OffsetDateTime) -> Result<Usable<'_, SignKey>, KeyError> {
        self.live(
            &Named {
                link,
                usage: "signing",
                serial,
            },
            |keys| &keys.sign_ours,
            now,
        )
    }

    /// The counterparty's verification key with this serial: accepted, primary or draining, and valid now.
    pub fn verifier(&self, link: &str, serial: &str, now: OffsetDateTime) -> Result<Usable<'_, VerifyKey>, KeyError> {
        self.live(
            &Named {
                link,
                usage: "verifying",
                serial,
            },
            |keys| &keys.sign_theirs,
            now,
        )
    }

    /// The counterparty's one verification key, for messages that name none: accepted, primary or draining, and valid now.
    /// Where several are, none is chosen.
    pub fn one_verifier(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, VerifyKey>, KeyError> {
        let named = Named {
            link,
            usage: "verifying",
            serial: "",
        };
        let found = self.links.get(link).and_then(|keys| keys.sign_theirs.only_live());
        valid(found.ok_or_else(|| named.unknown())?, now)
    }

    /// The link's one MAC key, for messages that name none.
    pub fn one_mac(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, MacKey>, KeyError> {
        let named = Named {
            link,
            usage: "mac",
            serial: "",
        };
        let found = self.links.get(link).and_then(|keys| keys.mac.only_live());
        valid(found.ok_or_else(|| named.unknown())?, now)
    }

    /// The counterparty's primary sealing key.
    pub fn wrapper(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, WrapKey>, KeyError> {
        self.primary(link, "sealing", |keys| &keys.seal_theirs, now)
    }

    /// Our opening key with this serial: accepted, primary or draining, and valid now.
    pub fn unwrapper(&self, link: &str, serial: &str, now: OffsetDateTime) -> Result<Usable<'_, UnwrapKey>, KeyError> {
        self.live(
            &Named {
                link,
                usage: "opening",
                serial,
            },
            |keys| &keys.seal_ours,
            now,
        )
    }

    /// Our one opening key of a link, for messages that name none: accepted, primary or draining, and valid now. Where several
    /// are, none is chosen.
    pub fn one_unwrapper(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, UnwrapKey>, KeyError> {
        let named = Named {
            link,
            usage: "opening",
            serial: "",
        };
        let found = self.links.get(link).and_then(|keys| keys.seal_ours.only_live());
        valid(found.ok_or_else(|| named.unknown())?, now)
    }

    /// Every opening key of ours of a link, whatever its status and validity: only for bytes that the journal vouches for, where
    /// the message names no key and what opens says itself whether it fits.
    pub fn held_unwrappers(&self, link: &str) -> impl Iterator<Item = Usable<'_, UnwrapKey>> {
        self.links.get(link).into_iter().flat_map(|keys| keys.seal_ours.all())
    }

    /// Any opening key of ours with this serial, whatever its status and validity: only for bytes that the journal vouches
    /// for. A revoked key must not open anything new, but what it sealed before must stay readable.
    pub fn held_unwrapper(&self, link: &str, serial: &str) -> Result<Usable<'_, UnwrapKey>, KeyError> {
        let named = Named {
            link,
            usage: "opening",
            serial,
        };
        let found = self.links.get(link).and_then(|keys| keys.seal_ours.with(serial));
        found.ok_or_else(|| named.unknown())
    }

    /// The primary shared MAC key of a link, to make tags.
    pub fn mac(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, MacKey>, KeyError> {
        self.primary(link, "mac", |keys| &keys.mac, now)
    }

    /// The shared MAC key with this id, to check tags.
    pub fn mac_with(&self, link: &str, serial: &str, now: OffsetDateTime) -> Result<Usable<'_, MacKey>, KeyError> {
        self.live(
            &Named {
                link,
                usage: "mac",
                serial,
            },
            |keys| &keys.mac,
            now,
        )
    }

    /// The primary shared sealing key of a link, for institutions that seal under a key both sides hold.
    pub fn sealer(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, SealKey>, KeyError> {
        self.primary(link, "shared sealing", |keys| &keys.seal_shared, now)
    }

    /// The shared sealing key with this serial: accepted, primary or draining, and valid now.
    pub fn sealer_with(&self, link: &str, serial: &str, now: OffsetDateTime) -> Result<Usable<'_, SealKey>, KeyError> {
        self.live(
            &Named {
                link,
                usage: "shared sealing",
                serial,
            },
            |keys| &keys.seal_shared,
            now,
        )
    }

    /// The link's one shared sealing key, for messages that name none.
    pub fn one_sealer(&self, link: &str, now: OffsetDateTime) -> Result<Usable<'_, SealKey>, KeyError> {
        let named = Named {
            link,
            usage: "shared sealing",
            serial: "",
        };
        let found = self.links.get(link).and_then(|keys| keys.seal_shared.only_live());
        valid(found.ok_or_else(|| named.unknown())?, now)
    }

    /// Every shared sealing key of a link, whatever its status and validity: only for bytes that the journal vouches for, where
    /// the message names no key and what opens says itself whether it fits.
    pub fn held_sealers(&self, link: &str) -> impl Iterator<Item = Usable<'_, SealKey>> {
        self.links.get(link).into_iter().flat_map(|keys| keys.seal_shared.all())
    }

    /// The primary journal key: seals stored bytes.
    pub fn journal(&self, now: OffsetDateTime) -> Result<Usable<'_, Sm4Gcm>, KeyError> {
        let primary = self.journal.primary(now).ok_or_else(|| no_primary(JOURNAL_LINK, "journal"))?;
        valid(primary, now)
    }

    /// Any journal key by serial that is not revoked, to open stored bytes.
    pub fn journal_with(&self, serial: &str) -> Result<Usable<'_, Sm4Gcm>, KeyError> {
        let named = Named {
            link: JOURNAL_LINK,
            usage: "journal",
            serial,
        };
        let found = self.journal.with(serial).ok_or_else(|| named.unknown())?;
        if found.info.status == Status::Revoked {
            Err(unusable(found.info))
        } else {
            Ok(found)
        }
    }

    /// Keyed SM3 for content equality and searchable fields; its key is derived from the oldest journal key that is not
    /// revoked, under the label `hangu digest`, so that it stays the same while journal keys rotate.
    pub fn digest(&self) -> Result<&HmacSm3, KeyError> {
        self.digest.as_deref().ok_or_else(|| no_primary(JOURNAL_LINK, "journal"))
    }

    /// The same for whoever keeps it longer than the keyring.
    pub fn shared_digest(&self) -> Result<Arc<HmacSm3>, KeyError> {
        self.digest.clone().ok_or_else(|| no_primary(JOURNAL_LINK, "journal"))
    }

    fn primary<T>(
        &self,
        link: &str,
        usage: &'static str,
        shelf: fn(&LinkKeys) -> &Shelf<T>,
        now: OffsetDateTime,
    ) -> Result<Usable<'_, T>, KeyError> {
        let primary = self.links.get(link).and_then(|keys| shelf(keys).primary(now));
        valid(primary.ok_or_else(|| no_primary(link, usage))?, now)
    }

    fn live<T>(
        &self,
        named: &Named<'_>,
        shelf: fn(&LinkKeys) -> &Shelf<T>,
        now: OffsetDateTime,
    ) -> Result<Usable<'_, T>, KeyError> {
        let found = self.links.get(named.link).and_then(|keys| shelf(keys).with(named.serial));
        let found = found.ok_or_else(|| named.unknown())?;
        if found.info.status.is_live() {
            valid(found, now)
        } else {
            Err(unusable(found.info))
        }
    }
}

/// What a message or a caller asked for.
struct Named<'a> {
    link: &'a str,
    usage: &'static str,
    serial: &'a str,
}

impl Named<'_> {
    fn unknown(&self) -> KeyError {
        KeyError::UnknownSerial {
            link: self.link.to_owned(),
            usage: self.usage,
            serial: self.serial.to_owned(),
        }
    }
}

/// One shelf for each pair of side and usage that exists.
#[derive(Default)]
struct LinkKeys {
    sign_ours: Shelf<SignKey>,
    sign_theirs: Shelf<VerifyKey>,
    seal_ours: Shelf<UnwrapKey>,
    seal_theirs: Shelf<WrapKey>,
    seal_shared: Shelf<SealKey>,
    mac: Shelf<MacKey>,
    envelopes: Envelopes,
}

impl LinkKeys {
    fn infos(&self) -> impl Iterator<Item = &KeyInfo> {
        let signing = self.sign_ours.infos().chain(self.sign_theirs.infos());
        let sealing = self
            .seal_ours
            .infos()
            .chain(self.seal_theirs.infos())
            .chain(self.seal_shared.infos());
        signing.chain(sealing).chain(self.mac.infos())
    }
}

fn valid<T>(found: Usable<'_, T>, now: OffsetDateTime) -> Result<Usable<'_, T>, KeyError> {
    if (found.info.not_before..=found.info.not_after).contains(&now) {
        Ok(found)
    } else {
        Err(KeyError::Expired {
            id: found.info.id.clone(),
        })
    }
}

fn no_primary(link: &str, usage: &'static str) -> KeyError {
    KeyError::NoPrimary {
        link: link.to_owned(),
        usage,
    }
}

fn unusable(info: &KeyInfo) -> KeyError {
    KeyError::Unusable {
        id: info.id.clone(),
        status: info.status.name(),
    }
}

#[cfg(test)]
mod tests;
