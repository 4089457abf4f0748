//! Values that are sealed each by itself under a public key of ours: another key, or another padding of RSA.

use crate::doctor::{Case, Refused};
use crate::pipeline::{Step, Unrandom};
use codecs::envelope::{EachCipher, RawCiphertext, SealingScheme, Wrapped};
use codecs::message::{Message, SealedEach};
use keys::key::{Side, Usage};
use keys::legacy::RsaPadding;
use keys::secret::Secret;
use keys::sm2::{Ciphertext, Engine};
use keys::store::{Held, Material};

/// Sealed for another key of ours than the one that is meant.
pub(in crate::doctor) fn other_key(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let opens = |held: &&Held| !sealed.is_meant(held) && sealed.opens(held, sealed.padding);
    let found = sealed.ours().find(opens)?;
    let entry = &found.entry;
    Some(format!(
        "key {} of link {}, serial {}, {}",
        entry.id,
        entry.link,
        entry.serial,
        entry.status.name()
    ))
}

/// Encrypted with another padding of RSA.
pub(in crate::doctor) fn padding(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let own = sealed.padding?;
    let others = RsaPadding::ALL.into_iter().filter(|padding| *padding != own);
    let opens = |padding: &RsaPadding| {
        sealed
            .ours()
            .any(|held| sealed.is_meant(held) && sealed.opens(held, Some(*padding)))
    };
    let mut found = others.filter(opens);
    found
        .next()
        .map(|padding| format!("the values encrypted with {}", padding.name()))
}

/// A message with values sealed each by itself, whose signature holds and which did not open.
struct Sealed<'a> {
    case: &'a Case<'a>,
    message: &'a Message<'a>,
    /// What the spec says; `None` for SM2.
    padding: Option<RsaPadding>,
}

impl<'a> Sealed<'a> {
    fn of(refused: &Refused<'a>) -> Option<Self> {
        let seen = refused
            .seen
            .filter(|seen| refused.rejection.step == Step::Open && seen.holds())?;
        let Some(SealingScheme::Each(cipher)) = seen.message.sealing_scheme() else {
            return None;
        };
        Some(Self {
            case: refused.case,
            message: &seen.message,
            padding: match cipher {
                EachCipher::RsaOaepSha1 => Some(RsaPadding::OaepSha1),
                EachCipher::RsaPkcs1 => Some(RsaPadding::Pkcs1),
                EachCipher::Sm2 => None,
            },
        })
    }

    fn ours(&self) -> impl Iterator<Item = &'a Held> {
        let is_ours = |held: &&Held| (held.entry.side, held.entry.usage) == (Side::Ours, Usage::Seal);
        self.case.held.iter().filter(is_ours)
    }

    /// Whether it is the key that the message names, or the link's where it names none.
    fn is_meant(&self, held: &Held) -> bool {
        let entry = &held.entry;
        let is_named = match self.message.sealed_for() {
            Some(serial) => entry.serial == serial,
            None => entry.status.is_live(),
        };
        is_named && entry.link == self.case.link
    }

    /// Whether a key opens every value, and a payment comes of it.
    fn opens(&self, held: &Held, padding: Option<RsaPadding>) -> bool {
        let opened = || {
            let mut message = self.case.spec.parse(self.case.wire).ok()?;
            for value in message.sealed_each().ok()? {
                let clear = unwrapped(held, &value, padding)?;
                message.set_opened(value.slot, clear.danger_expose()).ok()?;
            }
            message.payment().ok()
        };
        opened().is_some()
    }
}

fn unwrapped(held: &Held, value: &SealedEach, padding: Option<RsaPadding>) -> Option<Secret> {
    match (&held.material, &value.wrapped, padding) {
        (Material::RsaPrivate(key), Wrapped::Rsa(bytes), Some(padding)) => key.unwrap(padding, bytes, &mut Unrandom).ok(),
        (Material::Sm2Private(key), Wrapped::Sm2(RawCiphertext { c1, c3, c2 }), None) => {
            let (c1, c3, c2) = (*c1, *c3, c2.clone());
            Engine::Reference.unwrapper(key).unwrap(&Ciphertext { c1, c3, c2 }).ok()
        }
        (_, Wrapped::Rsa(_) | Wrapped::Sm2(_), _) => None,
    }
}
