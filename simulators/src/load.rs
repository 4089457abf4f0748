//! The open-loop driver: payments arrive at a fixed rate whether or not earlier ones were answered.
//!
//! Latency counts from the intended start, so a system that stalls is charged for everybody who had to wait.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The rate and the bound of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Arrivals in a second; 0 means as fast as the bound allows.
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

/// Runs `work` over all items; results come in the order of their ends. `progress` gets each end's count.
pub async fn drive<T, R, F, W>(items: Vec<T>, load: Load, work: W, mut progress: impl FnMut(usize)) -> Vec<Finished<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let (work, bound) = (Arc::new(work), Arc::new(Semaphore::new(load.concurrency_max.max(1))));
    let start = Instant::now();
    let mut running = JoinSet::new();
    let mut finished = Vec::with_capacity(items.len());
    for (n, item) in items.into_iter().enumerate() {
        let intended = if load.rate_per_s == 0 {
            Instant::now()
        } else {
            start + offset(n, load.rate_per_s)
        };
        tokio::time::sleep_until(intended).await;
        // The bound is only closed by dropping it, which cannot happen here.
        let permit = Arc::clone(&bound).acquire_owned().await.ok();
        let (work, started) = (Arc::clone(&work), Instant::now());
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
            collect(&mut finished, ended, &mut progress);
        }
    }
    while let Some(ended) = running.join_next().await {
        collect(&mut finished, ended, &mut progress);
    }
    finished
}

fn offset(n: usize, rate_per_s: u32) -> Duration {
    Duration::from_nanos((n as u64).saturating_mul(1_000_000_000) / u64::from(rate_per_s))
}

fn collect<R>(
    finished: &mut Vec<Finished<R>>,
    ended: Result<Finished<R>, tokio::task::JoinError>,
    progress: &mut impl FnMut(usize),
) {
    match ended {
        Ok(one) => finished.push(one),
        Err(error) => tracing::error!(%error, "a played payment ended by a panic"),
    }
    progress(finished.len());
}
