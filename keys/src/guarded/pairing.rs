//! Double certificates (GM/T 0015, GM/T 0034): one for the signing key pair, which never leaves here, and one for a key pair that
//! the authority made for opening and handed out sealed for the first. Both come in together.

use super::certificates::{Certified, Kept, certify, with_certificates};
use super::change::PairChange;
use super::error::GuardedError;
use super::fresh::{GuardedKey, import};
use super::refusal::Refusal;
use super::state::State;
use crate::algorithm::Algorithm;
use crate::certificate::{Certificate, CertificateKey, SerialForm};
use crate::intake::{Brought, IntakeError, certificates_of, public_key};
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::sm2::{PrivateKey, PublicKey};
use crate::store::Encoding;
use rand_core::CryptoRng;

/// A pair that may be proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    certified: Certified,
    key: GuardedKey,
}

/// What a pair is made of, besides the store.
pub struct Handed<'a> {
    /// The signing key that is there, and the id that the other is to have.
    pub sign_id: &'a str,
    pub seal_id: &'a str,
    /// The opened private key, with whatever came with it.
    pub brought: &'a Brought,
    /// Both certificates and those of authorities, in PEM.
    pub certificates: &'a str,
    pub form: SerialForm,
}

/// Puts the certificates to the key that is there and to the one that was brought.
pub fn paired(kept: Kept<'_>, handed: &Handed<'_>, rng: &mut dyn CryptoRng) -> Result<Pair, GuardedError> {
    let held = kept.state.key(handed.sign_id);
    let held = held.ok_or_else(|| Refusal::UnknownKey(handed.sign_id.to_owned()))?;
    let refuse = |id: &str, rule: &str| Refusal::Key {
        id: id.to_owned(),
        rule: rule.to_owned(),
    };
    let Some(CertificateKey::Sm2(own)) = held.material.public.as_deref().and_then(public_key) else {
        return Err(refuse(handed.sign_id, NOT_SM2).into());
    };
    let private = handed.brought.private.as_deref();
    let private = private.ok_or_else(|| refuse(handed.seal_id, "is not in the file: it holds no private key"))?;
    let other = PrivateKey::from_pem(private).map_err(|_| refuse(handed.seal_id, NOT_SM2))?;
    let of = |id: &str, key: PublicKey| {
        let found = certificates_of(handed.certificates, &CertificateKey::Sm2(key));
        found.map_err(|error: IntakeError| refuse(id, &format!("has no certificate of its own there: the file {error}")))
    };
    let sign = of(handed.sign_id, own)?;
    let seal = of(handed.seal_id, other.public().clone())?;
    let certified = certify(kept, handed.sign_id, &sign, Some(handed.form), rng)?;
    let certificate = Certificate::from_pem(&seal)?;
    let entry = KeyEntry {
        id: handed.seal_id.to_owned(),
        usage: Usage::Seal,
        status: Status::Pending,
        serial: certificate.serial_in(handed.form),
        primary_from: None,
        not_before: certificate.not_before()?,
        not_after: certificate.not_after()?,
        user_id: None,
        ..held.entry.clone()
    };
    let key = import(kept.state, kept.master, &entry, private, Encoding::Hex, rng)?;
    let key = with_certificates(kept.state, key, &seal)?;
    Ok(Pair { certified, key })
}

impl Pair {
    pub fn change(&self) -> PairChange {
        PairChange {
            certificate: self.certified.change.clone(),
            key: self.key.change.clone(),
        }
    }

    /// Names and texts of the wrapped files.
    pub(super) fn files(&self) -> Vec<(String, &str)> {
        let sign = self.certified.change.file().zip(self.certified.wrapped.as_deref());
        let seal = self.key.change.file().zip(self.key.wrapped.as_deref());
        sign.into_iter().chain(seal).collect()
    }
}

impl State {
    pub(super) fn add_pair(&mut self, pair: &PairChange, number: u64) -> Result<(), Refusal> {
        self.certify(&pair.certificate, number)?;
        let (sign, seal) = (self.key(&pair.certificate.id), pair.key.entry()?);
        let is_double = sign.is_some_and(|sign| {
            let of_sign = (sign.entry.side, sign.entry.usage, sign.entry.algorithm);
            let of_seal = (seal.side, seal.usage, seal.algorithm);
            of_sign == (Side::Ours, Usage::Sign, Algorithm::Sm2)
                && of_seal == (Side::Ours, Usage::Seal, Algorithm::Sm2)
                && sign.entry.link == seal.link
                && sign.fingerprint != pair.key.fingerprint
        });
        if !is_double {
            return Err(Refusal::Key {
                id: seal.id,
                rule: NOT_DOUBLE.to_owned(),
            });
        }
        self.add_key(&pair.key, number)?;
        // The authority's word is what makes it a pair: a store without an anchor has none.
        self.leads(&seal, pair.key.material.public.as_deref().unwrap_or_default())
    }
}

/// Whether whoever signed the file with the key pair is an authority of this store.
pub fn is_authority(state: &State, signer: &str, others: &str) -> bool {
    let others = Certificate::all_from_pem(others).unwrap_or_default();
    let anchors = state.authorities();
    Certificate::from_pem(signer).is_ok_and(|signer| crate::chain::Chain::build(&signer, &others, &anchors).is_ok())
}

const NOT_SM2: &str = "is no SM2 key pair";
const NOT_DOUBLE: &str = "is no pair with the signing key: both are SM2 keys of ours on one link, one signs, the other opens";
