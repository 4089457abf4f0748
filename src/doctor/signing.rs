//! The signature made with another user id, another number of digests, another algorithm, or the key in another form.

use super::coding::{base64, hex, unbase64, unhex};
use super::proof::{Attempt, Before, By, Way, user_id};
use super::seen::Seen;
use codecs::payment::{Attribute, Value};
use keys::legacy::RsaScheme;
use keys::legacy::digest::Digest;
use keys::secret::Secret;
use keys::sm2::{DEFAULT_USER_ID, Otherwise};
use keys::store::Material;

pub(super) fn default_user_id<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    with_user_id(seen, "the default user id 1234567812345678", DEFAULT_USER_ID)
}

pub(super) fn empty_user_id<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    with_user_id(seen, "an empty user id", b"")
}

/// The user id of the published example of `UnionPay` without a card.
pub(super) fn zero_user_id<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    with_user_id(seen, "a user id of one zero byte", &[0])
}

pub(super) fn serial_user_id<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let serial = seen.signer.as_deref().unwrap_or_default();
    with_user_id(seen, "the signer's serial number as user id", serial.as_bytes())
}

pub(super) fn sender_user_id<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    match seen.message.header().value(Attribute::Sender).map(Value::canonical) {
        Some(sender) => with_user_id(seen, "the sender's number as user id", sender.as_bytes()),
        None => Vec::new(),
    }
}

fn with_user_id<'a>(seen: &Seen<'a>, what: &str, id: &[u8]) -> Vec<Attempt<'a>> {
    let is_other = seen.key.is_some_and(|key| user_id(key) != id);
    let attempt = || Attempt {
        user_id: Some(id.to_vec()),
        ..Attempt::new(what)
    };
    is_other.then(attempt).into_iter().collect()
}

/// Hashed once where twice is due.
pub(super) fn digest_once<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let way = way(seen).filter(|way| way.before != Before::Nothing);
    let attempt = |way: Way| Attempt::way("the text itself, not a digest of it", Before::Nothing, way.by);
    way.map(attempt).into_iter().collect()
}

/// A digest's bytes where the text or its hex digits are due.
pub(super) fn digest_twice<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    each_digest(seen, "the bytes of a digest", Before::Digest)
}

/// A digest's hex digits where the text or its bytes are due.
pub(super) fn digest_hex<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    each_digest(seen, "the hex digits of a digest", Before::Hex)
}

pub(super) fn digest_upper_hex<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    each_digest(seen, "the upper-case hex digits of a digest", Before::UpperHex)
}

fn each_digest<'a>(seen: &Seen<'a>, what: &str, before: fn(Digest) -> Before) -> Vec<Attempt<'a>> {
    let Some(way) = way(seen) else { return Vec::new() };
    let other = Digest::ALL.into_iter().filter(|digest| before(*digest) != way.before);
    other
        .map(|digest| Attempt::way(format!("{what} ({})", digest.name()), before(digest), way.by))
        .collect()
}

/// SM2 over a digest of the text alone, Z left out.
pub(super) fn no_z<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let ways = [("SM3", Otherwise::WithoutZ), ("SHA-256", Otherwise::Sha256WithoutZ)];
    otherwise(seen, ways.map(|(digest, how)| (format!("e = {digest}(text)"), how)))
}

/// SM2 with SHA-256 in the place of SM3.
pub(super) fn sha256<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let ways = [("SM3", Otherwise::Sha256), ("SHA-256", Otherwise::Sha256Throughout)];
    otherwise(
        seen,
        ways.map(|(digest, how)| (format!("e = SHA-256(Z || text), Z by {digest}"), how)),
    )
}

fn otherwise<'a>(seen: &Seen<'a>, ways: [(String, Otherwise); 2]) -> Vec<Attempt<'a>> {
    let Some(Way { by: By::Sm2, before }) = way(seen) else {
        return Vec::new();
    };
    ways.into_iter()
        .map(|(what, how)| Attempt::way(what, before, By::Sm2As(how)))
        .collect()
}

/// RSA over a digest that no `DigestInfo` names; or with one where none is due.
pub(super) fn no_digest_info<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(Way {
        by: By::Rsa(scheme),
        before,
    }) = way(seen)
    else {
        return Vec::new();
    };
    if scheme == RsaScheme::Pkcs1Raw {
        let named = [RsaScheme::Pkcs1Sha256, RsaScheme::Pkcs1Sha1];
        let over = |scheme| Attempt::way("RSA with DigestInfo", before, By::Rsa(scheme));
        return named.into_iter().map(over).collect();
    }
    let forms = [
        Before::Digest(Digest::Sha256),
        Before::Hex(Digest::Sha256),
        Before::Digest(Digest::Sha1),
        Before::Hex(Digest::Sha1),
    ];
    let bare = |before| Attempt::way("RSA without DigestInfo", before, By::Rsa(RsaScheme::Pkcs1Raw));
    forms.into_iter().map(bare).collect()
}

/// RSA over another digest.
pub(super) fn other_digest<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(way @ Way { by: By::Rsa(_), .. }) = way(seen) else {
        return Vec::new();
    };
    let digests = [
        (Digest::Sha256, RsaScheme::Pkcs1Sha256),
        (Digest::Sha1, RsaScheme::Pkcs1Sha1),
        (Digest::Md5, RsaScheme::Pkcs1Md5),
    ];
    let with = |(digest, scheme): (Digest, RsaScheme)| {
        let before = match way.before {
            Before::Nothing => Before::Nothing,
            Before::Digest(_) => Before::Digest(digest),
            Before::Hex(_) | Before::UpperHex(_) => Before::Hex(digest),
        };
        (before, By::Rsa(scheme))
    };
    let other = digests
        .into_iter()
        .map(with)
        .filter(|(before, by)| (*before, *by) != (way.before, way.by));
    other
        .map(|(before, by)| Attempt::way(format!("{before:?}, then {by:?}"), before, by))
        .collect()
}

/// Another algorithm under the same shared key.
pub(super) fn other_mac<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(own) = mac(seen) else { return Vec::new() };
    let family = |by: &&By| **by != own && hashed(**by) == hashed(own);
    let other = MACS.iter().filter(family);
    other
        .map(|by| Attempt::way(format!("{by:?}"), Before::Nothing, *by))
        .collect()
}

/// The key itself where its digest is due, or its digest where itself is.
pub(super) fn hashed_key<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let by = match mac(seen) {
        Some(By::BehindHashed(digest)) => By::Behind(digest),
        Some(By::Behind(digest)) => By::BehindHashed(digest),
        Some(
            By::HmacSm3 | By::HmacSha256 | By::HmacSha256Key | By::CupDes | By::CupSm4(_) | By::Sm2 | By::Sm2As(_) | By::Rsa(_),
        )
        | None => return Vec::new(),
    };
    vec![Attempt::way(format!("{by:?}"), Before::Nothing, by)]
}

/// The key in another form: hex or base64 digits as bytes, or the other way round.
pub(super) fn key_form<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(Material::Secret(secret)) = seen.key.map(|key| &key.material) else {
        return Vec::new();
    };
    let bytes = secret.danger_expose();
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let forms = [
        ("the key's hex digits as key", Some(hex(bytes).into_bytes())),
        (
            "the key's upper-case hex digits as key",
            Some(hex(bytes).to_ascii_uppercase().into_bytes()),
        ),
        ("the key's base64 as key", Some(base64(bytes).into_bytes())),
        ("the key read as hex digits", unhex(text)),
        ("the key read as base64", unbase64(text)),
        (
            "the MD5 of the key, in hex, as key",
            Some(Digest::Md5.hex_of(&[bytes]).into_bytes()),
        ),
    ];
    let attempt = |(what, form): (&str, Option<Vec<u8>>)| {
        Some(Attempt {
            secret: Some(Secret::new(form?)),
            ..Attempt::new(what)
        })
    };
    forms.into_iter().filter_map(attempt).collect()
}

fn way(seen: &Seen<'_>) -> Option<Way> {
    Way::of(seen.scheme).filter(|_| mac(seen).is_none())
}

fn mac(seen: &Seen<'_>) -> Option<By> {
    let way = Way::of(seen.scheme)?;
    MACS.contains(&way.by).then_some(way.by)
}

/// Whether the digest of the key stands behind the text: that is a mistake of its own.
const fn hashed(by: By) -> bool {
    matches!(by, By::BehindHashed(_))
}

const MACS: [By; 10] = [
    By::HmacSm3,
    By::HmacSha256,
    By::HmacSha256Key,
    By::Behind(Digest::Md5),
    By::Behind(Digest::Sha1),
    By::Behind(Digest::Sha256),
    By::Behind(Digest::Sm3),
    By::BehindHashed(Digest::Md5),
    By::BehindHashed(Digest::Sha256),
    By::BehindHashed(Digest::Sm3),
];
