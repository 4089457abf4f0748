//! AMQP 0-9-1 between a gateway and its broker, as far as a message and the words about it go: publications, deliveries,
//! acknowledgements.
//!
//! Deliveries and publications are numbered, and one word may speak of all up to a number. So what was swallowed, held or is to
//! be put back is remembered here, and a word about several is told apart into words about each.

#[cfg(test)]
mod tests;

use super::frame::{End, within};
use super::rules::Direction;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where a frame or a message of several frames ends.
pub(super) fn end(bytes: &[u8]) -> End {
    if PROTOCOL.starts_with(bytes.get(..PROTOCOL.len().min(bytes.len())).unwrap_or_default()) {
        return within(bytes, PROTOCOL.len() + VERSION_BYTES);
    }
    let Some(first) = Part::at(bytes, 0) else { return End::Later };
    if !first.method(bytes).is_some_and(is_content) {
        return End::At(first.end());
    }
    let (mut at, mut missing) = (first.end(), None);
    while missing != Some(0) {
        let Some(part) = Part::at(bytes, at) else { return End::Later };
        at = part.end();
        match (part.kind, missing) {
            _ if part.channel != first.channel => {}
            (HEADER, None) => missing = part.body_bytes(bytes),
            (BODY, Some(left)) => missing = Some(left.saturating_sub(part.payload.len())),
            // A method on the way: whatever this is, it is no message.
            _ => return End::At(first.end()),
        }
    }
    End::At(at)
}

/// The first part of a message's body, and whether there is a message at all.
pub(super) fn content(bytes: &[u8]) -> (Range<usize>, bool) {
    let is_message = Part::at(bytes, 0)
        .and_then(|part| part.method(bytes))
        .is_some_and(|method| method != RETURN && is_content(method));
    let first = parts(bytes).find(|part| part.kind == BODY);
    (first.map_or(0..0, |part| part.payload), is_message)
}

pub(super) fn body(bytes: &[u8]) -> Vec<u8> {
    let bodies = parts(bytes).filter(|part| part.kind == BODY);
    bodies
        .flat_map(|part| bytes.get(part.payload).unwrap_or_default().to_vec())
        .collect()
}

/// A delivery or publication: its channel and number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Number {
    direction: Direction,
    channel: u16,
    tag: u64,
}

/// What becomes of the word about a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Plain,
    /// No word reaches the other side.
    Silent,
    /// It is put back, or refused.
    Back,
}

/// Deliveries and publications of a connection about which no word was said.
#[derive(Default)]
pub(super) struct Ledger {
    deliveries: BTreeMap<u16, Numbers>,
    publications: BTreeMap<u16, Numbers>,
}

#[derive(Default)]
struct Numbers {
    last: u64,
    open: BTreeMap<u64, Fate>,
}

impl Ledger {
    /// Takes note of a message.
    pub(super) fn number(&mut self, direction: Direction, bytes: &[u8]) -> Option<Number> {
        let part = Part::at(bytes, 0)?;
        let arguments = bytes.get(part.payload.clone())?.get(METHOD_BYTES..)?;
        let told = match part.method(bytes)? {
            DELIVER => long(arguments.get(1 + usize::from(*arguments.first()?)..)?),
            GET_OK => long(arguments),
            _ => None,
        };
        let numbers = self.of(direction).entry(part.channel).or_default();
        let tag = told.unwrap_or(numbers.last + 1);
        numbers.last = tag;
        numbers.open.insert(tag, Fate::Plain);
        Some(Number {
            direction,
            channel: part.channel,
            tag,
        })
    }

    pub(super) fn decide(&mut self, number: Number, fate: Fate) {
        let numbers = self.of(number.direction).entry(number.channel).or_default();
        numbers.open.insert(number.tag, fate);
    }

    /// What goes on in place of a frame that is no message.
    pub(super) fn word(&mut self, direction: Direction, bytes: Vec<u8>) -> Vec<u8> {
        let Some(part) = Part::at(&bytes, 0) else { return bytes };
        let about = match direction {
            Direction::Request => Direction::Reply,
            Direction::Reply => Direction::Request,
        };
        match part.method(&bytes) {
            Some(CHANNEL_OPEN) => {
                self.deliveries.remove(&part.channel);
                self.publications.remove(&part.channel);
            }
            Some(CONFIRM_SELECT) => drop(self.publications.remove(&part.channel)),
            Some(ACK) => {
                if let Some(words) = self.acknowledged(about, &part, &bytes) {
                    return words;
                }
            }
            Some(NACK | REJECT) => drop(self.acknowledged(about, &part, &bytes)),
            _ => {}
        }
        bytes
    }

    /// The words that stand for an acknowledgement; `None` where it may stand as it is.
    fn acknowledged(&mut self, about: Direction, part: &Part, bytes: &[u8]) -> Option<Vec<u8>> {
        let arguments = bytes.get(part.payload.clone())?.get(METHOD_BYTES..)?;
        let (tag, bits) = (long(arguments)?, *arguments.get(8)?);
        let is_several = bits & 1 != 0 && part.method(bytes) != Some(REJECT);
        let numbers = self.of(about).entry(part.channel).or_default();
        let range = match (is_several, tag) {
            (true, 0) => 0..=u64::MAX,
            (true, last) => 0..=last,
            (false, one) => one..=one,
        };
        let covered: Vec<(u64, Fate)> = numbers.open.range(range).map(|(tag, fate)| (*tag, *fate)).collect();
        numbers
            .open
            .retain(|tag, fate| *fate == Fate::Silent || !covered.iter().any(|(one, _)| one == tag));
        if covered.iter().all(|(_, fate)| *fate == Fate::Plain) {
            return None;
        }
        let word = |&(tag, fate): &(u64, Fate)| match fate {
            Fate::Plain => said(part.channel, ACK, tag, 0),
            Fate::Silent => Vec::new(),
            // To a broker: put it back. To whoever published, the bit is reserved.
            Fate::Back => said(part.channel, NACK, tag, if about == Direction::Reply { REQUEUE } else { 0 }),
        };
        Some(covered.iter().flat_map(word).collect())
    }

    const fn of(&mut self, direction: Direction) -> &mut BTreeMap<u16, Numbers> {
        match direction {
            Direction::Request => &mut self.publications,
            Direction::Reply => &mut self.deliveries,
        }
    }
}

/// One frame.
struct Part {
    kind: u8,
    channel: u16,
    payload: Range<usize>,
}

impl Part {
    /// The frame that begins there, if it is all there.
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let head = bytes.get(at..at + HEAD_BYTES)?;
        let &[kind, c0, c1, s0, s1, s2, s3] = head else { return None };
        let begin = at + HEAD_BYTES;
        let payload = begin..begin.checked_add(u32::from_be_bytes([s0, s1, s2, s3]) as usize)?;
        (bytes.len() > payload.end).then_some(Self {
            kind,
            channel: u16::from_be_bytes([c0, c1]),
            payload,
        })
    }

    /// Behind the octet that ends it.
    const fn end(&self) -> usize {
        self.payload.end + 1
    }

    fn method(&self, bytes: &[u8]) -> Option<Method> {
        let &[c0, c1, m0, m1] = bytes.get(self.payload.clone())?.first_chunk::<METHOD_BYTES>()?;
        (self.kind == METHOD).then_some((u16::from_be_bytes([c0, c1]), u16::from_be_bytes([m0, m1])))
    }

    /// How many bytes a content header announces.
    fn body_bytes(&self, bytes: &[u8]) -> Option<usize> {
        let announced = long(bytes.get(self.payload.clone())?.get(4..)?)?;
        usize::try_from(announced).ok()
    }
}

type Method = (u16, u16);

fn parts(bytes: &[u8]) -> impl Iterator<Item = Part> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let part = Part::at(bytes, at)?;
        at = part.end();
        Some(part)
    })
}

fn is_content(method: Method) -> bool {
    [PUBLISH, RETURN, DELIVER, GET_OK].contains(&method)
}

fn long(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// A word about one number.
fn said(channel: u16, (class, method): Method, tag: u64, bits: u8) -> Vec<u8> {
    let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), &tag.to_be_bytes(), &[bits]].concat();
    let size = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&[METHOD][..], &channel.to_be_bytes(), &size, &payload, &[FRAME_END]].concat()
}

/// Where the first frame says how long it is.
pub(super) const SIZE: Range<usize> = 3..7;

const PROTOCOL: &[u8] = b"AMQP";
const VERSION_BYTES: usize = 4;
const HEAD_BYTES: usize = 7;
const METHOD_BYTES: usize = 4;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;
const CHANNEL_OPEN: Method = (20, 10);
const PUBLISH: Method = (60, 40);
const RETURN: Method = (60, 50);
const DELIVER: Method = (60, 60);
const GET_OK: Method = (60, 71);
const ACK: Method = (60, 80);
const REJECT: Method = (60, 90);
const NACK: Method = (60, 120);
const CONFIRM_SELECT: Method = (85, 10);
const REQUEUE: u8 = 2;
