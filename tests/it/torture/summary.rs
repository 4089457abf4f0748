//! What a run says at its end, for people and in JSON.

use super::Order;
use super::account::Account;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct Summary {
    minutes: u64,
    seed: u64,
    payments: u64,
    pub(super) faults_total: u64,
    faults: BTreeMap<String, u64>,
    lost: u64,
    executed_twice: u64,
    books_equal: bool,
    unknown: u64,
    contradicted: u64,
    outage_ms_max: u64,
    recovery: BTreeMap<String, Times>,
    /// Gateways that ended by themselves.
    fell: Vec<String>,
    complaints: Vec<String>,
    /// The first of what the books disagree about.
    differences: Vec<serde_json::Value>,
    holds: bool,
}

/// Milliseconds from a fault's end to the first answer, and to the normal rate.
#[derive(Default, Serialize)]
struct Times {
    first_ms_mean: u64,
    first_ms_max: u64,
    normal_ms_mean: u64,
    normal_ms_max: u64,
    /// The minute ended, or the next fault came, before the rate was normal again.
    not_seen: usize,
}

impl Summary {
    pub(super) fn of(order: &Order, account: &Account) -> Self {
        Self {
            minutes: account.count,
            seed: order.seed,
            payments: account.payments,
            faults_total: account.faults.values().sum(),
            faults: account.faults.clone(),
            lost: account.lost,
            executed_twice: account.twice,
            books_equal: account.unequal == 0,
            unknown: account.unknown,
            contradicted: account.contradicted,
            outage_ms_max: account.outage_ms,
            recovery: recovery(account),
            fell: account.fell.clone(),
            complaints: account.complaints.clone(),
            differences: account.differences.clone(),
            holds: account.holds(),
        }
    }

    pub(super) const fn holds(&self) -> bool {
        self.holds
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    pub(super) fn text(&self) -> String {
        let seconds = |ms: u64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
        let mut text = format!(
            "\ntorture: {} minutes, seed {}, {} payments, {} faults\n\n{:<26}{:>6}{:>24}{:>24}\n",
            self.minutes,
            self.seed,
            grouped(self.payments),
            self.faults_total,
            "fault",
            "count",
            "first answer mean, max",
            "normal rate mean, max",
        );
        for (kind, count) in &self.faults {
            let times = &self.recovery[kind];
            let pair = |mean, max| format!("{}, {}", seconds(mean), seconds(max));
            text.push_str(&format!(
                "{kind:<26}{count:>6}{:>24}{:>24}\n",
                pair(times.first_ms_mean, times.first_ms_max),
                pair(times.normal_ms_mean, times.normal_ms_max),
            ));
        }
        text.push_str(&format!(
            "\nlost {}, executed twice {}, books {}, unknown left {}, longest outage {}, gateways that ended by themselves {}\n",
            self.lost,
            self.executed_twice,
            if self.books_equal { "equal" } else { "DIFFER" },
            self.unknown,
            seconds(self.outage_ms_max),
            self.fell.len(),
        ));
        text
    }
}

fn recovery(account: &Account) -> BTreeMap<String, Times> {
    let kinds = account.faults.keys().map(|kind| {
        let of_kind = account
            .recoveries
            .iter()
            .filter(|recovery| recovery.kind == *kind)
            .collect::<Vec<_>>();
        let first = of_kind.iter().filter_map(|recovery| recovery.first_ms).collect::<Vec<_>>();
        let normal = of_kind.iter().filter_map(|recovery| recovery.normal_ms).collect::<Vec<_>>();
        let times = Times {
            first_ms_mean: mean(&first),
            first_ms_max: first.iter().max().copied().unwrap_or(0),
            normal_ms_mean: mean(&normal),
            normal_ms_max: normal.iter().max().copied().unwrap_or(0),
            not_seen: of_kind.len() - normal.len(),
        };
        (kind.clone(), times)
    });
    kinds.collect()
}

fn mean(times: &[u64]) -> u64 {
    times.iter().sum::<u64>() / (times.len() as u64).max(1)
}

/// 12345 as 12,345.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
