//! TCP links: frames on kept connections. A server that takes a counterparty's calls, and a caller.
//!
//! A refused message has no answer: whoever sent it knows from its silence that the outcome is open, and no unauthenticated byte
//! could say more. What is not a frame ends the connection.

use super::frame::{Address, Frame, Framing};
use super::http::Handler;
use crate::exchange::{CallError, Caller, HttpAnswer};
use crate::limits;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use codecs::wire::Wire;
use futures_util::SinkExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

/// How one connection of a link is served.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub framing: Framing,
    /// Without a frame for so long it ends.
    pub idle: Duration,
}

/// A listener whose connections notice when the other end is gone.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves one connection until it ends or is told to stop; then the answers in hand are still written. Requests are answered in
/// the order in which they are done: their numbers tell them apart.
pub async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    manner: Manner,
    handler: &Handler,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(stream);
    let mut frames = Frames::new(reader, manner);
    let mut writer = FramedWrite::new(writer, manner.framing.codec());
    let mut answers = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !answers.is_empty() {
        tokio::select! {
            biased;
            Some(answer) = answers.next(), if !answers.is_empty() => {
                if let Some(frame) = answer {
                    send(&mut writer, frame).await?;
                }
                frames.touch();
            }
            () = stop.cancelled(), if is_open => is_open = false,
            frame = frames.next(), if is_open && answers.len() < limits::FRAMES_IN_HAND_MAX => match frame? {
                None => is_open = false,
                Some(Frame::KeepAlive) => {}
                Some(Frame::Message(address, wire)) => answers.push(answered(manner.framing, handler, address, wire)),
            },
        }
    }
    Ok(())
}

async fn answered(framing: Framing, handler: &Handler, address: Option<Address>, wire: Wire) -> Option<Bytes> {
    match handler(wire).await {
        HttpAnswer::Message(wire) => Some(framing.write(address.map(Address::reversed), &wire.body)),
        HttpAnswer::Refused { .. } => None,
        HttpAnswer::Later { reason } => {
            tracing::debug!(reason, "frame not answered");
            None
        }
    }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut FramedWrite<W, LengthDelimitedCodec>, frame: Bytes) -> io::Result<()> {
    timeout(WRITE_TIMEOUT, writer.send(frame))
        .await
        .map_err(|_slow| io::ErrorKind::TimedOut)?
}

/// The frames of one connection, each within its time.
struct Frames<R> {
    incoming: FramedRead<R, LengthDelimitedCodec>,
    manner: Manner,
    quiet_since: Instant,
    /// When a frame was first seen begun and not ended.
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    fn new(reader: R, manner: Manner) -> Self {
        Self {
            incoming: FramedRead::new(reader, manner.framing.codec()),
            manner,
            quiet_since: Instant::now(),
            begun: None,
        }
    }

    fn touch(&mut self) {
        self.quiet_since = Instant::now();
    }

    /// The next frame; `None` when the connection has ended, or was silent for too long. Losing the future loses nothing.
    async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            match timeout(LOOK_EVERY, self.incoming.next()).await {
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    self.begun = None;
                    self.touch();
                    return self.read(&frame?).map(Some);
                }
                Err(_elapsed) if self.incoming.read_buffer().is_empty() => {
                    if self.quiet_since.elapsed() >= self.manner.idle {
                        return Ok(None);
                    }
                }
                Err(_elapsed) => {
                    let begun = *self.begun.get_or_insert_with(Instant::now);
                    if begun.elapsed() >= FRAME_TIMEOUT {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "a frame was begun and not ended"));
                    }
                }
            }
        }
    }

    fn read(&self, frame: &BytesMut) -> io::Result<Frame> {
        let read = self.manner.framing.read(frame);
        read.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame without its address"))
    }
}

/// A counterparty that is called over TCP, one connection a call, so that an answer can be to nothing else.
pub struct TcpCaller {
    /// `None` for a link that is only called.
    address: Option<String>,
    framing: Framing,
}

impl TcpCaller {
    pub fn new(address: Option<&str>, framing: Framing) -> Self {
        Self {
            address: address.map(ToOwned::to_owned),
            framing,
        }
    }

    async fn connect(&self) -> Result<TcpStream, CallError> {
        let not_sent = |error: &dyn std::fmt::Display| CallError::NotSent(error.to_string());
        let address = self.address.as_deref().ok_or_else(|| not_sent(&"the link is only called"))?;
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let stream = connected
            .map_err(|error| not_sent(&error))?
            .map_err(|error| not_sent(&error))?;
        stream.set_nodelay(true).map_err(|error| not_sent(&error))?;
        Ok(stream)
    }

    async fn exchange(&self, wire: &Wire) -> Result<Wire, CallError> {
        let unknown = |error: io::Error| CallError::Unknown(error.to_string());
        let mut framed = Framed::new(self.connect().await?, self.framing.codec());
        framed.send(self.framing.write(None, &wire.body)).await.map_err(unknown)?;
        while let Some(frame) = framed.next().await {
            match self.framing.read(&frame.map_err(unknown)?) {
                Some(Frame::Message(_, wire)) => return Ok(wire),
                Some(Frame::KeepAlive) => {}
                None => return Err(CallError::Unknown("the answer has no address".to_owned())),
            }
        }
        Err(CallError::Unknown("the connection ended".to_owned()))
    }
}

#[async_trait]
impl Caller for TcpCaller {
    async fn call(&self, wire: &Wire, time: Duration) -> Result<Wire, CallError> {
        let answer = timeout(time, self.exchange(wire)).await;
        answer.unwrap_or_else(|_elapsed| Err(CallError::Unknown(format!("no answer within {} ms", time.as_millis()))))
    }
}

/// A frame that was begun must have come within this.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a connection's silence is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BACKLOG: u32 = 1024;

#[cfg(test)]
mod tests;
