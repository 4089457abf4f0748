use super::escape::{decode, encode};
use super::{Escaping, pairs};

#[track_caller]
fn refused(body: &[u8], rule: &str) {
    let found = pairs(body, Escaping::Percent).map(|_| ()).map_err(|error| error.rule);
    assert_eq!(found, Err(rule), "{}", String::from_utf8_lossy(body));
}

#[test]
fn what_is_written_is_read_again() {
    for text in ["", "a b+c%20", "\u{5f20}&=?#/", "{\"k\":[1]}", "AA==", "*-._~!()'"] {
        let mut written = String::new();
        encode(&mut written, text);
        assert!(written.is_ascii() && !written.contains(['&', '=', ' ']), "{written}");
        assert_eq!(
            decode(&written).map(std::borrow::Cow::into_owned),
            Some(text.as_bytes().to_vec())
        );
    }
}

#[test]
fn the_encoding_of_urls_is_read() {
    let found = pairs(b"b=%E5%BC%A0+x&a=AA==&c=", Escaping::Percent).map(|pairs| {
        let shown = |pair: &super::read::Pair<'_>| format!("{}:{}@{}", pair.key, pair.value, pair.offset);
        pairs.iter().map(shown).collect::<Vec<_>>()
    });
    assert_eq!(
        found,
        Ok(vec!["b:\u{5f20} x@2".to_owned(), "a:AA==@16".to_owned(), "c:@23".to_owned()])
    );
}

/// Answers without any encoding: what would be an escape stands for itself, and a value ends where `&` stands.
#[test]
fn pairs_without_escapes_are_read_as_they_are() {
    let body = b"cert=-----BEGIN-----\r\nAA+/==&msg=100%&c=";
    let found = pairs(body, Escaping::Plain).map(|pairs| {
        let shown = |pair: &super::read::Pair<'_>| format!("{}:{}", pair.key, pair.value);
        pairs.iter().map(shown).collect::<Vec<_>>()
    });
    let expected = ["cert:-----BEGIN-----\r\nAA+/==", "msg:100%", "c:"].map(ToOwned::to_owned);
    assert_eq!(found, Ok(expected.to_vec()));
    for (body, rule) in [
        (&b"a=1&b"[..], "form.syntax"),
        (b"a=1&a=2", "field.duplicate"),
        (b"a=\x00", "encoding.control"),
    ] {
        let found = pairs(body, Escaping::Plain).map(|_| ()).map_err(|error| error.rule);
        assert_eq!(found, Err(rule));
    }
}

#[test]
fn every_other_form_is_refused() {
    refused(b"", "form.syntax");
    refused(b"a=1&", "form.syntax");
    refused(b"a=1&&b=2", "form.syntax");
    refused(b"=1", "form.syntax");
    refused(b"a", "form.syntax");
    refused(b"a=1&a=2", "field.duplicate");
    refused(b"a=1&%61=2", "field.duplicate");
    refused(b"a=%", "form.escape");
    refused(b"a=%4", "form.escape");
    refused(b"a=%4g", "form.escape");
    refused(b"a=%+1", "form.escape");
    refused(b"a=b c", "form.escape");
    refused(b"a=\r\n", "form.escape");
    refused("a=\u{5f20}".as_bytes(), "form.escape");
    refused(b"a=%ff", "encoding.utf8");
    refused(b"a=%00", "encoding.control");
    refused(b"a=%ef%bb%bfx", "encoding.bom");
    refused(b"a=\xff", "encoding.utf8");
}
