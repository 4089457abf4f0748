//! `hangu codec docs`: a codec's page in Markdown. What the compiled spec says comes first; with the spec's text also every
//! field and code.

use super::operations;
use crate::cli::texts::text;
use codecs::payment::Reason;
use codecs::spec::{Confidence, MessageSpec, Origin, Spec};
use toml::{Table, Value};

pub(super) fn page(spec: &Spec, source: Option<&str>) -> String {
    let mut parts = vec![
        format!("# {} {} (`{}`)", spec.name_en, spec.name_zh, spec.codec),
        format!(
            "{}: {}; {}: {}",
            text("codec.source"),
            spec.source,
            text("codec.confidence"),
            confidence(spec.confidence)
        ),
        format!("## {}\n\n{}", text("codec.warnings"), warnings(spec)),
        format!("## {}\n\n{}", text("codec.messages"), messages(spec)),
        format!("## {}\n\n{}", text("codec.codes"), codes(spec)),
        format!("## {}\n\n{}", text("codec.source"), origins(spec)),
    ];
    // The text was loaded as this spec, so it is a table.
    if let Some(table) = source.and_then(|source| source.parse::<Table>().ok()) {
        parts.push(frame(&table));
        parts.extend(rows(&table, "message").map(|message| fields(&table, message)));
        parts.push(status(&table));
    }
    parts.join("\n\n")
}

/// The mark of `facts/`.
pub(super) const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "H",
        Confidence::Medium => "M",
        Confidence::Low => "L",
        Confidence::Own => "OWN",
    }
}

fn warnings(spec: &Spec) -> String {
    let lines: Vec<_> = spec
        .warnings()
        .iter()
        .map(|warning| format!("- `{}`: {}", warning.place, warning.detail))
        .collect();
    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
}

fn messages(spec: &Spec) -> String {
    let titles = [
        "codec.code",
        "codec.title",
        "codec.operations",
        "codec.role",
        "codec.direction",
        "codec.reply",
        "codec.source",
        "codec.confidence",
    ];
    let row = |message: &MessageSpec| {
        vec![
            format!("`{}`", message.code),
            format!("{} {}", message.name_en, message.name_zh),
            operations(message),
            message.role.name().to_owned(),
            message.direction.name().to_owned(),
            message.reply.clone().unwrap_or_default(),
            message.source.clone(),
            confidence(message.confidence).to_owned(),
        ]
    };
    markdown(&titles.map(|key| text(key).to_string()), spec.messages().map(row))
}

fn codes(spec: &Spec) -> String {
    let titles = ["codec.code", "codec.title", "codec.reason"].map(|key| text(key).to_string());
    let reason =
        |reason: Option<Reason>| reason.map_or_else(|| text("codec.unknown").to_string(), |reason| format!("`{reason}`"));
    let row = |(code, name, why): (&str, &str, Option<Reason>)| vec![format!("`{code}`"), name.to_owned(), reason(why)];
    markdown(&titles, spec.codes().map(row))
}

fn origins(spec: &Spec) -> String {
    let titles = ["codec.part", "codec.source", "codec.confidence"].map(|key| text(key).to_string());
    let row = |origin: &Origin| {
        vec![
            origin.place.clone(),
            origin.source.clone(),
            confidence(origin.confidence).to_owned(),
        ]
    };
    markdown(&titles, spec.origins().iter().map(row))
}

fn frame(table: &Table) -> String {
    let body = markdown(
        &FIELD_TITLES.map(str::to_owned),
        rows(table, "frame").map(|field| field_row(table, field, &[])),
    );
    format!("## Frame\n\n{body}")
}

fn fields(table: &Table, message: &Table) -> String {
    let included = words(message, "include").flat_map(|set| {
        table
            .get("sets")
            .and_then(|sets| sets.get(set))
            .map(tables)
            .unwrap_or_default()
    });
    let own = message.get("fields").map(tables).unwrap_or_default();
    let required: Vec<_> = words(message, "required").collect();
    let rows = included.chain(own).map(|field| field_row(table, field, &required));
    let body = markdown(&FIELD_TITLES.map(str::to_owned), rows);
    format!(
        "## {} {} {}\n\n{body}",
        word(message, "code"),
        word(message, "en"),
        word(message, "zh")
    )
}

/// One field, with what its type says where it does not say it itself.
fn field_row(table: &Table, field: &Table, required: &[&str]) -> Vec<String> {
    let base = field.get("type").and_then(Value::as_str);
    let base = base.and_then(|name| table.get("types")?.get(name)?.as_table());
    let of = |key: &str| {
        let value = field.get(key).or_else(|| base.and_then(|base| base.get(key)));
        value.map(plain).unwrap_or_default()
    };
    let tag = field.get("tag").map(|tag| format!("/{}", plain(tag))).unwrap_or_default();
    let path = format!("{}{tag}", of("path"));
    let is_required = if required.contains(&path.as_str()) {
        "yes".to_owned()
    } else {
        of("required")
    };
    let kind = match of("values") {
        values if values.is_empty() => of("kind"),
        values => format!("{}: {values}", of("kind")),
    };
    let title = format!("{} {}", of("en"), of("zh")).trim().to_owned();
    let source = format!("{} {}", of("source"), of("confidence")).trim().to_owned();
    // A field of a fixed header stands at one place.
    let length = match of("at") {
        at if at.is_empty() => of("len"),
        at => format!("{} (at {at}, {} wide)", of("len"), of("width"))
            .trim_start()
            .to_owned(),
    };
    let mut row = vec![format!("`{path}`"), title, kind, length, is_required];
    row.extend(["seal", "mask", "map"].map(of));
    row.push(source);
    row
}

fn status(table: &Table) -> String {
    let titles = ["code", "outcome", "reason", "source", "confidence"];
    let row = |code: &Table| titles.map(|key| word(code, key)).to_vec();
    let tables_of = table.get("status").and_then(Value::as_table).into_iter().flatten();
    let part = |(name, status): (&String, &Value)| {
        format!(
            "## Status `{name}`\n\n{}",
            markdown(&titles.map(str::to_owned), tables(status).into_iter().map(row))
        )
    };
    tables_of.map(part).collect::<Vec<_>>().join("\n\n")
}

fn rows<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).map(tables).unwrap_or_default().into_iter()
}

fn tables(value: &Value) -> Vec<&Table> {
    value.as_array().into_iter().flatten().filter_map(Value::as_table).collect()
}

fn words<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a str> {
    table
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn word(table: &Table, key: &str) -> String {
    table.get(key).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Boolean(true) => "yes".to_owned(),
        Value::Boolean(false) => "no".to_owned(),
        Value::Integer(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => value.to_string(),
    }
}

/// A Markdown table; a `|` inside a cell would end it.
fn markdown(titles: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        format!(
            "| {} |",
            cells
                .iter()
                .map(|cell| cell.replace('|', "\\|"))
                .collect::<Vec<_>>()
                .join(" | ")
        )
    };
    let rule = vec!["---".to_owned(); titles.len()];
    let head = [line(titles), line(&rule)];
    head.into_iter()
        .chain(rows.map(|row| line(&row)))
        .collect::<Vec<_>>()
        .join("\n")
}

const FIELD_TITLES: [&str; 9] = [
    "path", "name", "kind", "length", "required", "sealed", "mask", "map", "source",
];
