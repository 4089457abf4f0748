//! Serials of a run over all its lives: each goes on behind the last, and what an interrupted minute used is left out.

use super::Order;
use super::account::Account;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use simulators::mix::SERIALS_EACH as EACH;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) struct Serials {
    /// Of this life, within each party's range.
    pub(super) first: u64,
    pub(super) interrupted: Vec<Interrupted>,
}

/// Serials that an interrupted minute may have used: each party was at another place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Interrupted {
    centre_from: u64,
    platform_from: u64,
    to: u64,
}

/// How far the centre and the platform are into the plan, over all lives.
pub(super) type Reached = [u64; 2];

impl Serials {
    /// Goes on behind the last finished minute. What an interrupted one may have sent after it is left out of the books.
    pub(super) fn of(order: &Order, account: &Account) -> Self {
        let mut interrupted = account.interrupted.clone();
        if account.count == 0 {
            return Self { first: 1, interrupted };
        }
        let [centre_from, platform_from] = account.reached.map(|n| n * EACH + 1);
        let to = centre_from.max(platform_from) + order.rate * EACH * INTERRUPTED_S_MAX;
        interrupted.push(Interrupted {
            centre_from,
            platform_from,
            to,
        });
        Self { first: to, interrupted }
    }

    /// The place in the plan of all lives, `n` into this one.
    pub(super) const fn reached(&self, n: u64) -> u64 {
        (self.first - 1) / EACH + n
    }

    /// Also left out is what cancels a payment by the gateway's own number for it and does not find it: that payment was
    /// in the centre's book of the interrupted minute.
    pub(super) fn leave_out_interrupted(&self, book: &Path) {
        if self.interrupted.is_empty() {
            return;
        }
        let mut value: Value = serde_json::from_str(&std::fs::read_to_string(book).unwrap()).unwrap();
        let entries = value["entries"].as_object_mut().unwrap();
        let known = entries
            .values()
            .filter_map(|entry| entry["msg_id"].as_str().map(ToOwned::to_owned));
        let known = known.collect::<BTreeSet<_>>();
        entries.retain(|key, _| match key.rsplit('|').next() {
            Some(id) if is_gateways(id) => known.contains(id),
            _ => !serial(key).is_some_and(|serial| self.interrupted.iter().any(|range| range.holds(serial))),
        });
        std::fs::write(book, value.to_string()).unwrap();
    }
}

impl Interrupted {
    fn holds(&self, serial: u64) -> bool {
        let (from, place) = serial
            .checked_sub(PLATFORM_SERIAL)
            .map_or((self.centre_from, serial), |place| (self.platform_from, place));
        (from..self.to).contains(&place)
    }
}

/// The serial in a business key that ends in an end-to-end id or a party's `MsgId`. What the gateway numbers itself has
/// another origin.
fn serial(key: &str) -> Option<u64> {
    let id = key.rsplit('|').next()?;
    let digits = match id.len() {
        31 => id.get(8..26)?,
        18 if id.get(8..10) == Some(PARTIES) => id.get(10..18)?,
        _ => return None,
    };
    digits.parse().ok()
}

fn is_gateways(id: &str) -> bool {
    id.len() == 18 && id.get(8..10) != Some(PARTIES)
}

/// The front end's letter, by which both counterparties number.
const PARTIES: &str = "66";
pub(super) const PLATFORM_SERIAL: u64 = 60_000_000;
/// Longer than a minute with its settling.
const INTERRUPTED_S_MAX: u64 = 900;
