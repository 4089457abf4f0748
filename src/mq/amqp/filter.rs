//! What the client library may see of what the broker sends. Pure: frames in, frames out.
//!
//! The library's reader falls over text that is not UTF-8, over methods it does not know and over channels that are not
//! open (facts/reliability.md 2.2, traps 4 and 8). Of a message's properties the gateway uses the id alone, so that is
//! all it is given; a body over the limit is cut one byte over it, which is how its taker knows.

use super::wire::{BODY, Fields, Frame, HEADER, HEARTBEAT, METHOD, MethodId, short_string};

/// The one channel that a connection of ours opens.
const CHANNEL: u16 = 1;
const DELIVER: MethodId = (60, 60);
const CONTINUED: u16 = 0x0001;
const MESSAGE_ID: u16 = 0x0080;

/// Methods that a broker may send after the connection is open (AMQP 0-9-1 and RabbitMQ's confirms).
const OF_CONNECTION: &[MethodId] = &[(10, 50), (10, 51), (10, 60), (10, 61)];
#[rustfmt::skip]
const OF_CHANNEL: &[MethodId] = &[
    (20, 11), (20, 20), (20, 40), (20, 41), (50, 11), (60, 11), (60, 21), (60, 30), (60, 31), (60, 50), DELIVER,
    (60, 80), (60, 120), (85, 11),
];

/// The state of one connection's stream from the broker.
#[derive(Debug)]
pub(super) struct Filter {
    body_bytes_max: u64,
    content: Option<Content>,
}

/// The body that is being received.
#[derive(Clone, Copy, Debug)]
struct Content {
    left: u64,
    passes: u64,
}

impl Filter {
    pub(super) fn new(body_bytes_max: usize) -> Self {
        Self {
            body_bytes_max: u64::try_from(body_bytes_max).unwrap_or(u64::MAX),
            content: None,
        }
    }

    /// The frame as the client library may have it, or `None`; an error ends the connection.
    pub(super) fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, &'static str> {
        match (frame.kind, frame.channel) {
            (HEARTBEAT, 0) => Ok(Some(frame)),
            (METHOD, 0) if is_one_of(&frame, OF_CONNECTION) => Ok(Some(frame)),
            (METHOD, CHANNEL) if is_one_of(&frame, OF_CHANNEL) && self.content.is_none() => delivery(frame).map(Some),
            (HEADER, CHANNEL) if self.content.is_none() => self.header(&frame).map(Some),
            (BODY, CHANNEL) => self.body(frame),
            _ => Err("a frame is not allowed where it came"),
        }
    }

    fn header(&mut self, frame: &Frame) -> Result<Frame, &'static str> {
        let (size, message_id) = properties(&frame.payload).ok_or("a content header is malformed")?;
        let passes = size.min(self.body_bytes_max.saturating_add(1));
        self.content = Some(Content { left: size, passes }).filter(|content| content.left > 0);
        let flags = if message_id.is_some() { MESSAGE_ID } else { 0 };
        // Class 60 (basic), weight 0.
        let fixed = [&[0, 60, 0, 0], passes.to_be_bytes().as_slice(), &flags.to_be_bytes()].concat();
        let message_id = message_id.map(short_string).unwrap_or_default();
        Ok(Frame {
            payload: [fixed, message_id].concat().into(),
            ..*frame
        })
    }

    fn body(&mut self, mut frame: Frame) -> Result<Option<Frame>, &'static str> {
        let content = self.content.as_mut().ok_or("a body comes without its header")?;
        let size = frame.payload.len() as u64;
        content.left = content
            .left
            .checked_sub(size)
            .ok_or("a body is longer than its header says")?;
        let passes = size.min(content.passes);
        content.passes -= passes;
        if content.left == 0 {
            self.content = None;
        }
        frame.payload.truncate(usize::try_from(passes).unwrap_or(usize::MAX));
        Ok(Some(frame).filter(|frame| !frame.payload.is_empty()))
    }
}

fn is_one_of(frame: &Frame, methods: &[MethodId]) -> bool {
    frame.method_id().is_some_and(|id| methods.contains(&id))
}

/// Exchange and routing key are the sender's: what is no text in them is left out.
fn delivery(frame: Frame) -> Result<Frame, &'static str> {
    if frame.method_id() != Some(DELIVER) {
        return Ok(frame);
    }
    let mut fields = frame.arguments();
    let parts = (|| {
        let tag = fields.short_string()?;
        let delivery = fields.bytes(9)?;
        Some((tag, delivery, fields.short_string()?, fields.short_string()?))
    })();
    let (tag, delivery, exchange, key) = parts.ok_or("a delivery is malformed")?;
    let text = |bytes| short_string(std::str::from_utf8(bytes).unwrap_or_default().as_bytes());
    let arguments = [&text(tag), delivery, &text(exchange), &text(key)].concat();
    Ok(Frame {
        channel: frame.channel,
        ..Frame::method(DELIVER, &arguments)
    })
}

/// Size of the body, and the message id if it is text (AMQP 0-9-1, 4.2.6.1; the properties stand in the order of their flags).
fn properties(payload: &[u8]) -> Option<(u64, Option<&[u8]>)> {
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
    let message_id = if flags & MESSAGE_ID == 0 {
        None
    } else {
        Some(fields.short_string()?).filter(|bytes| std::str::from_utf8(bytes).is_ok())
    };
    Some((size, message_id))
}

#[cfg(test)]
mod tests;
