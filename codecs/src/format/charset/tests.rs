#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::payment::{Attribute, Date, Money, Operation, Payment, Role};
use crate::spec::Specs;
use crate::wire::Wire;

/// "Zhang San" and "Nong Xin" as the tables of GB 2312 have them.
const ZHANG_SAN: (&str, [u8; 4]) = ("\u{5f20}\u{4e09}", [0xd5, 0xc5, 0xc8, 0xfd]);
const NONG_XIN: (&str, [u8; 4]) = ("\u{519c}\u{4fe1}", [0xc5, 0xa9, 0xd0, 0xc5]);
/// Two of GBK that GB 2312 has not, both kinds of second byte, and the euro sign as the code page has it.
const FURTHER: [(&str, &[u8]); 3] = [
    ("\u{9555}", &[0xe9, 0x46]),
    ("\u{4e02}", &[0x81, 0x40]),
    ("\u{20ac}", &[0x80]),
];

#[test]
fn gbk_is_decoded_and_encoded_as_the_tables_have_it() {
    for (text, bytes) in [ZHANG_SAN, NONG_XIN]
        .iter()
        .map(|(text, bytes)| (*text, &bytes[..]))
        .chain([FURTHER[1]])
    {
        assert_eq!(Charset::Gbk.decoded(bytes).unwrap(), text.as_bytes());
        assert_eq!(Charset::Gbk.encoded(text.as_bytes().to_vec()).unwrap(), bytes);
    }
    let mixed = [b"<a>", &ZHANG_SAN.1[..], b"</a>"].concat();
    let content = Charset::Gbk.decoded(&mixed).unwrap();
    assert_eq!(content, format!("<a>{}</a>", ZHANG_SAN.0).into_bytes());
    assert_eq!([0, 3, 6, 9, 13].map(|at| Charset::Gbk.offset(&content, at)), [0, 3, 5, 7, 11]);
}

#[test]
fn what_is_no_gbk_is_refused_where_it_begins() {
    let zhang = ZHANG_SAN.1;
    for (bytes, at) in [
        (vec![0xff], 0),
        (vec![b'a', 0xd5], 1),
        (vec![0xd5, 0x20], 0),
        ([&zhang[..], &[0x81, 0x7f]].concat(), 4),
        // Four bytes are GB 18030; the second code of the euro would come back as the first.
        ([&zhang[..], &[0x81, 0x30, 0x81, 0x30]].concat(), 4),
        ([&zhang[..], &[0xa2, 0xe3]].concat(), 4),
    ] {
        let refused = Charset::Gbk.decoded(&bytes).unwrap_err();
        assert_eq!((refused.rule, refused.offset), ("encoding.gbk", Some(at)), "{bytes:02x?}");
    }
}

/// Every pair of bytes either is refused or comes back.
#[test]
fn every_pair_of_bytes_is_refused_or_comes_back() {
    let mut taken = 0;
    for pair in (0..=u16::MAX).map(u16::to_be_bytes) {
        let Ok(text) = Charset::Gbk.decoded(&pair) else { continue };
        assert_eq!(Charset::Gbk.encoded(text).unwrap(), pair);
        taken += 1;
    }
    assert!((128 * 128 + 20_000..50_000).contains(&taken), "{taken}");
}

#[test]
fn a_spec_in_gbk_writes_signs_and_reads_gbk() {
    let specs = specs("charset = \"gbk\"\n").unwrap();
    let spec = specs.spec("cnaps2").unwrap();
    let payment = credit(ZHANG_SAN.0);
    let draft = spec.draft("beps.121.001.01", &payment).unwrap();
    let signed = draft.signed_text().unwrap();
    let wire = draft.finish_sm2(&[1; 64]).unwrap();
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(&wire.body, b"encoding=\"GBK\"") && holds(&wire.body, &ZHANG_SAN.1) && holds(&signed, &ZHANG_SAN.1));
    assert!(!holds(&wire.body, ZHANG_SAN.0.as_bytes()) && std::str::from_utf8(&wire.body).is_err());

    let message = spec.parse(&wire).unwrap();
    assert_eq!(message.signed_text().unwrap(), signed);
    assert_eq!(message.payment().unwrap().text(Attribute::PayerName), Some(ZHANG_SAN.0));
    assert_eq!(message.header().text(Attribute::MessageCode), Some("beps.121.001.01"));

    // What is wrong behind Chinese characters is told by its place among the bytes that came.
    let mut wrong = wire.body.clone();
    let at = wrong.len() - b"</Document>".len();
    wrong.splice(at..at, *b"<!-- -->");
    let refused = spec.parse(&Wire::queue(wrong)).unwrap_err();
    assert_eq!((refused.rule, refused.offset), ("xml.comment", Some(at)));
    // UTF-8 may be GBK of other characters: it is another text, which no signature of the first one fits.
    let utf8 = Wire::queue(Charset::Gbk.decoded(&wire.body).unwrap());
    let read = spec.parse(&utf8).and_then(|message| message.signed_text());
    assert!(read.is_err() || read.is_ok_and(|text| text != signed));
}

#[test]
fn a_character_that_gbk_has_not_is_refused_by_name_and_field() {
    let specs = specs("charset = \"gbk\"\n").unwrap();
    let spec = specs.spec("cnaps2").unwrap();
    let payment = credit("\u{5f20}\u{20bb7}");
    let draft = spec.draft("beps.121.001.01", &payment).unwrap();
    let refused = draft.finish_sm2(&[1; 64]).unwrap_err();
    assert_eq!(
        (refused.rule, refused.field.as_str()),
        ("encoding.gbk", "CstmrCdtTrfInf/Dbtr/Nm")
    );
    assert_eq!(refused.detail, "U+20BB7 at byte 3 is not in GBK");
}

#[test]
fn an_unknown_charset_and_one_that_cannot_be_are_refused() {
    let refused = specs("charset = \"big5\"\n").unwrap_err().to_string();
    assert!(refused.contains("utf-8, gbk"), "{refused}");
    let dcep = include_str!("../../../dcep/spec.toml").replacen("format =", "charset = \"gbk\"\nformat =", 1);
    let refused = Specs::default().insert("dcep", &dcep).unwrap_err().to_string();
    assert!(refused.contains("seal"), "{refused}");
}

fn specs(head: &str) -> Result<Specs, crate::error::SpecError> {
    let text = include_str!("../../../cnaps2/spec.toml").replacen("format =", &format!("{head}format ="), 1);
    let mut specs = Specs::default();
    specs.insert("cnaps2", &text)?;
    Ok(specs)
}

fn credit(payer: &str) -> Payment {
    let mut credit = Payment::new(Operation::Credit, Role::Request);
    for (attribute, text) in [
        (Attribute::MsgId, "20300102000000000001"),
        (Attribute::Sender, "402100088888"),
        (Attribute::Receiver, "900584099999"),
        (Attribute::CreatedAt, "2030-01-02T18:30:05"),
        (Attribute::SendTime, "183005"),
        (Attribute::EndToEndId, "2030010200000001"),
        (Attribute::PayerName, payer),
        (Attribute::PayerAccount, "6200000000000000008"),
        (Attribute::PayerBank, "402100088888"),
        (Attribute::PayeeName, NONG_XIN.0),
        (Attribute::PayeeAccount, "6200000000000000009"),
        (Attribute::PayeeBank, "102100099996"),
        (Attribute::BusinessType, "A100"),
        (Attribute::BusinessKind, "02102"),
    ] {
        credit.set_text(attribute, text);
    }
    credit.set_text(Attribute::Serial, "20300102000000000001");
    credit.set_date(
        Attribute::SendDate,
        Date::from_calendar_date(2030, time::Month::January, 2).unwrap(),
    );
    credit.set_money(Attribute::Amount, Money::from_fen(1234));
    credit
}
