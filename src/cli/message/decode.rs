//! `hangu message decode`, and fields as lines and objects for whoever prints a message.

use super::{Subject, verify};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::{table, text, titles};
use codecs::message::{DescribedField, Message};
use serde_json::{Value, json};

pub(super) fn run(subject: &Subject, form: Form) -> Result<Exit, Failure> {
    // Keys are read only where nothing can be shown without them.
    let keyring = subject.link.spec.capsule().map_or(Ok(None), |_| subject.keyring())?;
    let content = match subject.content(keyring.as_ref()) {
        Ok(content) => content,
        Err(rejection) => return Ok(refused(&Err(rejection), form)),
    };
    match subject.link.spec.parse(&content) {
        Ok(message) => {
            output::say(&page(&message, subject.danger_unmasked, form));
            Ok(Exit::Ok)
        }
        Err(error) => Ok(refused(&verify::unreadable(error), form)),
    }
}

fn refused(verdict: &verify::Verdict, form: Form) -> Exit {
    output::say(&match form {
        Form::Json => output::json(&verify::object(verdict)),
        Form::Text => verify::lines(verdict).join("\n"),
    });
    verify::exit(verdict)
}

fn page(message: &Message<'_>, danger_unmasked: bool, form: Form) -> String {
    let kind = message.kind();
    let fields = message.describe(danger_unmasked);
    match form {
        Form::Json => output::json(&json!({
            "code": kind.code, "name_en": kind.name_en, "name_zh": kind.name_zh, "operation": message.operation().name(),
            "role": kind.role.name(), "fields": objects(&fields),
        })),
        Form::Text => {
            let head = format!("{}: {} {} ({})", text("message.code"), kind.code, kind.name_en, kind.name_zh);
            let what = format!("{}: {} {}", text("message.operation"), message.operation(), kind.role);
            format!("{head}\n{what}\n{}", lines(&fields))
        }
    }
}

/// A table of fields.
pub(crate) fn lines(fields: &[DescribedField]) -> String {
    let row = |field: &DescribedField| vec![field.path.clone(), name(field), offset(field), value(field)];
    let columns = ["message.field", "codec.title", "message.offset", "message.shown"];
    table(&titles(&columns), &fields.iter().map(row).collect::<Vec<_>>())
}

/// Fields as JSON.
pub(crate) fn objects(fields: &[DescribedField]) -> Vec<Value> {
    let object = |field: &DescribedField| {
        json!({
            "path": field.path, "name_en": field.name_en, "name_zh": field.name_zh, "value": field.value,
            "offset": field.offset, "sealed": field.sealed,
        })
    };
    fields.iter().map(object).collect()
}

fn name(field: &DescribedField) -> String {
    match (field.name_en.as_str(), field.name_zh.as_str()) {
        ("", zh) => zh.to_owned(),
        (en, "") => en.to_owned(),
        (en, zh) => format!("{en} ({zh})"),
    }
}

fn offset(field: &DescribedField) -> String {
    field.offset.map(|offset| offset.to_string()).unwrap_or_default()
}

fn value(field: &DescribedField) -> String {
    if field.sealed {
        format!("{} [{}]", field.value, text("message.sealed"))
    } else {
        field.value.clone()
    }
}
