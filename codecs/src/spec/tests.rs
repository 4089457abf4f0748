#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::payment::{Attribute, Payment, Value};
use crate::wire::Wire;

/// A small spec with a repeated element, which no institution's folder has yet.
const SMALL: &str = r#"
format = "xml"
source = "a test"
confidence = "OWN"
name = { zh = "a", en = "a" }

[xml]
root = "r"
namespace = "urn:{code}"
order = ["h", "b", "s"]
body = "b"
currency = "Ccy"

[envelope]
signature = "sm2sm3"
encoding = "raw"
at = "s"
serial = "h/sn"
first = ["h/code", "h/sn"]
source = "a test"
confidence = "OWN"

[[frame]]
path = "h/code"
kind = "alnum"
len = "1..9"
required = true
map = "com.code"

[[frame]]
path = "h/sn"
kind = "alnum"
len = "1..9"

[[frame]]
path = "s"
kind = "base64"
len = "1..99"

[status]
main = [{ code = "Y", outcome = "success" }, { code = "N", outcome = "failed" }]

[[codes]]
code = "E1"
reason = "other"

[[message]]
code = "Q1"
zh = "a"
en = "a"
direction = "both"
operation = "query"
role = "request"
root = "Q"
reply = "Q2"
source = "a test"
confidence = "OWN"
groups = [{ path = "L/I", max = 3 }]
fields = [
    { path = "Id", kind = "alnum", len = "1..9", required = true, map = "msg_id" },
    { path = "L/I/A", kind = "alnum", len = "1..9", required = true, map = "extras" },
    { path = "L/I/B", kind = "alnum", len = "1..9", required = true, fill = "extras", signed = true },
    { path = "Day", kind = "date8", map = "settlement_date" },
]

[[message]]
code = "Q2"
zh = "a"
en = "a"
direction = "both"
operation = "query"
role = "reply"
root = "A"
outcome = { status = "Sts", table = "main", code = "Cd" }
source = "a test"
confidence = "OWN"
fields = [
    { path = "Sts", kind = "alnum", len = "1", required = true, signed = true },
    { path = "Cd", kind = "alnum", len = "1..9", signed = true },
]
"#;

fn small(text: &str) -> Result<Arc<Spec>, SpecError> {
    let mut specs = Specs::default();
    specs.insert("small", text)?;
    Ok(Arc::clone(specs.spec("small").unwrap()))
}

/// Replaces once and expects the load to fail at a place, with words in the detail.
#[track_caller]
fn refuse(from: &str, to: &str, place: &str, detail: &str) {
    assert!(SMALL.contains(from), "{from}");
    let error = small(&SMALL.replacen(from, to, 1)).map(drop).expect_err(to);
    assert!(error.place.contains(place) && error.detail.contains(detail), "{error}");
}

#[test]
fn what_is_misspelt_is_named_with_what_was_meant() {
    refuse("kind = \"date8\"", "kid = \"date8\"", "message Q1", "did you mean `kind`?");
    refuse("[xml]", "[xm]", "line", "did you mean `xml`?");
    refuse("\"date8\"", "\"date_8\"", "message Q1, field Day", "did you mean `date8`?");
    refuse(
        "\"settlement_date\"",
        "\"setlement_date\"",
        "message Q1, field Day",
        "did you mean `settlement_date`?",
    );
    refuse(
        "operation = \"query\"",
        "operation = \"qery\"",
        "message Q1",
        "did you mean `query`?",
    );
    refuse("table = \"main\"", "table = \"mian\"", "message Q2", "did you mean `main`?");
    refuse("status = \"Sts\"", "status = \"St\"", "message Q2", "did you mean `Sts`?");
    refuse(
        "first = [\"h/code\"",
        "first = [\"h/cod\"",
        "envelope",
        "did you mean `h/code`?",
    );
    refuse("format = \"xml\"", "format = \"xlm\"", "", "did you mean `xml`?");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    refuse("body = \"b\"\n", "", "", "without `body` needs `header` or `http`");
    refuse(
        "map = \"settlement_date\"",
        "map = \"amount\"",
        "field Day",
        "does not fit attribute `amount`",
    );
    refuse(
        "path = \"Day\", kind = \"date8\"",
        "path = \"Day\", kind = \"date8\", seal = true",
        "field Day",
        "only text",
    );
    refuse("path = \"Day\"", "path = \"Id\"", "field Id", "duplicate path");
    refuse(
        "map = \"settlement_date\"",
        "signed = false, map = \"settlement_date\"",
        "field Day",
        "signature does not cover it",
    );
    refuse(
        "path = \"Sts\", kind = \"alnum\", len = \"1\", required = true, signed = true",
        "path = \"Sts\", kind = \"alnum\", len = \"1\", required = true",
        "field Sts",
        "does not cover",
    );
    refuse(
        "first = [\"h/code\", \"h/sn\"]",
        "first = [\"h/sn\"]",
        "field h/code",
        "does not cover",
    );
    refuse(
        "first = [\"h/code\", \"h/sn\"]",
        "first = [\"h/code\"]",
        "envelope",
        "must be in `first`",
    );
    refuse("\"h/sn\"]", "\"h/sn\", \"s\"]", "envelope", "cannot cover itself");
}

#[test]
fn what_leads_nowhere_or_twice_to_one_place_is_refused() {
    refuse("reply = \"Q2\"", "reply = \"Q3\"", "message Q1", "does not exist");
    refuse("reply = \"Q2\"", "reply = \"Q1\"", "message Q1", "is no reply");
    refuse("code = \"Q2\"", "code = \"Q1\"", "message Q1", "");
    refuse("role = \"reply\"\nroot", "role = \"request\"\nroot", "message", "");
    refuse(
        "outcome = { status = \"Sts\", table = \"main\", code = \"Cd\" }\n",
        "",
        "message Q2",
        "states how its `outcome`",
    );
    refuse(
        "code = \"N\"",
        "code = \"NN\"",
        "message Q2",
        "breaks the rules of its own field",
    );
    refuse("path = \"Day\"", "path = \"Id/Day\"", "field Id", "text and other fields");
    refuse(
        "map = \"msg_id\"",
        "map = \"msg_id\", seal = true",
        "message Q1",
        "`envelope.sealing` is missing",
    );
    refuse(
        "len = \"1..9\", required = true, map = \"extras\"",
        "len = \"1..9\", map = \"extras\"",
        "group L/I",
        "must be required",
    );
    refuse("max = 3", "max = 0", "group L/I", "at least 1");
    refuse("len = \"1..99\"", "len = \"9..1\"", "field s", "`len`");
    refuse(
        "kind = \"date8\"",
        "kind = \"date8\", default = \"2030\"",
        "field Day",
        "default breaks",
    );
    refuse("encoding = \"raw\"", "encoding = \"hex\"", "envelope", "`encoding`");
    refuse(
        "operation = \"query\"\nrole = \"reply\"",
        "role = \"reply\"",
        "message Q2",
        "either `operation`",
    );
}

#[test]
fn fields_of_one_element_stand_together() {
    let apart = "{ path = \"L/Z\", kind = \"alnum\", len = \"1\" },\n]\n\n[[message]]\ncode = \"Q2\"";
    refuse(
        "]\n\n[[message]]\ncode = \"Q2\"",
        apart,
        "field L/Z",
        "keep its fields together",
    );
}

#[test]
fn a_reply_and_a_request_of_one_operation_are_told_apart_but_two_requests_are_not() {
    let twice = SMALL
        .replace("role = \"reply\"", "role = \"request\"")
        .replace("reply = \"Q2\"\n", "");
    let error = small(&twice).unwrap_err();
    assert!(error.detail.contains("alternative"), "{error}");
}

#[test]
fn vendor_habits_are_warned_of() {
    let spec = small(&SMALL.replace(
        "[[frame]]\npath = \"h/code\"",
        "[habits]\nabsent = \"skip\"\nstrip_tags = true\n\n[[frame]]\npath = \"h/code\"",
    ))
    .unwrap();
    let places: Vec<String> = spec.warnings().into_iter().map(|warning| warning.place).collect();
    assert_eq!(places, ["habits.absent", "habits.strip_tags"]);
    let none = SMALL.replace(
        "signature = \"sm2sm3\"\nencoding = \"raw\"\nat = \"s\"\nserial = \"h/sn\"",
        "signature = \"none\"",
    );
    assert_eq!(small(&none).unwrap().warnings()[0].place, "envelope.signature");
    assert!(small(SMALL).unwrap().warnings().is_empty());
}

fn message(items: &[&str]) -> Wire {
    let items: String = items
        .iter()
        .map(|item| format!("<I><A>{item}</A><B>{item}</B></I>"))
        .collect();
    Wire::queue(
        format!("<r><h><code>Q1</code><sn>1</sn></h><b><Q><Id>7</Id><L>{items}</L><Day>20300102</Day></Q></b><s>AAAA</s></r>")
            .into_bytes(),
    )
}

#[test]
fn repeated_elements_are_read_signed_and_written_in_order() {
    let spec = small(SMALL).unwrap();
    let wire = message(&["x", "y"]);
    let parsed = spec.parse(&wire).unwrap();
    assert_eq!(parsed.signed_text().unwrap(), b"Q1|1|7|2|x|x|y|y|20300102|");
    let payment = parsed.payment().unwrap();
    assert_eq!(
        payment.value(Attribute::Extras),
        Some(&Value::List(vec!["x".to_owned(), "y".to_owned()]))
    );
    let mut draft = spec.draft("Q1", &payment).unwrap();
    draft.set_signer("1", time::OffsetDateTime::UNIX_EPOCH);
    assert_eq!(draft.signed_text().unwrap(), parsed.signed_text().unwrap());
    let written = draft.finish_sm2(&[1; 64]).unwrap();
    let text = String::from_utf8(written.body).unwrap();
    assert!(
        text.contains("<L><I><A>x</A><B>x</B></I><I><A>y</A><B>y</B></I></L>"),
        "{text}"
    );
}

#[test]
fn repeats_are_bounded_and_whole() {
    let spec = small(SMALL).unwrap();
    let rule = |wire: &Wire| spec.parse(wire).err().map_or("ok", |error| error.rule);
    assert_eq!(rule(&message(&["x", "y", "z"])), "ok");
    assert_eq!(rule(&message(&["x", "y", "z", "u"])), "limit.repeats");
    assert_eq!(rule(&message(&[])), "ok");
    let edit = |from: &str, to: &str| {
        Wire::queue(
            String::from_utf8(message(&["x", "y"]).body)
                .unwrap()
                .replacen(from, to, 1)
                .into_bytes(),
        )
    };
    assert_eq!(rule(&edit("<B>x</B>", "")), "field.missing");
    assert_eq!(rule(&edit("<B>x</B>", "<B>x</B><B>x</B>")), "field.duplicate");
}

#[test]
fn a_skipped_value_leaves_no_slot_where_the_vendor_signs_so() {
    let spec = small(&SMALL.replace(
        "[[frame]]\npath = \"h/code\"",
        "[habits]\nabsent = \"skip\"\n\n[[frame]]\npath = \"h/code\"",
    ))
    .unwrap();
    let parsed = message(&[]);
    assert_eq!(spec.parse(&parsed).unwrap().signed_text().unwrap(), b"Q1|1|7|20300102|");
}

#[test]
fn a_payment_may_not_leave_its_operation() {
    let spec = small(SMALL).unwrap();
    let payment = Payment::new(Operation::Debit, Role::Request);
    assert_eq!(spec.draft("Q1", &payment).unwrap_err().rule, "message.operation");
    assert_eq!(spec.draft("Q9", &payment).unwrap_err().rule, "message.unknown");
}
