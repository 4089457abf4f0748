//! One connection: messages from both sides, each passed on as the judge says.

use super::frame::{Frame, Framing, Rest};
use super::rules::{Direction, Mishap, Verdict};
use super::{Shared, Stream};
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Carries a connection until one side, a mishap or a death ends it.
pub(super) async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let death = shared.death();
    let carried = async {
        let client = shared.route.inbound.shake(client).await?;
        let server = connect(&shared).await?;
        let (mut client_in, mut client_out) = tokio::io::split(client);
        let (mut server_in, mut server_out) = tokio::io::split(server);
        tokio::select! {
            ended = pump(&mut client_in, &mut server_out, Direction::Request, &shared) => ended,
            ended = pump(&mut server_in, &mut client_out, Direction::Reply, &shared) => ended,
        }
    };
    let ended = tokio::select! {
        ended = carried => ended,
        () = death => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn connect(shared: &Shared) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&shared.route.target).await?;
    shared.route.outbound.shake(stream).await
}

/// Passes the messages of one side on, until it ends or a mishap cuts the connection.
async fn pump(
    source: &mut (impl AsyncRead + Unpin),
    target: &mut (impl AsyncWrite + Unpin),
    direction: Direction,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let (framing, mut rest) = (shared.route.framing, Rest::default());
    while let Some(frame) = framing.read(source, &mut rest).await? {
        let verdict = shared.judge().over(direction, &frame.bytes);
        let Some(verdict) = verdict else {
            send(target, &frame.bytes).await?;
            continue;
        };
        if !pass(target, frame, verdict, direction, shared).await? {
            return Ok(());
        }
    }
    if direction == Direction::Request {
        // A client that has said all may still wait for its answer.
        target.shutdown().await?;
        return pending().await;
    }
    Ok(())
}

/// Whether the connection lives on.
async fn pass(
    target: &mut (impl AsyncWrite + Unpin),
    mut frame: Frame,
    mut verdict: Verdict,
    direction: Direction,
    shared: &Arc<Shared>,
) -> io::Result<bool> {
    let wait = Duration::from_millis(verdict.ms);
    match verdict.fault {
        Mishap::Drop => return Ok(false),
        Mishap::Never => {}
        Mishap::Delay => {
            tokio::time::sleep(wait).await;
            send(target, &frame.bytes).await?;
        }
        Mishap::Repeat => {
            send(target, &frame.bytes).await?;
            repeat(target, &frame, direction, shared).await?;
        }
        Mishap::Truncate => {
            frame.bytes.truncate(frame.bytes.len() * 2 / 3);
            send(target, &frame.bytes).await?;
            target.shutdown().await?;
            return Ok(false);
        }
        Mishap::CorruptByte => {
            verdict.corrupt(&mut frame.bytes, frame.content);
            send(target, &frame.bytes).await?;
        }
        Mishap::Drip => {
            for piece in frame.bytes.chunks(DRIP_BYTES) {
                send(target, piece).await?;
                tokio::time::sleep(wait).await;
            }
        }
        Mishap::Die => {
            send(target, &frame.bytes).await?;
            shared.die(wait);
            return Ok(false);
        }
    }
    Ok(true)
}

/// A frame goes over the same connection; an HTTP request over one of its own, since its answer would be taken for the next.
async fn repeat(
    target: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
    direction: Direction,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    match (shared.route.framing, direction) {
        (Framing::Counted, _) => send(target, &frame.bytes).await,
        (Framing::Http, Direction::Reply) => Ok(()),
        (Framing::Http, Direction::Request) => {
            let mut second = connect(shared).await?;
            send(&mut second, &frame.bytes).await?;
            shared.route.framing.read(&mut second, &mut Rest::default()).await.map(drop)
        }
    }
}

async fn send(target: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    target.write_all(bytes).await?;
    target.flush().await
}

const DRIP_BYTES: usize = 16;
