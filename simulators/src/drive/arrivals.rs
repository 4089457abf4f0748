//! The moments at which payments arrive, fixed before the first one is sent.
//!
//! A curve is a rate over time, straight between its knots; arrivals are where its integral passes whole numbers, or at random
//! around it.

use crate::world::Dice;
use std::time::Duration;

/// The rate over the time of a run, as parts of its highest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Curve {
    Constant,
    /// From this rate to the highest.
    Ramp {
        from_per_s: u32,
    },
    /// A day of the bank, whatever the run's length: quiet before six, busy from ten on, busiest at eight in the evening.
    Day,
}

/// Offsets from the start of a run, in order, until its end.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Seconds, rate there, and arrivals until there.
    knots: Vec<Knot>,
    /// Random distances instead of even ones.
    dice: Option<Dice>,
    due: f64,
}

#[derive(Clone, Copy, Debug)]
struct Knot {
    second: f64,
    rate: f64,
    before: f64,
}

impl Arrivals {
    pub fn new(curve: Curve, rate_per_s: u32, length: Duration) -> Self {
        let mut knots: Vec<Knot> = Vec::new();
        for (part, share) in curve.points(rate_per_s) {
            let (second, rate) = (part * length.as_secs_f64(), share * f64::from(rate_per_s));
            let before = knots.last().map_or(0.0, |last| {
                last.before + (second - last.second) * f64::midpoint(last.rate, rate)
            });
            knots.push(Knot { second, rate, before });
        }
        Self {
            knots,
            dice: None,
            due: 0.0,
        }
    }

    /// The same curve with arrivals that know nothing of each other (a Poisson process).
    #[must_use]
    pub fn at_random(self, seed: u64) -> Self {
        let mut dice = Dice::new(seed, PLACE);
        let due = distance(&mut dice);
        Self {
            dice: Some(dice),
            due,
            ..self
        }
    }

    /// How many arrivals the curve holds; at random it is the mean.
    pub fn expected(&self) -> f64 {
        self.knots.last().map_or(0.0, |last| last.before)
    }

    /// When so many arrivals are due; none after the end.
    fn moment(&self, due: f64) -> Option<Duration> {
        let pair = self.knots.windows(2).find_map(|pair| match pair {
            [from, to] if due < to.before => Some((*from, *to)),
            _ => None,
        });
        let (from, to) = pair?;
        let (rest, slope) = (due - from.before, (to.rate - from.rate) / (to.second - from.second));
        if rest <= 0.0 {
            return Some(Duration::from_secs_f64(from.second));
        }
        // The integral of a straight rate is a parabola; this form of its root divides by no slope of zero.
        let root = (from.rate * from.rate + 2.0 * slope * rest).max(0.0).sqrt();
        Some(Duration::from_secs_f64(from.second + 2.0 * rest / (from.rate + root)))
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let moment = self.moment(self.due)?;
        self.due += self.dice.as_mut().map_or(1.0, distance);
        Some(moment)
    }
}

impl Curve {
    /// Places in the run and shares of the highest rate.
    fn points(self, rate_per_s: u32) -> Vec<(f64, f64)> {
        match self {
            Self::Constant => vec![(0.0, 1.0), (1.0, 1.0)],
            Self::Ramp { from_per_s } => {
                let from = f64::from(from_per_s) / f64::from(rate_per_s.max(1));
                vec![(0.0, from), (1.0, 1.0)]
            }
            Self::Day => {
                let hours = DAY_PERCENT.iter().chain(DAY_PERCENT.first()).zip(0_u32..);
                hours
                    .map(|(percent, hour)| (f64::from(hour) / 24.0, f64::from(*percent) / 100.0))
                    .collect()
            }
        }
    }
}

/// The distance to the next arrival of a process of rate one.
fn distance(dice: &mut Dice) -> f64 {
    let unit = (dice.next() >> 11) as f64 / (1_u64 << 53) as f64;
    -(1.0 - unit).ln()
}

/// The rate at each full hour in percent of the day's highest; an assumption, since no bank publishes its own.
const DAY_PERCENT: [u8; 24] = [
    18, 10, 6, 5, 5, 8, 18, 35, 55, 72, 85, 88, 92, 80, 70, 68, 70, 76, 84, 94, 100, 88, 62, 36,
];
/// Apart from the places at which payments are drawn.
const PLACE: u64 = u64::MAX;
