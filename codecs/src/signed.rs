//! The exact text that a signature covers, for a message read and for one about to be written.

use crate::envelope::{around, before_mac, lines, member, pairs};
use crate::field::Broken;
use crate::format::{Format, xml_document};
use crate::message::Message;
use crate::spec::plan::{FieldId, Over, Plan};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Values, each_slot};
use crate::wire::Start;

/// What a signed text is made of, for those who show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignedForm {
    /// Values with `|` behind each.
    Fields,
    /// Values with `|` between them.
    Values,
    /// Start line, chosen headers, body.
    Http,
    /// Bytes that are shown by their digest alone.
    Bytes,
}

impl Message<'_> {
    pub fn signed_form(&self) -> SignedForm {
        match self.kind.plan.signing.over {
            Over::Fields => SignedForm::Fields,
            Over::Http => SignedForm::Http,
            Over::Values => SignedForm::Values,
            Over::Content
            | Over::Document
            | Over::Around
            | Over::Pairs
            | Over::Member
            | Over::Lines
            | Over::CallLines
            | Over::BeforeMac => SignedForm::Bytes,
        }
    }
}

/// Derived from the body's bytes wherever the institution signs bytes; only `fields` and `pairs` are defined over values. Empty
/// for an acknowledgement that is one word, and for what its seal alone vouches for.
pub(crate) fn text(
    spec: &Spec,
    kind: &MessageSpec,
    values: &Values<'_>,
    start: &Start,
    body: &[u8],
) -> Result<Vec<u8>, (FieldId, Broken)> {
    let (plan, signing) = (&kind.plan, &kind.plan.signing);
    if plan.literal.is_some() || signing.by_seal {
        return Ok(Vec::new());
    }
    // These rules hold for every body that was parsed or that we wrote.
    let broken = |detail: String| (spec.code_field, Broken::new("signed.text", detail));
    match signing.over {
        Over::Fields => fields(spec, plan, values),
        Over::Values => joined(spec, plan, values),
        Over::Content => Ok(spec.format_of(kind.is_answer()).content(body).to_vec()),
        Over::Http => Ok(http(plan, values, start, body)),
        Over::Document => Ok(xml_document(body).to_vec()),
        Over::Around => around_signature(plan, values, body)
            .ok_or_else(|| broken("the signature does not stand where it was read".to_owned())),
        Over::Pairs => pairs::text(spec.format_of(kind.is_answer()), kind.is_answer(), body, signing)
            .map_err(|error| broken(error.to_string())),
        Over::BeforeMac => match spec.format_of(kind.is_answer()) {
            Format::Iso8583(table) => {
                let mac_bytes = table.last().map_or(0, |(_, element)| element.length.max());
                let text = before_mac::text(body, table.header_bytes, mac_bytes);
                text.map(<[u8]>::to_vec).ok_or_else(|| broken("no MAC".to_owned()))
            }
            Format::Xml(_) | Format::Json(_) | Format::Form(_) | Format::Flat(_) => {
                Err(broken("no table of elements".to_owned()))
            }
        },
        Over::Lines => Ok(lines::text(first(plan, values), body)),
        Over::CallLines => {
            let call = match start {
                Start::Request { method, target } => [method.as_str(), target.as_str()],
                Start::Status(_) | Start::Queue => return Err(broken("only a request has method and target".to_owned())),
            };
            Ok(lines::text(call.into_iter().chain(first(plan, values)), body))
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
    each_slot(spec, plan, values, &mut |slot| {
        slot.text.write(&mut text);
        text.push(b'|');
    })?;
    Ok(text)
}

/// Values with a separator between them and none behind the last.
fn joined(spec: &Spec, plan: &Plan, values: &Values<'_>) -> Result<Vec<u8>, (FieldId, Broken)> {
    let mut text = fields(spec, plan, values)?;
    text.pop();
    Ok(text)
}

/// The body without the element of its signature; the whole of it while it has none.
fn around_signature(plan: &Plan, values: &Values<'_>, body: &[u8]) -> Option<Vec<u8>> {
    let id = plan.signing.signature?;
    let Some(item) = values.get(id) else {
        return Some(body.to_vec());
    };
    let name = plan.field(id)?.place.steps().last()?;
    around::text(body, name, &item.sent, item.offset?)
}

/// The chosen fields that stand before the body.
fn first<'v>(plan: &'v Plan, values: &'v Values<'_>) -> impl Iterator<Item = &'v str> {
    let sent = |&field: &FieldId| values.get(field).map_or("", |item| item.sent.as_ref());
    plan.signing.first.iter().map(sent)
}

/// Lines that cannot hold a line end themselves, then the body as it is.
fn http(plan: &Plan, values: &Values<'_>, start: &Start, body: &[u8]) -> Vec<u8> {
    let status;
    let call = match start {
        Start::Request { method, target } => [method.as_str(), "\n", target, "\n"],
        Start::Status(code) => {
            status = code.to_string();
            [status.as_str(), "\n", "", ""]
        }
        Start::Queue => [""; 4],
    };
    let lines = || call.into_iter().chain(first(plan, values).flat_map(|line| [line, "\n"]));
    let length: usize = lines().map(str::len).sum();
    let mut text = Vec::with_capacity(length + body.len());
    lines().for_each(|line| text.extend_from_slice(line.as_bytes()));
    text.extend_from_slice(body);
    text
}
