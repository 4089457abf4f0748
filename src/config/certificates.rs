//! What is known of the certificates behind the keys in use, for metrics: noted whenever a guarded store is loaded, so that
//! nobody reads and verifies its log to look at them.

use keys::guarded::{Effect, State};
use keys::key::{KeyInfo, Status};
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;

/// Chains and revocation lists as they were when the keyring was loaded.
#[derive(Clone, Default, Debug)]
pub struct Certificates {
    pub members: Vec<Member>,
    pub lists: Vec<Effect>,
}

/// One certificate of the chain of one key.
#[derive(Clone, Debug)]
pub struct Member {
    pub key: KeyInfo,
    /// 0 is the key's own, the last the trust anchor.
    pub place: usize,
    /// Serial number in hex.
    pub serial: String,
    pub not_after: OffsetDateTime,
}

impl Certificates {
    pub(super) fn of(state: &State, lists: Vec<Effect>) -> Self {
        let is_used = |status: Status| status.is_live() || status == Status::Pending;
        let held = state.keys().filter(|held| is_used(held.entry.status));
        let chains = held.filter_map(|held| Some((held.info(), state.chain(held)?.ok()?)));
        let members = chains.flat_map(|(key, chain)| {
            let all = chain.members().iter().enumerate();
            let known =
                all.filter_map(|(place, certificate)| Some((place, certificate.serial_hex(), certificate.not_after().ok()?)));
            let members = known.map(|(place, serial, not_after)| Member {
                key: key.clone(),
                place,
                serial,
                not_after,
            });
            members.collect::<Vec<_>>()
        });
        Self {
            members: members.collect(),
            lists,
        }
    }
}

/// One note for every copy of a configuration.
#[derive(Clone, Default, Debug)]
pub(super) struct SharedCertificates(Arc<Mutex<Arc<Certificates>>>);

impl SharedCertificates {
    pub(super) fn note(&self, certificates: Certificates) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificates);
    }

    pub(super) fn noted(&self) -> Arc<Certificates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
