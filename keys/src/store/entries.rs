//! `keyring.toml`: text to entries. Every refusal names the line, the entry and the rule.

use crate::algorithm::Algorithm;
use crate::key::{KeyEntry, Side, Status, Usage};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// An entry and the file, in the same folder, with its key.
pub(super) struct Listed {
    pub(super) entry: KeyEntry,
    /// None for a secret that lies in a device.
    pub(super) file: Option<String>,
    pub(super) encoding: Encoding,
    /// The device that holds the key, or the key around it.
    pub(super) place: Option<Place>,
}

impl Listed {
    /// Whether its file is a secret under a key of a device.
    pub(super) fn is_wrapped(&self) -> bool {
        self.place.is_some() && self.file.is_some() && self.entry.side == Side::Shared
    }
}

/// A device as the configuration names it, and what the device calls the key.
pub(super) struct Place {
    pub(super) provider: String,
    pub(super) label: String,
}

/// How a secret's file writes its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Hex,
    Base64,
    /// The characters themselves, for keys that a counterparty gives as characters.
    Text,
}

impl Encoding {
    pub const ALL: [Self; 3] = [Self::Hex, Self::Base64, Self::Text];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Text => "text",
        }
    }

    /// The bytes of a secret that is written so.
    pub fn decode(self, text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        super::material::secret(self, text)
    }
}

pub(super) fn parse(text: &str) -> Result<Vec<Listed>, String> {
    let document = DeTable::parse(text).map_err(|error| at(text, error.span(), error.message()))?;
    let mut listed = Vec::new();
    for (name, value) in document.into_inner() {
        let span = name.span();
        if name.get_ref() != "key" {
            return Err(at(text, Some(span), &unknown(name.get_ref(), &["key"])));
        }
        let DeValue::Array(tables) = value.into_inner() else {
            return Err(at(text, Some(span), "`key` must be a list of tables: [[key]]"));
        };
        for table in tables {
            listed.push(parse_table(text, table)?);
        }
    }
    Ok(listed)
}

fn parse_table(text: &str, table: Spanned<DeValue<'_>>) -> Result<Listed, String> {
    let span = table.span();
    let DeValue::Table(table) = table.into_inner() else {
        return Err(at(text, Some(span), "`key` must be a list of tables: [[key]]"));
    };
    let mut fields = Fields {
        text,
        span,
        label: String::new(),
        values: BTreeMap::new(),
    };
    for (name, value) in table {
        if !FIELDS.contains(&name.get_ref().as_ref()) {
            return Err(at(text, Some(name.span()), &unknown(name.get_ref(), &FIELDS)));
        }
        fields.values.insert(name.into_inner().into_owned(), value);
    }
    fields.label = fields.string("id")?;
    fields.listed()
}

/// The fields of one `[[key]]` table.
struct Fields<'a> {
    text: &'a str,
    span: Range<usize>,
    label: String,
    values: BTreeMap<String, Spanned<DeValue<'a>>>,
}

impl Fields<'_> {
    fn listed(&self) -> Result<Listed, String> {
        let (side, usage) = (
            self.choice("side", &Side::ALL, Side::name)?,
            self.choice("usage", &Usage::ALL, Usage::name)?,
        );
        let entry = KeyEntry {
            id: self.label.clone(),
            link: self.string("link")?,
            side,
            usage,
            algorithm: self.algorithm(side, usage)?,
            status: self.choice("status", &Status::ALL, Status::name)?,
            serial: self.string("serial")?,
            primary_from: self
                .stated("primary_from")
                .then(|| self.instant("primary_from"))
                .transpose()?,
            not_before: self.instant("not_before")?,
            not_after: self.instant("not_after")?,
            user_id: self.stated("user_id").then(|| self.string("user_id")).transpose()?,
        };
        Ok(Listed {
            encoding: self.encoding(side)?,
            entry,
            file: self.file(side)?,
            place: self.place(side)?,
        })
    }

    fn stated(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn string(&self, name: &str) -> Result<String, String> {
        let value = self.required(name)?;
        let Some(string) = value.get_ref().as_str() else {
            return Err(self.refuse(name, "must be a string"));
        };
        Ok(string.to_owned())
    }

    fn choice<T: Copy>(&self, name: &str, all: &[T], name_of: fn(T) -> &'static str) -> Result<T, String> {
        let given = self.string(name)?;
        let names: Vec<_> = all.iter().map(|value| name_of(*value)).collect();
        let found = all.iter().find(|value| name_of(**value) == given);
        found.copied().ok_or_else(|| {
            let advice = closest(&given, &names).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            self.refuse(
                name,
                &format!("is \"{given}\" but must be one of {}{advice}", names.join(", ")),
            )
        })
    }

    /// A TOML datetime or a string of RFC 3339, in both cases with an offset.
    fn instant(&self, name: &str) -> Result<OffsetDateTime, String> {
        let value = self.required(name)?.get_ref();
        let written = value
            .as_datetime()
            .map(ToString::to_string)
            .or_else(|| value.as_str().map(str::to_owned));
        let parsed = written.and_then(|written| OffsetDateTime::parse(&written, &Rfc3339).ok());
        parsed.ok_or_else(|| {
            self.refuse(
                name,
                "must be a date and time with an offset, such as 2026-01-01T00:00:00+08:00",
            )
        })
    }

    fn algorithm(&self, side: Side, usage: Usage) -> Result<Algorithm, String> {
        let default = Algorithm::default_of(side, usage).filter(|_| !self.stated("algorithm"));
        let algorithm = match default {
            Some(default) => default,
            None => self.choice("algorithm", &Algorithm::ALL, Algorithm::name)?,
        };
        let serving: Vec<_> = Algorithm::serving(side, usage).map(Algorithm::name).collect();
        // A side and usage that nothing serves is the keyring's to refuse.
        if serving.is_empty() || algorithm.serves(side, usage) {
            return Ok(algorithm);
        }
        let (name, serving) = (algorithm.name(), serving.join(", "));
        let rule = format!(
            "is \"{name}\" but must be one of {serving} for side {} and usage {}",
            side.name(),
            usage.name()
        );
        Err(self.refuse("algorithm", &rule))
    }

    fn encoding(&self, side: Side) -> Result<Encoding, String> {
        if !self.stated("encoding") {
            return Ok(Encoding::Hex);
        }
        if side != Side::Shared {
            return Err(self.refuse("encoding", "is for shared secrets; key pairs are PEM"));
        }
        self.choice("encoding", &Encoding::ALL, Encoding::name)
    }

    fn place(&self, side: Side) -> Result<Option<Place>, String> {
        if !self.stated("provider") {
            return if self.stated("label") {
                Err(self.refuse("label", "is for keys of a `provider`"))
            } else {
                Ok(None)
            };
        }
        if side == Side::Theirs {
            return Err(self.refuse("provider", "is for keys of ours and shared ones; theirs are public"));
        }
        Ok(Some(Place {
            provider: self.string("provider")?,
            label: self.string("label")?,
        }))
    }

    /// Only a plain name inside the folder: a list of keys must not reach other files.
    fn file(&self, side: Side) -> Result<Option<String>, String> {
        if side == Side::Shared && self.stated("provider") && !self.stated("file") {
            return Ok(None);
        }
        let file = self.string("file")?;
        let mut parts = Path::new(&file).components();
        let is_inside = parts.clone().next().is_some() && parts.all(|part| matches!(part, Component::Normal(_)));
        if is_inside {
            Ok(Some(file))
        } else {
            Err(self.refuse("file", "must be a path inside the key folder"))
        }
    }

    fn required(&self, name: &str) -> Result<&Spanned<DeValue<'_>>, String> {
        self.values.get(name).ok_or_else(|| {
            let label = if self.label.is_empty() {
                String::new()
            } else {
                format!("key {}: ", self.label)
            };
            at(
                self.text,
                Some(self.span.clone()),
                &format!("{label}field `{name}` is missing"),
            )
        })
    }

    fn refuse(&self, name: &str, rule: &str) -> String {
        let span = self.values.get(name).map(Spanned::span);
        at(self.text, span, &format!("key {}: `{name}` {rule}", self.label))
    }
}

fn at(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let Some(span) = span else { return message.to_owned() };
    let line = 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    format!("line {line}: {message}")
}

fn unknown(name: &str, known: &[&str]) -> String {
    match closest(name, known) {
        Some(near) => format!("unknown field `{name}`; did you mean `{near}`?"),
        None => format!("unknown field `{name}`; known are {}", known.join(", ")),
    }
}

/// The known name that is fewest edits away, if that is few enough to be a slip.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let nearest = known.iter().map(|known| (edits(name, known), *known)).min()?;
    (nearest.0 <= EDITS_MAX).then_some(nearest.1)
}

/// Levenshtein distance.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

const FIELDS: [&str; 15] = [
    "algorithm",
    "encoding",
    "file",
    "id",
    "label",
    "link",
    "not_after",
    "not_before",
    "primary_from",
    "provider",
    "serial",
    "side",
    "status",
    "usage",
    "user_id",
];

const EDITS_MAX: usize = 3;
