//! An object that is sealed whole, opened under another key, or with another derivation, additional data or place of the tag.

use crate::doctor::{Case, Refused};
use crate::pipeline::Step;
use codecs::envelope::WholeScheme;
use codecs::message::{Bound, SealedWhole};
use keys::key::{Side, Usage};
use keys::legacy::aead::{AesGcm, sm4_gcm_of_text};
use keys::legacy::aes::{AesCbc, AesEcb};
use keys::sm4::Sm4Gcm;
use keys::store::{Held, Material};
use serde_json::Value;

/// Sealed under another shared key.
pub(in crate::doctor) fn other_key(refused: &Refused<'_>) -> Option<String> {
    let sealed = sealed(refused)?;
    let others = shared(refused.case).filter(|held| !is_own(refused.case, held));
    let opens = |held: &&Held| opened(held, &sealed).is_some_and(|clear| is_read(refused.case, &clear));
    let mut found = others.filter(opens);
    let entry = &found.next()?.entry;
    Some(format!("key {} of link {}, {}", entry.id, entry.link, entry.status.name()))
}

/// Bound to other additional data: none, or another text of the message.
pub(in crate::doctor) fn additional(refused: &Refused<'_>) -> Option<String> {
    let sealed = sealed(refused)?;
    let own = own(refused.case)?;
    let bound = sealed.bound.clone()?;
    let opens = |(_, additional): &(String, Vec<u8>)| {
        let bound = Bound {
            additional: additional.clone(),
            ..bound.clone()
        };
        let sealed = SealedWhole {
            bound: Some(bound),
            ..sealed.clone()
        };
        opened(own, &sealed).is_some_and(|clear| is_read(refused.case, &clear))
    };
    let mut candidates = candidates(&refused.case.wire.body).into_iter().filter(opens);
    candidates.next().map(|(what, _)| format!("{what} as additional data"))
}

/// The first or last characters of the key, or its bytes, in place of what is derived from it.
pub(in crate::doctor) fn derivation(refused: &Refused<'_>) -> Option<String> {
    let sealed = sealed(refused)?;
    let Material::Secret(secret) = &own(refused.case)?.material else {
        return None;
    };
    let key = secret.danger_expose();
    let forms: [(&str, Option<&[u8]>); 2] = [
        ("the first 16 characters of the key", key.get(..16)),
        (
            "the last 16 characters of the key",
            key.len().checked_sub(16).and_then(|from| key.get(from..)),
        ),
    ];
    let opens = |(_, key): &&(&str, Option<&[u8]>)| {
        let clear = key.and_then(|key| open_under(sealed.scheme, key, &sealed));
        clear.is_some_and(|clear| is_read(refused.case, &clear))
    };
    forms.iter().find(opens).map(|(what, _)| format!("{what} as key"))
}

/// The tag before the ciphertext.
pub(in crate::doctor) fn tag_first(refused: &Refused<'_>) -> Option<String> {
    let sealed = sealed(refused)?;
    let bound = sealed.bound?;
    let bytes = [sealed.ciphertext.as_slice(), &bound.tag].concat();
    let (tag, ciphertext) = bytes.split_first_chunk::<16>()?;
    let turned = SealedWhole {
        ciphertext: ciphertext.to_vec(),
        bound: Some(Bound { tag: *tag, ..bound }),
        ..sealed
    };
    let clear = opened(own(refused.case)?, &turned)?;
    is_read(refused.case, &clear).then(|| "the tag before the ciphertext".to_owned())
}

/// What is sealed whole in a message whose signature holds and which did not open.
fn sealed(refused: &Refused<'_>) -> Option<SealedWhole> {
    let seen = refused
        .seen
        .filter(|seen| refused.rejection.step == Step::Open && seen.holds())?;
    seen.message.sealed_whole().ok().flatten()
}

fn shared<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Held> {
    let seals = |held: &&Held| (held.entry.side, held.entry.usage) == (Side::Shared, Usage::Seal);
    case.held.iter().filter(seals)
}

fn is_own(case: &Case<'_>, held: &Held) -> bool {
    held.entry.link == case.link && held.entry.status.is_live()
}

fn own<'a>(case: &Case<'a>) -> Option<&'a Held> {
    shared(case).find(|held| is_own(case, held))
}

fn opened(held: &Held, sealed: &SealedWhole) -> Option<Vec<u8>> {
    let Material::Secret(secret) = &held.material else {
        return None;
    };
    let key = secret.danger_expose();
    match (sealed.scheme, &sealed.bound) {
        (WholeScheme::Sm4Gcm, Some(bound)) => {
            let cipher = sm4_gcm_of_text(key).ok()?;
            cipher
                .open(&bound.nonce, &bound.additional, &sealed.ciphertext, &bound.tag)
                .ok()
        }
        (WholeScheme::AesEcbMd5, _) => AesEcb::of_md5(key).ok()?.decrypt(&sealed.ciphertext).ok(),
        (WholeScheme::Aes256Gcm | WholeScheme::AesCbc | WholeScheme::Sm4Gcm, _) => open_under(sealed.scheme, key, sealed),
    }
}

/// Under the bytes of a key as they are.
fn open_under(scheme: WholeScheme, key: &[u8], sealed: &SealedWhole) -> Option<Vec<u8>> {
    let ciphertext = &sealed.ciphertext;
    match (scheme, &sealed.bound) {
        (WholeScheme::Aes256Gcm, Some(bound)) => AesGcm::new(key)
            .ok()?
            .open(&bound.nonce, &bound.additional, ciphertext, &bound.tag)
            .ok(),
        (WholeScheme::Sm4Gcm, Some(bound)) => Sm4Gcm::new(key.try_into().ok()?)
            .open(&bound.nonce, &bound.additional, ciphertext, &bound.tag)
            .ok(),
        (WholeScheme::AesCbc, _) => AesCbc::new(key).ok()?.decrypt(&[0; 16], ciphertext).ok(),
        (WholeScheme::AesEcbMd5, _) => AesEcb::new(key).ok()?.decrypt(ciphertext).ok(),
        (WholeScheme::Aes256Gcm | WholeScheme::Sm4Gcm, None) => None,
    }
}

fn is_read(case: &Case<'_>, clear: &[u8]) -> bool {
    let read = || {
        let mut message = case.spec.parse(case.wire).ok()?;
        message.set_whole(clear).ok()?;
        message.payment().ok()
    };
    read().is_some()
}

/// Nothing, words that the institution's books use, and every text of the body.
fn candidates(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let words = ["transaction", "refund", "certificate"].map(|word| (format!("`{word}`"), word.as_bytes().to_vec()));
    let mut found = vec![("nothing".to_owned(), Vec::new())];
    found.extend(words);
    collect(&serde_json::from_slice(body).unwrap_or(Value::Null), "", &mut found);
    found
}

fn collect(value: &Value, name: &str, found: &mut Vec<(String, Vec<u8>)>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| collect(value, name, found)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        Value::String(text) if text.len() <= 64 => found.push((format!("the value of {name}"), text.as_bytes().to_vec())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
