//! Wrapping: a good signed message is joined with a forged copy of itself, in every place that could matter. Either the whole is
//! refused, or its signed text is another (so that no signature fits), or what reaches the payment is what was signed.

use crate::payments::{finish, full_of, specs};
use codecs::spec::{MessageSpec, Spec};
use codecs::wire::Wire;

#[test]
fn no_forged_copy_beside_around_or_inside_a_signed_message_is_believed() {
    let (mut forged, mut harmless) = (0, 0);
    for spec in specs().iter() {
        for message in spec.messages() {
            let (signed, wire) = good(spec, message);
            let values = values(spec, &wire).unwrap();
            for (way, body) in wrapped(&wire.body) {
                forged += 1;
                let joined = Wire { body, ..wire.clone() };
                let Some(found) = self::values(spec, &joined) else { continue };
                let other_text = spec.parse(&joined).unwrap().signed_text().unwrap() != signed;
                harmless += usize::from(!other_text);
                let place = format!("{} {} by {way}", spec.codec, message.code);
                assert!(
                    other_text || found == values,
                    "{place}: {}",
                    String::from_utf8_lossy(&joined.body)
                );
            }
        }
    }
    assert!(
        forged > 5_000 && harmless < 200,
        "{forged} forged, {harmless} of them read as what was signed"
    );
}

/// A header of which the message reads anything cannot stand twice.
#[test]
fn no_second_header_of_one_name_is_believed() {
    for spec in specs().iter() {
        for message in spec.messages() {
            let (_, wire) = good(spec, message);
            let values = values(spec, &wire).unwrap();
            for (at, (name, value)) in wire.headers.iter().enumerate() {
                for place in [at, at + 1] {
                    let mut doubled = wire.clone();
                    doubled.headers.insert(place, (name.clone(), forge(value)));
                    let found = self::values(spec, &doubled);
                    let ignored = found.as_ref() == Some(&values);
                    assert!(found.is_none() || ignored, "{} {} {name}", spec.codec, message.code);
                }
            }
        }
    }
}

fn good(spec: &Spec, message: &MessageSpec) -> (Vec<u8>, Wire) {
    let payment = full_of(spec, message.operation, message.role);
    finish(spec.draft(&message.code, &payment).unwrap())
}

/// What a message says, field by field; `None` where it is refused.
fn values(spec: &Spec, wire: &Wire) -> Option<Vec<(String, String)>> {
    let described = spec.parse(wire).ok()?.describe(true);
    Some(described.into_iter().map(|field| (field.path, field.value)).collect())
}

fn wrapped(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    // A fixed header may stand before a document.
    let ways = match (text.find('<'), serde_json::from_str::<serde_json::Value>(text).is_ok()) {
        (_, true) => of_json(text),
        (Some(at), false) => before(&text[..at], of_xml(&text[at..])),
        (None, false) => of_form(text),
    };
    ways.into_iter().map(|(way, text)| (way, text.into_bytes())).collect()
}

fn before(header: &str, ways: Ways) -> Ways {
    ways.into_iter().map(|(way, text)| (way, format!("{header}{text}"))).collect()
}

type Ways = Vec<(&'static str, String)>;

/// XSW 1 to 8 in the shapes that a message without references has: each child of the root, and the document, forged beside,
/// around and inside the good one.
fn of_xml(text: &str) -> Ways {
    let start = text.find("?>").map_or(0, |at| at + 2);
    let (prolog, rest) = text.split_at(start);
    let end = rest.rfind("</").map(|at| at + rest[at..].find('>').unwrap() + 1).unwrap();
    let (document, trailer) = rest.split_at(end);
    let inside = document.find('>').unwrap() + 1..document.rfind("</").unwrap();
    let (open, close) = (&document[..inside.start], &document[inside.end..]);
    let bad = forge(document);
    let mut ways: Ways = vec![
        ("second document", format!("{prolog}{document}{bad}{trailer}")),
        ("first document", format!("{prolog}{bad}{document}{trailer}")),
        (
            "second document and trailer",
            format!("{prolog}{document}{trailer}{bad}{trailer}"),
        ),
        (
            "first document and trailer",
            format!("{prolog}{bad}{trailer}{document}{trailer}"),
        ),
        (
            "document inside",
            format!("{prolog}{open}{document}{}{trailer}", forge(&document[inside.start..])),
        ),
        (
            "document in an unknown root",
            format!("{prolog}<Object>{bad}{document}</Object>{trailer}"),
        ),
    ];
    let children = children(&document[inside.clone()]);
    for (at, child) in children.iter().enumerate() {
        let (before, after) = (children[..at].concat(), children[at + 1..].concat());
        let bad = forge(child);
        let mut way = |name, middle: String| ways.push((name, format!("{prolog}{open}{before}{middle}{after}{close}{trailer}")));
        way("forged before", format!("{bad}{child}"));
        way("forged behind", format!("{child}{bad}"));
        way("good one in an unknown element", format!("<Object>{child}</Object>{bad}"));
        way("forged in an unknown element", format!("{child}<Object>{bad}</Object>"));
        way("good one at the end of the forged", within(&bad, child, true));
        way("good one at the start of the forged", within(&bad, child, false));
        way("forged at the end of the good one", within(child, &bad, true));
        way("forged at the start of the good one", within(child, &bad, false));
        way("forged in a comment's clothes", format!("<!---->{bad}<!-- {child} -->"));
        way(
            "forged with another namespace",
            format!("{}{child}", bad.replacen('>', " xmlns=\"urn:other\">", 1)),
        );
        let rotated = [&children[at..], &children[..at]].concat().concat();
        if at > 0 {
            ways.push((
                "order turned",
                format!("{prolog}{open}{}{close}{trailer}", forge(&rotated) + &rotated),
            ));
        }
    }
    ways
}

fn within(outer: &str, inner: &str, last: bool) -> String {
    let at = if last {
        outer.rfind("</")
    } else {
        outer.find('>').map(|at| at + 1)
    }
    .unwrap_or(outer.len());
    format!("{}{inner}{}", &outer[..at], &outer[at..])
}

/// The elements that stand side by side in well-formed text.
fn children(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, _) in text.match_indices('<') {
        let end = at + text[at..].find('>').unwrap() + 1;
        let tag = &text[at..end];
        depth += if tag.starts_with("</") {
            -1
        } else {
            i32::from(!tag.ends_with("/>"))
        };
        if depth == 0 {
            found.push(&text[start..end]);
            start = end;
        }
    }
    found
}

/// Each member of the object twice, forged before and behind, and under a name that escapes to the same.
fn of_json(text: &str) -> Ways {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let inside = &text[1..text.len() - 1];
    let mut ways: Ways = vec![
        ("second object", format!("{text}{}", forge(text))),
        ("first object", format!("{}{text}", forge(text))),
        ("array", format!("[{text},{}]", forge(text))),
    ];
    for (name, value) in &object {
        let bad = forge(&value.to_string());
        let escaped = format!("\\u{:04x}{}", u32::from(name.chars().next().unwrap()), &name[1..]);
        for name in [name.clone(), escaped] {
            ways.push(("member before", format!("{{\"{name}\":{bad},{inside}}}")));
            ways.push(("member behind", format!("{{{inside},\"{name}\":{bad}}}")));
        }
        ways.push(("other case", format!("{{\"{}\":{bad},{inside}}}", name.to_uppercase())));
    }
    ways
}

/// Each pair twice, forged before and behind, and its key in another writing.
fn of_form(text: &str) -> Ways {
    let mut ways: Ways = Vec::new();
    for pair in text.split('&') {
        let Some((key, value)) = pair.split_once('=') else { continue };
        let bad = forge(value);
        let escaped = format!("%{:02X}{}", key.as_bytes()[0], &key[1..]);
        for key in [key, &escaped] {
            ways.push(("pair before", format!("{key}={bad}&{text}")));
            ways.push(("pair behind", format!("{text}&{key}={bad}")));
        }
        ways.push(("with brackets", format!("{text}&{key}[]={bad}")));
        ways.push(("semicolon", format!("{text};{key}={bad}")));
    }
    ways
}

/// The same shape with other figures.
fn forge(text: &str) -> String {
    text.replace('1', "7").replace('4', "5")
}
