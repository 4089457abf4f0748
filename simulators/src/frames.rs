//! Frames over TCP as the simulators speak them: two bytes that count, the network's address (TPDU), the message. Also frames
//! that are no good, and good ones in unusual segments.

use codecs::wire::Wire;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How messages stand on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Each in a segment of its own, as far as that is for the sender to say.
    Whole,
    /// One byte of the two that count, then nothing.
    HalfHeader,
    /// The count says more than comes.
    SaysMore,
    /// The count says less than comes.
    SaysLess,
    /// It breaks off in the middle, and the connection ends.
    BrokenOff,
    /// All in one segment.
    Joined,
    /// Each byte in a segment of its own.
    Split,
}

impl Shape {
    /// Every way that is not the usual one.
    pub const ODD: [Self; 6] = [
        Self::HalfHeader,
        Self::SaysMore,
        Self::SaysLess,
        Self::BrokenOff,
        Self::Joined,
        Self::Split,
    ];

    /// Whether whole messages arrive, which must be answered.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Whole | Self::Joined | Self::Split)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::HalfHeader => "half a header",
            Self::SaysMore => "a length that says more",
            Self::SaysLess => "a length that says less",
            Self::BrokenOff => "broken off in the middle",
            Self::Joined => "two messages in one segment",
            Self::Split => "one message in many segments",
        }
    }
}

/// Sends a message on a connection of its own and reads the answer, which must come back to where the message came from.
pub(crate) async fn round_trip(address: &str, message: &[u8]) -> Result<Wire, String> {
    let answers = round_trips(address, &[message], Shape::Whole).await?;
    answers.into_iter().next().ok_or_else(|| "no answer".to_owned())
}

/// Sends messages on one connection, in this shape, and reads as many answers. Answers may change places.
pub(crate) async fn round_trips(address: &str, messages: &[&[u8]], shape: Shape) -> Result<Vec<Wire>, String> {
    let exchanged = exchange(address, messages, shape).await;
    exchanged.map_err(|error| error.to_string())
}

async fn exchange(address: &str, messages: &[&[u8]], shape: Shape) -> io::Result<Vec<Wire>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend(frame(message, shape)?);
    }
    match shape {
        Shape::Whole | Shape::Joined | Shape::SaysMore | Shape::SaysLess => stream.write_all(&bytes).await?,
        Shape::HalfHeader => stream.write_all(bytes.get(..1).unwrap_or_default()).await?,
        Shape::BrokenOff => {
            stream.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default()).await?;
            stream.shutdown().await?;
        }
        Shape::Split => {
            for byte in &bytes {
                stream.write_all(std::slice::from_ref(byte)).await?;
                tokio::time::sleep(BETWEEN_SEGMENTS).await;
            }
        }
    }
    let mut answers = Vec::new();
    for _ in messages {
        answers.push(answer(&mut stream).await?);
    }
    Ok(answers)
}

fn frame(message: &[u8], shape: Shape) -> io::Result<Vec<u8>> {
    let length = message.len() + OUTWARD.len();
    let said = match shape {
        Shape::SaysMore => length + LIE_BYTES,
        Shape::SaysLess => length.saturating_sub(LIE_BYTES),
        Shape::Whole | Shape::HalfHeader | Shape::BrokenOff | Shape::Joined | Shape::Split => length,
    };
    let count = u16::try_from(said).map_err(io::Error::other)?;
    Ok([&count.to_be_bytes(), &OUTWARD[..], message].concat())
}

async fn answer(stream: &mut TcpStream) -> io::Result<Wire> {
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let body = answer.strip_prefix(&HOMEWARD);
    let body = body.ok_or_else(|| io::Error::other("the answer went to another address"))?;
    Ok(Wire::queue(body.to_vec()))
}

/// To the host at 0003, from the terminal at 0001, and back.
const OUTWARD: [u8; 5] = [0x60, 0, 3, 0, 1];
const HOMEWARD: [u8; 5] = [0x60, 0, 1, 0, 3];
const LIE_BYTES: usize = 7;
const BETWEEN_SEGMENTS: Duration = Duration::from_millis(1);
