#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use base64ct::{Base64, Encoding};
use time::Date;

fn rules(kind: Kind, length: &str, bytes_max: Option<usize>) -> Rules {
    Rules {
        kind,
        length: Length::parse(length, bytes_max).unwrap(),
        charset: Charset::Text,
    }
}

fn broken(rules: &Rules, text: &str) -> &'static str {
    rules.check(text).err().map_or("ok", |broken| broken.rule)
}

#[test]
fn kinds_accept_their_own_form_only() {
    let cases = [
        (Kind::Digits, "0123", "12a"),
        (Kind::Alnum, "A1b", "A-1"),
        (Kind::AmountYuan, "0.10", "00.10"),
        (Kind::AmountYuan, "12.34", "12.3"),
        (Kind::AmountYuan, "12.34", "-12.34"),
        (Kind::AmountCny, "CNY12.34", "12.34"),
        (Kind::AmountCny, "CNY0.01", "CNY12.3"),
        (Kind::AmountFen, "1234", "01234"),
        (Kind::AmountFen, "0", "1e3"),
        (Kind::AmountFen, "1", "+1"),
        (Kind::Date8, "20300228", "20300229"),
        (Kind::DateDash, "2028-02-29", "2030-2-28"),
        (Kind::Time6, "235959", "240000"),
        (Kind::DateTime, "2030-01-02T18:30:05", "2030-01-02 18:30:05"),
        (Kind::Rfc3339, "2030-01-02T18:30:05+08:00", "2030-01-02T18:30:05"),
        (Kind::DateTimeSpace, "2030-01-02 18:30:05", "2030-01-02T18:30:05"),
        (Kind::DatedId, "B203001020019", "B203013020019"),
        (Kind::DatedId, "2030010200000001", "BB203001020019"),
        (Kind::Base64, "AAA=", "AAB="),
        (Kind::Base64, "AAAA", "AAA"),
        (Kind::Base64, "AA==", "AA= ="),
    ];
    for (kind, good, bad) in cases {
        let rules = rules(kind.clone(), "1..40", None);
        assert_eq!(broken(&rules, good), "ok", "{kind:?} {good}");
        assert_eq!(broken(&rules, bad), "field.kind", "{kind:?} {bad}");
    }
}

#[test]
fn full_width_digits_are_not_digits() {
    assert_eq!(broken(&rules(Kind::Digits, "1..9", None), "\u{ff11}\u{ff12}"), "field.kind");
}

#[test]
fn amounts_beyond_the_range_are_refused() {
    assert_eq!(
        broken(&rules(Kind::AmountYuan, "1..40", None), "99999999999999999999.00"),
        "field.kind"
    );
    assert_eq!(
        broken(&rules(Kind::AmountFen, "1..40", None), "9223372036854775808"),
        "field.kind"
    );
}

#[test]
fn lengths_count_characters_and_bytes() {
    let name = rules(Kind::Text, "1..3", Some(8));
    assert_eq!(broken(&name, "\u{5f20}\u{4e09}"), "ok");
    assert_eq!(broken(&name, "abcd"), "field.length");
    assert_eq!(broken(&name, "\u{5f20}\u{4e09}\u{4e09}"), "field.length");
    assert_eq!(broken(&name, ""), "field.length");
}

#[test]
fn hidden_characters_are_refused() {
    let text = rules(Kind::Text, "1..9", None);
    for c in ['\u{7f}', '\u{1e}', '\u{feff}', '\u{202e}', '\u{fffd}', '\u{200b}', '\n'] {
        assert_eq!(broken(&text, &format!("a{c}")), "field.charset", "{c:?}");
    }
}

#[test]
fn moments_are_canonical_in_both_kinds() {
    let expected = Value::text("2030-01-02T18:30:05+08:00");
    assert_eq!(Kind::DateTime.value("2030-01-02T18:30:05"), Some(expected.clone()));
    assert_eq!(Kind::Rfc3339.value("2030-01-02T10:30:05.25Z"), Some(expected.clone()));
    assert_eq!(Kind::DateTime.text(&expected).as_deref(), Some("2030-01-02T18:30:05"));
}

#[test]
fn masks_show_little() {
    let cases = [
        (Mask::Account, "6200000000000000001", "620000*********0001"),
        (Mask::Account, "990000001", "*******01"),
        (Mask::Account, "0", "*"),
        (Mask::Name, "\u{5f20}\u{4e09}", "\u{5f20}*"),
        (Mask::Name, "A", "*"),
        (Mask::Id, "110101199001011234", "110*************34"),
        (Mask::Mobile, "13800000000", "138****0000"),
        (Mask::Text, "secret", "(6 characters)"),
    ];
    for (mask, text, expected) in cases {
        assert_eq!(mask.apply(text), expected);
    }
}

#[test]
fn tags_split_at_the_first_two_slashes_only() {
    assert_eq!(tag::split("/OrdrDesc/a/b/c"), Some(("OrdrDesc", "a/b/c")));
    assert_eq!(tag::split("/OrdrDesc/"), Some(("OrdrDesc", "")));
    assert_eq!(tag::split("OrdrDesc/x"), None);
    assert_eq!(tag::split("/a b/x"), None);
}

#[test]
fn a_fitted_text_always_passes() {
    let rules = rules(Kind::Text, "1..6", Some(7));
    let fitted = rules.fit("a|\n\u{5f20}\u{4e09}\u{4e09}");
    assert_eq!(fitted, "a  \u{5f20}");
    assert_eq!(broken(&rules, &fitted), "ok");
}

#[test]
fn checking_base64_agrees_with_decoding_it() {
    let alphabet = b"AQgw/+z09=-_ ";
    let mut cases = vec![String::new()];
    for _ in 0..4 {
        cases = cases
            .iter()
            .flat_map(|case| alphabet.iter().map(move |&b| format!("{case}{}", char::from(b))))
            .chain([String::new()])
            .collect();
    }
    for case in cases {
        for text in [case.clone(), format!("AAAA{case}")] {
            let expected = Base64::decode_vec(&text).ok();
            assert_eq!(is_base64(&text), expected.is_some(), "{text}");
            assert_eq!(base64_decode(&text), expected, "{text}");
        }
    }
}

#[test]
fn moments_and_numbers_are_written_as_the_formatter_writes_them() {
    use time::format_description::well_known::Rfc3339;
    let beijing = time::UtcOffset::from_hms(8, 0, 0).unwrap();
    for step in 0..2_000_i64 {
        // Some 80 days and a bit apart, from 1970 on.
        let moment = OffsetDateTime::from_unix_timestamp(step * 6_999_983)
            .unwrap()
            .to_offset(beijing);
        let text = canonical(moment).unwrap();
        assert_eq!(text, moment.format(&Rfc3339).unwrap());
        assert_eq!(rfc3339(&text), OffsetDateTime::parse(&text, &Rfc3339).ok());
        let mut written = String::new();
        push_date(&mut written, moment.date(), "-");
        assert_eq!(written, moment.date().to_string());
    }
    for number in [0, 7, 10, 99, 1_234, 1_000_000, i64::MAX, -1, i64::MIN] {
        let mut written = String::new();
        push_number(&mut written, number);
        assert_eq!(written, number.to_string());
        let money = Money::from_fen(number);
        assert_eq!(amount::write_yuan("", money), money.to_string());
    }
}

/// The short way for what `canonical` writes, against the crate `time` for all else.
#[test]
fn moments_are_read_as_rfc_3339_says() {
    let same = [
        "2030-01-02T18:30:05+08:00",
        "2030-01-02T24:00:00+08:00",
        "2030-01-02T18:60:05+08:00",
        "2030-01-02T18:30:60+08:00",
        "2030-02-29T18:30:05+08:00",
        "2030-01-02t18:30:05+08:00",
        "2030-01-02 18:30:05+08:00",
        "0000-01-01T00:00:00+08:00",
        "2030-01-02T18:30:05Z",
        "2030-01-02T18:30:05.5+08:00",
        "2030-01-02T18:30:05+08:00 ",
        "+08:00",
        "",
    ];
    for text in same {
        let read = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok();
        assert_eq!(rfc3339(text), read, "{text}");
    }
}

#[test]
fn a_year_before_0_has_its_sign() {
    let day = Date::from_calendar_date(-1, time::Month::December, 31).unwrap();
    assert_eq!(date::write_date8(day), "-00011231");
    assert_eq!(date::date8(&date::write_date8(day)), None);
}
