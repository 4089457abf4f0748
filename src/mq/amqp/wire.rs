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

/// Type, channel and size.
const HEAD_BYTES: usize = 7;
/// What stands around a payload: the head before it, the end octet after it.
pub(super) const FRAME_OVERHEAD: usize = HEAD_BYTES + 1;
pub(super) const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Class and method.
pub(super) type MethodId = (u16, u16);

/// A frame of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: Bytes,
}

/// A frame where it lies in what was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct View<'a> {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: &'a [u8],
}

impl Frame {
    /// A method of the connection itself.
    pub(super) fn method(id: MethodId, arguments: &[u8]) -> Self {
        Self {
            kind: METHOD,
            channel: 0,
            payload: [method_head(id).as_slice(), arguments].concat().into(),
        }
    }

    pub(super) fn method_id(&self) -> Option<MethodId> {
        self.view().method_id()
    }

    /// The arguments of a method.
    pub(super) fn arguments(&self) -> Fields<'_> {
        self.view().arguments()
    }

    pub(super) fn append_to(&self, buffer: &mut BytesMut) {
        put_frame(buffer, self.kind, self.channel, std::iter::once(&self.payload[..]));
    }

    fn view(&self) -> View<'_> {
        View {
            kind: self.kind,
            channel: self.channel,
            payload: &self.payload,
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn method_id(self) -> Option<MethodId> {
        let mut fields = Fields(self.payload);
        let id = (fields.short()?, fields.short()?);
        (self.kind == METHOD).then_some(id)
    }

    /// The arguments of a method.
    pub(super) fn arguments(self) -> Fields<'a> {
        Fields(self.payload.get(4..).unwrap_or_default())
    }

    pub(super) fn to_frame(self) -> Frame {
        Frame {
            kind: self.kind,
            channel: self.channel,
            payload: Bytes::copy_from_slice(self.payload),
        }
    }

    /// Its bytes on the wire.
    pub(super) fn size(self) -> usize {
        self.payload.len() + FRAME_OVERHEAD
    }
}

pub(super) fn put_frame<'a>(buffer: &mut BytesMut, kind: u8, channel: u16, payload: impl Iterator<Item = &'a [u8]> + Clone) {
    let size = payload.clone().map(<[u8]>::len).sum::<usize>();
    buffer.reserve(size + FRAME_OVERHEAD);
    buffer.put_u8(kind);
    buffer.put_u16(channel);
    buffer.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    for part in payload {
        buffer.put_slice(part);
    }
    buffer.put_u8(FRAME_END);
}

pub(super) fn method_head((class, method): MethodId) -> [u8; 4] {
    let ([a, b], [c, d]) = (class.to_be_bytes(), method.to_be_bytes());
    [a, b, c, d]
}

/// Reads one frame of at most `frame_bytes_max`; the error is for people.
pub(super) async fn read_frame(reader: &mut (impl AsyncRead + Unpin), frame_bytes_max: usize) -> Result<Frame, String> {
    let mut frame = vec![0; HEAD_BYTES];
    reader.read_exact(&mut frame).await.map_err(|error| broken(&error))?;
    let size = frame_size(&frame, frame_bytes_max)?.unwrap_or(FRAME_OVERHEAD);
    frame.resize(size, 0);
    let rest = frame.get_mut(HEAD_BYTES..).unwrap_or_default();
    reader.read_exact(rest).await.map_err(|error| broken(&error))?;
    let whole = first_frame(&frame, frame_bytes_max)?;
    whole.map(View::to_frame).ok_or_else(|| "a frame is cut".to_owned())
}

/// The frame that a buffer begins with, if all of it is there.
pub(super) fn first_frame(buffer: &[u8], frame_bytes_max: usize) -> Result<Option<View<'_>>, String> {
    let Some(size) = frame_size(buffer, frame_bytes_max)? else {
        return Ok(None);
    };
    let [kind, channel_high, channel_low, _, _, _, _, payload @ .., end] = buffer.get(..size).unwrap_or_default() else {
        return Ok(None);
    };
    if *end != FRAME_END {
        return Err("a frame does not end where it says".to_owned());
    }
    Ok(Some(View {
        kind: *kind,
        channel: u16::from_be_bytes([*channel_high, *channel_low]),
        payload,
    }))
}

/// Bytes of the frame that begins here, once its head is there.
fn frame_size(buffer: &[u8], frame_bytes_max: usize) -> Result<Option<usize>, String> {
    if let Some(reason) = buffer.first().and_then(|kind| foreign(*kind)) {
        return Err(reason.to_owned());
    }
    let mut fields = Fields(buffer);
    let Some(payload) = fields.bytes(3).and_then(|_| fields.long()) else {
        return Ok(None);
    };
    let size = (payload as usize).saturating_add(FRAME_OVERHEAD);
    if size > frame_bytes_max {
        return Err(format!("a frame claims {payload} bytes, over the limit of {frame_bytes_max}"));
    }
    Ok(Some(size))
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
    let mut string = Vec::with_capacity(bytes.len() + 1);
    put_short_string(&mut string, bytes);
    string
}

pub(super) fn put_short_string(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let size = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    buffer.push(size);
    buffer.extend(bytes.iter().take(usize::from(size)));
}

/// A long string, or a table of ready entries.
pub(super) fn long_string(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&size.to_be_bytes(), bytes].concat()
}
