//! Whether a signature holds if it was made in another way than the spec says: over another text, by another algorithm, under
//! another key.

use super::seen::Seen;
use codecs::envelope::{MacKind, RsaKind, SignatureScheme, SignatureValue, Sm2Input};
use keys::legacy::RsaScheme;
use keys::legacy::digest::Digest;
use keys::legacy::mac::{CupEcb, CupForm, HmacSha256, KeySuffix};
use keys::secret::Secret;
use keys::sm2::{DEFAULT_USER_ID, Engine, Otherwise, PublicKey, Verify};
use keys::sm3::HmacSm3;
use keys::store::{Held, Material};

/// What the text becomes before it is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    Nothing,
    Digest(Digest),
    Hex(Digest),
    UpperHex(Digest),
}

/// What then signs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Sm2,
    /// SM2 whose e was made otherwise.
    Sm2As(Otherwise),
    Rsa(RsaScheme),
    HmacSm3,
    HmacSha256,
    /// HMAC-SHA256 with the key behind the text too.
    HmacSha256Key,
    /// A digest with the key behind the text.
    Behind(Digest),
    /// The same with the hex digest of the key.
    BehindHashed(Digest),
    /// CUP-ECB by DES or triple DES, as long as the key is.
    CupDes,
    CupSm4(CupForm),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub(super) before: Before,
    pub(super) by: By,
}

/// A way in which the signature may have been made. What it leaves out is as the spec and the keyring say.
#[derive(Default)]
pub(super) struct Attempt<'a> {
    pub(super) what: String,
    pub(super) text: Option<Vec<u8>>,
    pub(super) way: Option<Way>,
    pub(super) value: Option<SignatureValue>,
    pub(super) key: Option<&'a Held>,
    pub(super) user_id: Option<Vec<u8>>,
    /// Bytes of a shared key.
    pub(super) secret: Option<Secret>,
}

impl Attempt<'_> {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// Over another text.
    pub(super) fn text(what: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::new(what)
        }
    }

    pub(super) fn way(what: impl Into<String>, before: Before, by: By) -> Self {
        Self {
            way: Some(Way { before, by }),
            ..Self::new(what)
        }
    }

    pub(super) fn value(what: impl Into<String>, value: SignatureValue) -> Self {
        Self {
            value: Some(value),
            ..Self::new(what)
        }
    }

    /// Whether the signature was made in this way.
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        self.check(seen).is_some()
    }

    fn check(&self, seen: &Seen<'_>) -> Option<()> {
        let key = self.key.or(seen.key)?;
        let value = self.value.as_ref().or(seen.value.as_ref())?;
        let way = self.way.or_else(|| Way::of(seen.scheme))?;
        let text = way.before.of(self.text.as_ref().unwrap_or(&seen.text));
        match (way.by, value) {
            (By::Sm2, SignatureValue::Sm2(signature)) => {
                let verified = match (&seen.verifier, self.key, &self.user_id) {
                    (Some(prepared), None, None) => prepared.verify(&text, signature),
                    (_, _, id) => {
                        let user_id = id.as_deref().unwrap_or_else(|| user_id(key));
                        verifier(Engine::Reference, key, user_id)?.verify(&text, signature)
                    }
                };
                verified.ok()
            }
            (By::Sm2As(otherwise), SignatureValue::Sm2(signature)) => {
                otherwise.made(&sm2_public(key)?, user_id(key), &text, signature).ok()
            }
            (By::Rsa(scheme), SignatureValue::Bytes(signature)) => match &key.material {
                Material::RsaPublic(key) | Material::RsaPlaced(key, _) => key.verify(scheme, &text, signature).ok(),
                Material::RsaPrivate(key) => key.public().verify(scheme, &text, signature).ok(),
                Material::Sm2Private(_)
                | Material::Sm2Public(_)
                | Material::Secret(_)
                | Material::Sm2Placed(..)
                | Material::MacPlaced(_) => None,
            },
            (_, SignatureValue::Sm2(_)) | (By::Sm2 | By::Sm2As(_), SignatureValue::Bytes(_)) => None,
            (by, SignatureValue::Bytes(tag)) => {
                let Material::Secret(secret) = &key.material else {
                    return None;
                };
                let secret = self.secret.as_ref().unwrap_or(secret);
                by.check_tag(secret.danger_expose(), &text, tag)
            }
        }
    }
}

impl Way {
    /// The way that a scheme means.
    pub(super) fn of(scheme: SignatureScheme) -> Option<Self> {
        let (before, by) = match scheme {
            SignatureScheme::None => return None,
            SignatureScheme::Sm2(Sm2Input::Text) => (Before::Nothing, By::Sm2),
            SignatureScheme::Sm2(Sm2Input::Digest) => (Before::Digest(Digest::Sm3), By::Sm2),
            SignatureScheme::Rsa(kind) => Self::of_rsa(kind),
            SignatureScheme::Mac(kind) => (Before::Nothing, Self::of_mac(kind)),
        };
        Some(Self { before, by })
    }

    const fn of_rsa(kind: RsaKind) -> (Before, By) {
        match kind {
            RsaKind::Sha256 => (Before::Nothing, By::Rsa(RsaScheme::Pkcs1Sha256)),
            RsaKind::Sha1 => (Before::Nothing, By::Rsa(RsaScheme::Pkcs1Sha1)),
            RsaKind::RawHexDigest => (Before::Hex(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Raw)),
            RsaKind::Sha256OfHex => (Before::Hex(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Sha256)),
            RsaKind::Sha1OfHex => (Before::Hex(Digest::Sha1), By::Rsa(RsaScheme::Pkcs1Sha1)),
            RsaKind::Sha256OfDigest => (Before::Digest(Digest::Sha256), By::Rsa(RsaScheme::Pkcs1Sha256)),
        }
    }

    const fn of_mac(kind: MacKind) -> By {
        match kind {
            MacKind::HmacSm3 => By::HmacSm3,
            MacKind::HmacSha256 => By::HmacSha256,
            MacKind::HmacSha256Key => By::HmacSha256Key,
            MacKind::Md5Key => By::Behind(Digest::Md5),
            MacKind::Sha256Key => By::Behind(Digest::Sha256),
            MacKind::Sha256KeyDigest => By::BehindHashed(Digest::Sha256),
            MacKind::Sm3KeyDigest => By::BehindHashed(Digest::Sm3),
            MacKind::CupEcbDes | MacKind::CupEcbTripleDes => By::CupDes,
            MacKind::CupEcbSm4 => By::CupSm4(CupForm::Digits),
            MacKind::CupEcbSm4Bytes => By::CupSm4(CupForm::Bytes),
        }
    }
}

impl Before {
    pub(super) fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Nothing => text.to_vec(),
            Self::Digest(digest) => digest.of(&[text]),
            Self::Hex(digest) => digest.hex_of(&[text]).into_bytes(),
            Self::UpperHex(digest) => digest.hex_of(&[text]).to_ascii_uppercase().into_bytes(),
        }
    }
}

impl By {
    fn check_tag(self, secret: &[u8], text: &[u8], tag: &[u8]) -> Option<()> {
        let checked = match self {
            Self::HmacSm3 => HmacSm3::new(secret).check(&[text], tag),
            Self::HmacSha256 => HmacSha256::new(secret).and_then(|key| key.check(&[text], tag)),
            Self::HmacSha256Key => HmacSha256::with_key_behind(secret).and_then(|key| key.check(&[text], tag)),
            Self::Behind(digest) => KeySuffix::new(digest, secret).and_then(|key| key.check(&[text], tag)),
            Self::BehindHashed(digest) => KeySuffix::of_hashed_key(digest, secret).and_then(|key| key.check(&[text], tag)),
            Self::CupDes => CupEcb::des(secret).and_then(|key| key.check(&[text], tag)),
            Self::CupSm4(form) => CupEcb::sm4(secret, form).and_then(|key| key.check(&[text], tag)),
            Self::Sm2 | Self::Sm2As(_) | Self::Rsa(_) => return None,
        };
        checked.ok()
    }
}

/// An SM2 key prepared with a user id.
pub(super) fn verifier(engine: Engine, key: &Held, user_id: &[u8]) -> Option<Box<dyn Verify>> {
    engine.verifier(&sm2_public(key)?, user_id).ok()
}

/// The user id under which a key verifies.
pub(super) fn user_id(key: &Held) -> &[u8] {
    key.entry.user_id.as_ref().map_or(DEFAULT_USER_ID, String::as_bytes)
}

fn sm2_public(key: &Held) -> Option<PublicKey> {
    match &key.material {
        Material::Sm2Public(key) | Material::Sm2Placed(key, _) => Some(key.clone()),
        Material::Sm2Private(key) => Some(key.public().clone()),
        Material::RsaPublic(_)
        | Material::RsaPrivate(_)
        | Material::RsaPlaced(..)
        | Material::Secret(_)
        | Material::MacPlaced(_) => None,
    }
}
