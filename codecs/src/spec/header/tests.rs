#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use crate::payment::{Attribute, Operation, Payment, Role};
use crate::spec::Specs;
use crate::wire::Wire;

const CNAPS2: &str = include_str!("../../../cnaps2/spec.toml");
const JDPAY: &str = include_str!("../../../jdpay/spec.toml");

fn check(text: &str, from: &str, to: &str, place: &str, detail: &str) {
    assert!(text.contains(from), "{from}");
    let error = Specs::default().insert("changed", &text.replacen(from, to, 1)).unwrap_err();
    assert!(
        error.place.contains(place) && error.detail.contains(detail),
        "{from}: {error}"
    );
}

#[test]
fn a_header_that_does_not_add_up_is_refused_at_load() {
    check(
        CNAPS2,
        "at = 5\n",
        "at = 6\n",
        "header",
        "{H:}/OrigSender begins at 6, the one before it ends at 5",
    );
    check(
        CNAPS2,
        "width = 9\n",
        "width = 8\n",
        "header",
        "{H:}/Reserve may be longer than its 8",
    );
    check(CNAPS2, "bytes = 132", "bytes = 133", "header", "that is not 133");
    check(
        CNAPS2,
        "len = \"4..14\"",
        "len = \"4..15\"",
        "header",
        "{H:}/OrigSender may be longer than its 14",
    );
    check(CNAPS2, "at = 5\nwidth = 14\n", "", "{H:}/OrigSender", "with `at` and `width`");
    check(
        CNAPS2,
        "path = \"PKGGrpHdr/SysCd\"",
        "path = \"PKGGrpHdr/SysCd\", at = 1",
        "PKGGrpHdr/SysCd",
        "nothing else has those",
    );
    check(
        CNAPS2,
        "[header]\nopen = \"{H:\"\nclose = \"}\\r\\n\"\nbytes = 132\n",
        "",
        "header",
        "missing",
    );
    check(
        CNAPS2,
        "paths = [\"PKGGrpHdr/InstgPty/InstgDrctPty\"",
        "paths = [\"PKGGrpHdr/Instg\"",
        "frame",
        "no message has a field PKGGrpHdr/Instg",
    );
}

#[test]
fn a_value_that_is_mapped_and_not_signed_is_refused_at_load() {
    check(
        CNAPS2,
        "\"CstmrCdtTrfInf/Amt\", ",
        "",
        "CstmrCdtTrfInf/Amt",
        "the signature does not cover it",
    );
    check(
        CNAPS2,
        "signs = [\"ConfInf/OrigSndr\"",
        "signed = [\"ConfInf/OrigSndr\"",
        "ccms.990",
        "unknown",
    );
    check(JDPAY, "over = \"around\"", "over = \"values\"", "fkmPay", "`signs`");
    check(
        JDPAY,
        "over = \"around\"",
        "over = \"content\"",
        "envelope",
        "needs the table `header`",
    );
}

#[test]
fn a_capsule_names_what_it_knows() {
    check(
        JDPAY,
        "scheme = \"3des_framed\"",
        "scheme = \"3des_frame\"",
        "capsule",
        "did you mean `3des_framed`",
    );
    check(
        JDPAY,
        "beside = [\"version\"",
        "beside = [\"encrypt\"",
        "capsule",
        "beside itself",
    );
}

/// The answer to a message carries both ids; a request, which answers nothing, carries its own twice.
#[test]
fn a_header_is_written_to_its_last_blank() {
    let specs = Specs::embedded().unwrap();
    let spec = specs.spec("cnaps2").unwrap();
    let mut ack = Payment::new(Operation::Ack, Role::Ack);
    ack.set_text(Attribute::Sender, "402100088888")
        .set_text(Attribute::Receiver, "0000")
        .set_text(Attribute::Serial, "2030010100009999")
        .set_date(Attribute::SendDate, time::macros::date!(2030 - 01 - 01))
        .set_text(Attribute::SendTime, "183005")
        .set_text(Attribute::RefSender, "0000")
        .set_text(Attribute::RefCode, "beps.121.001.01")
        .set_date(Attribute::RefDate, time::macros::date!(2030 - 01 - 01));
    let written = |payment: &Payment| {
        let mut draft = spec.draft("ccms.990.001.02", payment).unwrap();
        draft.set_signer("1", time::OffsetDateTime::UNIX_EPOCH);
        String::from_utf8(draft.finish_sm2(&[0x85; 64]).unwrap().body).unwrap()
    };
    let answer = written(ack.clone().set_text(Attribute::RefSerial, "2030010100001234"));
    let expected = concat!(
        "{H:02402100088888  BEPS0000          BEPS20300101183005XMLccms.990.001.02     2030010100009999    ",
        "2030010100001234    3U         }\r\n{S:"
    );
    assert_eq!(answer.get(..expected.len()), Some(expected));
    let wire = Wire::queue(answer.into_bytes());
    let read = spec.parse(&wire).unwrap();
    assert_eq!(read.payment().unwrap().text(Attribute::RefSerial), Some("2030010100001234"));
    assert!(spec.draft("ccms.990.001.02", &ack).is_err());
}
