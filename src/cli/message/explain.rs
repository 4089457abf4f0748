//! `hangu message explain`: what exactly was signed, its digest, under which key, and what the pipeline says.

use super::{Subject, decode, digest, verify};
use crate::cli::key::public_half;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use codecs::envelope::{MacKind, SignatureScheme, Sm2Input};
use codecs::message::{DescribedField, Message, SignatureFound, SignedForm};
use codecs::wire::Start;
use hangu::pipeline::{LinkView, disclose};
use keys::key::{KeyInfo, Side, Usage};
use keys::keyring::Keyring;
use keys::sm2::{DEFAULT_USER_ID, PublicKey};
use keys::sm3::sm3;
use serde_json::{Value, json};

/// One finding: the key of its title among the texts, and the value.
type Row = (&'static str, String);

pub(super) fn run(subject: &Subject, form: Form) -> Result<Exit, Failure> {
    let keyring = subject.keyring()?;
    let content = match subject.content(keyring.as_ref()) {
        Ok(content) => content,
        Err(rejection) => return Ok(refused(&Err(rejection), form)),
    };
    let mut message = match subject.link.spec.parse(&content) {
        Ok(message) => message,
        Err(error) => return Ok(refused(&verify::unreadable(error), form)),
    };
    let opened = match &keyring {
        Some(keyring) => open(subject, &mut message, keyring),
        None => Err("no keys".to_owned()),
    };
    let mut rows = vec![("message.code", message.kind().code.clone())];
    match opened {
        Ok(0) => {}
        Ok(count) => rows.push(("message.opened", count.to_string())),
        Err(reason) => rows.push(("message.unopened", reason)),
    }
    rows.extend(signed_rows(subject, &message));
    rows.extend(signature_rows(subject, &message, keyring.as_ref()));
    let verdict = keyring.as_ref().map(|keyring| verify::judge(subject, keyring));
    print(
        form,
        &rows,
        &message.describe(subject.danger_unmasked),
        &message.signed_fields(),
        verdict.as_ref(),
    );
    Ok(verdict.as_ref().map_or(Exit::Ok, verify::exit))
}

/// How many values came to light, or why none did.
fn open(subject: &Subject, message: &mut Message<'_>, keyring: &Keyring) -> Result<usize, String> {
    let view = LinkView {
        name: &subject.link.name,
        spec: &subject.link.spec,
        keyring,
    };
    disclose(message, view, subject.now).map_err(|rejection| rejection.to_string())
}

fn refused(verdict: &verify::Verdict, form: Form) -> Exit {
    print(form, &[], &[], &[], Some(verdict));
    verify::exit(verdict)
}

/// The string itself, its length and its plain digest.
fn signed_rows(subject: &Subject, message: &Message<'_>) -> Vec<Row> {
    let exact = match message.signed_text() {
        Ok(exact) => exact,
        Err(error) => return vec![("message.text", error.to_string())],
    };
    let shown = if subject.danger_unmasked {
        String::from_utf8_lossy(&exact).into_owned()
    } else {
        masked(subject, message, &exact)
    };
    vec![
        ("message.text", shown),
        ("message.bytes", exact.len().to_string()),
        ("message.sm3", output::hex(&sm3(&[&exact]))),
    ]
}

/// The string with masked values in their places; of a body that is signed as it is, only length and digest.
fn masked(subject: &Subject, message: &Message<'_>, exact: &[u8]) -> String {
    let slots = message.signed_fields();
    let values = slots.iter().map(|slot| slot.value.as_str());
    match message.signed_form() {
        SignedForm::Fields => return values.fold(String::new(), |text, value| text + value + "|"),
        SignedForm::Values => return values.collect::<Vec<_>>().join("|"),
        SignedForm::Bytes => return format!("[{} bytes, SM3 {}]", exact.len(), output::hex(&sm3(&[exact]))),
        SignedForm::Http => {}
    }
    let start = match &subject.wire.start {
        Start::Queue => String::new(),
        Start::Request { method, target } => format!("{method}\n{target}\n"),
        Start::Status(status) => format!("{status}\n"),
    };
    let body = &subject.wire.body;
    let head = values.fold(start, |text, value| text + value + "\n");
    format!("{head}[body: {} bytes, SM3 {}]", body.len(), output::hex(&sm3(&[body])))
}

fn signature_rows(subject: &Subject, message: &Message<'_>, keyring: Option<&Keyring>) -> Vec<Row> {
    let found = match message.signature() {
        Ok(Some(found)) => found,
        Ok(None) => return vec![("message.scheme", "none".to_owned())],
        Err(error) => return vec![("message.scheme", error.to_string())],
    };
    let mut rows = vec![
        ("message.scheme", scheme(found.scheme).to_owned()),
        ("message.serial", found.signer.serial().unwrap_or("-").to_owned()),
    ];
    if let Some(info) = keyring.and_then(|keyring| key_of(keyring, &subject.link.name, &found)) {
        rows.push(("message.fingerprint", format!("{} ({})", info.fingerprint, info.id)));
        if found.scheme == SignatureScheme::Sm2(Sm2Input::Text) {
            rows.extend(digest_rows(subject, message, info));
        }
    }
    rows.push(("message.value", output::hex(found.value.bytes())));
    rows
}

/// Z and e under the key that the message names and the user id that the keyring has for it.
fn digest_rows(subject: &Subject, message: &Message<'_>, info: &KeyInfo) -> Vec<Row> {
    let Some(half) = subject.known_config().and_then(|config| public_half(&config.keys, &info.id)) else {
        return Vec::new();
    };
    let user_id = half.user_id.as_ref().map_or(DEFAULT_USER_ID, String::as_bytes);
    let mut shown = String::from_utf8_lossy(user_id).into_owned();
    if !message.user_id().is_empty() && message.user_id() != user_id {
        shown = format!("{shown} [spec: {}]", String::from_utf8_lossy(message.user_id()));
    }
    let mut rows = vec![("message.user_id", shown)];
    let z = PublicKey::from_pem(&half.pem).ok().and_then(|key| digest::z(&key, user_id));
    if let (Some(z), Ok(exact)) = (z, message.signed_text()) {
        rows.push(("message.z", output::hex(&z)));
        rows.push(("message.e", output::hex(&digest::e(&z, &exact))));
    }
    rows
}

fn key_of<'a>(keyring: &'a Keyring, link: &str, found: &SignatureFound) -> Option<&'a KeyInfo> {
    let (side, usage) = match found.scheme {
        SignatureScheme::None => return None,
        SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) => (Side::Theirs, Usage::Sign),
        SignatureScheme::Mac(_) => (Side::Shared, Usage::Mac),
    };
    let of_usage = |info: &&KeyInfo| info.link == link && info.side == side && info.usage == usage;
    let mut found = keyring
        .infos()
        .filter(of_usage)
        .filter(|info| found.signer.serial().is_none_or(|serial| info.serial == serial));
    let first = found.next();
    if found.next().is_some() { None } else { first }
}

fn scheme(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::None => "none",
        SignatureScheme::Sm2(Sm2Input::Text) => "SM2 with SM3",
        SignatureScheme::Mac(MacKind::HmacSm3) => "HMAC-SM3",
        SignatureScheme::Sm2(_) | SignatureScheme::Mac(_) | SignatureScheme::Rsa(_) => scheme.name(),
    }
}

fn print(form: Form, rows: &[Row], fields: &[DescribedField], slots: &[DescribedField], verdict: Option<&verify::Verdict>) {
    output::say(&match form {
        Form::Json => output::json(&object(rows, fields, slots, verdict)),
        Form::Text => page(rows, fields, slots, verdict),
    });
}

fn object(rows: &[Row], fields: &[DescribedField], slots: &[DescribedField], verdict: Option<&verify::Verdict>) -> Value {
    let mut object = serde_json::Map::new();
    for (key, value) in rows {
        object.insert(key.strip_prefix("message.").unwrap_or(key).to_owned(), json!(value));
    }
    object.insert("fields".to_owned(), json!(decode::objects(fields)));
    object.insert("signed_fields".to_owned(), json!(decode::objects(slots)));
    object.insert("verdict".to_owned(), verdict.map_or(Value::Null, verify::object));
    Value::Object(object)
}

fn page(rows: &[Row], fields: &[DescribedField], slots: &[DescribedField], verdict: Option<&verify::Verdict>) -> String {
    let mut parts: Vec<String> = rows.iter().map(|(key, value)| format!("{}: {value}", text(key))).collect();
    if !fields.is_empty() {
        parts.push(format!("\n{}", decode::lines(fields)));
    }
    if !slots.is_empty() {
        parts.push(format!("\n{}\n{}", text("message.text"), decode::lines(slots)));
    }
    if let Some(verdict) = verdict {
        parts.push(format!("\n{}", verify::lines(verdict).join("\n")));
    }
    parts.join("\n").trim_start().to_owned()
}
