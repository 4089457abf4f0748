//! The strict layer: quick-xml's events, each checked against its own bytes for well-formedness and limits (XML 1.0).
//!
//! quick-xml by itself lets 65 of the 101 malformed documents of the W3C suite pass (`facts/reliability.md` 5.1), so nothing
//! here relies on it for more than finding where a tag ends. Character references are refused: no peer writes them, and a
//! digit written as one would be a second form of the same amount.

use super::attributes::{attributes, is_name, reference, white};
use crate::error::ParseError;
use crate::format::fault;
use crate::spec::plan::Limits;
use quick_xml::Reader;
use quick_xml::events::Event;

/// One step through a document.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Open {
        name: &'a str,
        attributes: Vec<(&'a str, &'a str)>,
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
    reader: Reader<&'a [u8]>,
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
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        // Names of closing tags are compared here, against the bytes.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Self {
            text,
            reader,
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
            let start = self.position();
            let event = self.reader.read_event().map_err(|error| {
                let at = usize::try_from(self.reader.error_position()).ok();
                fault("xml.syntax", at, error.to_string())
            })?;
            let raw = self.text.get(start..self.position()).unwrap_or_default();
            match event {
                Event::Start(_) => return self.opened(raw, start, false),
                Event::Empty(_) => return self.opened(raw, start, true),
                Event::End(_) => return self.close(raw, start),
                Event::Text(_) => {
                    if let Some(token) = self.characters(raw, start)? {
                        return Ok(token);
                    }
                }
                Event::GeneralRef(_) => return self.reference(raw, start),
                Event::Decl(_) => declaration(raw, start, self.limits)?,
                Event::CData(_) => return Err(fault("xml.cdata", Some(start), "CDATA is refused")),
                Event::Comment(_) => return Err(fault("xml.comment", Some(start), "comments are refused")),
                Event::PI(_) => return Err(fault("xml.instruction", Some(start), "processing instructions are refused")),
                Event::DocType(_) => return Err(fault("xml.doctype", Some(start), "DOCTYPE is refused")),
                Event::Eof => return self.end(start),
            }
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn opened(&mut self, raw: &'a str, offset: usize, empty: bool) -> Result<Token<'a>, ParseError> {
        if self.done {
            return Err(fault("xml.roots", Some(offset), "a second root element"));
        }
        self.count(offset)?;
        let close = if empty { "/>" } else { ">" };
        let inside = raw.strip_prefix('<').and_then(|raw| raw.strip_suffix(close));
        let inside = inside.ok_or_else(|| fault("xml.syntax", Some(offset), "a broken tag"))?;
        let (name, rest) = inside.split_at(inside.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(inside.len()));
        if !is_name(name) {
            return Err(fault("xml.name", Some(offset), "a malformed element name"));
        }
        if name.contains(':') {
            return Err(fault("xml.prefix", Some(offset), "an element name with a namespace prefix"));
        }
        let attributes = attributes(rest, self.limits)
            .map_err(|(rule, at, detail)| fault(rule, Some(offset + 1 + name.len() + at), detail))?;
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

/// XML 1.0 2.8: version, then encoding, then standalone; only at the very start, only 1.0, only UTF-8.
fn declaration(raw: &str, offset: usize, limits: &Limits) -> Result<(), ParseError> {
    let broken = || fault("xml.declaration", Some(offset), "a malformed XML declaration");
    if offset != 0 {
        return Err(broken());
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
    for (name, value) in found {
        match name {
            "version" if value != "1.0" => return Err(fault("xml.version", Some(offset), "only XML 1.0")),
            "encoding" if !value.eq_ignore_ascii_case("utf-8") => {
                return Err(fault(
                    "xml.encoding",
                    Some(offset),
                    format!("encoding {value} is declared; only UTF-8"),
                ));
            }
            "standalone" if !matches!(value, "yes" | "no") => return Err(broken()),
            _ => {}
        }
    }
    Ok(())
}
