//! One message on a stream: an HTTP/1.1 message with its body, a frame behind two bytes that count, or what AMQP carries.

use super::amqp;
use codecs::wire::{Start, Wire};
use std::ops::Range;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How messages are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    Http,
    /// Two bytes, the higher one first, then as many bytes.
    Counted,
    /// AMQP 0-9-1: a publication or delivery with its content, or one frame that is neither.
    Amqp,
}

/// Bytes that were read and belong to no message yet.
#[derive(Default)]
pub(super) struct Rest(Vec<u8>);

/// A whole message with the place of its content; behind AMQP, of the first part of it.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) content: Range<usize>,
    /// Not one of the frames by which AMQP only keeps its own house.
    pub(super) is_message: bool,
}

/// Where a message ends, as far as its beginning says.
pub(super) enum End {
    At(usize),
    /// It is not all there.
    Later,
    /// With the connection.
    AtClose,
}

impl Framing {
    /// The next message; `None` at the end of the stream. What breaks off in the middle is given as it is.
    pub(super) async fn read(self, stream: &mut (impl AsyncRead + Unpin), rest: &mut Rest) -> std::io::Result<Option<Frame>> {
        loop {
            match self.end(&rest.0) {
                End::At(end) => {
                    let behind = rest.0.split_off(end);
                    return Ok(Some(self.frame(std::mem::replace(&mut rest.0, behind))));
                }
                End::Later | End::AtClose if rest.0.len() > MESSAGE_BYTES_MAX => {
                    return Err(std::io::Error::other("a message without an end"));
                }
                End::Later | End::AtClose => {}
            }
            if stream.read_buf(&mut rest.0).await? == 0 {
                let bytes = std::mem::take(&mut rest.0);
                return Ok((!bytes.is_empty()).then(|| self.frame(bytes)));
            }
        }
    }

    /// The message as `codecs` takes it.
    pub(super) fn wire(self, frame: &Frame) -> Wire {
        match self {
            Self::Http => http_wire(&frame.bytes),
            Self::Counted => Wire::queue(frame.bytes.get(frame.content.clone()).unwrap_or_default().to_vec()),
            Self::Amqp => Wire::queue(amqp::body(&frame.bytes)),
        }
    }

    /// Makes the length before the content say so much more, or less. What has none is left as it is.
    pub(super) fn misstate(self, bytes: &mut Vec<u8>, by: usize, is_fewer: bool) {
        let changed = |length: usize| {
            if is_fewer {
                length.saturating_sub(by)
            } else {
                length.saturating_add(by)
            }
        };
        match self {
            Self::Counted => {
                let Some(count) = bytes.first_chunk_mut::<COUNT_BYTES>() else {
                    return;
                };
                let wrong = changed(usize::from(u16::from_be_bytes(*count)));
                *count = u16::try_from(wrong).unwrap_or(u16::MAX).to_be_bytes();
            }
            Self::Amqp => {
                let Some(size) = bytes.get_mut(amqp::SIZE).and_then(|size| <&mut [u8; 4]>::try_from(size).ok()) else {
                    return;
                };
                let wrong = changed(u32::from_be_bytes(*size) as usize);
                *size = u32::try_from(wrong).unwrap_or(u32::MAX).to_be_bytes();
            }
            Self::Http => {
                let Some(place) = length_place(bytes) else { return };
                let said = String::from_utf8_lossy(bytes.get(place.clone()).unwrap_or_default()).into_owned();
                let wrong = said.parse().map(changed).unwrap_or_default();
                bytes.splice(place, wrong.to_string().into_bytes());
            }
        }
    }

    fn frame(self, bytes: Vec<u8>) -> Frame {
        let (content, is_message) = match self {
            Self::Http => (head(&bytes).unwrap_or(0)..bytes.len(), true),
            Self::Counted => (COUNT_BYTES.min(bytes.len())..bytes.len(), true),
            Self::Amqp => amqp::content(&bytes),
        };
        Frame {
            bytes,
            content,
            is_message,
        }
    }

    fn end(self, bytes: &[u8]) -> End {
        match self {
            Self::Counted => match bytes.first_chunk::<COUNT_BYTES>() {
                Some(count) => within(bytes, COUNT_BYTES + usize::from(u16::from_be_bytes(*count))),
                None => End::Later,
            },
            Self::Http => http_end(bytes),
            Self::Amqp => amqp::end(bytes),
        }
    }
}

pub(super) fn within(bytes: &[u8], end: usize) -> End {
    if bytes.len() < end { End::Later } else { End::At(end) }
}

fn http_end(bytes: &[u8]) -> End {
    let Some(head) = head(bytes) else { return End::Later };
    let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let value = |name: &str| {
        let mut lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
    };
    if value("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return chunked_end(bytes, head);
    }
    match value("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => within(bytes, head.saturating_add(length)),
        None if text.starts_with("http/") && !is_bodiless(&text) => End::AtClose,
        None => End::At(head),
    }
}

/// Answers that end with their head (RFC 9112, 6.3).
fn is_bodiless(text: &str) -> bool {
    let status = text.split(' ').nth(1).unwrap_or_default();
    status.starts_with('1') || status == "204" || status == "304"
}

/// Chunks until the empty one and the blank line behind it (RFC 9112, 7.1).
fn chunked_end(bytes: &[u8], head: usize) -> End {
    let mut at = head;
    loop {
        let Some(line) = find(bytes.get(at..).unwrap_or_default(), CRLF) else {
            return End::Later;
        };
        let size = String::from_utf8_lossy(bytes.get(at..at + line).unwrap_or_default()).into_owned();
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else {
            return End::AtClose;
        };
        at = at.saturating_add(line + CRLF.len());
        if size == 0 {
            let trailer = bytes.get(at..).unwrap_or_default();
            let end = if trailer.starts_with(CRLF) {
                Some(0)
            } else {
                find(trailer, BLANK_LINE).map(|end| end + CRLF.len())
            };
            return end.map_or(End::Later, |end| End::At(at + end + CRLF.len()));
        }
        at = at.saturating_add(size).saturating_add(CRLF.len());
        if bytes.len() < at {
            return End::Later;
        }
    }
}

/// Start line, headers and body; the body without what tells its chunks apart.
fn http_wire(bytes: &[u8]) -> Wire {
    let end = head(bytes).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = text.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let start = match words.as_slice() {
        [version, status, ..] if version.starts_with("HTTP/") => Start::Status(status.parse().unwrap_or(0)),
        [method, target, ..] => Start::Request {
            method: (*method).to_owned(),
            target: (*target).to_owned(),
        },
        _ => Start::Queue,
    };
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<(String, String)> = lines.filter_map(header).collect();
    let body = bytes.get(end..).unwrap_or_default();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.to_ascii_lowercase().contains("chunked"));
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    Wire { start, headers, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = find(rest, CRLF) {
        let size = String::from_utf8_lossy(rest.get(..line).unwrap_or_default()).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let begin = line + CRLF.len();
        let Some(chunk) = rest.get(begin..begin.saturating_add(size)).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest.get(begin + size + CRLF.len()..).unwrap_or_default();
    }
    body
}

/// Where the digits of Content-Length stand.
fn length_place(bytes: &[u8]) -> Option<Range<usize>> {
    let head = bytes.get(..head(bytes)?)?.to_ascii_lowercase();
    let begin = find(&head, LENGTH)? + LENGTH.len();
    let spaces = head.get(begin..)?.iter().take_while(|byte| **byte == b' ').count();
    let digits = head
        .get(begin + spaces..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    Some(begin + spaces..begin + spaces + digits)
}

/// Where the head of an HTTP message ends.
fn head(bytes: &[u8]) -> Option<usize> {
    find(bytes, BLANK_LINE).map(|at| at + BLANK_LINE.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

const LENGTH: &[u8] = b"\r\ncontent-length:";
const CRLF: &[u8] = b"\r\n";
const BLANK_LINE: &[u8] = b"\r\n\r\n";
const COUNT_BYTES: usize = 2;
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
