//! Frames of AMQP 0-9-1 (section 4.2) and the few fields that opening a connection needs.
//!
//! A frame is refused by what its head claims, before any byte of its payload is read, so no peer makes us buffer more
//! than was agreed.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xCE;
/// First byte of a TLS alert record (RFC 8446, 5.1).
const TLS_ALERT: u8 = 21;

/// What stands around a payload: type, channel and size before it, the end octet after it.
pub(super) const FRAME_OVERHEAD: usize = 8;
pub(super) const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Class and method.
pub(super) type MethodId = (u16, u16);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: Bytes,
}

impl Frame {
    /// A method of the connection itself.
    pub(super) fn method((class, method): MethodId, arguments: &[u8]) -> Self {
        let payload = [&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat();
        Self {
            kind: METHOD,
            channel: 0,
            payload: payload.into(),
        }
    }

    pub(super) fn method_id(&self) -> Option<MethodId> {
        let mut fields = Fields(&self.payload);
        let id = (fields.short()?, fields.short()?);
        (self.kind == METHOD).then_some(id)
    }

    /// The arguments of a method.
    pub(super) fn arguments(&self) -> Fields<'_> {
        Fields(self.payload.get(4..).unwrap_or_default())
    }

    pub(super) fn append_to(&self, buffer: &mut BytesMut) {
        buffer.put_u8(self.kind);
        buffer.put_u16(self.channel);
        buffer.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        buffer.put_slice(&self.payload);
        buffer.put_u8(FRAME_END);
    }
}

/// Reads one frame of at most `frame_bytes_max`; the error is for people.
pub(super) async fn read_frame(reader: &mut (impl AsyncRead + Unpin), frame_bytes_max: usize) -> Result<Frame, String> {
    let mut head = [0; 7];
    reader.read_exact(&mut head).await.map_err(|error| broken(&error))?;
    let [kind, channel_high, channel_low, size @ ..] = head;
    if let Some(reason) = foreign(kind) {
        return Err(reason.to_owned());
    }
    let size = u32::from_be_bytes(size) as usize;
    if size.saturating_add(FRAME_OVERHEAD) > frame_bytes_max {
        return Err(format!("a frame claims {size} bytes, over the limit of {frame_bytes_max}"));
    }
    let mut payload = vec![0; size];
    reader.read_exact(&mut payload).await.map_err(|error| broken(&error))?;
    let end = reader.read_u8().await.map_err(|error| broken(&error))?;
    if end != FRAME_END {
        return Err("a frame does not end where it says".to_owned());
    }
    Ok(Frame {
        kind,
        channel: u16::from_be_bytes([channel_high, channel_low]),
        payload: payload.into(),
    })
}

/// Whether a whole frame is in the buffer, so that reading it waits for nobody.
pub(super) fn holds_frame(buffer: &[u8]) -> bool {
    let mut fields = Fields(buffer);
    let size = fields.bytes(3).and_then(|_| fields.long());
    size.is_some_and(|size| buffer.len().saturating_sub(FRAME_OVERHEAD) >= size as usize) && buffer.len() >= FRAME_OVERHEAD
}

pub(super) fn broken(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return "the connection was closed by the other side".to_owned();
    }
    format!("the connection broke: {error}")
}

/// What a first byte says that begins no frame.
fn foreign(kind: u8) -> Option<&'static str> {
    match kind {
        METHOD | HEADER | BODY | HEARTBEAT => None,
        b'A' => Some("it asks for another version of AMQP than 0-9-1"),
        TLS_ALERT => Some("it answers with TLS: set tls_ca_file"),
        _ => Some("what it sends is no AMQP frame"),
    }
}

/// Reads fields one after another; `None` where they do not fit.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        Some(u8::from_be_bytes(self.bytes(1)?.try_into().ok()?))
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn long_long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub(super) fn short_string(&mut self) -> Option<&'a [u8]> {
        let size = self.octet()?;
        self.bytes(usize::from(size))
    }

    /// A long string, or a table: both begin with their size.
    pub(super) fn long_string(&mut self) -> Option<&'a [u8]> {
        let size = self.long()?;
        self.bytes(usize::try_from(size).ok()?)
    }
}

/// A short string; what is over 255 bytes was refused when the settings were checked.
pub(super) fn short_string(bytes: &[u8]) -> Vec<u8> {
    let size = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    let kept = bytes.iter().copied().take(usize::from(size));
    std::iter::once(size).chain(kept).collect()
}

/// A long string, or a table of ready entries.
pub(super) fn long_string(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&size.to_be_bytes(), bytes].concat()
}
