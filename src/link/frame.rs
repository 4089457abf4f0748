//! One frame of a TCP link: two bytes that count, the network's address (TPDU), the message. The address is the transport's: an
//! answer goes back to where its request came from, whichever way that took, so it is no part of what is stored and sent again.

use bytes::{BufMut, Bytes, BytesMut};
use codecs::wire::{Start, Wire};
use tokio_util::codec::LengthDelimitedCodec;

/// How frames of a link are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// Whether each message has an address before it.
    pub addressed: bool,
    pub message_bytes_max: usize,
}

/// 60, where it goes, where it comes from (the network's part of ISO 8583 as terminals speak it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address {
    target: [u8; 2],
    source: [u8; 2],
}

/// A frame taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// Without content: a sign of life.
    KeepAlive,
    Message(Option<Address>, Wire),
}

impl Framing {
    /// Counts with two bytes; longer frames than the link's are an error before their content is read.
    pub(super) fn codec(&self) -> LengthDelimitedCodec {
        let address = if self.addressed { ADDRESS_BYTES } else { 0 };
        LengthDelimitedCodec::builder()
            .length_field_length(2)
            .max_frame_length(self.message_bytes_max.saturating_add(address).min(usize::from(u16::MAX)))
            .new_codec()
    }

    /// `None` for a frame that does not begin with an address where one is due.
    pub(super) fn read(&self, frame: &[u8]) -> Option<Frame> {
        if frame.is_empty() {
            return Some(Frame::KeepAlive);
        }
        if !self.addressed {
            return Some(Frame::Message(None, message(Vec::new(), frame)));
        }
        let (head, body) = frame.split_first_chunk::<ADDRESS_BYTES>()?;
        let &[APPLICATION, t0, t1, s0, s1] = head else { return None };
        let address = Address {
            target: [t0, t1],
            source: [s0, s1],
        };
        let digits = head.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let headers = vec![("tpdu".to_owned(), format!("{digits:010x}"))];
        Some(Frame::Message(Some(address), message(headers, body)))
    }

    /// The content of a frame; without an address of its own it gets that of nobody in particular.
    pub(super) fn write(&self, address: Option<Address>, body: &[u8]) -> Bytes {
        let mut frame = BytesMut::with_capacity(body.len() + ADDRESS_BYTES);
        if self.addressed {
            let address = address.unwrap_or(Address {
                target: [0; 2],
                source: [0; 2],
            });
            frame.put_u8(APPLICATION);
            frame.put_slice(&address.target);
            frame.put_slice(&address.source);
        }
        frame.put_slice(body);
        frame.freeze()
    }
}

impl Address {
    /// Back to where it came from.
    #[must_use]
    pub(super) fn reversed(self) -> Self {
        Self {
            target: self.source,
            source: self.target,
        }
    }
}

fn message(headers: Vec<(String, String)>, body: &[u8]) -> Wire {
    Wire {
        start: Start::Queue,
        headers,
        body: body.to_vec(),
    }
}

const ADDRESS_BYTES: usize = 5;
/// What every address begins with.
const APPLICATION: u8 = 0x60;

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSED: Framing = Framing {
        addressed: true,
        message_bytes_max: 100,
    };

    #[test]
    fn an_answer_goes_back_to_where_its_request_came_from() {
        let Some(Frame::Message(Some(address), wire)) = ADDRESSED.read(b"\x60\x00\x03\x12\x34body") else {
            panic!("no frame");
        };
        assert_eq!(
            (wire.body.as_slice(), wire.header("tpdu")),
            (&b"body"[..], Some("6000031234"))
        );
        assert_eq!(
            &ADDRESSED.write(Some(address.reversed()), b"answer")[..],
            b"\x60\x12\x34\x00\x03answer"
        );
        assert_eq!(&ADDRESSED.write(None, b"request")[..], b"\x60\0\0\0\0request");
    }

    #[test]
    fn what_has_no_address_where_one_is_due_is_no_frame() {
        assert_eq!(ADDRESSED.read(b""), Some(Frame::KeepAlive));
        for wrong in [&b"\x60\0\0\0"[..], b"\x61\0\0\0\0body", b"body without one"] {
            assert_eq!(ADDRESSED.read(wrong), None);
        }
        let plain = Framing {
            addressed: false,
            ..ADDRESSED
        };
        let Some(Frame::Message(None, wire)) = plain.read(b"body") else {
            panic!("no frame");
        };
        assert_eq!(
            (wire.body.as_slice(), &plain.write(None, b"x")[..]),
            (&b"body"[..], &b"x"[..])
        );
    }
}
