//! What a broker says on an open connection. Pure: frames in, words out.
//!
//! Only what AMQP 0-9-1 allows where it comes is taken, anything else ends the connection. Of a message's properties the
//! gateway uses the id alone, and only where it is text; a body over the limit is cut one byte over it, which is how its
//! taker knows.

use super::wire::{BODY, Fields, Frame, HEADER, HEARTBEAT, METHOD, MethodId, View};

/// The one channel that a connection of ours opens.
pub(super) const CHANNEL: u16 = 1;

const CONNECTION_CLOSE: MethodId = (10, 50);
const CONNECTION_CLOSE_OK: MethodId = (10, 51);
const BLOCKED: MethodId = (10, 60);
const UNBLOCKED: MethodId = (10, 61);
const FLOW: MethodId = (20, 20);
const CHANNEL_CLOSE: MethodId = (20, 40);
const CANCEL: MethodId = (60, 30);
const RETURN: MethodId = (60, 50);
const DELIVER: MethodId = (60, 60);
const ACK: MethodId = (60, 80);
const NACK: MethodId = (60, 120);
/// Answers to what we ask on the channel: open, close, declare, qos, consume, confirm.
#[rustfmt::skip]
const ANSWERS: &[MethodId] = &[(20, 11), (20, 41), (50, 11), (60, 11), (60, 21), (85, 11)];

const CONTINUED: u16 = 0x0001;
const MESSAGE_ID: u16 = 0x0080;
/// Room made for a body before its first frame; it grows with what comes.
const FIRST_ROOM: u64 = 16 * 1024;

/// One word of the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Delivered(Delivered),
    Returned(Returned),
    Acked {
        tag: u64,
        multiple: bool,
    },
    Nacked {
        tag: u64,
        multiple: bool,
    },
    Blocked(String),
    Unblocked,
    /// It asks us to stop sending (false) or to go on.
    Flow(bool),
    Answer(Frame),
    /// It closed the connection or its channel, or cancelled the consumer.
    Ended(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Delivered {
    pub(super) tag: u64,
    pub(super) redelivered: bool,
    pub(super) message_id: Option<String>,
    pub(super) body: Vec<u8>,
}

/// A publication that no queue took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Returned {
    pub(super) reason: String,
    pub(super) queue: String,
    pub(super) message_id: Option<String>,
}

/// The state of one connection's stream from the broker.
#[derive(Debug)]
pub(super) struct Reading {
    body_bytes_max: u64,
    content: Content,
}

/// How far a message with a body has come.
#[derive(Debug)]
enum Content {
    None,
    /// Its method is here, its header is not.
    Announced(About),
    Coming(Coming),
}

#[derive(Debug)]
enum About {
    Delivery { tag: u64, redelivered: bool },
    Return { reason: String, queue: String },
}

#[derive(Debug)]
struct Coming {
    about: About,
    message_id: Option<String>,
    left: u64,
    body_bytes_max: u64,
    body: Vec<u8>,
}

impl Reading {
    pub(super) fn new(body_bytes_max: usize) -> Self {
        Self {
            // One byte more tells that it was longer.
            body_bytes_max: u64::try_from(body_bytes_max).unwrap_or(u64::MAX).saturating_add(1),
            content: Content::None,
        }
    }

    /// The word that a frame completes, if it does; an error ends the connection.
    pub(super) fn take(&mut self, frame: View<'_>) -> Result<Option<Heard>, &'static str> {
        match (frame.kind, frame.channel) {
            (HEARTBEAT, 0) => Ok(None),
            (METHOD, 0) => of_connection(frame).map(Some),
            (METHOD, CHANNEL) if matches!(self.content, Content::None) => self.of_channel(frame),
            (HEADER, CHANNEL) => self.header(frame),
            (BODY, CHANNEL) => self.body(frame),
            _ => Err(MISPLACED),
        }
    }

    fn of_channel(&mut self, frame: View<'_>) -> Result<Option<Heard>, &'static str> {
        let mut fields = frame.arguments();
        let word = match frame.method_id().ok_or(MISPLACED)? {
            DELIVER => {
                self.content = Content::Announced(delivery(fields).ok_or("a delivery is malformed")?);
                return Ok(None);
            }
            RETURN => {
                self.content = Content::Announced(returned(fields).ok_or(MALFORMED)?);
                return Ok(None);
            }
            ACK => settled(fields).map(|(tag, multiple)| Heard::Acked { tag, multiple }),
            NACK => settled(fields).map(|(tag, multiple)| Heard::Nacked { tag, multiple }),
            FLOW => fields.octet().map(|active| Heard::Flow(active & 1 == 1)),
            CHANNEL_CLOSE => closed(fields).map(Heard::Ended),
            CANCEL => Some(Heard::Ended("the broker cancelled the consumer".to_owned())),
            id if ANSWERS.contains(&id) => Some(Heard::Answer(frame.to_frame())),
            _ => return Err(MISPLACED),
        };
        word.ok_or(MALFORMED).map(Some)
    }

    fn header(&mut self, frame: View<'_>) -> Result<Option<Heard>, &'static str> {
        let Content::Announced(about) = std::mem::replace(&mut self.content, Content::None) else {
            return Err(MISPLACED);
        };
        let (left, message_id) = properties(frame.payload).ok_or("a content header is malformed")?;
        let room = left.min(self.body_bytes_max).min(FIRST_ROOM);
        let coming = Coming {
            about,
            message_id,
            left,
            body_bytes_max: self.body_bytes_max,
            body: Vec::with_capacity(usize::try_from(room).unwrap_or_default()),
        };
        Ok(self.come(coming))
    }

    fn body(&mut self, frame: View<'_>) -> Result<Option<Heard>, &'static str> {
        let Content::Coming(mut coming) = std::mem::replace(&mut self.content, Content::None) else {
            return Err("a body comes without its header");
        };
        let left = coming.left.checked_sub(frame.payload.len() as u64);
        coming.left = left.ok_or("a body is longer than its header says")?;
        let room = coming.body_bytes_max.saturating_sub(coming.body.len() as u64);
        let kept = frame.payload.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        coming
            .body
            .extend_from_slice(frame.payload.get(..kept).unwrap_or(frame.payload));
        Ok(self.come(coming))
    }

    /// The word, if nothing of the message is left to come.
    fn come(&mut self, coming: Coming) -> Option<Heard> {
        if coming.left > 0 {
            self.content = Content::Coming(coming);
            return None;
        }
        Some(coming.heard())
    }
}

impl Coming {
    fn heard(self) -> Heard {
        let message_id = self.message_id;
        match self.about {
            About::Delivery { tag, redelivered } => Heard::Delivered(Delivered {
                tag,
                redelivered,
                message_id,
                body: self.body,
            }),
            About::Return { reason, queue } => Heard::Returned(Returned {
                reason,
                queue,
                message_id,
            }),
        }
    }
}

fn of_connection(frame: View<'_>) -> Result<Heard, &'static str> {
    let mut fields = frame.arguments();
    let word = match frame.method_id().ok_or(MISPLACED)? {
        CONNECTION_CLOSE => closed(fields).map(|why| Heard::Ended(format!("the broker closed the connection: {why}"))),
        CONNECTION_CLOSE_OK => Some(Heard::Answer(frame.to_frame())),
        BLOCKED => fields.short_string().map(|reason| Heard::Blocked(lossy(reason))),
        UNBLOCKED => Some(Heard::Unblocked),
        _ => return Err(MISPLACED),
    };
    word.ok_or(MALFORMED)
}

/// Exchange and routing key of a delivery are the sender's, and nothing to us.
fn delivery(mut fields: Fields<'_>) -> Option<About> {
    fields.short_string()?;
    let (tag, redelivered) = (fields.long_long()?, fields.octet()? & 1 == 1);
    fields.short_string()?;
    fields.short_string()?;
    Some(About::Delivery { tag, redelivered })
}

fn returned(mut fields: Fields<'_>) -> Option<About> {
    let why = told(&mut fields)?;
    fields.short_string()?;
    Some(About::Return {
        reason: format!("unroutable: {why}"),
        queue: lossy(fields.short_string()?),
    })
}

fn closed(mut fields: Fields<'_>) -> Option<String> {
    told(&mut fields)
}

/// A reply code and its text.
fn told(fields: &mut Fields<'_>) -> Option<String> {
    let code = fields.short()?;
    Some(format!("{code} {}", lossy(fields.short_string()?)))
}

fn settled(mut fields: Fields<'_>) -> Option<(u64, bool)> {
    Some((fields.long_long()?, fields.octet()? & 1 == 1))
}

/// Size of the body, and the message id if it is text (AMQP 0-9-1, 4.2.6.1; the properties stand in the order of their flags).
fn properties(payload: &[u8]) -> Option<(u64, Option<String>)> {
    let mut fields = Fields(payload);
    fields.bytes(4)?;
    let size = fields.long_long()?;
    let flags = fields.short()?;
    let mut more = flags;
    while more & CONTINUED != 0 {
        more = fields.short()?;
    }
    for bit in (8..16).rev().filter(|bit| flags >> bit & 1 == 1) {
        match bit {
            13 => drop(fields.long_string()?),
            12 | 11 => drop(fields.octet()?),
            _ => drop(fields.short_string()?),
        }
    }
    if flags & MESSAGE_ID == 0 {
        return Some((size, None));
    }
    let id = fields.short_string()?;
    Some((size, std::str::from_utf8(id).ok().map(ToOwned::to_owned)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const MISPLACED: &str = "a frame is not allowed where it came";
const MALFORMED: &str = "a method is malformed";

#[cfg(test)]
mod tests;
