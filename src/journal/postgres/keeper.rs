//! Keeps one connection: opens it anew in the background whenever it is lost, with growing pauses.

use super::connect::{self, Target};
use super::session::Session;
use crate::journal::JournalError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) struct Keeper {
    standing: watch::Receiver<Standing>,
}

/// The connection as it stands, or why there is none.
#[derive(Default)]
struct Standing {
    session: Option<Arc<Session>>,
    trouble: String,
}

impl Keeper {
    /// Starts to connect; ends with `stop`.
    pub(super) fn start(target: Arc<Target>, stop: &CancellationToken, tasks: &TaskTracker) -> Self {
        let (publish, standing) = watch::channel(Standing::default());
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = keep(&target, &publish) => {}
                () = stop.cancelled() => {}
            }
            publish.send_modify(|standing| {
                if let Some(session) = standing.session.take() {
                    session.give_up();
                }
                standing.trouble = "the journal is closed".into();
            });
        });
        Self { standing }
    }

    /// The connection, waited for until the deadline.
    pub(super) async fn session(&self, deadline: Instant) -> Result<Arc<Session>, JournalError> {
        let mut standing = self.standing.clone();
        let usable = |standing: &Standing| standing.session.as_ref().is_some_and(|session| !session.is_lost());
        if let Ok(Ok(found)) = timeout_at(deadline, standing.wait_for(usable)).await
            && let Some(session) = &found.session
        {
            return Ok(Arc::clone(session));
        }
        let trouble = &self.standing.borrow().trouble;
        let detail = if trouble.is_empty() { "no connection yet" } else { trouble };
        Err(JournalError::Refused(format!("the database is not reachable: {detail}")))
    }
}

async fn keep(target: &Target, publish: &watch::Sender<Standing>) {
    let mut pause = PAUSE_MIN;
    loop {
        match connect::checked(target).await {
            Ok(session) => {
                let since = Instant::now();
                let session = Arc::new(session);
                publish.send_modify(|standing| standing.session = Some(Arc::clone(&session)));
                session.lost().await;
                publish.send_modify(|standing| {
                    standing.session = None;
                    standing.trouble = "the connection was lost".into();
                });
                tracing::warn!("the connection to the database was lost");
                // A connection that does not last is no reason to hurry.
                if since.elapsed() > PAUSE_MAX {
                    pause = PAUSE_MIN;
                    continue;
                }
            }
            Err(error) => {
                let trouble = error.to_string();
                // Said once, not at every attempt.
                if publish.borrow().trouble != trouble {
                    tracing::warn!(%error, "no connection to the database");
                }
                publish.send_modify(|standing| standing.trouble = trouble);
            }
        }
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Between half and the whole: instances that lost one server together do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    half + half.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
