//! Announcements of keys whose message is sound, and what they announce is not believed.

use super::Refused;
use crate::pipeline::{EXPIRED, OTHER_KEY, UNPROVEN, announcement};
use codecs::payment::Attribute;
use time::{Duration, OffsetDateTime};

/// The message's own signature holds; the one that stands apart does not, or covers other values.
pub(super) fn unproven(refused: &Refused<'_>) -> Option<String> {
    let by = refused.seen.and_then(|seen| seen.key).map(|held| &held.entry.serial);
    let serial = by.map_or("-", String::as_str);
    let is_it = refused.rejection.code == UNPROVEN;
    is_it.then(|| format!("{}, under serial number {serial}", Attribute::KeySignature))
}

/// It would be taken while its key was valid.
pub(super) fn expired(refused: &Refused<'_>) -> Option<String> {
    let header = refused
        .rejection
        .header
        .as_ref()
        .filter(|_| refused.rejection.code == EXPIRED)?;
    let key = announcement(header).key(OffsetDateTime::UNIX_EPOCH).ok()?;
    let case = refused.case;
    let before = key.not_after - Duration::seconds(1);
    let is_taken = case.receive_as(case.wire, case.link, case.spec, before).is_ok();
    is_taken.then(|| format!("valid until {}", key.not_after))
}

/// Its serial number is that of a key of theirs that we have, and the key is another one.
pub(super) fn other_key(refused: &Refused<'_>) -> Option<String> {
    let header = refused
        .rejection
        .header
        .as_ref()
        .filter(|_| refused.rejection.code == OTHER_KEY)?;
    let serial = header.text(Attribute::KeySerial)?;
    let mut held = refused.case.held.iter().map(|held| &held.entry);
    let known = held.find(|entry| entry.link == refused.case.link && entry.serial == serial)?;
    Some(format!("key {}, serial {serial}", known.id))
}
