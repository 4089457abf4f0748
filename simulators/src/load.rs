//! The open-loop driver: payments arrive at a fixed rate whether or not earlier ones were answered.
//!
//! Latency counts from the intended start, so a system that stalls is charged for everybody who had to wait.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The rate and the bound of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Arrivals in a second; 0 means as fast as the bound allows, each as soon as there is room for it.
    pub rate_per_s: u32,
    pub concurrency_max: usize,
}

/// One item of work, done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished<R> {
    pub result: R,
    /// From the intended start to the end.
    pub latency: Duration,
    /// From the intended start to the start: what the bound made it wait.
    pub lag: Duration,
}

/// Lets arrivals through, or holds them back; what has arrived goes on.
#[derive(Clone)]
pub struct Tap(Arc<watch::Sender<bool>>);

impl Default for Tap {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Tap {
    pub fn open(&self, open: bool) {
        self.0.send_replace(open);
    }

    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once arrivals are let through.
    async fn passed(&self) {
        let mut state = self.0.subscribe();
        // The sender lives as long as the tap, so the wait ends by an opening alone.
        drop(state.wait_for(|open| *open).await);
    }
}

/// Runs `work` over all items; results come in the order of their ends. `progress` gets each end's count.
pub async fn drive<T, R, F, W>(items: Vec<T>, load: Load, work: W, mut progress: impl FnMut(usize)) -> Vec<Finished<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let mut finished = Vec::with_capacity(items.len());
    let collect = |one| {
        finished.push(one);
        progress(finished.len());
    };
    drive_through(&Tap::default(), items, load, work, collect).await;
    finished
}

/// Runs `work` over items without an end to speak of, while the tap is open; `collect` gets each result. Time during which
/// the tap is closed does not count: no rush follows it.
pub async fn drive_through<T, R, F, W>(
    tap: &Tap,
    items: impl IntoIterator<Item = T>,
    load: Load,
    work: W,
    collect: impl FnMut(Finished<R>),
) where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let arrivals = (0..).map(|n| (load.rate_per_s > 0).then(|| offset(n, load.rate_per_s)));
    drive_at(tap, arrivals.zip(items), load.concurrency_max, work, collect).await;
}

/// The same for items that arrive when it is said, counted from the start; what has no moment starts as soon as there is room.
pub async fn drive_at<T, R, F, W>(
    tap: &Tap,
    items: impl IntoIterator<Item = (Option<Duration>, T)>,
    concurrency_max: usize,
    work: W,
    mut collect: impl FnMut(Finished<R>),
) where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let (work, bound) = (Arc::new(work), Arc::new(Semaphore::new(concurrency_max.max(1))));
    let mut start = Instant::now();
    let mut running = JoinSet::new();
    for (moment, item) in items {
        if !tap.is_open() {
            let closed = Instant::now();
            tap.passed().await;
            start += closed.elapsed();
        }
        let arrival = moment.map(|moment| start + moment);
        // A timer fires at the next millisecond at the earliest, so none is set for what is due.
        if let Some(arrival) = arrival.filter(|arrival| *arrival > Instant::now()) {
            wait_collecting(arrival, &mut running, &mut collect).await;
        }
        // The bound is only closed by dropping it, which cannot happen here.
        let permit = Arc::clone(&bound).acquire_owned().await.ok();
        let (work, started) = (Arc::clone(&work), Instant::now());
        let intended = arrival.unwrap_or(started);
        running.spawn(async move {
            let result = work(item).await;
            drop(permit);
            Finished {
                result,
                latency: intended.elapsed(),
                lag: started - intended,
            }
        });
        while let Some(ended) = running.try_join_next() {
            take(ended, &mut collect);
        }
    }
    while let Some(ended) = running.join_next().await {
        take(ended, &mut collect);
    }
}

/// Waits for an arrival; what ends meanwhile is collected, so that a slow load is seen as it goes.
async fn wait_collecting<R: Send + 'static>(
    arrival: Instant,
    running: &mut JoinSet<Finished<R>>,
    collect: &mut impl FnMut(Finished<R>),
) {
    let sleep = tokio::time::sleep_until(arrival);
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            biased;
            () = &mut sleep => return,
            Some(ended) = running.join_next() => take(ended, collect),
        }
    }
}

fn offset(n: usize, rate_per_s: u32) -> Duration {
    Duration::from_nanos((n as u64).saturating_mul(1_000_000_000) / u64::from(rate_per_s))
}

fn take<R>(ended: Result<Finished<R>, tokio::task::JoinError>, collect: &mut impl FnMut(Finished<R>)) {
    match ended {
        Ok(one) => collect(one),
        Err(error) => tracing::error!(%error, "a played payment ended by a panic"),
    }
}
