//! Kept connections to one counterparty. A request and its answer pass on the task that waits for them: no task stands behind a
//! connection, and one that lies idle is looked at when it is taken, or when another one is put beside it.

use super::dial::{Dialer, is_certificate_refused, told};
use super::line::Line;
use crate::exchange::CallError;
use crate::limits;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::http::response;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct Pool {
    dialer: Dialer,
    /// The one that has lain longest first.
    idle: Mutex<VecDeque<(Box<Kept>, Instant)>>,
}

/// Whether bytes of a request may have gone out: until then it was certainly not sent.
#[derive(Default)]
pub(super) struct Going(AtomicBool);

/// An answer whose body has come to its end.
pub(super) type Answer = (response::Parts, Bytes);

/// One connection between two requests. What it has to do is done while it is polled, and by nobody else.
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Line>, Full<Bytes>>,
    has_ended: bool,
}

/// Why a request got no answer over one connection.
enum Broken {
    /// It was not begun: the connection had ended before.
    Untouched(Box<Request<Full<Bytes>>>, hyper::Error),
    Begun(hyper::Error),
    /// The answer's body did not come to its end.
    Body(String),
}

impl Going {
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Pool {
    pub(super) fn new(dialer: Dialer) -> Self {
        Self {
            dialer,
            idle: Mutex::default(),
        }
    }

    /// Sends a request to `target` over a kept connection, or a new one where none is left.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        target: &Uri,
        going: &Going,
    ) -> Result<Answer, CallError> {
        loop {
            let idle = self.take().await;
            let is_new = idle.is_none();
            let mut kept = match idle {
                Some(kept) => kept,
                None => self.open(target).await?,
            };
            going.0.store(true, Ordering::Relaxed);
            match kept.exchange(request).await {
                Ok(answer) => {
                    if kept.is_fit().await {
                        self.put(kept);
                    }
                    return Ok(answer);
                }
                // The other side has closed it meanwhile, and nothing of the request is gone.
                Err(Broken::Untouched(untouched, _)) if !is_new => {
                    going.0.store(false, Ordering::Relaxed);
                    request = *untouched;
                }
                Err(broken) => return Err(broken.told()),
            }
        }
    }

    async fn open(&self, target: &Uri) -> Result<Box<Kept>, CallError> {
        let line = self.dialer.dial(target.clone()).await;
        let line = line.map_err(|error| CallError::NotSent(told(&error)))?;
        let (sender, connection) = http1::handshake(TokioIo::new(line))
            .await
            .map_err(|error| CallError::NotSent(told(&error)))?;
        Ok(Box::new(Kept {
            sender,
            connection,
            has_ended: false,
        }))
    }

    /// The connection that was used last, if it still stands.
    async fn take(&self) -> Option<Box<Kept>> {
        loop {
            let (mut kept, since) = self.lock().pop_back()?;
            if since.elapsed() < IDLE_MAX && kept.is_fit().await {
                return Some(kept);
            }
        }
    }

    /// Keeps a connection for the next request, and closes those that have lain too long.
    fn put(&self, kept: Box<Kept>) {
        let mut idle = self.lock();
        let stale = idle.iter().take_while(|(_, since)| since.elapsed() >= IDLE_MAX).count();
        idle.drain(..stale);
        if idle.len() < limits::POOL_IDLE_MAX {
            idle.push_back((kept, Instant::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Box<Kept>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// One request and its whole answer.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let Self {
            sender,
            connection,
            has_ended,
        } = self;
        let sending = sender.try_send_request(request);
        let mut answer = pin!(async {
            let answered = sending.await.map_err(|mut failed| match failed.take_message() {
                Some(request) => Broken::Untouched(Box::new(request), failed.into_error()),
                None => Broken::Begun(failed.into_error()),
            })?;
            let (head, body) = answered.into_parts();
            let body = Limited::new(body, limits::BODY_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Broken::Body(error.to_string()))?;
            Ok((head, body.to_bytes()))
        });
        poll_fn(|cx| {
            for _ in 0..TURNS {
                // What it reports of its end, the request reports too.
                *has_ended = *has_ended || Pin::new(&mut *connection).poll(cx).is_ready();
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Whether it can take another request: nobody has closed it, and the last answer is over.
    async fn is_fit(&mut self) -> bool {
        if !self.has_ended {
            self.has_ended = poll_fn(|cx| Poll::Ready(Pin::new(&mut self.connection).poll(cx).is_ready())).await;
        }
        !self.has_ended && self.sender.is_ready()
    }
}

impl Broken {
    fn told(self) -> CallError {
        match self {
            Self::Untouched(_, error) => CallError::NotSent(told(&error)),
            Self::Begun(error) if is_certificate_refused(&error) => CallError::NotSent(told(&error)),
            Self::Begun(error) => CallError::Unknown(told(&error)),
            Self::Body(reason) => CallError::Unknown(format!("answer broken off: {reason}")),
        }
    }
}

/// Head and body of an answer that is there already come in one poll.
const TURNS: usize = 2;
/// Shorter than servers usually keep idle connections, so that a request does not meet a closing one.
const IDLE_MAX: Duration = Duration::from_secs(20);
