//! Load: when payments arrive, which, and what became of them. The playing itself is `load` and the parties.
//!
//! It knows no command line and prints nothing; `page` writes the report for people.

mod accounts;
mod arrivals;
mod ceiling;
mod mixture;
mod page;
mod sample;
mod tally;

#[cfg(test)]
mod tests;

pub use accounts::{Accounts, accounts};
pub use arrivals::{Arrivals, Curve};
pub use ceiling::{Ceiling, ceiling};
pub use mixture::{Mixture, Order, Source};
pub use page::{Course, html};
pub use sample::Sample;
pub use tally::{Ended, Group, Look, Tally};
