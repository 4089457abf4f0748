//! How exact bytes are kept: a message's head and body in one text, sealed whole under the journal key.
//!
//! Clear form: a start line (`QUEUE`, `REQUEST <method> <target>` or `STATUS <code>`), a line `name: value` for each header,
//! an empty line, then the body byte for byte. Sealed form: nonce (12) || SM4-GCM ciphertext || tag (16), with the link,
//! direction and part as additional data, so that a record cannot be moved to another place. What was wrapped anew is in the
//! form that `journal/rewrap.rs` states.

use crate::clock::{Entropy, millis};
use crate::journal::rewrap::{MARK, first_digest};
use crate::journal::{MessageRecord, SealedRecord};
use codecs::wire::{Start, Wire};
use keys::error::{CryptoError, KeyError};
use keys::keyring::{Keyring, Usable};
use keys::sm4::Sm4Gcm;
use time::OffsetDateTime;

/// Where a record belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub link: &'a str,
    /// `received` or `sent`.
    pub direction: &'static str,
    pub part: &'a str,
}

impl<'a> Place<'a> {
    /// Of a parked message.
    pub fn parked(link: &'a str) -> Self {
        Self {
            link,
            direction: "received",
            part: "parked",
        }
    }
}

/// Why a record cannot be sealed or opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("a stored record does not open under journal key {0}")]
    Sealed(String),
    #[error("a stored record is not in its own form")]
    Form,
}

/// Seals a message for the journal.
pub fn seal(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    place: Place<'_>,
    code: &str,
    wire: &Wire,
    now: OffsetDateTime,
) -> Result<MessageRecord, RecordError> {
    let record = seal_message(keyring, entropy, place, wire, now)?;
    let (link, part, code) = (place.link.to_owned(), place.part.to_owned(), code.to_owned());
    Ok(MessageRecord {
        link,
        direction: place.direction,
        part,
        code,
        record,
        at: millis(now),
    })
}

/// Seals a message of which only the bytes are certain, for the parked store.
pub fn seal_wire(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    link: &str,
    wire: &Wire,
    now: OffsetDateTime,
) -> Result<SealedRecord, RecordError> {
    seal_message(keyring, entropy, Place::parked(link), wire, now)
}

/// By which a parked message is known again: keyed SM3 of its body, under a label of its own, so that nobody can have
/// something else that is keyed alike computed by sending it to us.
pub fn parked_digest(keyring: &Keyring, body: &[u8]) -> Result<[u8; 32], RecordError> {
    Ok(keyring.digest()?.tag(&[b"hangu parked", body]))
}

/// A message that was verified before it was journalled, and that the journal key vouches for. Only this file can build it.
pub struct Stored(Wire);

impl Stored {
    pub fn wire(&self) -> &Wire {
        &self.0
    }
}

/// Opens a stored message as one that was verified when it came.
pub fn open_stored(keyring: &Keyring, message: &MessageRecord) -> Result<Stored, RecordError> {
    open(keyring, message).map(Stored)
}

/// Opens a stored message.
pub fn open(keyring: &Keyring, message: &MessageRecord) -> Result<Wire, RecordError> {
    let place = Place {
        link: &message.link,
        direction: message.direction,
        part: &message.part,
    };
    open_record(keyring, place, &message.record)
}

/// Opens a parked message.
pub fn open_parked(keyring: &Keyring, link: &str, record: &SealedRecord) -> Result<Wire, RecordError> {
    open_record(keyring, Place::parked(link), record)
}

/// The same bytes under the primary journal key, and proven to be the same; none where they stand under it already.
pub fn rewrap(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    place: Place<'_>,
    record: &SealedRecord,
    now: OffsetDateTime,
) -> Result<Option<SealedRecord>, RecordError> {
    let key = keyring.journal(now)?;
    if key.info.serial == record.key {
        return Ok(None);
    }
    let clear = open_bytes(keyring, place, record)?;
    let first = first_digest(&record.sealed);
    let sealed = sealed(&key, entropy, &additional_again(place, &first), clear.len(), |bytes| {
        bytes.extend_from_slice(&clear);
    });
    let wrapped = SealedRecord {
        key: key.info.serial.clone(),
        sealed: [&MARK[..], &first, &sealed].concat(),
    };
    if open_bytes(keyring, place, &wrapped)? == clear {
        Ok(Some(wrapped))
    } else {
        Err(RecordError::Sealed(wrapped.key))
    }
}

fn open_record(keyring: &Keyring, place: Place<'_>, record: &SealedRecord) -> Result<Wire, RecordError> {
    decode(&open_bytes(keyring, place, record)?).ok_or(RecordError::Form)
}

fn open_bytes(keyring: &Keyring, place: Place<'_>, record: &SealedRecord) -> Result<Vec<u8>, RecordError> {
    let damaged = || RecordError::Sealed(record.key.clone());
    let key = keyring.journal_with(&record.key)?;
    let wrapped = record
        .sealed
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_first_chunk::<32>());
    let (additional, sealed) = match wrapped {
        Some((first, sealed)) => (additional_again(place, first), sealed),
        None => (additional(place), &record.sealed[..]),
    };
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(damaged)?;
    let opened = key.key.open(nonce, &additional, ciphertext, tag);
    opened.map_err(|_refused: CryptoError| damaged())
}

fn seal_message(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    place: Place<'_>,
    wire: &Wire,
    now: OffsetDateTime,
) -> Result<SealedRecord, RecordError> {
    let key = keyring.journal(now)?;
    Ok(SealedRecord {
        key: key.info.serial.clone(),
        sealed: sealed(&key, entropy, &additional(place), encoded_bytes(wire), |bytes| {
            encode_behind(bytes, wire);
        }),
    })
}

/// Seals so many bytes where `write` puts them, so that they lie in memory once.
fn sealed(
    key: &Usable<'_, Sm4Gcm>,
    entropy: &dyn Entropy,
    additional: &[u8],
    length: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    let mut bytes = Vec::with_capacity(NONCE_BYTES + length + TAG_BYTES);
    bytes.extend_from_slice(&nonce);
    write(&mut bytes);
    let clear = bytes.get_mut(NONCE_BYTES..).unwrap_or_default();
    let tag = key.key.seal_in_place(&nonce, additional, clear);
    bytes.extend_from_slice(&tag);
    bytes
}

/// Of what was wrapped anew: where it belongs, and what was sealed there first.
fn additional_again(place: Place<'_>, first: &[u8; 32]) -> Vec<u8> {
    [&additional(place)[..], b"|", first].concat()
}

fn additional(place: Place<'_>) -> Vec<u8> {
    ["hangu record", place.link, place.direction, place.part]
        .join("|")
        .into_bytes()
}

/// The clear form of a message, as this module's head describes it.
pub fn encode(wire: &Wire) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_bytes(wire));
    encode_behind(&mut bytes, wire);
    bytes
}

/// About as many bytes as that takes, and not fewer.
fn encoded_bytes(wire: &Wire) -> usize {
    let start = match &wire.start {
        Start::Queue | Start::Status(_) => 0,
        Start::Request { method, target } => method.len() + target.len(),
    };
    let headers = wire.headers.iter().map(|(name, value)| name.len() + value.len() + 3);
    START_BYTES + start + headers.sum::<usize>() + wire.body.len()
}

fn encode_behind(bytes: &mut Vec<u8>, wire: &Wire) {
    let status;
    let start = match &wire.start {
        Start::Queue => ["QUEUE", "", "", ""],
        Start::Request { method, target } => ["REQUEST ", method, " ", target],
        Start::Status(code) => {
            status = code.to_string();
            ["STATUS ", &status, "", ""]
        }
    };
    let headers = wire.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\n"]);
    for part in start.into_iter().chain(["\n"]).chain(headers).chain(["\n"]) {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&wire.body);
}

/// Reads the clear form; `None` for anything else.
pub fn decode(bytes: &[u8]) -> Option<Wire> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let body = bytes.get(end + 2..)?.to_vec();
    let mut lines = head.split('\n');
    let start = decode_start(lines.next()?)?;
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
    Some(Wire { start, headers, body })
}

fn decode_start(line: &str) -> Option<Start> {
    let mut words = line.splitn(3, ' ');
    match (words.next()?, words.next(), words.next()) {
        ("QUEUE", None, None) => Some(Start::Queue),
        ("REQUEST", Some(method), Some(target)) => Some(Start::Request {
            method: method.to_owned(),
            target: target.to_owned(),
        }),
        ("STATUS", Some(status), None) => status.parse().ok().map(Start::Status),
        _ => None,
    }
}

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Of the words and marks of every start line.
const START_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_survives_encoding() {
        let starts = [
            Start::Queue,
            Start::Request {
                method: "POST".to_owned(),
                target: "/v1/debit?x=1".to_owned(),
            },
            Start::Status(202),
        ];
        for start in starts {
            let headers = vec![
                ("hangu-key".to_owned(), "k: 1".to_owned()),
                ("empty".to_owned(), String::new()),
            ];
            let wire = Wire {
                start,
                headers,
                body: b"a\n\nb\xff".to_vec(),
            };
            assert_eq!(decode(&encode(&wire)), Some(wire));
        }
        assert_eq!(decode(b"QUEUE x\n\n"), None);
        assert_eq!(decode(b"nothing"), None);
    }
}
