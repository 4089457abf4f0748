//! One message on a stream: an HTTP/1.1 message with its body, or a frame behind two bytes that count.

use tokio::io::{AsyncRead, AsyncReadExt};

/// How messages are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    Http,
    /// Two bytes, the higher one first, then as many bytes.
    Counted,
}

/// Bytes that were read and belong to no message yet.
#[derive(Default)]
pub(super) struct Rest(Vec<u8>);

/// A whole message with the place where its content begins.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) content: usize,
}

/// Where a message ends, as far as its beginning says.
enum End {
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
                    let bytes = std::mem::replace(&mut rest.0, behind);
                    let content = self.content(&bytes);
                    return Ok(Some(Frame { bytes, content }));
                }
                End::Later | End::AtClose if rest.0.len() > MESSAGE_BYTES_MAX => {
                    return Err(std::io::Error::other("a message without an end"));
                }
                End::Later | End::AtClose => {}
            }
            if stream.read_buf(&mut rest.0).await? == 0 {
                let bytes = std::mem::take(&mut rest.0);
                let content = self.content(&bytes);
                return Ok((!bytes.is_empty()).then_some(Frame { bytes, content }));
            }
        }
    }

    fn content(self, bytes: &[u8]) -> usize {
        match self {
            Self::Http => head(bytes).unwrap_or(0),
            Self::Counted => COUNT_BYTES,
        }
    }

    fn end(self, bytes: &[u8]) -> End {
        match self {
            Self::Counted => match bytes.first_chunk::<COUNT_BYTES>() {
                Some(count) => within(bytes, COUNT_BYTES + usize::from(u16::from_be_bytes(*count))),
                None => End::Later,
            },
            Self::Http => http_end(bytes),
        }
    }
}

fn within(bytes: &[u8], end: usize) -> End {
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

/// Where the head of an HTTP message ends.
fn head(bytes: &[u8]) -> Option<usize> {
    find(bytes, BLANK_LINE).map(|at| at + BLANK_LINE.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

const CRLF: &[u8] = b"\r\n";
const BLANK_LINE: &[u8] = b"\r\n\r\n";
const COUNT_BYTES: usize = 2;
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
