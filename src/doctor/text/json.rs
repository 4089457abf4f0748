//! JSON that was written again between signing and sending: white space, order, escapes. And how much of it is signed.

use crate::doctor::proof::Attempt;
use crate::doctor::seen::Seen;
use codecs::examined::SignedAs;
use serde_json::Value;

/// Other white space between the tokens.
pub(in crate::doctor) fn white_space<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let layouts = [
        (
            "no white space",
            Layout {
                comma: ",",
                colon: ":",
                indent: "",
            },
        ),
        (
            "a blank behind commas and colons",
            Layout {
                comma: ", ",
                colon: ": ",
                indent: "",
            },
        ),
        (
            "a blank behind colons",
            Layout {
                comma: ",",
                colon: ": ",
                indent: "",
            },
        ),
        (
            "lines indented by 2",
            Layout {
                comma: ",",
                colon: ": ",
                indent: "  ",
            },
        ),
        (
            "lines indented by 4",
            Layout {
                comma: ",",
                colon: ": ",
                indent: "    ",
            },
        ),
        (
            "lines indented by tabs",
            Layout {
                comma: ",",
                colon: ": ",
                indent: "\t",
            },
        ),
    ];
    let written = |(what, layout): (&str, Layout)| changed(seen, what, |json| Some(layout.write(json)));
    layouts.into_iter().flat_map(written).collect()
}

/// Members sorted by their names.
pub(in crate::doctor) fn order<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let sorted = |json: &str| serde_json::from_str::<Value>(json).ok().map(|value| sort(value).to_string());
    changed(seen, "members sorted by name", sorted)
}

/// Characters escaped that stand as they are, or the other way round.
pub(in crate::doctor) fn escapes<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let ways: [(&str, Change); 5] = [
        ("every character outside ASCII escaped", |json| escaped(json, false)),
        ("every character outside ASCII escaped, in upper case", |json| {
            escaped(json, true)
        }),
        ("each \\/ as /", |json| json.replace("\\/", "/")),
        ("each / as \\/", |json| json.replace("\\/", "/").replace('/', "\\/")),
        ("<, > and & escaped", |json| {
            json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
        }),
    ];
    let written = |(what, write): (&str, Change)| changed(seen, what, |json| Some(write(json)));
    ways.into_iter().flat_map(written).collect()
}

/// The member with its name, or the whole body.
pub(in crate::doctor) fn too_much<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let SignedAs::Member(name) = seen.message.signed_as() else {
        return Vec::new();
    };
    let Ok(member) = std::str::from_utf8(&seen.text) else {
        return Vec::new();
    };
    vec![
        Attempt::text("the member with its name", format!("\"{name}\":{member}")),
        Attempt::text("an object of the member alone", format!("{{\"{name}\":{member}}}")),
        Attempt::text("the whole body", seen.wire.body.clone()),
    ]
}

/// The signed text with its JSON written otherwise.
fn changed<'a>(seen: &Seen<'a>, what: &str, write: impl Fn(&str) -> Option<String>) -> Vec<Attempt<'a>> {
    let part: &[u8] = match seen.message.signed_as() {
        SignedAs::Member(_) => &seen.text,
        SignedAs::Http | SignedAs::Lines { .. } => &seen.wire.body,
        SignedAs::Fields | SignedAs::Document | SignedAs::Pairs(_) | SignedAs::Other => return Vec::new(),
    };
    let json = std::str::from_utf8(part)
        .ok()
        .filter(|json| json.starts_with(['{', '[', '"']));
    let text = || {
        let written = write(json?).filter(|written| written.as_bytes() != part)?;
        let at = seen.text.windows(part.len()).rposition(|window| window == part)?;
        let (before, rest) = seen.text.split_at_checked(at)?;
        Some([before, written.as_bytes(), rest.get(part.len()..)?].concat())
    };
    text().map(|text| Attempt::text(what, text)).into_iter().collect()
}

/// JSON written otherwise.
type Change = fn(&str) -> String;

fn sort(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().map(|(name, value)| (name, sort(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn escaped(json: &str, upper: bool) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&if upper {
                format!("\\u{unit:04X}")
            } else {
                format!("\\u{unit:04x}")
            });
        }
    }
    out
}

/// What stands between tokens; with an indent, each member stands on a line of its own.
struct Layout {
    comma: &'static str,
    colon: &'static str,
    indent: &'static str,
}

impl Layout {
    fn write(&self, json: &str) -> String {
        let tight = tight(json);
        let mut writing = Writing {
            layout: self,
            out: String::with_capacity(tight.len() * 2),
            depth: 0,
        };
        let (mut inside, mut skip) = (false, false);
        let mut rest = tight.chars();
        while let Some(c) = rest.next() {
            if inside {
                writing.out.push(c);
                (inside, skip) = (c != '"' || skip, c == '\\' && !skip);
            } else {
                inside = c == '"';
                writing.token(c, rest.as_str());
            }
        }
        writing.out
    }
}

struct Writing<'l> {
    layout: &'l Layout,
    out: String,
    depth: usize,
}

impl Writing<'_> {
    /// A character outside texts, and what comes after it.
    fn token(&mut self, c: char, rest: &str) {
        match c {
            ':' => self.out.push_str(self.layout.colon),
            ',' => {
                self.out.push_str(self.layout.comma);
                self.line();
            }
            '{' | '[' => {
                self.out.push(c);
                if !rest.starts_with(['}', ']']) {
                    self.depth += 1;
                    self.line();
                }
            }
            '}' | ']' => {
                if !self.out.ends_with(['{', '[']) {
                    self.depth = self.depth.saturating_sub(1);
                    self.line();
                }
                self.out.push(c);
            }
            _ => self.out.push(c),
        }
    }

    fn line(&mut self) {
        if !self.layout.indent.is_empty() {
            self.out.push('\n');
            self.out.push_str(&self.layout.indent.repeat(self.depth));
        }
    }
}

/// Without white space between the tokens.
fn tight(json: &str) -> String {
    let (mut inside, mut skip) = (false, false);
    let keep = |c: &char| {
        let kept = inside || !c.is_ascii_whitespace();
        if *c == '"' && !skip {
            inside = !inside;
        }
        skip = inside && *c == '\\' && !skip;
        kept
    };
    json.chars().filter(keep).collect()
}
