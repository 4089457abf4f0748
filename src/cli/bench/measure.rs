//! Times of calls: rounds of many calls for short ones, one sample a call for long ones.

use crate::cli::output::Failure;
use std::time::Duration;
use tokio::time::Instant;

/// What one call takes, in microseconds. The best round is the one that nothing disturbed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Cost {
    pub(super) median_us: f64,
    pub(super) best_us: f64,
}

/// A call to be timed; it keeps the compiler from dropping its work by `std::hint::black_box`.
pub(super) type Call<'a> = Box<dyn FnMut() -> Result<(), Failure> + 'a>;

/// Times several calls, a round of each in turn, so that what disturbs the machine meets all of them.
pub(super) fn measure(rounds: usize, calls: &mut [Call<'_>]) -> Result<Vec<Cost>, Failure> {
    let mut counts = Vec::with_capacity(calls.len());
    for call in calls.iter_mut() {
        counts.push(calibrate(call)?);
    }
    let mut samples = vec![Vec::with_capacity(rounds); calls.len()];
    for _ in 0..rounds.max(1) {
        for ((call, count), samples) in calls.iter_mut().zip(&counts).zip(&mut samples) {
            samples.push(micros(round(call, *count)?) / f64::from(*count));
        }
    }
    Ok(samples.into_iter().map(cost).collect())
}

/// The median and the best of samples in microseconds.
pub(super) fn cost(mut samples: Vec<f64>) -> Cost {
    samples.sort_by(f64::total_cmp);
    let at = |place: usize| samples.get(place).copied().unwrap_or(f64::NAN);
    Cost {
        median_us: at(samples.len() / 2),
        best_us: at(0),
    }
}

pub(super) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// How many calls fill a round; the calls made to find out also warm the caches.
fn calibrate(call: &mut Call<'_>) -> Result<u32, Failure> {
    let mut count = 1;
    while round(call, count)? < ROUND_MIN && count < CALLS_MAX {
        count *= 2;
    }
    Ok(count)
}

fn round(call: &mut Call<'_>, count: u32) -> Result<Duration, Failure> {
    let started = Instant::now();
    for _ in 0..count {
        call()?;
    }
    Ok(started.elapsed())
}

/// Long beside the clock's own time, short beside a time slice.
const ROUND_MIN: Duration = Duration::from_millis(1);
const CALLS_MAX: u32 = 1 << 20;
