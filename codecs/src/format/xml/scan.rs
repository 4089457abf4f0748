//! The strict layer: where each piece of a document ends, and whether it is well formed and within the limits (XML 1.0).
//!
//! A general parser would not do: of the 101 malformed documents of the W3C suite the common one lets 65 pass
//! (`facts/reliability.md` 5.1). Comments, CDATA, instructions and DOCTYPE are refused by their first bytes, so all that is left
//! to find is the end of a tag and of a text. Character references are refused: no peer writes them, and a digit written as one
//! would be a second form of the same amount.

use super::attributes::{Attributes, attributes, begins_name, is_in_name, is_name, is_simple_name, reference, white};
use crate::error::ParseError;
use crate::format::fault;
use crate::format::words::first_of;
use crate::spec::plan::Limits;

/// One step through a document.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Open {
        name: &'a str,
        attributes: Attributes<'a>,
        offset: usize,
    },
    Close,
    Text {
        text: &'a str,
        offset: usize,
    },
    End,
}

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where the next piece begins.
    at: usize,
    limits: &'a Limits,
    open: Vec<&'a str>,
    /// Whether the root has been closed.
    done: bool,
    /// An element written as `<a/>` still has to be closed.
    empty: bool,
    nodes: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self {
            text,
            at: 0,
            limits,
            open: Vec::with_capacity(16),
            done: false,
            empty: false,
            nodes: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, ParseError> {
        if self.empty {
            self.empty = false;
            return Ok(self.closed());
        }
        loop {
            let start = self.at;
            let rest = self.text.get(start..).unwrap_or_default();
            if let Some(length) = self.open.last().and_then(|name| closing(rest, name)) {
                self.at += length;
                return Ok(self.closed());
            }
            if let Some(name) = bare(rest) {
                self.at += name.len() + 2;
                self.begins(start)?;
                return self.entered(name, Attributes::None, start, false);
            }
            let (piece, raw) = piece(rest, start)?;
            self.at += raw.len();
            match piece {
                Piece::Start => return self.opened(raw, start, false),
                Piece::Empty => return self.opened(raw, start, true),
                Piece::End => return self.close(raw, start),
                Piece::Text => {
                    if let Some(token) = self.characters(raw, start)? {
                        return Ok(token);
                    }
                }
                Piece::Reference => return self.reference(raw, start),
                Piece::Declaration => declaration(raw, start, self.limits)?,
                Piece::Nothing => return self.end(start),
            }
        }
    }

    fn opened(&mut self, raw: &'a str, offset: usize, empty: bool) -> Result<Token<'a>, ParseError> {
        self.begins(offset)?;
        let close = if empty { "/>" } else { ">" };
        let inside = raw.strip_prefix('<').and_then(|raw| raw.strip_suffix(close));
        let inside = inside.ok_or_else(|| fault("xml.syntax", Some(offset), "a broken tag"))?;
        let (name, rest) = inside.split_at(inside.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(inside.len()));
        if !is_simple_name(name.as_bytes()) {
            return Err(if is_name(name) {
                fault("xml.prefix", Some(offset), "an element name with a namespace prefix")
            } else {
                fault("xml.name", Some(offset), "a malformed element name")
            });
        }
        let attributes = attributes(rest, self.limits)
            .map_err(|(rule, at, detail)| fault(rule, Some(offset + 1 + name.len() + at), detail))?;
        self.entered(name, attributes, offset, empty)
    }

    /// An element stands here: there is one root, and there are not too many nodes.
    fn begins(&mut self, offset: usize) -> Result<(), ParseError> {
        if self.done {
            return Err(fault("xml.roots", Some(offset), "a second root element"));
        }
        self.count(offset)
    }

    fn entered(
        &mut self,
        name: &'a str,
        attributes: Attributes<'a>,
        offset: usize,
        empty: bool,
    ) -> Result<Token<'a>, ParseError> {
        if self.open.len() >= self.limits.depth_max {
            return Err(fault(
                "limit.depth",
                Some(offset),
                format!("deeper than {} elements", self.limits.depth_max),
            ));
        }
        self.open.push(name);
        self.empty = empty;
        Ok(Token::Open {
            name,
            attributes,
            offset,
        })
    }

    fn close(&mut self, raw: &'a str, offset: usize) -> Result<Token<'a>, ParseError> {
        let name = raw
            .strip_prefix("</")
            .and_then(|raw| raw.strip_suffix('>'))
            .map(|name| name.trim_end_matches(white));
        if name.is_none() || name != self.open.last().copied() {
            return Err(fault(
                "xml.unbalanced",
                Some(offset),
                "a closing tag that closes nothing open",
            ));
        }
        Ok(self.closed())
    }

    fn closed(&mut self) -> Token<'a> {
        self.open.pop();
        self.done = self.open.is_empty();
        Token::Close
    }

    fn characters(&mut self, raw: &'a str, offset: usize) -> Result<Option<Token<'a>>, ParseError> {
        if self.open.is_empty() {
            return match raw.find(|c| !white(c)) {
                None => Ok(None),
                Some(at) => Err(fault("xml.outside", Some(offset + at), "text outside the root element")),
            };
        }
        self.count(offset)?;
        // Looking for one byte first is much cheaper, and there is almost never one.
        if raw.as_bytes().contains(&b']')
            && let Some(at) = raw.find("]]>")
        {
            return Err(fault("xml.syntax", Some(offset + at), "`]]>` in text"));
        }
        Ok(Some(Token::Text { text: raw, offset }))
    }

    fn reference(&mut self, raw: &'a str, offset: usize) -> Result<Token<'a>, ParseError> {
        if self.open.is_empty() {
            return Err(fault("xml.outside", Some(offset), "text outside the root element"));
        }
        self.count(offset)?;
        let name = raw
            .strip_prefix('&')
            .and_then(|raw| raw.strip_suffix(';'))
            .unwrap_or_default();
        let rule = if name.starts_with('#') {
            "xml.character_reference"
        } else {
            "xml.entity"
        };
        let text = reference(name).ok_or_else(|| fault(rule, Some(offset), "only amp, lt, gt, quot and apos are known"))?;
        Ok(Token::Text { text, offset })
    }

    fn end(&self, offset: usize) -> Result<Token<'a>, ParseError> {
        match self.open.last() {
            Some(name) => Err(fault("xml.unclosed", Some(offset), format!("element {name} is not closed"))),
            None if !self.done => Err(fault("xml.empty", Some(offset), "no root element")),
            None => Ok(Token::End),
        }
    }

    fn count(&mut self, offset: usize) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            return Err(fault(
                "limit.nodes",
                Some(offset),
                format!("more than {} nodes", self.limits.nodes_max),
            ));
        }
        Ok(())
    }
}

/// What stands next.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Start,
    Empty,
    End,
    Text,
    Reference,
    Declaration,
    Nothing,
}

/// The next piece of a text that begins at `offset`, from its first byte to its last.
fn piece(text: &str, offset: usize) -> Result<(Piece, &str), ParseError> {
    let bytes = text.as_bytes();
    let (piece, length) = match bytes {
        [] => (Piece::Nothing, Some(0)),
        [b'<', b'/', ..] => (Piece::End, through(bytes, b'>')),
        [b'<', b'!' | b'?', ..] if !is_declaration(text) => return Err(refused(text, offset)),
        [b'<', b'?', ..] => (Piece::Declaration, text.find("?>").map(|at| at + 2)),
        [b'<', ..] => {
            let length = tag_length(bytes);
            let is_empty = length.is_some_and(|length| bytes.get(..length).is_some_and(|tag| tag.ends_with(b"/>")));
            (if is_empty { Piece::Empty } else { Piece::Start }, length)
        }
        [b'&', ..] => (Piece::Reference, reference_length(bytes)),
        [..] => {
            let end = first_of(bytes, [b'<', b'&']);
            (Piece::Text, Some(end.unwrap_or(bytes.len())))
        }
    };
    let raw = length.and_then(|length| text.get(..length));
    raw.map(|raw| (piece, raw))
        .ok_or_else(|| fault("xml.syntax", Some(offset), "a tag or reference without an end"))
}

/// Length of the closing tag of `name`, where just that stands next.
fn closing(text: &str, name: &str) -> Option<usize> {
    let after = text.as_bytes().strip_prefix(b"</")?.strip_prefix(name.as_bytes())?;
    (after.first() == Some(&b'>')).then_some(name.len() + 3)
}

/// The name in a start tag that holds nothing else, where such a one stands next.
fn bare(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('<')?;
    let length = inside.bytes().position(|b| !is_in_name(b))?;
    let name = inside.get(..length).filter(|name| begins_name(name.as_bytes()))?;
    (inside.as_bytes().get(length) == Some(&b'>')).then_some(name)
}

fn through(bytes: &[u8], last: u8) -> Option<usize> {
    bytes.iter().position(|&b| b == last).map(|at| at + 1)
}

/// Up to the `>` that stands in no attribute's value.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let plain = bytes.iter().position(|b| matches!(b, b'>' | b'"' | b'\''))?;
    if bytes.get(plain) == Some(&b'>') {
        return Some(plain + 1);
    }
    let mut quote = None;
    for (at, &b) in bytes.iter().enumerate().skip(plain) {
        match (quote, b) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if b == open => quote = None,
            (None | Some(_), _) => {}
        }
    }
    None
}

/// A reference ends before anything else begins.
fn reference_length(bytes: &[u8]) -> Option<usize> {
    let length = through(bytes, b';')?;
    let inside = bytes.get(1..length)?;
    (!inside.iter().any(|b| matches!(b, b'<' | b'&'))).then_some(length)
}

fn is_declaration(text: &str) -> bool {
    let rest = text.strip_prefix("<?xml");
    rest.is_some_and(|rest| rest.starts_with(white) || rest.starts_with("?>"))
}

/// What begins with `<!` or `<?` and is no declaration.
fn refused(text: &str, offset: usize) -> ParseError {
    let begins = |prefix: &str| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (rule, detail) = if begins("<![CDATA[") {
        ("xml.cdata", "CDATA is refused")
    } else if begins("<!--") {
        ("xml.comment", "comments are refused")
    } else if begins("<!DOCTYPE") {
        ("xml.doctype", "DOCTYPE is refused")
    } else if begins("<?") {
        ("xml.instruction", "processing instructions are refused")
    } else {
        ("xml.syntax", "a broken tag")
    };
    fault(rule, Some(offset), detail)
}

/// XML 1.0 2.8: version, then encoding, then standalone; only at the very start, only 1.0, only
/// the charset that the bytes were read in.
fn declaration(raw: &str, offset: usize, limits: &Limits) -> Result<(), ParseError> {
    let broken = || fault("xml.declaration", Some(offset), "a malformed XML declaration");
    if offset != 0 {
        return Err(broken());
    }
    if raw == USUAL && limits.charset.is_utf8() {
        return Ok(());
    }
    let inside = raw
        .strip_prefix("<?xml")
        .and_then(|raw| raw.strip_suffix("?>"))
        .ok_or_else(broken)?;
    let found = attributes(inside, limits).map_err(|(rule, at, detail)| fault(rule, Some(offset + 5 + at), detail))?;
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    let ordered = match names.split_first() {
        Some((&"version", rest)) => matches!(rest, [] | ["encoding" | "standalone"] | ["encoding", "standalone"]),
        Some(_) | None => false,
    };
    if !ordered {
        return Err(broken());
    }
    for &(name, value) in found.iter() {
        match name {
            "version" if value != "1.0" => return Err(fault("xml.version", Some(offset), "only XML 1.0")),
            "encoding" if !value.eq_ignore_ascii_case(limits.charset.declared()) => {
                return Err(fault(
                    "xml.encoding",
                    Some(offset),
                    format!("encoding {value} is declared; only {}", limits.charset.declared()),
                ));
            }
            "standalone" if !matches!(value, "yes" | "no") => return Err(broken()),
            _ => {}
        }
    }
    Ok(())
}

/// The declaration that nearly every document begins with.
const USUAL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
