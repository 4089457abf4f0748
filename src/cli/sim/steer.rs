//! A counterparty that plays its share of a mix, and an admin port by which it is told what to do meanwhile.

use super::{CONCURRENCY_MAX, Exit, Failure, Settings};
use crate::cli::output;
use crate::cli::signals::Signals;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use simulators::load::{Load, Tap, drive_through};
use simulators::mix::{Flow, Planned, endless, plan};
use simulators::play::Played;
use simulators::report::Book;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

#[derive(clap::Args, Clone)]
pub(super) struct Steering {
    /// Play the mix without an end instead of a number of payments.
    #[arg(long, conflicts_with = "payments")]
    endless: bool,
    /// Listen here, on loopback, for: GET /figures, GET /books, POST /pause, POST /resume (arrivals alone), POST /faults
    /// with a JSON list such as `[{"fault":"never","when":{"nth":3}}]` that replaces what goes wrong.
    #[arg(long, value_parser = loopback)]
    admin: Option<SocketAddr>,
    /// Book of an earlier run, which this one goes on with.
    #[arg(long)]
    carry: Option<PathBuf>,
    /// Seconds until the party gives up waiting for a final outcome.
    #[arg(long, default_value_t = PATIENCE_S)]
    pub(super) patience_s: u64,
}

impl Steering {
    /// Of a party that nobody steers.
    pub(super) const fn none() -> Self {
        Self {
            endless: false,
            admin: None,
            carry: None,
            patience_s: PATIENCE_S,
        }
    }

    pub(super) fn carried(&self) -> Result<Book, Failure> {
        self.carry
            .as_deref()
            .map_or_else(|| Ok(Book::default()), crate::cli::parties::read_book)
    }
}

/// What the admin port looks at and changes.
pub(super) trait Party: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn books(&self) -> Book;
    fn figures(&self) -> Value;
    /// Replaces the faults by those of a JSON text.
    fn set_faults(&self, rules: &[u8]) -> Result<(), String>;
}

/// A party that plays.
pub(super) struct Steered<P> {
    shared: Arc<Shared<P>>,
    /// Ends with this, and lets go of the party.
    _admin: Option<AbortOnDropHandle<()>>,
}

struct Shared<P> {
    party: Arc<P>,
    tap: Tap,
    progress: Progress,
}

impl<P: Party> Steered<P> {
    /// Opens the admin port, if one is asked for.
    pub(super) async fn new(steering: &Steering, party: Arc<P>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            party,
            tap: Tap::default(),
            progress: Progress::default(),
        });
        let admin = match steering.admin {
            Some(address) => Some(serve(address, Arc::clone(&shared)).await?),
            None => None,
        };
        Ok(Self { shared, _admin: admin })
    }

    /// Plays the party's share, says how it went, and goes on serving until SIGTERM.
    pub(super) async fn play<W, F>(&self, settings: &Settings, steering: &Steering, flow: Flow, work: W) -> Result<(), Failure>
    where
        W: Fn(Planned) -> F + Send + Sync + 'static,
        F: Future<Output = Played> + Send + 'static,
    {
        let mut signals = Signals::heard()?;
        let (shared, work) = (Arc::clone(&self.shared), Arc::new(work));
        let counted = move |planned: Planned| {
            let (shared, work) = (Arc::clone(&shared), Arc::clone(&work));
            async move {
                shared.progress.started.fetch_add(1, Ordering::Relaxed);
                shared.progress.reached.fetch_max(planned.n + 1, Ordering::Relaxed);
                shared.progress.end(&work(planned).await);
            }
        };
        if steering.endless {
            let (items, load) = (endless(settings.seed, flow), endless_load(settings, flow));
            tokio::select! {
                () = drive_through(&self.shared.tap, items, load, counted, |_done| {}) => {}
                () = signals.one() => {}
            }
            self.say();
            return Ok(());
        }
        let share = settings.share(flow);
        let load = Load {
            rate_per_s: settings.share_rate(share.len()),
            concurrency_max: CONCURRENCY_MAX,
        };
        drive_through(&self.shared.tap, share, load, counted, |_done| {}).await;
        self.say();
        signals.one().await;
        Ok(())
    }

    /// One line that says how a share went; the first complaints are in it.
    fn say(&self) {
        output::say(&self.shared.summary().to_string());
    }
}

impl<P: Party> Shared<P> {
    fn summary(&self) -> Value {
        let Progress {
            started,
            reached,
            finished,
            answered,
            as_planned,
            complaints,
        } = &self.progress;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // In this order, so that what ends in between is not counted as begun before it ended.
        let finished = count(finished);
        json!({
            "party": self.party.name(),
            "open": count(started).saturating_sub(finished),
            "started": count(started),
            "reached": count(reached),
            "played": finished,
            "answered": count(answered),
            "as_planned": count(as_planned),
            "complaints": *complaints.lock().unwrap_or_else(PoisonError::into_inner),
            "paused": !self.tap.is_open(),
            "figures": self.party.figures(),
        })
    }
}

/// Counts of the payments played.
#[derive(Default)]
struct Progress {
    started: AtomicU64,
    /// How far into the plan, whose numbers both parties share.
    reached: AtomicU64,
    finished: AtomicU64,
    /// Messages that got an answer.
    answered: AtomicU64,
    as_planned: AtomicU64,
    /// The first of what was not as planned.
    complaints: Mutex<Vec<String>>,
}

impl Progress {
    fn end(&self, played: &Played) {
        let answered = played.messages.iter().filter(|message| message.first_ms.is_some()).count();
        self.answered.fetch_add(answered as u64, Ordering::Relaxed);
        self.as_planned.fetch_add(u64::from(played.as_expected), Ordering::Relaxed);
        if let Some(complaint) = &played.complaint {
            tracing::warn!(n = played.n, complaint, "not as planned");
            let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            if complaints.len() < COMPLAINTS_MAX {
                complaints.push(complaint.clone());
            }
        }
        self.finished.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve<P: Party>(address: SocketAddr, shared: Arc<Shared<P>>) -> Result<AbortOnDropHandle<()>, Failure> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| Failure::new(Exit::Unavailable, address.to_string(), error))?;
    let router = Router::new()
        .route("/figures", get(figures::<P>))
        .route("/books", get(books::<P>))
        .route(
            "/pause",
            post(|shared: State<Arc<Shared<P>>>| async move { shared.tap.open(false) }),
        )
        .route(
            "/resume",
            post(|shared: State<Arc<Shared<P>>>| async move { shared.tap.open(true) }),
        )
        .route("/faults", post(faults::<P>))
        .with_state(shared);
    let serving = async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin port ended");
        }
    };
    Ok(AbortOnDropHandle::new(tokio::spawn(serving)))
}

async fn figures<P: Party>(State(shared): State<Arc<Shared<P>>>) -> String {
    shared.summary().to_string()
}

async fn books<P: Party>(State(shared): State<Arc<Shared<P>>>) -> String {
    output::json(&shared.party.books())
}

async fn faults<P: Party>(State(shared): State<Arc<Shared<P>>>, rules: Bytes) -> (StatusCode, String) {
    match shared.party.set_faults(&rules) {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => (StatusCode::BAD_REQUEST, error),
    }
}

/// The rate of one flow of an endless mix, so that both together arrive at the rate asked for.
fn endless_load(settings: &Settings, flow: Flow) -> Load {
    let of_flow = plan(settings.seed, SAMPLE)
        .iter()
        .filter(|planned| planned.flow == flow)
        .count();
    let rate = u64::from(settings.rate).saturating_mul(of_flow as u64) / SAMPLE;
    Load {
        rate_per_s: u32::try_from(rate.max(1)).unwrap_or(u32::MAX),
        concurrency_max: CONCURRENCY_MAX,
    }
}

/// Who can reach the port can make the party misbehave.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<SocketAddr>().map_err(|error| error.to_string())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("a loopback address, such as 127.0.0.1:9300".to_owned())
    }
}

pub(super) const PATIENCE_S: u64 = 120;
const COMPLAINTS_MAX: usize = 20;
/// Payments that are looked at for a flow's share of the mix.
const SAMPLE: u64 = 2_000;
