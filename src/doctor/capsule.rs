//! Messages whose whole content is sealed: what is inside is examined like any other message, and a capsule that does not open is
//! tried under the other keys that we hold.

use super::{Case, Refused};
use crate::pipeline::{LinkView, content};
use codecs::envelope::CapsuleScheme;
use codecs::wire::Wire;
use keys::key::{Side, Usage};
use keys::legacy::des::TripleDes;
use keys::store::{Held, Material};
use std::borrow::Cow;

/// The message inside a capsule that opens.
pub(super) fn inside(case: &Case<'_>) -> Option<Wire> {
    case.spec.capsule()?;
    let view = LinkView {
        name: case.link,
        spec: case.spec,
        keyring: case.keyring,
    };
    match content(case.wire, view, case.now).ok()? {
        Cow::Owned(inside) => Some(inside),
        Cow::Borrowed(_) => None,
    }
}

/// Sealed under another shared key that we hold: opened with it, the whole pipeline takes what is inside.
pub(super) fn other_key(refused: &Refused<'_>) -> Option<String> {
    let case = refused.case;
    let scheme = case.spec.capsule()?;
    let ciphertext = case.spec.sealed_content(case.wire).ok().flatten()?;
    let opens = |held: &&Held| {
        let taken = || {
            let inside = case.spec.opened_content(case.wire, opened(scheme, held, &ciphertext)?).ok()?;
            let spec = case.spec.without_capsule();
            case.receive_as(&inside, case.link, &spec, case.now).ok()
        };
        taken().is_some()
    };
    let shared = |held: &&Held| (held.entry.side, held.entry.usage) == (Side::Shared, Usage::Seal);
    let mut found = case.held.iter().filter(shared).filter(opens);
    let entry = &found.next()?.entry;
    Some(format!("key {} of link {}, {}", entry.id, entry.link, entry.status.name()))
}

fn opened(scheme: CapsuleScheme, held: &Held, ciphertext: &[u8]) -> Option<Vec<u8>> {
    let CapsuleScheme::TripleDesFramed = scheme;
    let Material::Secret(secret) = &held.material else {
        return None;
    };
    TripleDes::new(secret.danger_expose()).ok()?.decrypt_framed(ciphertext).ok()
}
