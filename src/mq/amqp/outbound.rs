//! Our side of a connection: what we say is put together here and goes out in as few writes as there can be.

use super::reading::CHANNEL;
use super::settlements::Word;
use super::wire::{
    BODY, FRAME_OVERHEAD, HEADER, HEARTBEAT, METHOD, MethodId, broken, method_head, put_frame, put_short_string, short_string,
};
use crate::mq::Publication;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

const PUBLISH: MethodId = (60, 40);
const ACK: MethodId = (60, 80);
const NACK: MethodId = (60, 120);

/// A short string without a byte: the exchange to which a routing key is the name of a queue.
const DEFAULT_EXCHANGE: [u8; 1] = [0];
const MANDATORY: u8 = 1;
const MULTIPLE: u8 = 1;
const REQUEUE: u8 = 2;
const PERSISTENT: u8 = 2;
/// Class 60 (basic), weight 0.
const CONTENT_OF_BASIC: [u8; 4] = [0, 60, 0, 0];
const CONTENT_TYPE: u16 = 1 << 15;
const DELIVERY_MODE: u16 = 1 << 12;
const CORRELATION_ID: u16 = 1 << 10;
const MESSAGE_ID: u16 = 1 << 7;

/// Beyond it nothing new is taken until the broker reads.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// Frames on their way out, in the order in which they were said.
pub(super) struct Outbound<W> {
    wire: W,
    waiting: BytesMut,
    /// What was written may still lie in a TLS session.
    is_flushed: bool,
    frame_bytes: usize,
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    pub(super) fn new(wire: W, frame_bytes: usize) -> Self {
        Self {
            wire,
            waiting: BytesMut::new(),
            is_flushed: true,
            frame_bytes,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_BYTES_MAX
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.is_flushed
    }

    /// Gives the wire all that waits. Cancel-safe: what was taken from the line was written.
    pub(super) async fn drain(&mut self) -> Result<(), String> {
        while self.waiting.has_remaining() {
            let written = self.wire.write_buf(&mut self.waiting).await;
            if written.map_err(|error| broken(&error))? == 0 {
                return Err("the connection takes nothing any more".to_owned());
            }
        }
        self.wire.flush().await.map_err(|error| broken(&error))?;
        self.is_flushed = true;
        Ok(())
    }

    pub(super) fn method(&mut self, channel: u16, id: MethodId, arguments: &[&[u8]]) {
        let head = method_head(id);
        let payload = std::iter::once(head.as_slice()).chain(arguments.iter().copied());
        put_frame(&mut self.waiting, METHOD, channel, payload);
        self.is_flushed = false;
    }

    pub(super) fn heartbeat(&mut self) {
        self.frame(HEARTBEAT, 0, &[]);
    }

    pub(super) fn settle(&mut self, word: Word) {
        let (id, tag, how) = match word {
            Word::AckUpTo(tag) => (ACK, tag, MULTIPLE),
            Word::Ack(tag) => (ACK, tag, 0),
            Word::Requeue(tag) => (NACK, tag, REQUEUE),
        };
        self.method(CHANNEL, id, &[&tag.to_be_bytes(), &[how]]);
    }

    /// Method, header and body of a persistent, mandatory message (AMQP 0-9-1, 4.2.6).
    pub(super) fn publish(&mut self, publication: &Publication) {
        let queue = short_string(publication.queue.as_bytes());
        self.method(CHANNEL, PUBLISH, &[&[0, 0], &DEFAULT_EXCHANGE, &queue, &[MANDATORY]]);
        let size = publication.body.len() as u64;
        let properties = properties(publication);
        self.frame(HEADER, CHANNEL, &[&CONTENT_OF_BASIC, &size.to_be_bytes(), &properties]);
        for part in publication
            .body
            .chunks(self.frame_bytes.saturating_sub(FRAME_OVERHEAD).max(1))
        {
            self.frame(BODY, CHANNEL, &[part]);
        }
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[&[u8]]) {
        put_frame(&mut self.waiting, kind, channel, payload.iter().copied());
        self.is_flushed = false;
    }
}

/// The flags and, in their order, what they announce.
fn properties(publication: &Publication) -> Vec<u8> {
    let correlation = publication.correlation_id.as_ref();
    let mut flags = CONTENT_TYPE | DELIVERY_MODE | MESSAGE_ID;
    if correlation.is_some() {
        flags |= CORRELATION_ID;
    }
    let mut properties = flags.to_be_bytes().to_vec();
    put_short_string(&mut properties, publication.content_type.as_bytes());
    properties.push(PERSISTENT);
    if let Some(correlation) = correlation {
        put_short_string(&mut properties, correlation.as_bytes());
    }
    put_short_string(&mut properties, publication.message_id.as_bytes());
    properties
}
