//! One institution with a link of its own, whichever it is: what it says, when and how it signs is read from its spec.
//!
//! It calls the gateway, or is called by it, as the spec's directions say; it keeps books of its own and verifies every
//! signature of ours. What a spec cannot say stands in `habits`.

mod books; // what it knows of each payment
mod client; // what it sends, and its notices
mod course; // what is played
mod framing; // frames that are no good
mod habits; // what no spec says
mod line; // transports
mod material; // which keys a link needs
mod play; // a course from beginning to end
mod request; // requests from a spec's examples
mod script; // what a tester tells it to do
mod server; // how it answers
mod session; // what comes before its first message

#[cfg(test)]
mod tests;

pub use course::{Course, Manner, asked};
pub use habits::member;
pub use material::{keys, suite};
pub use play::DirectPlayed;
pub use request::{Order, request};
pub use script::{Conduct, DirectFault, Script};

use crate::counterparty::{Party, Refusal, Step};
use crate::report::{Book, Shelf};
use crate::world::World;
use books::Books;
use codecs::spec::Spec;
use line::Line;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How it waits, and where its serials begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectConfig {
    /// Where the gateway listens for it, such as `http://127.0.0.1:8300` or `tcp://127.0.0.1:8583`.
    pub gateway: String,
    pub first_serial: u64,
    /// Of one exchange.
    pub attempt_ms: u64,
    /// Between two sends of the same bytes, and before a notice.
    pub pause_ms: u64,
    /// Until it stops asking.
    pub final_ms: u64,
    /// It also sends frames that are no good, and good ones in unusual segments.
    pub bad_frames: bool,
}

impl DirectConfig {
    pub fn new(gateway: &str, first_serial: u64) -> Self {
        Self {
            gateway: gateway.to_owned(),
            first_serial,
            attempt_ms: 5_000,
            pause_ms: 200,
            final_ms: 60_000,
            bad_frames: false,
        }
    }
}

/// What it saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DirectFigures {
    /// Messages of ours whose signature held under our public key.
    pub verified: u64,
    /// Messages of ours that it did not accept.
    pub rejected: u64,
    /// Messages that it signed wrongly on purpose, and how many of these the gateway refused.
    pub forged: u64,
    pub forged_refused: u64,
    /// Notices that the gateway acknowledged.
    pub notices: u64,
    /// Sends of bytes that had been sent before.
    pub repeats: u64,
}

/// A running institution; cheap to clone.
#[derive(Clone)]
pub struct Direct {
    inner: Arc<Inner>,
}

struct Inner {
    party: Party,
    world: World,
    config: DirectConfig,
    line: Line,
    books: Mutex<Books>,
    /// How it treats what it is asked under a name, where not as usual.
    manners: Mutex<BTreeMap<String, Manner>>,
    script: Mutex<Option<Script>>,
    silent: AtomicBool,
    counts: Counts,
    stop: CancellationToken,
    server: Mutex<Option<JoinHandle<()>>>,
    opened: OnceCell<()>,
}

#[derive(Default)]
struct Counts {
    verified: AtomicU64,
    rejected: AtomicU64,
    forged: AtomicU64,
    forged_refused: AtomicU64,
    notices: AtomicU64,
    repeats: AtomicU64,
    executed: AtomicU64,
}

/// Starts an institution that takes calls on a bound listener, if it is one that the bank calls. Only specs whose messages go by
/// HTTP or as frames can be played so far, and those of frames only call.
pub fn start(listener: Option<TcpListener>, party: Party, world: World, config: DirectConfig) -> Result<Direct, Refusal> {
    if !is_played(party.spec()?) {
        return Err(Refusal {
            step: Step::Build,
            text: format!(
                "codec {} has neither HTTP nor frames, and there is no other line to it",
                party.spec()?.codec
            ),
        });
    }
    let direct = Direct {
        inner: Arc::new(Inner {
            line: Line::to(&config.gateway),
            party,
            world,
            config,
            books: Mutex::default(),
            manners: Mutex::default(),
            script: Mutex::default(),
            silent: AtomicBool::new(false),
            counts: Counts::default(),
            stop: CancellationToken::new(),
            server: Mutex::default(),
            opened: OnceCell::new(),
        }),
    };
    let serving = listener.map(|listener| tokio::spawn(server::serve(listener, direct.clone())));
    *held(&direct.inner.server) = serving;
    Ok(direct)
}

/// Whether an institution of this spec can be stood in for: it has a link of its own, and is not the bank's own platform.
pub fn is_played(spec: &Spec) -> bool {
    (spec.speaks_http() && spec.codec != "platform") || spec.speaks_frames()
}

impl Direct {
    pub fn spec(&self) -> Result<&Spec, Refusal> {
        self.inner.party.spec()
    }

    /// How many courses it begins itself before they begin again; none for an institution that only answers.
    pub fn calling(&self) -> Result<u64, Refusal> {
        Ok(self.courses()?.len() as u64)
    }

    fn courses(&self) -> Result<Vec<Course>, Refusal> {
        let mut courses = course::calling(self.spec()?);
        if self.inner.config.bad_frames {
            courses.extend(course::framed(self.spec()?));
        }
        Ok(courses)
    }

    /// How many courses the bank's platform begins with it.
    pub fn called(&self) -> Result<u64, Refusal> {
        Ok(course::called(self.spec()?).len() as u64)
    }

    pub fn books(&self) -> Book {
        held(&self.inner.books).book()
    }

    /// Of payments that are over so many are remembered; older ones go onto the shelf.
    pub fn remember(&self, size: usize, shelf: Box<dyn Shelf>) {
        held(&self.inner.books).remember(size, shelf);
    }

    /// Puts what is still remembered onto the shelf too, and closes it.
    pub fn shelve(&self) -> Result<(), String> {
        held(&self.inner.books).shelve()
    }

    pub fn figures(&self) -> DirectFigures {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts {
            verified,
            rejected,
            forged,
            forged_refused,
            notices,
            repeats,
            executed: _,
        } = &self.inner.counts;
        DirectFigures {
            verified: count(verified),
            rejected: count(rejected),
            forged: count(forged),
            forged_refused: count(forged_refused),
            notices: count(notices),
            repeats: count(repeats),
        }
    }

    /// Stops serving and waits until every connection is closed.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        let serving = held(&self.inner.server).take();
        if let Some(serving) = serving
            && serving.await.is_err()
        {
            tracing::warn!("an institution's server ended by a panic");
        }
    }
}

/// The books are whole between any two calls, so a panicked holder does not spoil them.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one_more(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}

/// To whoever watches.
const NAME: &str = "institution";
