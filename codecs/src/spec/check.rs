//! What must hold of a spec as a whole, and what an operator should be warned of.

use super::load::covered;
use super::names::At;
use super::plan::{Covers, Field, Over, Place, Plan, Tag};
use super::{MessageSpec, Spec, SpecWarning};
use crate::envelope::SignatureScheme;
use crate::error::SpecError;
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
        coverage(&at, spec, &message.plan)?;
        sealing(&at, spec, &message.plan)?;
        groups(&at, &message.plan)?;
        elements(&at, spec, &message.plan)?;
        outcome(&at, spec, message)?;
        selector(&at, &message.plan)?;
        reply(&at, spec, message)?;
    }
    resolvable(at, spec)
}

pub(super) fn warnings(spec: &Spec) -> Vec<SpecWarning> {
    let mut found = Vec::new();
    let mut warn = |place: &str, detail: &str| {
        found.push(SpecWarning {
            place: place.to_owned(),
            detail: detail.to_owned(),
        });
    };
    if spec.envelope.scheme == SignatureScheme::None {
        warn("envelope.signature", "messages are not authenticated");
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
    if spec.envelope.sealing.as_ref().is_some_and(|sealing| !sealing.on) {
        warn("envelope.sealing", "sensitive values travel in the clear");
    }
    let mut seen = BTreeSet::new();
    for field in spec.messages().flat_map(|message| &message.plan.fields) {
        if let (Some(reason), true) = (&field.unsigned, seen.insert(&field.path)) {
            warn(&field.path, &format!("mapped but not signed: {reason}"));
        }
    }
    found
}

fn envelope(at: &At, spec: &Spec) -> Result<(), SpecError> {
    let at = at.inside("envelope");
    let envelope = &spec.envelope;
    let named = envelope.signature.is_some() && envelope.serial.is_some();
    if (envelope.scheme == SignatureScheme::None) == named {
        return Err(at.fail("a signature needs `at` and `serial`; `none` has neither"));
    }
    if envelope.made_at.is_some() != envelope.window_s.is_some() {
        return Err(at.fail("`made_at` and `window_s` go together"));
    }
    if envelope.over == Over::Http && envelope.covers == Covers::Clear {
        return Err(at.fail("a signature over the body's bytes covers them as sent"));
    }
    if (envelope.over == Over::Http) != spec.http.is_some() {
        return Err(at.fail("`over = \"http\"` and the table `http` go together"));
    }
    let own = [envelope.serial, envelope.made_at];
    let sealed = envelope
        .sealing
        .as_ref()
        .map(|sealing| [Some(sealing.serial), Some(sealing.key)]);
    let bound = own.into_iter().chain(sealed.into_iter().flatten()).flatten();
    for id in bound {
        if envelope.scheme != SignatureScheme::None && !envelope.first.contains(&id) {
            return Err(at.fail("the serial numbers, the moment and the wrapped key must be in `first`, or they are not signed"));
        }
    }
    if envelope.signature.is_some_and(|id| envelope.first.contains(&id)) {
        return Err(at.fail("a signature cannot cover itself"));
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
        if decides && !covered(spec.envelope.over, field) && field.unsigned.is_none() {
            let at = at.inside(&format!("field {}", field.path));
            return Err(at.fail("it is mapped but the signature does not cover it; sign it, or say why in `unsigned`"));
        }
    }
    Ok(())
}

fn decisive(plan: &Plan, id: usize) -> bool {
    let outcome = plan
        .outcome
        .as_ref()
        .is_some_and(|plan| [Some(plan.status), plan.code, plan.text].contains(&Some(id)));
    outcome || plan.selector.as_ref().is_some_and(|selector| selector.field == id)
}

fn sealing(at: &At, spec: &Spec, plan: &Plan) -> Result<(), SpecError> {
    if !plan.seals() {
        return Ok(());
    }
    if spec.envelope.sealing.is_none() {
        return Err(at.fail("a field is sealed but `envelope.sealing` is missing"));
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
fn elements(at: &At, spec: &Spec, plan: &Plan) -> Result<(), SpecError> {
    let mut closed: BTreeSet<&[String]> = BTreeSet::new();
    let mut open: &[String] = &[];
    let body = |id: &usize| {
        plan.field(*id)
            .filter(|_| matches!(spec.format, Format::Json(_)) || *id >= spec.frame_count)
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
        if rules(plan.status).is_some_and(|rules| rules.check(&row.code).is_err()) {
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
        if target.is_some_and(|target| !targets.insert((&target.method, &target.prefix))) {
            return Err(at.fail("another message has this method and target"));
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
        let parameters = usize::from(target.is_some_and(|target| target.parameter.is_some()));
        if places != parameters {
            return Err(at.fail("a `:name` field and the `:name` of the target go together"));
        }
    }
    Ok(())
}
