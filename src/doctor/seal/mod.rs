//! Sealed under another key or in another way. Proved by opening every sealed value and reading the payment, of which nothing
//! is kept; tried only where the signature holds.

use super::coding::{unbase64, unhex};
use super::{Case, Refused};
use crate::pipeline::{Step, Unrandom};
use codecs::envelope::session::{ciphertext_from_raw, key_bytes as session_key_bytes};
use codecs::envelope::text_key::{key_bytes, key_of};
use codecs::envelope::{RawCiphertext, SealingScheme, SessionCipher, TextCipher, Wrapped, ciphertext_from_der};
use codecs::message::Message;
use keys::key::{Side, Usage};
use keys::legacy::RsaPadding;
use keys::legacy::aes::AesEcb;
use keys::legacy::sm4_ecb::Sm4Ecb;
use keys::legacy::zero_padded::ZeroPaddedCbc;
use keys::secret::Secret;
use keys::sm2::{Ciphertext, Engine};
use keys::sm4::Sm4Gcm;
use keys::store::{Held, Material};

pub(super) mod each; // values under a public key of ours
pub(super) mod whole; // an object that is sealed whole

/// ASN.1 where `04 C1 C3 C2` is due.
pub(super) fn asn1(refused: &Refused<'_>) -> Option<String> {
    Sealed::of(refused)?.laid_out(&[("ASN.1", |bytes| ciphertext_from_der(bytes).ok())])
}

/// `04 C1 C3 C2` where ASN.1 is due.
pub(super) fn raw(refused: &Refused<'_>) -> Option<String> {
    Sealed::of(refused)?.laid_out(&[("04 C1 C3 C2", |bytes| ciphertext_from_raw(bytes).ok())])
}

/// The cipher before the digest.
pub(super) fn order(refused: &Refused<'_>) -> Option<String> {
    Sealed::of(refused)?.laid_out(&[
        ("04 C1 C2 C3", |bytes| c1_c2_c3(bytes.strip_prefix(&[4])?)),
        ("C1 C2 C3 without 04", c1_c2_c3),
    ])
}

/// No 04 before the point.
pub(super) fn prefix(refused: &Refused<'_>) -> Option<String> {
    let without: Layout = |bytes| ciphertext_from_raw(&[&[4], bytes].concat()).ok();
    Sealed::of(refused)?.laid_out(&[("C1 C3 C2 without 04", without)])
}

/// Sealed for another key of ours than the one that is named.
pub(super) fn other_key(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let named = sealed.message.wrapped_text()?.0;
    let wrapped = sealed.message.wrapped_key().ok().flatten()?.1;
    let opens = |held: &&Held| {
        let is_named = held.entry.serial == named && held.entry.link == sealed.case.link;
        let key = unwrap(held, &wrapped, RsaPadding::Pkcs1).filter(|_| !is_named);
        key.is_some_and(|key| sealed.opens(&key, Habits::SPEC))
    };
    let held = sealed
        .case
        .held
        .iter()
        .filter(|held| held.entry.side == Side::Ours)
        .find(opens)?;
    let entry = &held.entry;
    Some(format!(
        "key {} of link {}, serial {}, {}",
        entry.id,
        entry.link,
        entry.serial,
        entry.status.name()
    ))
}

/// Wrapped by another padding of RSA.
pub(super) fn rsa_padding(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let wrapped = sealed.message.wrapped_key().ok().flatten()?.1;
    let named = sealed.named()?;
    let opens = |padding: &RsaPadding| unwrap(named, &wrapped, *padding).is_some_and(|key| sealed.opens(&key, Habits::SPEC));
    let padding = [RsaPadding::OaepSha1, RsaPadding::OaepSha256].into_iter().find(opens)?;
    Some(format!("the key wrapped with {}", padding.name()))
}

/// The data key in another form: its algorithm not named before it, or its digits in place of its bytes.
pub(super) fn key_form(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let key = sealed.strictly_unwrapped()?;
    sealed
        .opens(
            &key,
            Habits {
                bare_key: true,
                ..Habits::SPEC
            },
        )
        .then(|| "the data key in another form".to_owned())
}

/// Filled up by PKCS #7 where zero bytes are due.
pub(super) fn filling(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let key = sealed.strictly_unwrapped()?;
    sealed
        .opens(
            &key,
            Habits {
                pkcs7: true,
                ..Habits::SPEC
            },
        )
        .then(|| "the values filled up by PKCS #7".to_owned())
}

/// Bound to other additional data.
pub(super) fn additional(refused: &Refused<'_>) -> Option<String> {
    let sealed = Sealed::of(refused)?;
    let key = sealed.strictly_unwrapped()?;
    let with = |additional| Habits {
        additional,
        ..Habits::SPEC
    };
    let opens = |(_, additional): &&(&str, Additional)| sealed.opens(&key, with(*additional));
    ADDITIONAL
        .iter()
        .find(opens)
        .map(|(what, _)| format!("{what} as additional data"))
}

type Layout = fn(&[u8]) -> Option<RawCiphertext>;
type Additional = fn(&[u8]) -> Vec<u8>;
/// How one value is opened.
type Opening<'o> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'o;

/// What a sender may do otherwise with the values.
#[derive(Clone, Copy)]
struct Habits {
    bare_key: bool,
    pkcs7: bool,
    additional: Additional,
}

impl Habits {
    const SPEC: Self = Self {
        bare_key: false,
        pkcs7: false,
        additional: <[u8]>::to_vec,
    };
}

/// A message with sealed values, whose signature holds and which did not open.
struct Sealed<'a> {
    case: &'a Case<'a>,
    message: &'a Message<'a>,
}

impl<'a> Sealed<'a> {
    fn of(refused: &Refused<'a>) -> Option<Self> {
        let seen = refused.seen.filter(|_| refused.rejection.step == Step::Open)?;
        let message = &seen.message;
        let is_sealed = message.sealing_scheme().is_some() && seen.holds();
        is_sealed.then_some(Self {
            case: refused.case,
            message,
        })
    }

    /// The key of ours that the message names, whatever its status.
    fn named(&self) -> Option<&'a Held> {
        let serial = self.message.wrapped_text()?.0;
        let fits = |held: &&Held| {
            let entry = &held.entry;
            (entry.side, entry.usage) == (Side::Ours, Usage::Seal) && entry.link == self.case.link && entry.serial == serial
        };
        self.case.held.iter().find(fits)
    }

    fn strictly_unwrapped(&self) -> Option<Secret> {
        let wrapped = self.message.wrapped_key().ok().flatten()?.1;
        unwrap(self.named()?, &wrapped, RsaPadding::Pkcs1)
    }

    /// The first layout other than the spec's in which the wrapped key opens everything.
    fn laid_out(&self, layouts: &[(&str, Layout)]) -> Option<String> {
        let (_, text) = self.message.wrapped_text()?;
        let strict = self.message.wrapped_key().ok().flatten().map(|(_, wrapped)| wrapped);
        let bytes = unbase64(text)?;
        let opens = |(_, layout): &&(&str, Layout)| {
            let wrapped = layout(&bytes)
                .map(Wrapped::Sm2)
                .filter(|wrapped| Some(wrapped) != strict.as_ref());
            let key = wrapped.and_then(|wrapped| unwrap(self.named()?, &wrapped, RsaPadding::Pkcs1));
            key.is_some_and(|key| self.opens(&key, Habits::SPEC))
        };
        layouts
            .iter()
            .find(opens)
            .map(|(what, _)| format!("the wrapped key as {what}"))
    }

    /// Whether a data key opens every value, and a payment comes of it.
    fn opens(&self, secret: &Secret, habits: Habits) -> bool {
        let opened = || {
            let mut message = self.case.spec.parse(self.case.wire).ok()?;
            match message.sealing_scheme()? {
                SealingScheme::Sm4Gcm => open_gcm(&mut message, secret.danger_expose(), habits)?,
                SealingScheme::TextKey(cipher) => open_text_key(&mut message, cipher, secret.danger_expose(), habits)?,
                // Each value has a ciphertext of its own, so that no data key opens any.
                SealingScheme::Each(_) => return None,
                SealingScheme::Session(cipher) => open_session(&mut message, cipher, secret.danger_expose(), habits)?,
            }
            message.payment().ok()
        };
        opened().is_some()
    }
}

fn unwrap(held: &Held, wrapped: &Wrapped, padding: RsaPadding) -> Option<Secret> {
    match (&held.material, wrapped) {
        (Material::Sm2Private(key), Wrapped::Sm2(RawCiphertext { c1, c3, c2 })) => {
            let (c1, c3, c2) = (*c1, *c3, c2.clone());
            Engine::Reference.unwrapper(key).unwrap(&Ciphertext { c1, c3, c2 }).ok()
        }
        (Material::RsaPrivate(key), Wrapped::Rsa(bytes)) => key.unwrap(padding, bytes, &mut Unrandom).ok(),
        (
            Material::Sm2Private(_)
            | Material::Sm2Public(_)
            | Material::RsaPrivate(_)
            | Material::RsaPublic(_)
            | Material::Secret(_)
            | Material::Sm2Placed(..)
            | Material::RsaPlaced(..)
            | Material::MacPlaced(_),
            _,
        ) => None,
    }
}

fn open_gcm(message: &mut Message<'_>, key: &[u8], habits: Habits) -> Option<()> {
    let cipher = Sm4Gcm::new(&formed(key, 16, habits)?.try_into().ok()?);
    for field in message.sealed_fields().ok()? {
        let additional = (habits.additional)(&field.additional);
        let clear = cipher.open(&field.nonce, &additional, &field.ciphertext, &field.tag).ok()?;
        message.set_opened(field.slot, &clear).ok()?;
    }
    Some(())
}

fn open_text_key(message: &mut Message<'_>, cipher: TextCipher, text: &[u8], habits: Habits) -> Option<()> {
    let key = if habits.bare_key {
        let bare = [b"01|", b"02|"]
            .iter()
            .find_map(|name| text.strip_prefix(name.as_slice()))
            .unwrap_or(text);
        formed(bare, key_bytes(cipher), habits)?
    } else {
        key_of(cipher, text)?.to_vec()
    };
    let open: Box<Opening<'_>> = match cipher {
        TextCipher::Aes256 => {
            let cipher = AesEcb::new(&key).ok()?;
            Box::new(move |bytes| cipher.decrypt(bytes).ok())
        }
        TextCipher::Sm4 | TextCipher::Sm4Bytes => {
            let cipher = Sm4Ecb::new(&key.try_into().ok()?);
            Box::new(move |bytes| cipher.decrypt(bytes).ok())
        }
    };
    open_blocks(message, &open)
}

fn open_session(message: &mut Message<'_>, cipher: SessionCipher, key: &[u8], habits: Habits) -> Option<()> {
    let key = formed(key, session_key_bytes(cipher), habits)?;
    let cipher = match cipher {
        SessionCipher::TripleDes => ZeroPaddedCbc::triple_des(&key),
        SessionCipher::Sm4 => ZeroPaddedCbc::sm4(&key),
    };
    let cipher = cipher.ok()?;
    open_blocks(message, &move |bytes| {
        let clear = cipher.decrypt(bytes).ok()?;
        if habits.pkcs7 { without_pkcs7(clear) } else { Some(clear) }
    })
}

fn open_blocks(message: &mut Message<'_>, open: &Opening<'_>) -> Option<()> {
    for field in message.sealed_blocks().ok()? {
        message.set_opened(field.slot, &open(&field.ciphertext)?).ok()?;
    }
    Some(())
}

/// The bytes of a key: as they are, or where another form is looked for, those that its hex or base64 digits stand for.
fn formed(key: &[u8], length: usize, habits: Habits) -> Option<Vec<u8>> {
    if key.len() == length {
        return Some(key.to_vec());
    }
    let text = std::str::from_utf8(key).ok().filter(|_| habits.bare_key)?;
    let forms = [unhex(text), unbase64(text)];
    forms.into_iter().flatten().find(|bytes| bytes.len() == length)
}

fn without_pkcs7(mut clear: Vec<u8>) -> Option<Vec<u8>> {
    let count = usize::from(*clear.last()?);
    let kept = clear.len().checked_sub(count).filter(|_| (1..=16).contains(&count))?;
    let is_filling = clear.iter().skip(kept).all(|byte| usize::from(*byte) == count);
    clear.truncate(kept);
    is_filling.then_some(clear)
}

fn c1_c2_c3(bytes: &[u8]) -> Option<RawCiphertext> {
    let (c1, rest) = bytes.split_first_chunk::<64>()?;
    let (c2, c3) = rest.split_last_chunk::<32>()?;
    (!c2.is_empty()).then(|| RawCiphertext {
        c1: *c1,
        c3: *c3,
        c2: c2.to_vec(),
    })
}

/// Of `MsgId|path[n]`.
const ADDITIONAL: [(&str, Additional); 4] = [
    ("nothing", |_| Vec::new()),
    ("the message's number alone", |bytes| {
        bytes.split(|byte| *byte == b'|').next().unwrap_or_default().to_vec()
    }),
    ("the path alone", |bytes| {
        bytes.split(|byte| *byte == b'|').nth(1).unwrap_or_default().to_vec()
    }),
    ("number and path without the repeat", |bytes| {
        let end = bytes.iter().rposition(|byte| *byte == b'[').unwrap_or(bytes.len());
        bytes.get(..end).unwrap_or_default().to_vec()
    }),
];
