//! What must hold of a spec as a whole, and what an operator should be warned of.

use super::envelope::covers;
use super::iso8583;
use super::names::At;
use super::plan::{Covers, Field, Over, Place, Plan, Signing, Tag};
use super::{MessageSpec, Spec, SpecWarning, whole};
use crate::envelope::{EachCipher, SealingScheme, SignatureScheme, WholeScheme};
use crate::error::SpecError;
use crate::field::Kind;
use crate::format::Format;
use crate::payment::{Role, Shape};
use std::collections::BTreeSet;

/// Refuses a spec that is ambiguous, that loses or repeats a value, or that lets an unsigned value through.
pub(super) fn all(at: &At, spec: &Spec) -> Result<(), SpecError> {
    envelope(at, spec)?;
    codes(at, spec)?;
    for message in spec.messages() {
        let at = at.inside(&format!("message {}", message.code));
        paths(&at, &message.plan)?;
        signing(&at, spec, &message.plan)?;
        literal(&at, spec, message)?;
        whole::by_seal(&at, spec, message)?;
        coverage(&at, spec, &message.plan)?;
        sealing(&at, spec, &message.plan)?;
        groups(&at, &message.plan)?;
        elements(&at, spec, message)?;
        iso8583::check(&at, spec, message)?;
        outcome(&at, spec, message)?;
        selector(&at, &message.plan)?;
        reply(&at, spec, message)?;
    }
    same(at, spec)?;
    resolvable(at, spec)
}

/// What a field of the frame is compared with exists.
fn same(at: &At, spec: &Spec) -> Result<(), SpecError> {
    let known = |path: &String| {
        spec.messages()
            .flat_map(|message| &message.plan.fields)
            .any(|field| field.path == *path)
    };
    let frame = spec.messages().flat_map(|message| &message.plan.fields);
    let mut named = frame.flat_map(|field| &field.same_as).flat_map(|same| &same.paths);
    match named.find(|path| !known(path)) {
        Some(path) => Err(at.inside("frame").fail(format!("`same_as`: no message has a field {path}"))),
        None => Ok(()),
    }
}

pub(super) fn warnings(spec: &Spec) -> Vec<SpecWarning> {
    let mut found = Vec::new();
    let mut warn = |place: &str, detail: &str| {
        found.push(SpecWarning {
            place: place.to_owned(),
            detail: detail.to_owned(),
        });
    };
    let scheme = spec.envelope.scheme;
    let place = if scheme == SignatureScheme::None {
        "envelope.signature"
    } else {
        "envelope.algorithm"
    };
    if let Some(weakness) = scheme.weakness() {
        warn(place, weakness);
    }
    if spec.habits.skip_absent {
        warn(
            "habits.absent",
            "skipped values leave no slot: a value can move to its neighbour without breaking the signature",
        );
    }
    if spec.habits.strip_tags {
        warn(
            "habits.strip_tags",
            "tags are not signed: a value can move to another tag without breaking the signature",
        );
    }
    if spec.envelope.covers == Covers::Clear {
        warn(
            "envelope.signed",
            "the signature covers clear values: sealed values are opened before it can be verified",
        );
    }
    if signings(spec).any(|signing| signing.one_key) {
        warn(
            "envelope.unnamed",
            "a message that names no key is verified under the one key of its link",
        );
    }
    seal_warnings(spec, &mut warn);
    for message in spec
        .messages()
        .filter(|message| message.role == Role::Reply && !message.names_request())
    {
        if spec.http.is_some() {
            warn(
                &message.code,
                "it does not say which request it answers; only its connection does",
            );
        }
    }
    let mut seen = BTreeSet::new();
    for field in spec.messages().flat_map(|message| &message.plan.fields) {
        if let (Some(reason), true) = (&field.unsigned, seen.insert(&field.path)) {
            warn(&field.path, &format!("mapped but not signed: {reason}"));
        }
    }
    found
}

fn seal_warnings(spec: &Spec, warn: &mut dyn FnMut(&str, &str)) {
    if signings(spec).any(|signing| signing.by_seal) {
        warn(
            "envelope.by_seal",
            "a message without a signature is taken from whoever holds the key that seals it",
        );
    }
    if let Some(weakness) = spec.envelope.whole.and_then(WholeScheme::weakness) {
        warn("envelope.whole", weakness);
    }
    if spec.envelope.sealing.as_ref().is_some_and(|sealing| !sealing.on) {
        warn("envelope.sealing", "sensitive values travel in the clear");
    }
}

fn envelope(at: &At, spec: &Spec) -> Result<(), SpecError> {
    let at = at.inside("envelope");
    let envelope = &spec.envelope;
    let made_at = signings(spec).any(|signing| signing.made_at.is_some());
    if made_at != envelope.window_s.is_some() {
        return Err(at.fail("`made_at` and `window_s` go together"));
    }
    for signing in signings(spec) {
        if signing.by_seal {
            let own = [signing.signature, signing.serial, signing.made_at];
            if own.iter().any(Option::is_some) {
                return Err(at.fail("`by_seal` is for messages without a signature"));
            }
            continue;
        }
        let named = signing.signature.is_some() && (signing.serial.is_some() || signing.one_key);
        if (envelope.scheme == SignatureScheme::None) == named {
            return Err(at.fail("a signature needs `at` and `serial` (or `unnamed = \"one_key\"`); `none` has neither"));
        }
        if !matches!(signing.over, Over::Fields | Over::Values) && envelope.covers == Covers::Clear {
            return Err(at.fail("a signature over the body's bytes covers them as sent"));
        }
        if matches!(signing.over, Over::Http | Over::Lines | Over::CallLines) && spec.http.is_none() {
            return Err(at.fail("`over` needs the table `http`"));
        }
        if signing.over == Over::Content && !spec.format.has_header() {
            return Err(at.fail("`over` needs the table `header`"));
        }
        if signing.over == Over::Around && !in_body(spec, signing) {
            return Err(at.fail("the signature that is taken out of the body stands in it"));
        }
    }
    Ok(())
}

fn in_body(spec: &Spec, signing: &Signing) -> bool {
    let own = signing.signature.zip(spec.messages().next());
    let own = own.and_then(|(id, message)| message.plan.field(id));
    own.is_some_and(|field| matches!(field.place, Place::Body(_)))
}

fn signings(spec: &Spec) -> impl Iterator<Item = &Signing> {
    [&spec.envelope.signing].into_iter().chain(spec.envelope.parts.values())
}

/// What names the keys and the moment must itself be signed, and the signature must stand outside of what it covers.
fn signing(at: &At, spec: &Spec, plan: &Plan) -> Result<(), SpecError> {
    let signing = &plan.signing;
    if spec.envelope.scheme == SignatureScheme::None || signing.by_seal {
        return Ok(());
    }
    let at = at.inside("envelope");
    // Beside a signed member, in signed lines and before signed content the signer's name is not signed: a wrong one chooses
    // a key that does not verify.
    let unnamed = matches!(signing.over, Over::Member | Over::Lines | Over::CallLines | Over::Content);
    let serial = signing.serial.filter(|_| !unnamed);
    // Another data key before signed ciphertexts opens them to nothing that anyone could choose.
    let sealed = spec.envelope.sealing.as_ref();
    let sealed = sealed.filter(|sealing| signing.over != Over::Content && !(unnamed && is_guarded(sealing.scheme)));
    let sealed = sealed.map(|sealing| [Some(sealing.serial), sealing.key]);
    let exact = |id: usize| {
        plan.field(id)
            .is_some_and(|field| matches!(field.rules.kind, Kind::Rfc3339 | Kind::UnixSeconds))
    };
    if signing.made_at.is_some_and(|id| !exact(id)) {
        return Err(at.fail("`made_at` is of kind rfc3339 or unix_seconds"));
    }
    let bound = [serial, signing.made_at, signing.nonce]
        .into_iter()
        .flatten()
        .chain(sealed.into_iter().flatten().flatten());
    let covered = |id: usize| {
        let field = plan.field(id).is_some_and(|field| covers(plan, field));
        signing.first.contains(&id) || (!matches!(signing.over, Over::Fields | Over::Values) && field)
    };
    for id in bound {
        if !covered(id) {
            return Err(at.fail(
                "the serial numbers, the moment and the wrapped key must be in `first` or where `over` reaches, or they are not signed",
            ));
        }
    }
    if signing
        .signature
        .is_some_and(|id| covered(id) && signing.over != Over::Document)
    {
        return Err(at.fail("a signature cannot cover itself"));
    }
    Ok(())
}

/// Whether a value opens to nothing at all under another key than its own, so that a name of the key need not be signed.
const fn is_guarded(scheme: SealingScheme) -> bool {
    matches!(scheme, SealingScheme::Each(EachCipher::RsaOaepSha1 | EachCipher::Sm2))
}

/// An acknowledgement that is one word states nothing, so nothing of it needs to be signed.
fn literal(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let own = message.plan.fields.len() > spec.frame_count || message.plan.outcome.is_some();
    if message.plan.literal.is_some() && (message.role != Role::Ack || own) {
        return Err(at.fail("`literal` is for an ack without fields"));
    }
    Ok(())
}

fn codes(at: &At, spec: &Spec) -> Result<(), SpecError> {
    let mut seen = BTreeSet::new();
    match spec.codes.iter().find(|row| !seen.insert(&row.code)) {
        Some(row) => Err(at.inside("codes").fail(format!("duplicate code `{}`", row.code))),
        None => Ok(()),
    }
}

fn paths(at: &At, plan: &Plan) -> Result<(), SpecError> {
    let mut paths = BTreeSet::new();
    let mut attributes = BTreeSet::new();
    for field in &plan.fields {
        let at = at.inside(&format!("field {}", field.path));
        if !paths.insert(&field.path) {
            return Err(at.fail("duplicate path"));
        }
        if field.map.is_some_and(|attribute| !attributes.insert(attribute)) {
            return Err(at.fail("another field maps the same attribute"));
        }
    }
    Ok(())
}

/// A field that reaches the payment, decides its operation or its outcome, must be covered by the signature.
fn coverage(at: &At, spec: &Spec, plan: &Plan) -> Result<(), SpecError> {
    if spec.envelope.scheme == SignatureScheme::None {
        return Ok(());
    }
    for (id, field) in plan.fields.iter().enumerate() {
        let decides = field.map.is_some() || decisive(plan, id);
        let unsigned = plan.literal.is_some() || covers(plan, field) || field.unsigned.is_some();
        if decides && !unsigned {
            let at = at.inside(&format!("field {}", field.path));
            return Err(at.fail("it is mapped but the signature does not cover it; sign it, or say why in `unsigned`"));
        }
    }
    Ok(())
}

fn decisive(plan: &Plan, id: usize) -> bool {
    let outcome = plan.outcome.as_ref().is_some_and(|plan| plan.fields().contains(&Some(id)));
    outcome || plan.selector.as_ref().is_some_and(|selector| selector.field == id)
}

fn sealing(at: &At, spec: &Spec, plan: &Plan) -> Result<(), SpecError> {
    if !plan.seals() {
        return Ok(());
    }
    let orphan = |field: &&Field| match &field.place {
        Place::Inside(steps, _) => !plan.fields.iter().any(|other| other.seal && other.place.steps() == steps),
        Place::Body(_)
        | Place::Head(_)
        | Place::Part { .. }
        | Place::Whole(_)
        | Place::Target
        | Place::Trailer
        | Place::Fixed { .. }
        | Place::Labelled(_) => false,
    };
    if let Some(field) = plan.fields.iter().find(orphan) {
        return Err(at.fail(format!("field {} stands inside of no sealed field", field.path)));
    }
    match spec.envelope.sealing.as_ref().map(|sealing| sealing.scheme) {
        None => return Err(at.fail("a field is sealed but `envelope.sealing` is missing")),
        Some(SealingScheme::TextKey(_) | SealingScheme::Session(_) | SealingScheme::Each(_)) => return Ok(()),
        Some(SealingScheme::Sm4Gcm) => {}
    }
    match plan.msg_id.and_then(|id| plan.field(id)) {
        Some(field) if field.required && !field.seal => Ok(()),
        Some(_) | None => Err(at.fail("sealed fields are bound to the message by `msg_id`: a required clear field must map it")),
    }
}

fn groups(at: &At, plan: &Plan) -> Result<(), SpecError> {
    for (id, group) in plan.groups.iter().enumerate() {
        let at = at.inside(&format!("group {}", group.path));
        if group.max == 0 {
            return Err(at.fail("`max` is at least 1"));
        }
        let nested = |other: &super::plan::Group| {
            other
                .path
                .strip_prefix(group.path.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if plan
            .groups
            .iter()
            .enumerate()
            .any(|(other, group)| other != id && nested(group))
        {
            return Err(at.fail("a repeat inside a repeat"));
        }
        let leaf = |field: &Field| field.place.steps().len() == group.depth;
        for field in group.fields.iter().filter_map(|&id| plan.field(id)) {
            if field.map.is_some_and(|attribute| attribute.shape() != Shape::List) {
                return Err(at.fail(format!("field {} repeats, so it maps to a list", field.path)));
            }
            if !leaf(field) && (!field.required || field.tag != Tag::None || field.seal) {
                return Err(at.fail(format!(
                    "field {} of a repeated element must be required, untagged and clear",
                    field.path
                )));
            }
        }
    }
    Ok(())
}

/// Fields that share an element must stand together, or it would be written twice.
fn elements(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let plan = &message.plan;
    if matches!(spec.format_of(message.is_answer()), Format::Iso8583(_)) {
        return Ok(());
    }
    let mut closed: BTreeSet<&[String]> = BTreeSet::new();
    let mut open: &[String] = &[];
    let body = |id: &usize| {
        plan.field(*id)
            .filter(|_| !spec.format_of(message.is_answer()).is_framed() || *id >= spec.frame_count)
    };
    for field in plan.written.iter().filter_map(body) {
        let steps = field.place.steps();
        let Some((_, parents)) = steps.split_last() else { continue };
        let shared = open.iter().zip(parents).take_while(|(a, b)| a == b).count();
        for depth in shared..open.len() {
            closed.extend(open.get(..=depth));
        }
        if (shared..parents.len())
            .filter_map(|depth| parents.get(..=depth))
            .any(|element| closed.contains(element))
        {
            return Err(at
                .inside(&format!("field {}", field.path))
                .fail("its element is written already; keep its fields together"));
        }
        open = parents;
    }
    let mixed = plan
        .fields
        .iter()
        .filter(|field| field.belongs_to(message.role))
        .find(|field| plan.fields.iter().any(|other| is_parent(field, other)));
    mixed.map_or(Ok(()), |field| {
        Err(at
            .inside(&format!("field {}", field.path))
            .fail("it holds text and other fields at once"))
    })
}

fn is_parent(field: &Field, other: &Field) -> bool {
    let (above, below) = (field.place.steps(), other.place.steps());
    !above.is_empty() && below.len() > above.len() && below.starts_with(above)
}

fn outcome(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let Some(plan) = &message.plan.outcome else {
        let wanted = message.role == Role::Reply && !matches!(message.operation, crate::payment::Operation::Echo);
        return if wanted {
            Err(at.fail("a reply states how its `outcome` is read"))
        } else {
            Ok(())
        };
    };
    let rules = |id: usize| message.plan.field(id).map(|field| &field.rules);
    for row in &plan.table {
        let absent = row.code.is_empty();
        if !absent && rules(plan.status).is_some_and(|rules| rules.check(&row.code).is_err()) {
            return Err(at.fail(format!("status `{}` breaks the rules of its own field", row.code)));
        }
    }
    let Some(code) = plan.code else { return Ok(()) };
    match spec
        .codes
        .iter()
        .find(|row| rules(code).is_some_and(|rules| rules.check(&row.code).is_err()))
    {
        Some(row) => Err(at.fail(format!("code `{}` breaks the rules of its own field", row.code))),
        None => Ok(()),
    }
}

fn selector(at: &At, plan: &Plan) -> Result<(), SpecError> {
    let Some(selector) = &plan.selector else { return Ok(()) };
    let at = at.inside("operations");
    let Some(field) = plan.field(selector.field) else {
        return Err(at.fail("no such field"));
    };
    if !field.required || field.seal || field.group.is_some() {
        return Err(at.fail(format!(
            "field {} selects the operation: it must be required, clear and single",
            field.path
        )));
    }
    let mut seen = BTreeSet::new();
    match selector
        .values
        .iter()
        .find(|(value, _)| !seen.insert(value) || field.rules.check(value).is_err())
    {
        Some((value, _)) => Err(at.fail(format!("value `{value}` is named twice or breaks the field's rules"))),
        None => Ok(()),
    }
}

fn reply(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let Some(code) = &message.reply else { return Ok(()) };
    match spec.message(code) {
        None => Err(at.fail(format!("its reply `{code}` does not exist"))),
        Some(reply) if matches!(reply.role, Role::Request | Role::Notice) => {
            Err(at.fail(format!("its reply `{code}` is no reply")))
        }
        Some(_) => Ok(()),
    }
}

/// Every (operation, role) and every code and target leads to one message.
fn resolvable(at: &At, spec: &Spec) -> Result<(), SpecError> {
    let mut carried = BTreeSet::new();
    let mut codes = BTreeSet::new();
    let mut targets = BTreeSet::new();
    for message in spec.messages() {
        let at = at.inside(&format!("message {}", message.code));
        if !codes.insert(&message.code) {
            return Err(at.fail("duplicate message code"));
        }
        let target = message.plan.target.as_ref();
        if target.is_some_and(|target| !targets.insert((&target.method, target.pattern()))) {
            return Err(at.fail("another message has this method and target"));
        }
        let common = spec.http.as_ref().is_none_or(|http| http.target.is_some());
        if target.is_none() && !common && !message.is_answer() {
            return Err(at.fail("over HTTP a request needs a `target`, its own or that of the table `http`"));
        }
        for &operation in &message.operations {
            if !message.plan.alternative && !carried.insert((operation, message.role)) {
                let detail = format!(
                    "another message is the {} of {operation}; mark one as `alternative`",
                    message.role
                );
                return Err(at.fail(detail));
            }
        }
        let places = message
            .plan
            .fields
            .iter()
            .filter(|field| field.place == Place::Target)
            .count();
        let parameters = target.map_or(0, |target| target.fields().count());
        if places != parameters {
            return Err(at.fail("a `:name` field and the `:name` of the target go together"));
        }
    }
    Ok(())
}
