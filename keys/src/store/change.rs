//! Changes of keys' statuses in `keyring.toml`: in place, whole or not at all, everything else in the list left as it is.

use super::source::OpenFolder;
use super::{KEYRING_FILE, StoreError, build, files};
use crate::key::Status;
use crate::sm2::Engine;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What becomes of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub id: String,
    pub status: Status,
    pub primary_from: Option<OffsetDateTime>,
}

/// What became of changes that were asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied {
    /// They stand, and this is the keyring's version with them.
    InForce { version: String },
    /// They wait for others to approve them under this name.
    Proposed { proposal: String },
}

/// Takes changes: an open folder at once, one that is guarded as a proposal.
pub trait Changes {
    type Error;

    /// All of them or none.
    fn apply(&self, changes: &[Change]) -> Result<Applied, Self::Error>;
}

impl Changes for OpenFolder {
    type Error = StoreError;

    fn apply(&self, changes: &[Change]) -> Result<Applied, StoreError> {
        let list = self.folder.join(KEYRING_FILE);
        let _held = lock(&self.folder)?;
        let before = files::read_public(&list)?;
        let after = changes.iter().try_fold(before, |text, change| {
            edited(&text, change).map_err(|detail| StoreError::new(&list, detail))
        })?;
        // Read as the gateway will, before the list changes.
        let keyring = build(&self.folder, &after, Engine::Reference, &self.devices)?;
        files::replace(&list, &after)?;
        files::sync_folder(&self.folder)?;
        let version = keyring.version().to_owned();
        Ok(Applied::InForce { version })
    }
}

/// One changes a folder at a time; the lock ends with the process.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let locked = File::open(folder).and_then(|open| open.lock().map(|()| open));
    locked.map_err(|error| StoreError::new(folder, error.to_string()))
}

/// The list with one key changed.
fn edited(text: &str, change: &Change) -> Result<String, String> {
    let found = Found::of(text, &change.id)?;
    let from = change.primary_from.map(|from| from.format(&Rfc3339)).transpose();
    let from = from.map_err(|error| format!("key {}: {error}", change.id))?;
    let mut text = text.to_owned();
    // From the end to the beginning, so that the places stay right.
    let mut edits = vec![(found.status.clone(), format!("\"{}\"", change.status.name()))];
    match (found.primary_from, from) {
        (Some(place), Some(from)) => edits.push((place, format!("\"{from}\""))),
        (Some(place), None) => edits.push((line(&text, &place), String::new())),
        (None, Some(from)) => {
            let end = line(&text, &found.status).end;
            let gap = if text.ends_with('\n') || end < text.len() { "" } else { "\n" };
            edits.push((end..end, format!("{gap}primary_from = \"{from}\"\n")));
        }
        (None, None) => {}
    }
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, new) in edits {
        text.replace_range(place, &new);
    }
    Ok(text)
}

/// Where the values of a key's entry stand.
struct Found {
    status: Range<usize>,
    primary_from: Option<Range<usize>>,
}

impl Found {
    fn of(text: &str, id: &str) -> Result<Self, String> {
        let document = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
        let tables = document.into_inner().remove("key").map(Spanned::into_inner);
        let Some(DeValue::Array(tables)) = tables else {
            return Err(format!("no key has the id {id}"));
        };
        let named = |table: &DeTable<'_>| table.get("id").is_some_and(|value| value.get_ref().as_str() == Some(id));
        let found = tables
            .iter()
            .find_map(|table| table.get_ref().as_table().filter(|table| named(table)));
        let found = found.ok_or_else(|| format!("no key has the id {id}"))?;
        let place = |name: &str| found.get(name).map(Spanned::span);
        Ok(Self {
            status: place("status").ok_or_else(|| format!("key {id}: field `status` is missing"))?,
            primary_from: place("primary_from"),
        })
    }
}

/// The whole line around a place, with its end.
fn line(text: &str, place: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes
        .iter()
        .take(place.start)
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let rest = bytes.iter().skip(place.end).position(|byte| *byte == b'\n');
    start..rest.map_or(text.len(), |at| place.end + at + 1)
}
