//! Load: when payments arrive, which, and what became of them. The playing itself is `load` and the parties.
//!
//! It knows no command line and prints nothing.

mod arrivals;
mod ceiling;
mod mixture;
mod tally;

#[cfg(test)]
mod tests;

pub use arrivals::{Arrivals, Curve};
pub use ceiling::{Ceiling, ceiling};
pub use mixture::{Mixture, Order, Source};
pub use tally::{Ended, Group, Look, Tally};
