//! A new connection becomes one that HTTP is spoken on: the TLS handshake of a listener that has certificates.

use super::serve::Served;
use crate::link::line::Line;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// None where there is nobody to speak with.
pub(super) async fn hands(stream: TcpStream, served: &Served) -> Option<Line> {
    let Some(renewing) = &served.door.listener else {
        return Some(Line::Clear(stream));
    };
    // Read for each connection, so that a renewed certificate counts from the next one on.
    let acceptor = TlsAcceptor::from(renewing.current().config.clone());
    let peer = stream
        .peer_addr()
        .map_or_else(|_| "gone".to_owned(), |peer| peer.ip().to_string());
    let shaken = timeout(served.bounds.handshake_max, sealed(stream, acceptor)).await;
    match shaken {
        Ok(Ok(line)) => return Some(line),
        Ok(Err(error)) => {
            tell(served, &peer, &error.to_string());
            // Handshakes cost work: as many failed ones as somebody likes to begin would take it from other links. While
            // they wait for their turn they hold their places, which bounds how many there are.
            let _turn = served.door.failed.lock().await;
            sleep(FAILED_PAUSE).await;
        }
        Err(_elapsed) => {
            let limit = served.bounds.handshake_max.as_millis();
            tell(served, &peer, &format!("not over within {limit} ms"));
        }
    }
    None
}

/// Anybody can come to nothing as often as he likes, and must not fill the log by it.
fn tell(served: &Served, peer: &str, reason: &str) {
    let counts = &served.door.counts;
    let count = counts.unshaken();
    if counts.may_tell(Instant::now()) {
        tracing::warn!(link = served.name, peer, count, reason, "TLS handshake came to nothing");
    } else {
        tracing::debug!(link = served.name, peer, count, reason, "TLS handshake came to nothing");
    }
}

async fn sealed(mut stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Line> {
    if speaks_in_clear(&stream).await? {
        stream.write_all(IN_CLEAR).await?;
        stream.shutdown().await?;
        // What is unread when a connection is dropped resets it, and with it what was answered.
        tokio::io::copy(&mut stream.take(IN_CLEAR_BYTES_MAX), &mut tokio::io::sink()).await?;
        return Err(io::Error::other("the client speaks HTTP without TLS"));
    }
    acceptor.accept(stream).await.map(Line::sealed)
}

/// A method begins with a capital letter, a TLS record never does (RFC 8446 5.1).
async fn speaks_in_clear(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let count = stream.peek(&mut first).await?;
    Ok(count > 0 && first[0].is_ascii_uppercase())
}

const IN_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 27\r\n\
    connection: close\r\n\r\nthis port speaks HTTPS only";
const IN_CLEAR_BYTES_MAX: u64 = 64 * 1024;
/// At most a hundred failed handshakes a second cost a few hundredths of a processor.
const FAILED_PAUSE: Duration = Duration::from_millis(10);
