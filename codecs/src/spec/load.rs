//! From `spec.toml` to plans. The order is that of the file: scheme, frame, messages; `check` looks at the whole afterwards.

use super::names::{At, toml_error};
use super::plan::{Code, Field, Habits, Http, Limits, Place, Status, Tree, Verdict};
use super::text::{AbsentText, CodeText, HttpText, LimitsText, NamedByText, SpecText, StatusText, SuiteText, UnknownText};
use super::{Spec, check, envelope, field, header, message, origin, suite};
use crate::error::SpecError;
use crate::format::{Charset, FlatPlan, FormPlan, Format, JsonNames, JsonPlan, XmlPlan};
use crate::payment::{Attribute, Money, Reason, Shape, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Loads, compiles and checks one spec, in each of its suites.
pub(super) fn load(codec: &str, text: &str) -> Result<Spec, SpecError> {
    let written: SpecText = toml::from_str(text).map_err(|error| toml_error(codec, text, &error))?;
    let at = At::new(codec, "");
    let Some((first, others)) = written.suite.split_first() else {
        return compile(&at, codec, written, None);
    };
    let (first, others) = (first.clone(), others.to_vec());
    let mut spec = compile(&at, codec, written, Some(&first))?;
    for other in &others {
        let written: SpecText = toml::from_str(text).map_err(|error| toml_error(codec, text, &error))?;
        spec.others.push(Arc::new(compile(&at, codec, written, Some(other))?));
    }
    Ok(spec)
}

fn compile(at: &At, codec: &str, mut written: SpecText, suite: Option<&SuiteText>) -> Result<Spec, SpecError> {
    let (mut format, answers) = formats(at, &written)?;
    let charset = charset(at, &written)?;
    let mut frame = frame(&at.inside("frame"), &written)?;
    let header = header::load(at, &written, &frame)?;
    if let Format::Xml(xml) = &mut format {
        if !xml.is_framed() && header.is_none() && written.http.is_none() {
            return Err(at.fail("`xml` without `body` needs `header` or `http`, which name the message"));
        }
        xml.header = header;
    }
    if let Some(chosen) = suite {
        let at = at.inside(&format!("suite {}", chosen.name));
        suite::choose(&at, &mut written.envelope, chosen)?;
        suite::fix(&at, &mut frame, chosen)?;
    }
    let code_field = frame.iter().position(|field| field.map == Some(Attribute::MessageCode));
    let code_field = code_field.ok_or_else(|| at.fail("no frame field maps `com.code`"))?;
    let envelope = envelope::load(&at.inside("envelope"), &written.envelope, &frame)?;
    let status = status(at, &written.status)?;
    let parts = message::Parts {
        format: &format,
        answers: answers.as_ref(),
        frame: &frame,
        envelope: &envelope,
        status: &status,
        text: &written,
    };
    let mut messages = Vec::new();
    for text in &written.message {
        messages.push(message::load(&at.inside(&format!("message {}", text.code)), text, &parts)?);
    }
    let spec = Spec {
        codec: codec.to_owned(),
        suite: suite.map(|suite| suite.name.clone()).unwrap_or_default(),
        others: Vec::new(),
        frame: frame_tree(at, &format, &frame)?,
        frame_count: frame.len(),
        code_field,
        codes: codes(at, &written.codes)?,
        examples: examples(at, &written.examples)?,
        origins: origin::origins(&written),
        by_code: messages
            .iter()
            .enumerate()
            .map(|(at, message)| (message.code.clone(), at))
            .collect(),
        messages,
        limits: limits(written.limits, charset),
        charset,
        http: written.http.map(http),
        habits: Habits {
            skip_absent: written.habits.absent == AbsentText::Skip,
            strip_tags: written.habits.strip_tags,
        },
        name_zh: written.name.zh,
        name_en: written.name.en,
        source: written.source,
        confidence: written.confidence,
        format,
        answers,
        envelope,
    };
    check::all(at, &spec)?;
    Ok(spec)
}

/// Another charset than UTF-8 is for documents as a whole: escapes of forms and what is sealed are of bytes.
fn charset(at: &At, text: &SpecText) -> Result<Charset, SpecError> {
    let name = text.charset.as_deref().unwrap_or("utf-8");
    let charset = envelope::listed(at, "charset", name, &Charset::NAMES)?;
    let formats = [Some(text.format.as_str()), text.answers.as_deref()];
    let is_whole = formats.into_iter().flatten().all(|format| matches!(format, "xml" | "json"));
    let written = &text.envelope;
    let seals = written.sealing.is_some() || written.whole.is_some() || written.capsule.is_some();
    if !charset.is_utf8() && (!is_whole || seals) {
        return Err(at.fail("`charset` is for the formats xml and json, where nothing is sealed"));
    }
    Ok(charset)
}

/// The format of requests, and that of answers where it is another one.
fn formats(at: &At, text: &SpecText) -> Result<(Format, Option<Format>), SpecError> {
    let names: Vec<&str> = [Some(text.format.as_str()), text.answers.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let tables = [
        ("xml", text.xml.is_some()),
        ("json", text.json.is_some()),
        ("form", text.form.is_some()),
        ("flat", text.flat.is_some()),
        ("iso8583", text.iso8583.is_some()),
    ];
    for name in &names {
        let known = tables.iter().find(|(known, _)| known == name).map(drop);
        at.known("format", name, known, tables.iter().map(|(known, _)| *known))?;
    }
    if tables.iter().any(|(name, present)| names.contains(name) != *present) {
        return Err(at.fail("the table of each of its formats, and no other, must be present"));
    }
    let answers = text.answers.as_deref().map(|name| format(at, name, text)).transpose()?;
    Ok((format(at, &text.format, text)?, answers))
}

fn format(at: &At, name: &str, text: &SpecText) -> Result<Format, SpecError> {
    if let ("flat", Some(flat)) = (name, &text.flat) {
        return Ok(Format::Flat(FlatPlan { root: flat.root.clone() }));
    }
    if let ("iso8583", Some(table)) = (name, &text.iso8583) {
        return super::iso8583::load(&at.inside("iso8583"), table).map(Format::Iso8583);
    }
    match (name, &text.xml, &text.json, &text.form) {
        ("xml", Some(xml), _, _) => Ok(Format::Xml(XmlPlan {
            root: xml.root.clone(),
            namespace: xml.namespace.clone(),
            order: xml.order.clone(),
            body: xml.body.clone(),
            bare: xml.bare,
            empty_is_absent: xml.empty_is_absent,
            currency: xml.currency.clone(),
            charset: charset(at, text)?,
            reject_unknown: xml.unknown == UnknownText::Reject,
            header: None,
        })),
        ("json", _, Some(json), _) => Ok(Format::Json(JsonPlan {
            named_by: match json.named_by {
                NamedByText::Field => JsonNames::Field,
                NamedByText::Member => JsonNames::Member,
                NamedByText::Target => JsonNames::Target,
            },
            reject_unknown: json.unknown == UnknownText::Reject,
        })),
        ("form", _, _, Some(form)) => Ok(Format::Form(FormPlan {
            plain_answers: form.plain_answers,
            reject_unknown: form.unknown == UnknownText::Reject,
        })),
        (name, _, _, _) => at.known("format", name, None, ["xml", "json", "form", "flat", "iso8583"]),
    }
}

fn http(text: HttpText) -> Http {
    Http {
        content_type: text.content_type,
        answer_type: text.answer_type,
        target: text.target,
        refused: text.refused.map(|refused| (refused.content_type, refused.body)),
        status_free: text.status_free,
        status_final: text.status_final,
        status_unknown: text.status_unknown,
    }
}

fn limits(text: LimitsText, charset: Charset) -> Limits {
    Limits {
        message_bytes_max: text.message_bytes_max,
        depth_max: text.depth_max,
        attributes_max: text.attributes_max,
        attribute_bytes_max: text.attribute_bytes_max,
        nodes_max: text.nodes_max,
        charset,
    }
}

fn frame(at: &At, text: &SpecText) -> Result<Vec<Field>, SpecError> {
    let mut frame = Vec::new();
    for field_text in &text.frame {
        let loaded = field::load(at, field_text, &text.types)?;
        if loaded.max.is_some() || loaded.field.seal {
            return Err(at
                .inside(&loaded.field.path)
                .fail("a frame field stands once and is never sealed"));
        }
        frame.push(loaded.field);
    }
    Ok(frame)
}

/// XML finds frame fields before it knows the message; other formats find them in the message's own tree.
fn frame_tree(at: &At, format: &Format, frame: &[Field]) -> Result<Tree, SpecError> {
    let mut tree = Tree::new();
    let Format::Xml(xml) = format else { return Ok(tree) };
    if !xml.is_framed() {
        return Ok(tree);
    }
    for (id, field) in frame.iter().enumerate() {
        if !matches!(field.place, Place::Body(_)) {
            continue;
        }
        message::grow(&at.inside("frame"), &mut tree, id, field)?;
        let top = field.place.steps().first().map(String::as_str).unwrap_or_default();
        if !xml.order.iter().any(|name| name == top) || top == xml.body {
            return Err(at
                .inside(&field.path)
                .fail("a frame field stands under a child of the root that `xml.order` names"));
        }
    }
    Ok(tree)
}

fn status(at: &At, tables: &BTreeMap<String, Vec<StatusText>>) -> Result<BTreeMap<String, Vec<Status>>, SpecError> {
    let mut loaded = BTreeMap::new();
    for (name, rows) in tables {
        let at = at.inside(&format!("status {name}"));
        let rows: Result<Vec<Status>, SpecError> = rows.iter().map(|row| status_row(&at, row)).collect();
        loaded.insert(name.clone(), rows?);
    }
    Ok(loaded)
}

fn status_row(at: &At, row: &StatusText) -> Result<Status, SpecError> {
    let verdict = match row.outcome.as_str() {
        "success" => Verdict::Success,
        "failed" => Verdict::Failed,
        "unknown" => Verdict::Unknown,
        name => return at.known("outcome", name, None, ["success", "failed", "unknown"]),
    };
    let named = |name: &Option<String>| name.as_deref().map(|name| reason(at, name)).transpose();
    let (reason, code_says) = (named(&row.reason)?, named(&row.code_says)?);
    if (reason.is_some() || code_says.is_some()) && verdict != Verdict::Failed {
        return Err(at.fail("only a failure has a reason"));
    }
    Ok(Status {
        code: row.code.clone(),
        verdict,
        reason,
        code_says,
    })
}

fn codes(at: &At, rows: &[CodeText]) -> Result<Vec<Code>, SpecError> {
    let at = at.inside("codes");
    rows.iter()
        .map(|row| {
            Ok(Code {
                code: row.code.clone(),
                name_zh: row.zh.clone().unwrap_or_default(),
                reason: match (&row.reason, row.outcome.as_deref()) {
                    (Some(name), None) => Some(reason(&at, name)?),
                    (None, Some("unknown")) => None,
                    _ => return Err(at.fail(format!("code `{}` has a `reason`, or `outcome = \"unknown\"`", row.code))),
                },
            })
        })
        .collect()
}

fn reason(at: &At, name: &str) -> Result<Reason, SpecError> {
    at.known(
        "reason",
        name,
        Reason::parse(name),
        Reason::ALL.iter().map(|reason| reason.name()),
    )
}

/// Values that fit this institution's fields, in canonical text.
fn examples(at: &At, texts: &BTreeMap<String, String>) -> Result<Vec<(Attribute, Value)>, SpecError> {
    let at = at.inside("examples");
    let value = |attribute: Attribute, text: &str| match attribute.shape() {
        Shape::Text => Some(Value::text(text)),
        Shape::Money => text.parse().ok().map(Money::from_fen).map(Value::Money),
        Shape::Date => crate::field::dated(&text.replace('-', "")).map(Value::Date),
        Shape::List => Some(Value::List(vec![text.to_owned()])),
    };
    let example = |(name, text): (&String, &String)| {
        let attribute = field::attribute(&at, Some(name))?.ok_or_else(|| at.fail("no name"))?;
        let value = value(attribute, text).ok_or_else(|| at.fail(format!("`{name}` is not of its shape")))?;
        Ok((attribute, value))
    };
    texts.iter().map(example).collect()
}
