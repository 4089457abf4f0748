//! The exact text that a signature covers, for a message read and for one about to be written.

use crate::envelope::{member, pairs};
use crate::field::Broken;
use crate::format::xml_document;
use crate::spec::plan::{FieldId, Over, Plan};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Values, slots};
use crate::wire::Start;

/// Derived from the body's bytes wherever the institution signs bytes; only `fields` and `pairs` are defined over values. Empty
/// for an acknowledgement that is one word.
pub(crate) fn text(
    spec: &Spec,
    kind: &MessageSpec,
    values: &Values<'_>,
    start: &Start,
    body: &[u8],
) -> Result<Vec<u8>, (FieldId, Broken)> {
    let (plan, signing) = (&kind.plan, &kind.plan.signing);
    if plan.literal.is_some() {
        return Ok(Vec::new());
    }
    // These rules hold for every body that was parsed or that we wrote.
    let broken = |detail: String| (spec.code_field, Broken::new("signed.text", detail));
    match signing.over {
        Over::Fields => fields(spec, plan, values),
        Over::Http => Ok(http(plan, values, start, body)),
        Over::Document => Ok(xml_document(body).to_vec()),
        Over::Pairs => {
            let escaping = spec.format_of(kind.is_answer()).escaping(kind.is_answer());
            pairs::text(body, signing, escaping).map_err(|error| broken(error.to_string()))
        }
        Over::Member => {
            let root = plan.root.as_deref().unwrap_or_default();
            let text = member::text(body, root).ok_or_else(|| broken(format!("no member {root}")))?;
            Ok(text.to_vec())
        }
    }
}

fn fields(spec: &Spec, plan: &Plan, values: &Values<'_>) -> Result<Vec<u8>, (FieldId, Broken)> {
    let mut text = Vec::with_capacity(2048);
    for slot in slots(spec, plan, values)? {
        text.extend_from_slice(slot.text.as_bytes());
        text.push(b'|');
    }
    Ok(text)
}

/// Lines that cannot hold a line end themselves, then the body as it is.
fn http(plan: &Plan, values: &Values<'_>, start: &Start, body: &[u8]) -> Vec<u8> {
    let mut text = match start {
        Start::Request { method, target } => format!("{method}\n{target}\n"),
        Start::Status(status) => format!("{status}\n"),
        Start::Queue => String::new(),
    };
    for &field in &plan.signing.first {
        text.push_str(values.get(field).map_or("", |item| &item.sent));
        text.push('\n');
    }
    let mut text = text.into_bytes();
    text.extend_from_slice(body);
    text
}
