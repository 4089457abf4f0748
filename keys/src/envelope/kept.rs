//! Unwrapped keys by the exact bytes of their envelopes, the oldest first to go.

use super::{Reuse, is_young};
use crate::key::KeyInfo;
use crate::sm2::Ciphertext;
use crate::sm4::Sm4Gcm;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use time::OffsetDateTime;

/// The private key and every byte of the envelope. Both are known to whoever reads the wire, so that the time of a search tells
/// nothing; the key that is found is never compared.
pub(super) fn name(ours: &KeyInfo, wrapped: &Ciphertext) -> Name {
    [ours.fingerprint.as_bytes(), &wrapped.c1, &wrapped.c3, &wrapped.c2].concat()
}

type Name = Vec<u8>;

#[derive(Default)]
pub(super) struct Kept {
    keys: BTreeMap<Name, (OffsetDateTime, Arc<Sm4Gcm>)>,
    /// Every name in `keys`, once, as they came.
    order: VecDeque<(OffsetDateTime, Name)>,
}

impl Kept {
    /// Drops what is too old, whatever is asked for.
    pub(super) fn find(&mut self, name: &Name, now: OffsetDateTime, reuse: &Reuse) -> Option<Arc<Sm4Gcm>> {
        while self.order.front().is_some_and(|(since, _)| now - *since >= reuse.age_max) {
            self.drop_oldest();
        }
        // Those behind the oldest may be older by what lies between two messages worked on at a time.
        let (since, key) = self.keys.get(name)?;
        is_young(*since, now, reuse).then(|| key.clone())
    }

    pub(super) fn keep(&mut self, name: Name, key: Arc<Sm4Gcm>, now: OffsetDateTime, reuse: &Reuse) {
        // Another message may have brought the same envelope meanwhile: its time is not prolonged.
        if self.keys.contains_key(&name) {
            return;
        }
        while self.order.len() >= reuse.kept_max {
            self.drop_oldest();
        }
        self.order.push_back((now, name.clone()));
        self.keys.insert(name, (now, key));
    }

    fn drop_oldest(&mut self) {
        if let Some((_, name)) = self.order.pop_front() {
            self.keys.remove(&name);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.keys.len(), self.order.len());
        self.keys.len()
    }
}
