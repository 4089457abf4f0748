//! The table of the language: which keys there are, where they stand, what they take.

use super::PartyName;
use super::conduct::How;
use super::rotate::{Rotated, Stage};
use crate::fault::Fault;
use codecs::payment::{Attribute, Operation, Reason};
use serde::Deserialize;
use std::sync::OnceLock;

/// Every section and key, in the order of the page.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub struct Language {
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
    #[serde(rename = "key")]
    pub keys: Vec<Key>,
}

/// The head, or one verb.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Section {
    pub name: String,
    pub en: String,
    pub zh: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The section in which it stands.
    pub at: String,
    pub key: String,
    pub kind: Kind,
    #[serde(default)]
    pub required: bool,
    pub example: String,
    pub en: String,
    pub zh: String,
}

/// What a key takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    /// A name that a step gives to a message.
    Name,
    /// A name that an earlier step gave.
    Reference,
    Bool,
    Integer,
    Milliseconds,
    Amount,
    Operation,
    Party,
    Customer,
    Fault,
    /// A field of the payment.
    Field,
    Outcome,
    Reason,
    Role,
    How,
    Date,
    Status,
    Rotated,
    Stage,
    Books,
    /// A table from a field of the payment to a text.
    Fields,
    /// A table from a name to a count.
    Counts,
    /// A table of lists of texts.
    Lists,
    Texts,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "name",
            Self::Reference => "reference",
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::Milliseconds => "milliseconds",
            Self::Amount => "amount",
            Self::Operation => "operation",
            Self::Party => "party",
            Self::Customer => "customer",
            Self::Fault => "fault",
            Self::Field => "field",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::Role => "role",
            Self::How => "how",
            Self::Date => "date",
            Self::Status => "status",
            Self::Rotated => "rotated key",
            Self::Stage => "stage",
            Self::Books => "books",
            Self::Fields => "fields",
            Self::Counts => "counts",
            Self::Lists => "lists",
            Self::Texts => "texts",
        }
    }

    /// The closed list of what it takes, if there is one.
    pub fn values(self) -> Option<Vec<&'static str>> {
        Some(match self {
            Self::Operation => Operation::ALL.iter().map(|operation| operation.name()).collect(),
            Self::Party => PartyName::ALL.map(PartyName::name).to_vec(),
            Self::Customer => vec!["plain", "poor", "frozen", "unknown"],
            Self::Fault => Fault::ALL.iter().map(|fault| fault.name()).collect(),
            Self::Field => Attribute::ALL.iter().map(|attribute| attribute.name()).collect(),
            Self::Outcome => vec!["success", "failed", "processing"],
            Self::Reason => Reason::ALL.iter().map(|reason| reason.name()).collect(),
            Self::Role => vec!["request", "reply", "notice", "ack", "unsigned"],
            Self::How => How::ALL.iter().map(|how| how.name()).collect(),
            Self::Date => vec!["next", "same", "last"],
            Self::Status => vec!["stop", "open"],
            Self::Rotated => Rotated::ALL.map(Rotated::name).to_vec(),
            Self::Stage => Stage::ALL.map(Stage::name).to_vec(),
            Self::Books => vec!["equal"],
            Self::Text
            | Self::Name
            | Self::Reference
            | Self::Bool
            | Self::Integer
            | Self::Milliseconds
            | Self::Amount
            | Self::Fields
            | Self::Counts
            | Self::Lists
            | Self::Texts => return None,
        })
    }
}

/// The language's own table.
pub fn language() -> &'static Language {
    static LANGUAGE: OnceLock<Language> = OnceLock::new();
    LANGUAGE.get_or_init(|| toml::from_str(include_str!("language.toml")).unwrap_or_default())
}

impl Language {
    /// The verbs: every section but the head.
    pub fn verbs(&self) -> Vec<&str> {
        let names = self.sections.iter().map(|section| section.name.as_str());
        names.filter(|name| *name != HEAD).collect()
    }

    pub fn key(&self, section: &str, key: &str) -> Option<&Key> {
        self.keys_of(section).find(|known| known.key == key)
    }

    pub fn keys_of(&self, section: &str) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |known| known.at == section)
    }

    /// The tables of docs/scenarios.md.
    pub fn page(&self) -> String {
        let mut page = String::new();
        for section in &self.sections {
            let title = if section.name == HEAD { "" } else { "`[[step]]` " };
            page.push_str(&format!("\n### {title}`{}`: {} {}\n\n", section.name, section.en, section.zh));
            page.push_str(&format!(
                "| key | takes | example | meaning | {MEANING} |\n| --- | --- | --- | --- | --- |\n"
            ));
            for key in self.keys_of(&section.name) {
                page.push_str(&key.row());
            }
        }
        page
    }
}

impl Key {
    fn row(&self) -> String {
        let required = if self.required { " (required)" } else { "" };
        let cell = |text: &str| text.replace('|', "\\|");
        format!(
            "| `{}`{required} | {} | `{}` | {} | {} |\n",
            self.key,
            self.kind.name(),
            cell(&self.example),
            cell(&self.en),
            cell(&self.zh)
        )
    }
}

/// The known word that a mistaken one comes nearest to, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2.max(word.len() / 3)).then_some(candidate)
}

/// Insertions, deletions and replacements that make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, one) in left.chars().enumerate() {
        let mut next = vec![at + 1];
        for (other_at, other) in right.iter().enumerate() {
            let [replaced, deleted] =
                [row.get(other_at), row.get(other_at + 1)].map(|cost| cost.copied().unwrap_or(usize::MAX - 1));
            let inserted = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push((replaced + usize::from(one != *other)).min(deleted + 1).min(inserted + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// The section of what stands before the steps.
pub(super) const HEAD: &str = "scenario";
/// "Meaning" in Chinese.
const MEANING: &str = "\u{542b}\u{4e49}";
