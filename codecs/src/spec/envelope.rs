//! The envelope of a spec: schemes from closed lists, and what the signature of each part of its messages covers.

use super::names::At;
use super::plan::{Covers, EnvelopePlan, Field, FieldId, Over, Place, Plan, Signing};
use super::text::{EnvelopeText, SigningText};
use super::{capsule, sealing, whole};
use crate::envelope::{SignatureEncoding, SignatureScheme};
use crate::error::SpecError;

pub(super) fn load(at: &At, text: &EnvelopeText, frame: &[Field]) -> Result<EnvelopePlan, SpecError> {
    let signature = text.signature.as_deref().ok_or_else(|| at.fail("no `signature`"))?;
    let scheme = listed(at, "signature", signature, &SignatureScheme::NAMES)?;
    let encoding = SignatureEncoding::parse(scheme, text.encoding.as_deref());
    let parts = text
        .parts
        .iter()
        .map(|(name, text)| Ok((name.clone(), signing(&at.inside(name), text, frame)?)));
    Ok(EnvelopePlan {
        scheme,
        encoding: encoding
            .ok_or_else(|| at.fail("`encoding` is der or raw for SM2, base64 for RSA, hex, upper_hex or base64 for a MAC"))?,
        user_id: text.user_id.clone().into_bytes(),
        window_s: text.window_s,
        covers: match text.signed.as_deref() {
            Some("clear") => Covers::Clear,
            Some("sealed") | None => Covers::Sealed,
            Some(name) => return at.known("signed", name, None, ["sealed", "clear"]),
        },
        signing: signing(at, &text.signing(), frame)?,
        parts: parts.collect::<Result<_, SpecError>>()?,
        sealing: text.sealing.as_ref().map(|text| sealing::load(at, text, frame)).transpose()?,
        whole: text.whole.as_ref().map(|text| whole::scheme(at, text)).transpose()?.flatten(),
        probe: text.probe.clone(),
        capsule: text.capsule.as_ref().map(|text| capsule::load(at, text)).transpose()?,
    })
}

/// Whether the signature of a message covers a field of it.
pub(super) fn covers(plan: &Plan, field: &Field) -> bool {
    let signing = &plan.signing;
    if signing.by_seal {
        return matches!(field.place, Place::Whole(_));
    }
    match (signing.over, &field.place) {
        (Over::Pairs | Over::Member, Place::Whole(_)) => {
            let around = plan.whole.as_ref().and_then(|whole| plan.field(whole.ciphertext));
            around.is_some_and(|around| !matches!(around.place, Place::Whole(_)) && covers(plan, around))
        }
        (
            Over::Http | Over::Document | Over::Lines | Over::CallLines | Over::Content,
            Place::Body(_) | Place::Inside(..) | Place::Whole(_),
        )
        | (Over::Http | Over::CallLines, Place::Target) => true,
        (Over::Around, Place::Body(_)) => signing
            .signature
            .and_then(|id| plan.field(id))
            .is_none_or(|own| own.path != field.path),
        (Over::BeforeMac, Place::Body(steps)) => !is_header(steps) && !is_signature(plan, field),
        (Over::Pairs, Place::Body(steps)) => steps.first().is_some_and(|key| !signing.excluded.contains(key)),
        (Over::Member, Place::Body(steps)) => steps.first() == plan.root.as_ref(),
        (Over::Http | Over::Lines | Over::CallLines, Place::Head(_) | Place::Part { .. }) | (Over::Fields | Over::Values, _) => {
            field.signed
        }
        (
            Over::Http
            | Over::Document
            | Over::Around
            | Over::Pairs
            | Over::Member
            | Over::Lines
            | Over::CallLines
            | Over::BeforeMac
            | Over::Content,
            _,
        ) => false,
    }
}

/// What stands before the message type is not authenticated with it.
fn is_header(steps: &[String]) -> bool {
    steps.iter().any(|step| step == "header")
}

fn is_signature(plan: &Plan, field: &Field) -> bool {
    let signature = plan.signing.signature.and_then(|id| plan.field(id));
    signature.is_some_and(|signature| signature.path == field.path)
}

fn signing(at: &At, text: &SigningText, frame: &[Field]) -> Result<Signing, SpecError> {
    let one = |path: &Option<String>| path.as_ref().map(|path| find(at, path, frame)).transpose();
    let over = text.over.as_deref().unwrap_or("fields");
    Ok(Signing {
        signature: one(&text.at)?,
        serial: one(&text.serial)?,
        is_shared: text.serial_is_shared,
        one_key: match text.unnamed.as_deref() {
            Some("one_key") => true,
            Some("refused") | None => false,
            Some(name) => return at.known("unnamed", name, None, ["refused", "one_key"]),
        },
        made_at: one(&text.made_at)?,
        nonce: one(&text.nonce)?,
        by_seal: text.by_seal,
        over: listed(at, "over", over, &OVER)?,
        first: text
            .first
            .iter()
            .map(|path| find(at, path, frame))
            .collect::<Result<_, _>>()?,
        excluded: text.excluded.clone(),
        suffix: text.suffix.clone(),
    })
}

pub(super) fn find(at: &At, path: &str, frame: &[Field]) -> Result<FieldId, SpecError> {
    let found = frame.iter().position(|field| field.path == *path);
    at.known("frame field", path, found, frame.iter().map(|field| field.path.as_str()))
}

/// The item of a closed list that has this name.
pub(super) fn listed<T: Copy>(at: &At, what: &str, name: &str, list: &[(&'static str, T)]) -> Result<T, SpecError> {
    let found = list.iter().find(|(known, _)| *known == name).map(|(_, item)| *item);
    at.known(what, name, found, list.iter().map(|(known, _)| *known))
}

const OVER: [(&str, Over); 11] = [
    ("fields", Over::Fields),
    ("http", Over::Http),
    ("document", Over::Document),
    ("around", Over::Around),
    ("pairs", Over::Pairs),
    ("member", Over::Member),
    ("lines", Over::Lines),
    ("call_lines", Over::CallLines),
    ("values", Over::Values),
    ("content", Over::Content),
    ("before_mac", Over::BeforeMac),
];
