//! Certificates of keys: the rules of the fold, and how one is put to a key that is there.
//!
//! A certificate counts if it leads to a trust anchor of the store. No clock is asked: a key's validity must lie within that of
//! every certificate of its chain, so that none is expired as long as the key may be used.

use super::change::{CertificateChange, Material};
use super::error::GuardedError;
use super::fresh::{GuardedKey, file};
use super::master::MasterKey;
use super::record::{Stamp, hash};
use super::refusal::Refusal;
use super::ring::clear;
use super::rules::fingerprint;
use super::state::{Held, State};
use crate::certificate::{Certificate, SerialForm};
use crate::chain::{Chain, ChainError, check_usage};
use crate::key::{KeyEntry, Side, Status};
use rand_core::CryptoRng;
use std::path::Path;

/// A certificate that may be proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certified {
    pub change: CertificateChange,
    /// The text of the key's wrapped file under its other serial number, if it gets another.
    pub(super) wrapped: Option<String>,
}

impl CertificateChange {
    pub(super) fn file(&self) -> Option<String> {
        file(&self.id, self.wrapped.as_deref()?)
    }
}

/// Where a key is, and what opens it.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    pub folder: &'a Path,
    pub state: &'a State,
    pub master: &'a MasterKey,
}

/// Puts certificates to a key: its own first, those of authorities behind it, in PEM. Its validity becomes that of the chain;
/// its serial number the certificate's, written in this form, or stays the one that it has.
pub fn certify(
    kept: Kept<'_>,
    id: &str,
    certificates: &str,
    form: Option<SerialForm>,
    rng: &mut dyn CryptoRng,
) -> Result<Certified, GuardedError> {
    let held = kept.state.key(id).ok_or_else(|| Refusal::UnknownKey(id.to_owned()))?;
    let chain = chain(certificates, &kept.state.authorities()).map_err(|error| of_chain(id, &error))?;
    let (from, to) = chain.validity().map_err(|error| of_chain(id, &error))?;
    let own = chain.members().first();
    let serial = form.zip(own).map(|(form, own)| own.serial_in(form));
    let entry = KeyEntry {
        serial: serial.unwrap_or_else(|| held.entry.serial.clone()),
        not_before: from,
        not_after: to,
        ..held.entry.clone()
    };
    let wrapped = wrapped_anew(kept, held, &entry, rng)?;
    let change = CertificateChange {
        id: id.to_owned(),
        serial: entry.serial,
        not_before: Stamp::new(from),
        not_after: Stamp::new(to),
        certificates: presented(&chain),
        wrapped: wrapped.as_deref().map(hash),
    };
    Ok(Certified { change, wrapped })
}

/// Puts certificates to a key that comes in: it may be used no longer than they are valid.
pub fn with_certificates(state: &State, key: GuardedKey, certificates: &str) -> Result<GuardedKey, GuardedError> {
    let mut key = key;
    let refused = |error: ChainError| of_chain(&key.change.id, &error);
    let chain = chain(certificates, &state.authorities()).map_err(refused)?;
    let (from, to) = chain.validity().map_err(refused)?;
    key.change.not_before = key.change.not_before.max(Stamp::new(from));
    key.change.not_after = key.change.not_after.min(Stamp::new(to));
    key.change.material.public = Some(presented(&chain));
    Ok(key)
}

/// A wrapped file is tied to the serial number of its key.
fn wrapped_anew(kept: Kept<'_>, held: &Held, entry: &KeyEntry, rng: &mut dyn CryptoRng) -> Result<Option<String>, GuardedError> {
    if entry.serial == held.entry.serial || held.material.wrapped.is_none() {
        return Ok(None);
    }
    if kept.master.check(kept.state.store()) != kept.state.master_check {
        return Err(GuardedError::OtherMaster);
    }
    let clear = clear(kept.folder, kept.state, held, kept.master)?;
    Ok(Some(kept.master.wrap(kept.state.store(), entry, &clear, rng)))
}

/// What goes into the log: the chain without its anchor, which the log has.
fn presented(chain: &Chain) -> String {
    let before_anchor = chain.members().len().saturating_sub(1).max(1);
    chain.members().iter().take(before_anchor).map(Certificate::to_pem).collect()
}

/// The chain of the first of some certificates, which the others may be part of.
fn chain(certificates: &str, anchors: &[Certificate]) -> Result<Chain, ChainError> {
    let all = Certificate::all_from_pem(certificates).map_err(|_| ChainError::Unreadable)?;
    let (own, others) = all.split_first().ok_or(ChainError::Unreadable)?;
    Chain::build(own, others, anchors)
}

fn of_chain(id: &str, error: &ChainError) -> Refusal {
    Refusal::Key {
        id: id.to_owned(),
        rule: format!("has a certificate that does not count: {error}"),
    }
}

impl State {
    /// The certificates of a key up to a trust anchor, if it has any.
    pub fn chain(&self, held: &Held) -> Option<Result<Chain, ChainError>> {
        let public = held.material.public.as_deref().filter(|public| is_certificate(public))?;
        Some(chain(public, &self.authorities()))
    }

    pub(super) fn certify(&mut self, change: &CertificateChange, number: u64) -> Result<(), Refusal> {
        let held = self
            .keys
            .get(&change.id)
            .ok_or_else(|| Refusal::UnknownKey(change.id.clone()))?;
        let refuse = |rule: &str| Refusal::Key {
            id: change.id.clone(),
            rule: rule.to_owned(),
        };
        let is_other = change.serial != held.entry.serial;
        if held.entry.side == Side::Shared || matches!(held.entry.status, Status::Retired | Status::Revoked) {
            return Err(refuse("is shared, retired or revoked, and takes no certificate"));
        }
        if is_other && held.entry.status != Status::Pending {
            return Err(refuse("is in messages under its serial number, and keeps it"));
        }
        if change.wrapped.is_some() != (is_other && held.material.wrapped.is_some()) {
            return Err(refuse("needs its wrapped half anew exactly when its serial number changes"));
        }
        let mut held = held.clone();
        held.entry.serial.clone_from(&change.serial);
        (held.entry.not_before, held.entry.not_after) = (change.not_before.at(), change.not_after.at());
        held.material = Material {
            public: Some(change.certificates.clone()),
            wrapped: change.wrapped.clone().or(held.material.wrapped),
        };
        held.changed_by = number;
        if fingerprint(&held.entry, &change.certificates)? != held.fingerprint {
            return Err(refuse("has another public key than the certificate"));
        }
        self.is_free(&held.entry)?;
        self.leads(&held.entry, &change.certificates)?;
        self.keys.insert(change.id.clone(), held);
        Ok(())
    }

    /// A certificate that comes with a key must count too, where the store says who counts.
    pub(super) fn counts(&self, entry: &KeyEntry, public: Option<&str>) -> Result<(), Refusal> {
        match public.filter(|public| is_certificate(public) && self.anchors().next().is_some()) {
            Some(certificates) => self.leads(entry, certificates),
            None => Ok(()),
        }
    }

    pub(super) fn leads(&self, entry: &KeyEntry, certificates: &str) -> Result<(), Refusal> {
        let refuse = |error: ChainError| of_chain(&entry.id, &error);
        let chain = chain(certificates, &self.authorities()).map_err(refuse)?;
        let (from, to) = chain.validity().map_err(refuse)?;
        if entry.not_before < from || entry.not_after > to {
            return Err(refuse(ChainError::Validity));
        }
        chain
            .members()
            .first()
            .map_or(Ok(()), |own| check_usage(own, entry.usage))
            .map_err(refuse)
    }

    /// The trust anchors, which were found to be certificates when they were proposed.
    pub(super) fn authorities(&self) -> Vec<Certificate> {
        self.anchors()
            .filter_map(|(_, pem)| Certificate::from_pem(pem).ok())
            .collect()
    }
}

fn is_certificate(public: &str) -> bool {
    public.contains("-----BEGIN CERTIFICATE-----")
}
