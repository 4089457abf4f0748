//! Frames over TCP as the simulators speak them: two bytes that count, the network's address (TPDU), the message.

use codecs::wire::Wire;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a message on a connection of its own and reads the answer, which must come back to where the message came from.
pub(crate) async fn round_trip(address: &str, message: &[u8]) -> Result<Wire, String> {
    let exchanged = exchange(address, message).await;
    exchanged.map_err(|error| error.to_string())
}

async fn exchange(address: &str, message: &[u8]) -> io::Result<Wire> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let length = u16::try_from(message.len() + OUTWARD.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&length.to_be_bytes(), &OUTWARD[..], message].concat())
        .await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let body = answer.strip_prefix(&HOMEWARD);
    let body = body.ok_or_else(|| io::Error::other("the answer went to another address"))?;
    Ok(Wire::queue(body.to_vec()))
}

/// To the host at 0003, from the terminal at 0001, and back.
const OUTWARD: [u8; 5] = [0x60, 0, 3, 0, 1];
const HOMEWARD: [u8; 5] = [0x60, 0, 1, 0, 3];
