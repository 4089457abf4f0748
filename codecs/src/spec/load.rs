//! From `spec.toml` to plans. The order is that of the file: scheme, frame, messages; `check` looks at the whole afterwards.

use super::names::{At, toml_error};
use super::plan::{
    Code, Covers, EnvelopePlan, Field, Habits, Http, Limits, Over, Place, SealingPlan, SignatureEncoding, Status, Tree, Verdict,
};
use super::text::{AbsentText, CodeText, EnvelopeText, LimitsText, SpecText, StatusText, UnknownText};
use super::{Spec, check, field, message, origin};
use crate::envelope::SignatureScheme;
use crate::error::SpecError;
use crate::format::{Format, JsonPlan, XmlPlan};
use crate::payment::{Attribute, Reason};
use std::collections::BTreeMap;

/// Loads, compiles and checks one spec.
pub(super) fn load(codec: &str, text: &str) -> Result<Spec, SpecError> {
    let written: SpecText = toml::from_str(text).map_err(|error| toml_error(codec, text, &error))?;
    let at = At::new(codec, "");
    let format = format(&at, &written)?;
    let frame = frame(&at.inside("frame"), &written)?;
    let code_field = frame.iter().position(|field| field.map == Some(Attribute::MessageCode));
    let code_field = code_field.ok_or_else(|| at.fail("no frame field maps `com.code`"))?;
    let envelope = envelope(&at.inside("envelope"), &written.envelope, &frame)?;
    let status = status(&at, &written.status)?;
    let parts = message::Parts {
        format: &format,
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
        frame: frame_tree(&at, &format, &frame)?,
        frame_count: frame.len(),
        code_field,
        codes: codes(&at, &written.codes)?,
        origins: origin::origins(&written),
        by_code: messages
            .iter()
            .enumerate()
            .map(|(at, message)| (message.code.clone(), at))
            .collect(),
        messages,
        limits: limits(written.limits),
        http: written.http.map(|http| Http {
            content_type: http.content_type,
            status_final: http.status_final,
            status_unknown: http.status_unknown,
        }),
        habits: Habits {
            skip_absent: written.habits.absent == AbsentText::Skip,
            strip_tags: written.habits.strip_tags,
        },
        name_zh: written.name.zh,
        name_en: written.name.en,
        source: written.source,
        confidence: written.confidence,
        format,
        envelope,
    };
    check::all(&at, &spec)?;
    Ok(spec)
}

fn format(at: &At, text: &SpecText) -> Result<Format, SpecError> {
    match (text.format.as_str(), &text.xml, &text.json) {
        ("xml", Some(xml), None) => Ok(Format::Xml(XmlPlan {
            root: xml.root.clone(),
            namespace: xml.namespace.clone(),
            order: xml.order.clone(),
            body: xml.body.clone(),
            currency: xml.currency.clone(),
            reject_unknown: xml.unknown == UnknownText::Reject,
        })),
        ("json", None, Some(json)) => Ok(Format::Json(JsonPlan {
            reject_unknown: json.unknown == UnknownText::Reject,
        })),
        ("xml" | "json", _, _) => Err(at.fail("the table of its own format, and no other, must be present")),
        (name, _, _) => at.known("format", name, None, ["xml", "json"]),
    }
}

fn limits(text: LimitsText) -> Limits {
    Limits {
        message_bytes_max: text.message_bytes_max,
        depth_max: text.depth_max,
        attributes_max: text.attributes_max,
        attribute_bytes_max: text.attribute_bytes_max,
        nodes_max: text.nodes_max,
    }
}

fn frame(at: &At, text: &SpecText) -> Result<Vec<Field>, SpecError> {
    let first = |field: &Field| text.envelope.first.contains(&field.path);
    let mut frame = Vec::new();
    for field_text in &text.frame {
        let loaded = field::load(at, field_text, &text.types)?;
        if loaded.max.is_some() || loaded.field.seal {
            return Err(at
                .inside(&loaded.field.path)
                .fail("a frame field stands once and is never sealed"));
        }
        let signed = first(&loaded.field);
        frame.push(Field { signed, ..loaded.field });
    }
    Ok(frame)
}

/// XML finds frame fields before it knows the message; other formats find them in the message's own tree.
fn frame_tree(at: &At, format: &Format, frame: &[Field]) -> Result<Tree, SpecError> {
    let mut tree = Tree::new();
    let Format::Xml(xml) = format else { return Ok(tree) };
    for (id, field) in frame.iter().enumerate() {
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

fn envelope(at: &At, text: &EnvelopeText, frame: &[Field]) -> Result<EnvelopePlan, SpecError> {
    let scheme = match text.signature.as_str() {
        "none" => SignatureScheme::None,
        "sm2sm3" => SignatureScheme::Sm2Sm3,
        "hmac_sm3" => SignatureScheme::HmacSm3,
        name => return at.known("signature", name, None, ["none", "sm2sm3", "hmac_sm3"]),
    };
    let encoding = match (scheme, text.encoding.as_deref()) {
        (SignatureScheme::None, None) | (SignatureScheme::Sm2Sm3, Some("der")) => SignatureEncoding::Der,
        (SignatureScheme::Sm2Sm3, Some("raw")) => SignatureEncoding::Raw,
        (SignatureScheme::HmacSm3, Some("hex")) => SignatureEncoding::Hex,
        _ => return Err(at.fail("`encoding` is der or raw for sm2sm3, hex for hmac_sm3")),
    };
    let find = |path: &String| {
        let found = frame.iter().position(|field| field.path == *path);
        at.known("frame field", path, found, frame.iter().map(|field| field.path.as_str()))
    };
    let one = |path: &Option<String>| path.as_ref().map(find).transpose();
    let over = match text.over.as_deref() {
        Some("http") => Over::Http,
        Some("fields") | None => Over::Fields,
        Some(name) => return at.known("over", name, None, ["fields", "http"]),
    };
    let covers = match text.signed.as_deref() {
        Some("clear") => Covers::Clear,
        Some("sealed") | None => Covers::Sealed,
        Some(name) => return at.known("signed", name, None, ["sealed", "clear"]),
    };
    let sealing = text.sealing.as_ref();
    let sealing = sealing
        .map(|text| {
            Ok(SealingPlan {
                on: text.on,
                serial: find(&text.serial)?,
                key: find(&text.key)?,
            })
        })
        .transpose()?;
    Ok(EnvelopePlan {
        scheme,
        encoding,
        user_id: text.user_id.clone().into_bytes(),
        signature: one(&text.at)?,
        serial: one(&text.serial)?,
        made_at: one(&text.made_at)?,
        window_s: text.window_s,
        over,
        covers,
        first: text.first.iter().map(find).collect::<Result<_, _>>()?,
        sealing,
    })
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
    let reason = row.reason.as_deref().map(|name| reason(at, name)).transpose()?;
    if reason.is_some() && verdict != Verdict::Failed {
        return Err(at.fail("only a failure has a reason"));
    }
    Ok(Status {
        code: row.code.clone(),
        verdict,
        reason,
    })
}

fn codes(at: &At, rows: &[CodeText]) -> Result<Vec<Code>, SpecError> {
    let at = at.inside("codes");
    rows.iter()
        .map(|row| {
            Ok(Code {
                code: row.code.clone(),
                name_zh: row.zh.clone().unwrap_or_default(),
                reason: reason(&at, &row.reason)?,
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

/// Whether a field of this place can be covered by the signature's scheme at all.
pub(super) fn covered(over: Over, field: &Field) -> bool {
    match (over, &field.place) {
        (Over::Http, Place::Body(_) | Place::Target) => true,
        (Over::Http, Place::Head(_)) | (Over::Fields, _) => field.signed,
    }
}
