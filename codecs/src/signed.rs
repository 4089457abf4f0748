//! The exact text that a signature covers, for a message read and for one about to be written.

use crate::field::Broken;
use crate::spec::Spec;
use crate::spec::plan::{FieldId, Over, Plan};
use crate::values::{Values, slots};
use crate::wire::Start;

/// The signed text: `value|value|` (design 7), or start line, headers and body (design 8).
pub(crate) fn text(
    spec: &Spec,
    plan: &Plan,
    values: &Values<'_>,
    start: &Start,
    body: &[u8],
) -> Result<Vec<u8>, (FieldId, Broken)> {
    match spec.envelope.over {
        Over::Fields => fields(spec, plan, values),
        Over::Http => Ok(http(spec, values, start, body)),
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
fn http(spec: &Spec, values: &Values<'_>, start: &Start, body: &[u8]) -> Vec<u8> {
    let mut text = match start {
        Start::Request { method, target } => format!("{method}\n{target}\n"),
        Start::Status(status) => format!("{status}\n"),
        Start::Queue => String::new(),
    };
    for &field in &spec.envelope.first {
        text.push_str(values.get(field).map_or("", |item| &item.sent));
        text.push('\n');
    }
    let mut text = text.into_bytes();
    text.extend_from_slice(body);
    text
}
