//! A connection of the platform that can be told to go wrong: to speak slowly, or to end behind an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What whoever answers on a connection says about it.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<Orders>);

#[derive(Default)]
struct Orders {
    /// Between two pieces of the next answer, in microseconds.
    pause_us: AtomicU64,
    hangs_up: AtomicBool,
}

impl Line {
    /// The next answer, whose body has so many bytes, takes about so long.
    pub(super) fn drip(&self, whole: Duration, body_bytes: u64) {
        let pieces = (body_bytes + HEAD_BYTES) / PIECE_BYTES as u64 + 1;
        let pause = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX) / pieces;
        self.0.pause_us.store(pause, Ordering::SeqCst);
    }

    /// The connection ends behind the next answer.
    pub(super) fn hang_up(&self) {
        self.0.hangs_up.store(true, Ordering::SeqCst);
    }
}

/// The connection itself.
pub(super) struct Tap {
    stream: TcpStream,
    line: Line,
    pause: Option<Pin<Box<Sleep>>>,
    /// When the piece before went out, or should have: a late one makes none of the others late.
    went: Option<Instant>,
    /// Something was written since the last flush.
    is_written: bool,
}

impl Tap {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            line: Line::default(),
            pause: None,
            went: None,
            is_written: false,
        }
    }

    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let pause_us = self.line.0.pause_us.load(Ordering::SeqCst);
        let piece = if pause_us == 0 {
            bytes.len()
        } else {
            PIECE_BYTES.min(bytes.len())
        };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes.get(..piece).unwrap_or_default()))?;
        self.is_written = true;
        if pause_us > 0 {
            let next = self.went.unwrap_or_else(Instant::now) + Duration::from_micros(pause_us);
            self.went = Some(next);
            self.pause = Some(Box::pin(sleep_until(next)));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.is_written {
            self.line.0.pause_us.store(0, Ordering::SeqCst);
            self.went = None;
            if self.line.0.hangs_up.load(Ordering::SeqCst) {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            }
        }
        self.is_written = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const PIECE_BYTES: usize = 16;
/// About as long as an answer's head.
const HEAD_BYTES: u64 = 250;
