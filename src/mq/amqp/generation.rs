//! One connection generation: one connection, one channel, and the watch over them.
//!
//! It is driven by whoever calls `next`, on whatever task that is: nothing of it runs by itself, so dropping it ends it
//! wholly. Nothing here repairs a connection: whatever looks wrong ends the generation.

use super::broker_side::{BrokerSide, Wire};
use super::config::{Address, AmqpConfig};
use super::confirms::Confirms;
use super::outbound::Outbound;
use super::pulse::Pulse;
use super::reading::{CHANNEL, Delivered, Heard, Reading};
use super::wire::{Frame, MethodId, broken, first_frame};
use bytes::{Buf, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

/// Longest wait for a connection with its channel.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one answer of the broker on an open connection.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for what one read brings: a burst of messages comes by one call.
const READ_BYTES: usize = 64 * 1024;

const CHANNEL_OPEN: MethodId = (20, 10);
const CHANNEL_OPEN_OK: MethodId = (20, 11);
const CHANNEL_FLOW_OK: MethodId = (20, 21);
const CHANNEL_CLOSE: MethodId = (20, 40);
const CHANNEL_CLOSE_OK: MethodId = (20, 41);
const CONNECTION_CLOSE: MethodId = (10, 50);
const CONNECTION_CLOSE_OK: MethodId = (10, 51);
const QOS: MethodId = (60, 10);
const QOS_OK: MethodId = (60, 11);
/// AMQP 0-9-1, 1.6: what was asked for is done; no method is to blame.
const GOODBYE: &[u8] = &[0, 200, 0, 0, 0, 0, 0];

/// An open connection with its one channel.
pub(super) struct Generation {
    wire: ReadHalf<Box<dyn Wire>>,
    received: BytesMut,
    reading: Reading,
    pub(super) outbound: Outbound<WriteHalf<Box<dyn Wire>>>,
    pulse: Pulse,
    frame_bytes: usize,
    confirms: Option<Arc<Confirms>>,
}

/// What the broker said that is not for the generation itself.
pub(super) enum Said {
    Delivery(Delivered),
    Answer(Frame),
    /// Nothing; but what we say finds room again, which it had not.
    Room,
}

impl Generation {
    /// Opens within `OPEN_TIMEOUT`.
    pub(super) async fn open(
        config: &AmqpConfig,
        address: &Address,
        name: &str,
        confirms: Option<Arc<Confirms>>,
    ) -> Result<Self, String> {
        let opening = async {
            let broker = BrokerSide::open(config, address, name).await?;
            let mut generation = Self::over(broker, config.message_bytes_max, confirms);
            generation.ask(CHANNEL_OPEN, &[&[0]], CHANNEL_OPEN_OK).await?;
            Ok(generation)
        };
        let opened = timeout(OPEN_TIMEOUT, opening).await;
        opened.unwrap_or_else(|_| Err(format!("no answer within {} s", OPEN_TIMEOUT.as_secs())))
    }

    fn over(broker: BrokerSide, body_bytes_max: usize, confirms: Option<Arc<Confirms>>) -> Self {
        let (wire, to_broker) = split(broker.wire);
        let frame_bytes = broker.tuning.frame_bytes as usize;
        Self {
            wire,
            received: BytesMut::new(),
            reading: Reading::new(body_bytes_max),
            outbound: Outbound::new(to_broker, frame_bytes),
            pulse: Pulse::new(broker.tuning.heartbeat_s),
            frame_bytes,
            confirms,
        }
    }

    /// Starts to probe. `prefetch` is what the channel's qos stays at: the probe sets it again.
    pub(super) fn watch(&mut self, prefetch: u16) {
        self.pulse.watch(prefetch);
    }

    /// Carries frames both ways until there is something for the session; an error ends the generation. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Said, String> {
        let had_room = self.outbound.has_room();
        loop {
            while let Some(heard) = self.heard()? {
                if let Some(said) = self.note(heard)? {
                    return Ok(said);
                }
            }
            if !had_room && self.outbound.has_room() {
                return Ok(Said::Room);
            }
            self.received.reserve(READ_BYTES);
            tokio::select! {
                biased;
                received = self.wire.read_buf(&mut self.received) => {
                    if received.map_err(|error| broken(&error))? == 0 {
                        return Err(broken(&std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    self.pulse.heard();
                }
                written = self.outbound.drain(), if self.outbound.is_waiting() => written?,
                () = self.pulse.tick() => self.beat()?,
            }
        }
    }

    /// Asks, and waits for that answer; what is delivered meanwhile is left to the broker.
    pub(super) async fn ask(&mut self, id: MethodId, arguments: &[&[u8]], answer: MethodId) -> Result<Frame, String> {
        self.outbound.method(channel_of(id), id, arguments);
        loop {
            match self.next().await? {
                Said::Answer(frame) if frame.method_id() == Some(answer) => return Ok(frame),
                Said::Answer(_) => return Err(UNASKED.to_owned()),
                Said::Delivery(_) | Said::Room => {}
            }
        }
    }

    /// Bounds the deliveries that may be unsettled.
    pub(super) async fn bound(&mut self, prefetch: u16) -> Result<(), String> {
        self.ask(QOS, &qos(&prefetch.to_be_bytes()), QOS_OK).await.map(drop)
    }

    /// Says goodbye, at most twice `ANSWER_TIMEOUT`. The channel goes first: the broker answers it after all that came before.
    pub(super) async fn close(mut self) {
        let channel = self.ask(CHANNEL_CLOSE, &[GOODBYE], CHANNEL_CLOSE_OK);
        drop(timeout(ANSWER_TIMEOUT, channel).await);
        let connection = self.ask(CONNECTION_CLOSE, &[GOODBYE], CONNECTION_CLOSE_OK);
        drop(timeout(ANSWER_TIMEOUT, connection).await);
    }

    /// The next word that was received whole.
    fn heard(&mut self) -> Result<Option<Heard>, String> {
        while let Some(frame) = first_frame(&self.received, self.frame_bytes)? {
            let (size, heard) = (frame.size(), self.reading.take(frame));
            self.received.advance(size);
            if let Some(heard) = heard? {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    /// Books what is the generation's own; the rest is the session's.
    fn note(&mut self, heard: Heard) -> Result<Option<Said>, String> {
        let confirms = self.confirms.as_deref();
        match (heard, confirms) {
            (Heard::Ended(reason), _) => return Err(reason),
            (Heard::Delivered(delivered), None) => return Ok(Some(Said::Delivery(delivered))),
            (Heard::Answer(frame), _) if frame.method_id() == Some(QOS_OK) && self.pulse.probe_answered() => {}
            (Heard::Answer(frame), _) => return Ok(Some(Said::Answer(frame))),
            (Heard::Flow(active), _) => self.outbound.method(CHANNEL, CHANNEL_FLOW_OK, &[&[u8::from(active)]]),
            (Heard::Acked { tag, multiple }, Some(confirms)) => confirms.acked(tag, multiple),
            (Heard::Nacked { tag, multiple }, Some(confirms)) => confirms.nacked(tag, multiple),
            (Heard::Returned(back), Some(confirms)) => {
                confirms.returned(&back.queue, back.message_id.as_deref(), &back.reason);
            }
            (Heard::Blocked(reason), Some(confirms)) => confirms.block(reason),
            (Heard::Unblocked, Some(confirms)) => confirms.unblock(),
            // A link that publishes nothing is not touched by an alarm.
            (Heard::Blocked(_) | Heard::Unblocked, None) => {}
            (Heard::Delivered(_), Some(_)) | (Heard::Acked { .. } | Heard::Nacked { .. } | Heard::Returned(_), None) => {
                return Err(UNASKED.to_owned());
            }
        }
        Ok(None)
    }

    /// Looks whether the other side lives, and shows that we do.
    fn beat(&mut self) -> Result<(), String> {
        // While confirms are due, their age says more than a probe, and a blocked broker answers none.
        let awaits = |confirms: &Arc<Confirms>| confirms.len() > 0 || confirms.blocked().is_some();
        let is_quiet = !self.confirms.as_ref().is_some_and(awaits);
        let due = self.pulse.beat(is_quiet)?;
        if due.heartbeat {
            self.outbound.heartbeat();
        }
        if let Some(prefetch) = due.probe {
            // It asks for the qos that is set already, so it changes nothing and needs no queue.
            self.outbound.method(CHANNEL, QOS, &qos(&prefetch.to_be_bytes()));
        }
        Ok(())
    }
}

/// No bound by size, this one by count, for each consumer.
fn qos(prefetch: &[u8; 2]) -> [&[u8]; 3] {
    [&[0; 4], prefetch, &[0]]
}

/// Class 10 is the connection's.
fn channel_of((class, _): MethodId) -> u16 {
    if class == 10 { 0 } else { CHANNEL }
}

pub(super) const UNASKED: &str = "the broker says what nobody asked for";

#[cfg(test)]
mod tests;
