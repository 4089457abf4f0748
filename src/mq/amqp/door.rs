//! The client library's side of a connection: it can only dial a port, so it is given one on the loopback, and behind it
//! the broker's frames through the filter.
//!
//! The port takes one connection and closes. It is opened by a random word that lives for this one opening and that only
//! the library is given; the broker's password never passes here. What does pass can be read by the machine's own root
//! alone, who could read it in our memory.

use super::broker_side::{BrokerSide, Tuning, Wire, expect, send};
use super::filter::Filter;
use super::wire::{Frame, MethodId, PROTOCOL_HEADER, broken, holds_frame, long_string, read_frame};
use bytes::BytesMut;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, split};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const START: MethodId = (10, 10);
const START_OK: MethodId = (10, 11);
const TUNE: MethodId = (10, 30);
const TUNE_OK: MethodId = (10, 31);
const OPEN: MethodId = (10, 40);
const OPEN_OK: MethodId = (10, 41);

/// Callers that may be at the door at once: ours, and whoever else tries ports on this machine.
const CALLERS_MAX: usize = 16;
/// How long a caller may keep its place.
const GREET_TIMEOUT: Duration = Duration::from_secs(2);
/// A broker that was silent for two heartbeats is gone (AMQP 0-9-1, 4.2.7).
const SILENCE_PER_HEARTBEAT_S: Duration = Duration::from_secs(2);
/// Frames are handed on in batches up to this size.
const BATCH_BYTES: usize = 64 * 1024;

/// A loopback port that waits for the client library.
pub(super) struct Door {
    listener: TcpListener,
    pub(super) port: u16,
    pub(super) word: String,
}

impl Door {
    pub(super) async fn open() -> Result<Self, String> {
        let opened = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = listener.local_addr()?.port();
            Ok::<_, std::io::Error>((listener, port))
        };
        let (listener, port) = opened.await.map_err(|error| format!("no loopback port: {error}"))?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let word = format!("{:032x}", u128::from_be_bytes(random));
        Ok(Self { listener, port, word })
    }

    /// Lets the client library in and carries frames until either side ends; the answer is what broke.
    pub(super) async fn carry(self, broker: BrokerSide, body_bytes_max: usize) -> String {
        let client = match self.admit(broker.tuning).await {
            Ok(client) => client,
            Err(reason) => return reason,
        };
        let (from_broker, mut to_broker) = split(broker.wire);
        let (mut from_client, to_client) = client.into_split();
        let outbound = async {
            let copied = tokio::io::copy(&mut from_client, &mut to_broker).await;
            // The client's goodbye goes on as ours.
            let ended = to_broker.shutdown().await;
            copied
                .and(ended)
                .map_or_else(|error| broken(&error), |()| CLIENT_LEFT.to_owned())
        };
        let limits = Limits {
            silence: SILENCE_PER_HEARTBEAT_S * u32::from(broker.tuning.heartbeat_s),
            frame_bytes: broker.tuning.frame_bytes as usize,
            body_bytes: body_bytes_max,
        };
        tokio::select! {
            reason = outbound => reason,
            reason = inbound(from_broker, to_client, limits) => reason,
        }
    }

    /// The first caller that knows the word; the port closes behind it. A silent caller keeps nobody waiting.
    async fn admit(self, tuning: Tuning) -> Result<TcpStream, String> {
        let mut callers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if callers.len() < CALLERS_MAX => {
                    let (stream, _) = accepted.map_err(|error| format!("no loopback connection: {error}"))?;
                    callers.spawn(timeout(GREET_TIMEOUT, greet(stream, self.word.clone(), tuning)));
                }
                Some(greeted) = callers.join_next() => {
                    if let Ok(Ok(Ok(stream))) = greeted {
                        return Ok(stream);
                    }
                    tracing::warn!("somebody else called at the loopback port of a broker link");
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Limits {
    silence: Duration,
    frame_bytes: usize,
    body_bytes: usize,
}

/// A broker's opening words to the client library, with the terms that the broker agreed to.
async fn greet(mut stream: TcpStream, word: String, tuning: Tuning) -> Result<TcpStream, String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut header = [0; PROTOCOL_HEADER.len()];
    stream.read_exact(&mut header).await.map_err(|error| broken(&error))?;
    // Version 0-9, no properties, what the client library looks for.
    let start = [vec![0, 9], long_string(b""), long_string(b"PLAIN"), long_string(b"en_US")].concat();
    send(&mut stream, &Frame::method(START, &start)).await?;
    let start_ok = expect(&mut stream, START_OK).await?;
    if !knows(&start_ok, &word) {
        return Err("a caller without the word".to_owned());
    }
    send(&mut stream, &tuning.frame(TUNE)).await?;
    expect(&mut stream, TUNE_OK).await?;
    expect(&mut stream, OPEN).await?;
    send(&mut stream, &Frame::method(OPEN_OK, &[0])).await?;
    Ok(stream)
}

/// Whether a `start-ok` carries the word as its password. What differs is compared to the end, so its time tells nothing.
fn knows(start_ok: &Frame, word: &str) -> bool {
    let mut fields = start_ok.arguments();
    let response = (|| {
        fields.long_string()?;
        fields.short_string()?;
        fields.long_string()
    })();
    let expected = ["\0\0", word].concat();
    response.is_some_and(|response| {
        let differences = response.iter().zip(expected.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        response.len() == expected.len() && differences == 0
    })
}

/// Broker to client, frame by frame; what is buffered already goes on in one write.
async fn inbound(from: ReadHalf<Box<dyn Wire>>, mut to: OwnedWriteHalf, limits: Limits) -> String {
    let mut from = BufReader::with_capacity(BATCH_BYTES, from);
    let mut filter = Filter::new(limits.body_bytes);
    let mut batch = BytesMut::with_capacity(BATCH_BYTES);
    loop {
        let frame = match timeout(limits.silence, read_frame(&mut from, limits.frame_bytes)).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(reason)) => return reason,
            Err(_) => return format!("nothing heard for {} s, not even a heartbeat", limits.silence.as_secs()),
        };
        match filter.pass(frame) {
            Ok(Some(frame)) => frame.append_to(&mut batch),
            Ok(None) => {}
            Err(reason) => return reason.to_owned(),
        }
        if !holds_frame(from.buffer()) || batch.len() >= BATCH_BYTES {
            if let Err(error) = to.write_all(&batch).await {
                return broken(&error);
            }
            batch.clear();
        }
    }
}

const CLIENT_LEFT: &str = "the client left";

#[cfg(test)]
mod tests;
