//! An XML document that was written again between signing and sending, or of which more or less is signed.

use crate::doctor::proof::Attempt;
use crate::doctor::seen::Seen;
use codecs::examined::SignedAs;

/// The declaration before the document is signed too.
pub(in crate::doctor) fn declaration<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(document) = document(seen) else { return Vec::new() };
    let sent = std::str::from_utf8(&seen.wire.body)
        .ok()
        .and_then(|body| Some(body.split_at(body.find(document)?).0));
    let mut before: Vec<&str> = sent.filter(|before| !before.is_empty()).into_iter().collect();
    before.extend(DECLARATIONS);
    let with = |before: &str| over("the declaration before the document too", format!("{before}{document}"));
    before.into_iter().flat_map(with).collect()
}

/// A line end behind the document is signed too.
pub(in crate::doctor) fn line_end<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(document) = document(seen) else { return Vec::new() };
    let with = |end: &str| over(format!("{end:?} behind the document too"), format!("{document}{end}"));
    ["\n", "\r\n", "\r"].into_iter().flat_map(with).collect()
}

/// Only what is inside the root, or one child of it, is signed.
pub(in crate::doctor) fn part<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let Some(pieces) = document(seen).map(pieces) else {
        return Vec::new();
    };
    let Some(inner) = pieces.get(1..pieces.len().saturating_sub(1)) else {
        return Vec::new();
    };
    let mut attempts = over("what is inside the root alone", inner.concat());
    let (mut depth, mut from) = (0_usize, 0);
    for (at, piece) in inner.iter().enumerate() {
        match kind(piece) {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Empty | Kind::Text => {}
        }
        if depth == 0 {
            let child = inner.get(from..=at).unwrap_or_default();
            attempts.extend(over("one child of the root alone", child.concat().trim().to_owned()));
            from = at + 1;
        }
    }
    attempts
}

/// Other white space between the elements.
pub(in crate::doctor) fn white_space<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let ways: [(&str, Layout); 5] = [
        ("no white space between the elements", |tight| tight.concat()),
        ("elements on lines, indented by 2", |tight| pretty(tight, "  ", "\n")),
        ("elements on lines, indented by 4", |tight| pretty(tight, "    ", "\n")),
        ("elements on lines, indented by tabs", |tight| pretty(tight, "\t", "\n")),
        ("elements on lines", |tight| pretty(tight, "", "\n")),
    ];
    let written = |(what, write): (&str, Layout)| {
        changed(seen, what, |pieces| {
            let blank = |piece: &&&str| kind(piece) == Kind::Text && piece.trim().is_empty();
            let tight: Vec<&str> = pieces.iter().filter(|piece| !blank(piece)).copied().collect();
            write(&tight)
        })
    };
    ways.into_iter().flat_map(written).collect()
}

/// Empty elements as `<a/>`, `<a />` or `<a></a>`.
pub(in crate::doctor) fn empty_elements<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let long = changed(seen, "empty elements as <a></a>", |pieces| {
        pieces.iter().map(|piece| opened(piece)).collect()
    });
    let short = |what: &str, end: &str| {
        changed(seen, what, |pieces| {
            let long: String = pieces.iter().map(|piece| opened(piece)).collect();
            closed(&long, end)
        })
    };
    let forms = [
        long,
        short("empty elements as <a/>", "/>"),
        short("empty elements as <a />", " />"),
    ];
    forms.into_iter().flatten().collect()
}

/// Attributes in another order or in other quotes.
pub(in crate::doctor) fn attributes<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let ways: [(&str, Change); 4] = [
        ("attributes sorted by name", |tag| {
            rearranged(tag, |attributes| attributes.sort_unstable())
        }),
        ("attributes in the reverse order", |tag| {
            rearranged(tag, |attributes| attributes.reverse())
        }),
        ("attributes in single quotes", |tag| tag.replace('"', "'")),
        ("attributes in double quotes", |tag| tag.replace('\'', "\"")),
    ];
    let written = |(what, write): (&str, Change)| {
        changed(seen, what, |pieces| {
            let piece = |piece: &&str| {
                if kind(piece) == Kind::Text {
                    (*piece).to_owned()
                } else {
                    write(piece)
                }
            };
            pieces.iter().map(piece).collect()
        })
    };
    ways.into_iter().flat_map(written).collect()
}

/// LF in place of CR LF, or the other way round.
pub(in crate::doctor) fn line_ends<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let lf = changed(seen, "LF in place of CR LF", |pieces| pieces.concat().replace("\r\n", "\n"));
    let crlf = |pieces: &[&str]| pieces.concat().replace("\r\n", "\n").replace('\n', "\r\n");
    [lf, changed(seen, "CR LF in place of LF", crlf)]
        .into_iter()
        .flatten()
        .collect()
}

/// A document from its tags and texts, white space left out.
type Layout = fn(&[&str]) -> String;
/// A tag written otherwise.
type Change = fn(&str) -> String;

fn over<'a>(what: impl Into<String>, text: String) -> Vec<Attempt<'a>> {
    vec![Attempt::text(what, text)]
}

fn document<'s>(seen: &'s Seen<'_>) -> Option<&'s str> {
    let text = std::str::from_utf8(&seen.text).ok()?;
    (seen.message.signed_as() == SignedAs::Document).then_some(text)
}

/// An attempt where the change changes anything.
fn changed<'a>(seen: &Seen<'a>, what: &str, change: impl Fn(&[&str]) -> String) -> Vec<Attempt<'a>> {
    let Some(document) = document(seen) else { return Vec::new() };
    let text = change(&pieces(document));
    if text == document { Vec::new() } else { over(what, text) }
}

/// Tags and the texts between them. CDATA and comments are taken as text, wherever they end.
fn pieces(document: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = document;
    while !rest.is_empty() {
        let end = if rest.starts_with('<') {
            rest.find('>').map_or(rest.len(), |at| at + 1)
        } else {
            rest.find('<').unwrap_or(rest.len())
        };
        let (piece, tail) = rest.split_at(end);
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Empty,
    Text,
}

fn kind(piece: &str) -> Kind {
    match (piece.strip_prefix('<'), piece.ends_with("/>")) {
        (None, _) => Kind::Text,
        (Some(tag), _) if tag.starts_with('!') => Kind::Text,
        (Some(tag), _) if tag.starts_with('/') => Kind::Close,
        (Some(_), true) => Kind::Empty,
        (Some(_), false) => Kind::Open,
    }
}

/// Elements that hold a text stay on one line.
fn pretty(tight: &[&str], indent: &str, line: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut after_text) = (0_usize, false);
    for (at, piece) in tight.iter().enumerate() {
        let kind = kind(piece);
        let is_leaf_end = kind == Kind::Close && (after_text || at > 0 && tight.get(at - 1).is_some_and(|before| opens(before)));
        if kind == Kind::Close {
            depth = depth.saturating_sub(1);
        }
        if at > 0 && kind != Kind::Text && !is_leaf_end {
            out.push_str(line);
            out.push_str(&indent.repeat(depth));
        }
        if kind == Kind::Open {
            depth += 1;
        }
        after_text = kind == Kind::Text;
        out.push_str(piece);
    }
    out
}

fn opens(piece: &str) -> bool {
    kind(piece) == Kind::Open
}

/// `<a b="c"/>` as `<a b="c"></a>`; any other piece as it is.
fn opened(piece: &str) -> String {
    let tag = piece.strip_suffix("/>").filter(|_| kind(piece) == Kind::Empty);
    let Some(tag) = tag.map(str::trim_end) else {
        return piece.to_owned();
    };
    let name = tag
        .trim_start_matches('<')
        .split_ascii_whitespace()
        .next()
        .unwrap_or_default();
    format!("{tag}></{name}>")
}

/// Each `<a></a>` as `<a` and an end.
fn closed(document: &str, end: &str) -> String {
    let pieces = pieces(document);
    let mut out = String::new();
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let is_empty = opens(piece) && pieces.get(at + 1).is_some_and(|next| kind(next) == Kind::Close);
        match piece.strip_suffix('>').filter(|_| is_empty) {
            Some(tag) => out.push_str(&format!("{tag}{end}")),
            None => out.push_str(piece),
        }
        at += if is_empty { 2 } else { 1 };
    }
    out
}

/// A tag with its attributes in another order.
fn rearranged(tag: &str, order: fn(&mut Vec<&str>)) -> String {
    let (inner, end) = match tag.strip_suffix("/>") {
        Some(inner) => (inner, "/>"),
        None => (tag.strip_suffix('>').unwrap_or(tag), ">"),
    };
    let Some((name, rest)) = inner.split_once(' ') else {
        return tag.to_owned();
    };
    let mut attributes: Vec<&str> = rest.split_inclusive(['"', '\'']).collect();
    let mut whole: Vec<String> = attributes.chunks(2).map(|pair| pair.concat().trim().to_owned()).collect();
    whole.retain(|attribute| !attribute.is_empty());
    attributes = whole.iter().map(String::as_str).collect();
    order(&mut attributes);
    format!("{name} {}{end}", attributes.join(" "))
}

const DECLARATIONS: [&str; 4] = [
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n",
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
];
