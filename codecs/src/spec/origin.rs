//! Where each part of a spec comes from, and how sure that is: kept for `hangu check` and the docs page, used by no plan.

use super::iso8583::Iso8583Text;
use super::text::{Confidence, FieldText, SpecText};

/// The source of one part of a spec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Table and row, such as `message NPS.142.001.01` or `codes RJ90`.
    pub place: String,
    /// Empty where a part is our own choice without an outside source.
    pub source: String,
    pub confidence: Confidence,
}

/// Every part that states its source or its confidence. A part with a source and no mark is as sure as the spec as a whole.
pub(super) fn origins(spec: &SpecText) -> Vec<Origin> {
    let mut found = Vec::new();
    let mut add = |place: String, source: Option<&String>, confidence: Option<Confidence>| {
        if source.is_some() || confidence.is_some() {
            let source = source.cloned().unwrap_or_default();
            found.push(Origin {
                place,
                source,
                confidence: confidence.unwrap_or(spec.confidence),
            });
        }
    };
    add(
        "envelope".to_owned(),
        Some(&spec.envelope.source),
        Some(spec.envelope.confidence),
    );
    if let Some((source, confidence)) = spec.iso8583.as_ref().and_then(Iso8583Text::sign_in_origin) {
        add("sign_in".to_owned(), Some(source), Some(confidence));
    }
    for suite in &spec.suite {
        add(format!("suite {}", suite.name), Some(&suite.source), Some(suite.confidence));
    }
    for (name, text) in &spec.types {
        add(format!("type {name}"), text.source.as_ref(), text.confidence);
    }
    let sets = spec
        .sets
        .iter()
        .flat_map(|(name, fields)| fields.iter().map(move |field| (format!("set {name}"), field)));
    let frame = spec.frame.iter().map(|field| ("frame".to_owned(), field));
    let own = spec.message.iter().flat_map(|message| {
        message
            .fields
            .iter()
            .map(|field| (format!("message {}", message.code), field))
    });
    for (place, field) in sets.chain(frame).chain(own) {
        add(
            format!("{place}, field {}", name(field)),
            field.source.as_ref(),
            field.confidence,
        );
    }
    for (table, rows) in &spec.status {
        for row in rows {
            add(format!("status {table} {}", row.code), row.source.as_ref(), row.confidence);
        }
    }
    for row in &spec.codes {
        add(format!("codes {}", row.code), row.source.as_ref(), row.confidence);
    }
    for message in &spec.message {
        add(
            format!("message {}", message.code),
            Some(&message.source),
            Some(message.confidence),
        );
        for row in message.operations.iter().flat_map(|operations| &operations.values) {
            add(
                format!("message {}, value {}", message.code, row.value),
                row.source.as_ref(),
                row.confidence,
            );
        }
    }
    found
}

fn name(field: &FieldText) -> String {
    let path = field.path.as_deref().unwrap_or_default();
    field
        .tag
        .as_ref()
        .map_or_else(|| path.to_owned(), |tag| format!("{path}/{tag}"))
}
