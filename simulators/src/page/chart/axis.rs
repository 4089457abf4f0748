//! Scales: where a value stands between the ends of an axis, and which values are written beside it.

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Scale {
    Linear { step: f64, high: f64 },
    Log { low: f64, high: f64 },
}

impl Scale {
    /// From nothing to the next tick at or above the highest value.
    pub(super) fn linear(highest: f64) -> Self {
        let highest = highest.max(f64::from(TICKS) * LEAST_STEP);
        let step = steps().find(|step| step * f64::from(TICKS) >= highest).unwrap_or(highest);
        Self::Linear {
            step,
            high: (highest / step).ceil() * step,
        }
    }

    /// From nothing to exactly there.
    pub(super) fn until(highest: f64) -> Self {
        match Self::linear(highest) {
            Self::Linear { step, .. } => Self::Linear {
                step,
                high: highest.max(LEAST_STEP),
            },
            log @ Self::Log { .. } => log,
        }
    }

    /// From the tick at or below the lowest value to the one above the highest.
    pub(super) fn log(lowest: f64, highest: f64) -> Self {
        let low = steps().take_while(|step| *step <= lowest).last().unwrap_or(LEAST_STEP);
        let high = steps().find(|step| *step > highest.max(low)).unwrap_or(highest);
        Self::Log { low, high }
    }

    /// 0 at the low end, 1 at the high one.
    pub(super) fn part(self, value: f64) -> f64 {
        let part = match self {
            Self::Linear { high, .. } => value / high,
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
        };
        part.clamp(0.0, 1.0)
    }

    /// The value at a place between 0 and 1.
    pub(super) fn value(self, part: f64) -> f64 {
        match self {
            Self::Linear { high, .. } => part * high,
            Self::Log { low, high } => low * (high / low).powf(part),
        }
    }

    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { step, high } => (0..=TICKS)
                .map(|n| f64::from(n) * step)
                .filter(|tick| *tick <= high * 1.000_001)
                .collect(),
            Self::Log { low, high } => {
                let ticks: Vec<f64> = steps().filter(|step| (low..=high).contains(step)).collect();
                let is_power = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
                if ticks.len() <= LOG_TICKS_MAX {
                    return ticks;
                }
                ticks.into_iter().filter(is_power).collect()
            }
        }
    }
}

/// A tick's number without what does not matter: `0.05`, `2`, `500`, `20k`.
pub(super) fn short(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{}k", value / 1000.0);
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// 1, 2 and 5 with all their powers of ten.
fn steps() -> impl Iterator<Item = f64> {
    (-3_i32..10).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

const LEAST_STEP: f64 = 0.001;
const TICKS: u32 = 5;
const LOG_TICKS_MAX: usize = 16;
