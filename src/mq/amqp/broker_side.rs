//! The broker's side of a connection: TCP, TLS, and AMQP's opening words up to `connection.open-ok`.
//!
//! Whatever refuses us here is told in the broker's or the system's own words.

use super::config::{Address, AmqpConfig};
use super::wire::{FRAME_OVERHEAD, Fields, Frame, MethodId, PROTOCOL_HEADER, broken, long_string, read_frame, short_string};
use bytes::BytesMut;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for TCP: a node that is switched off must not use up the time of the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest frame that we agree to, RabbitMQ's own default; also the bound before anything is agreed.
pub(super) const FRAME_BYTES_MAX: u32 = 128 * 1024;
/// Smallest frame that AMQP 0-9-1 allows (4.2.3).
const FRAME_BYTES_MIN: u32 = 4096;
/// Below it half an interval is not longer than the time from one look of ours at the clock to the next.
const HEARTBEAT_S_MIN: u16 = 2;
const CHANNELS_MAX: u16 = 2047;

/// TLS 1.3 tells of a refused client certificate after the handshake, and a reset may overtake the telling.
const TLS_HINT: &str = " (over TLS; a broker that refuses our certificate, or misses one, ends the connection here)";

const START: MethodId = (10, 10);
const START_OK: MethodId = (10, 11);
const TUNE: MethodId = (10, 30);
const TUNE_OK: MethodId = (10, 31);
const OPEN: MethodId = (10, 40);
const OPEN_OK: MethodId = (10, 41);
const CLOSE: MethodId = (10, 50);

/// A byte stream in both directions, with or without TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What both sides of a connection agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tuning {
    pub(super) channels: u16,
    pub(super) frame_bytes: u32,
    pub(super) heartbeat_s: u16,
}

/// An open AMQP connection, as far as the broker is concerned.
pub(super) struct BrokerSide {
    pub(super) wire: Box<dyn Wire>,
    pub(super) tuning: Tuning,
}

impl BrokerSide {
    /// The password file is read here, so a changed password counts from the next connection on.
    pub(super) async fn open(config: &AmqpConfig, address: &Address, name: &str) -> Result<Self, String> {
        let mut wire = dial(config, address).await?;
        let greeted = greet(&mut wire, config, name).await;
        let tuning = greeted.map_err(|reason| if config.tls.is_some() { reason + TLS_HINT } else { reason })?;
        Ok(Self { wire, tuning })
    }
}

async fn dial(config: &AmqpConfig, address: &Address) -> Result<Box<dyn Wire>, String> {
    let place = format!("{}:{}", address.host, address.port);
    let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(place)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())),
    };
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    match &config.tls {
        None => Ok(Box::new(stream)),
        Some(tls) => Ok(Box::new(super::tls::connect(tls, &address.host, stream).await?)),
    }
}

async fn greet(wire: &mut Box<dyn Wire>, config: &AmqpConfig, name: &str) -> Result<Tuning, String> {
    wire.write_all(&PROTOCOL_HEADER).await.map_err(|error| broken(&error))?;
    wire.flush().await.map_err(|error| broken(&error))?;
    expect(wire, START).await?;
    send(wire, &Frame::method(START_OK, &start_ok(config, name)?)).await?;
    let tune = expect(wire, TUNE).await?;
    let tuning = agree(&mut tune.arguments(), config.heartbeat_s).ok_or("its terms cannot be read")?;
    if tuning.frame_bytes < FRAME_BYTES_MIN || tuning.heartbeat_s < HEARTBEAT_S_MIN {
        return Err("the broker asks for a heartbeat or a frame size that cannot be kept".to_owned());
    }
    send(wire, &tuning.frame(TUNE_OK)).await?;
    let open = [short_string(config.vhost.as_bytes()), short_string(b""), vec![0]].concat();
    send(wire, &Frame::method(OPEN, &open)).await?;
    expect(wire, OPEN_OK).await?;
    Ok(tuning)
}

/// What we are and what we can bear: the broker then tells of a refused login, of being blocked, of a consumer's end.
fn start_ok(config: &AmqpConfig, name: &str) -> Result<Vec<u8>, String> {
    let text = |key: &str, value: &str| [short_string(key.as_bytes()), vec![b'S'], long_string(value.as_bytes())].concat();
    let able = |key: &str| [short_string(key.as_bytes()), vec![b't', 1]].concat();
    let capabilities = [
        able("consumer_cancel_notify"),
        able("connection.blocked"),
        able("authentication_failure_close"),
        able("publisher_confirms"),
        able("basic.nack"),
    ];
    let properties = [
        text("product", "hangu"),
        text("version", env!("CARGO_PKG_VERSION")),
        text("connection_name", name),
        [short_string(b"capabilities"), vec![b'F'], long_string(&capabilities.concat())].concat(),
    ];
    let password = config.password.read()?;
    let response = ["\0", &config.user, "\0", &password].concat();
    let parts = [
        long_string(&properties.concat()),
        short_string(b"PLAIN"),
        long_string(response.as_bytes()),
        short_string(b"en_US"),
    ];
    Ok(parts.concat())
}

/// The smaller of both wishes; 0 means that the broker has none.
fn agree(tune: &mut Fields<'_>, heartbeat_s: u16) -> Option<Tuning> {
    let (channels, frame_bytes, heartbeat) = (tune.short()?, tune.long()?, tune.short()?);
    Some(Tuning {
        channels: if channels == 0 {
            CHANNELS_MAX
        } else {
            channels.min(CHANNELS_MAX)
        },
        frame_bytes: if frame_bytes == 0 {
            FRAME_BYTES_MAX
        } else {
            frame_bytes.min(FRAME_BYTES_MAX)
        },
        heartbeat_s: if heartbeat == 0 {
            heartbeat_s
        } else {
            heartbeat.min(heartbeat_s)
        },
    })
}

impl Tuning {
    /// `tune` or `tune-ok`: both carry the same.
    pub(super) fn frame(self, id: MethodId) -> Frame {
        let (channels, heartbeat) = (self.channels.to_be_bytes(), self.heartbeat_s.to_be_bytes());
        let arguments = [channels.as_slice(), &self.frame_bytes.to_be_bytes(), &heartbeat].concat();
        Frame::method(id, &arguments)
    }
}

pub(super) async fn send(wire: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> Result<(), String> {
    let mut bytes = BytesMut::with_capacity(frame.payload.len() + FRAME_OVERHEAD);
    frame.append_to(&mut bytes);
    wire.write_all(&bytes).await.map_err(|error| broken(&error))?;
    wire.flush().await.map_err(|error| broken(&error))
}

/// The next frame, which must be this method; a refusal comes as the broker words it.
pub(super) async fn expect(wire: &mut (impl AsyncRead + Unpin), id: MethodId) -> Result<Frame, String> {
    let frame = read_frame(wire, FRAME_BYTES_MAX as usize).await?;
    match frame.method_id() {
        Some(found) if found == id => Ok(frame),
        Some(CLOSE) => {
            let mut fields = frame.arguments();
            let code = fields.short().unwrap_or_default();
            let text = fields.short_string().unwrap_or_default();
            Err(format!("the broker refuses: {code} {}", String::from_utf8_lossy(text)))
        }
        Some(_) | None => Err("it does not answer as AMQP 0-9-1 asks".to_owned()),
    }
}

#[cfg(test)]
mod tests;
