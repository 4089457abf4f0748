//! Very many customers in the platform's ledger: each signs an agreement and is debited under it.

use crate::centre::CentreConfig;
use crate::institution::{INSTITUTIONS, Order, Sending};
use crate::ledger::Ledger;
use crate::people::{ACCOUNTS_MAX, Kind, Person};
use crate::report::NoShelf;
use codecs::payment::{Attribute, Money, Operation, Outcome};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// What became of them.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Accounts {
    pub customers: u64,
    pub agreements: u64,
    pub debited: u64,
    /// Customers who have nothing, or whose account is frozen: one in a hundred.
    pub refused: u64,
    /// Answers that are neither.
    pub wrong: u64,
    /// Over all accounts: zero, whatever was booked.
    pub sum_fen: i64,
    #[serde(skip)]
    pub took: Duration,
}

/// Opens that many accounts.
pub fn accounts(customers: u64, now: OffsetDateTime) -> Accounts {
    let (mut ledger, sending) = (Ledger::new(ACCOUNTS_MAX), CentreConfig::new(now.date()).sending());
    ledger.remember(REMEMBERED, Box::new(NoShelf));
    let mut accounts = Accounts {
        customers,
        ..Accounts::default()
    };
    let started = Instant::now();
    for index in 0..customers {
        accounts.serve(&mut ledger, &sending, &Person::at(index), now);
    }
    accounts.took = started.elapsed();
    accounts.sum_fen = i64::try_from(ledger.sum()).unwrap_or(i64::MAX);
    accounts
}

impl Accounts {
    fn serve(&mut self, ledger: &mut Ledger, sending: &Sending, person: &Person, now: OffsetDateTime) {
        let order = |place: u64| Order {
            serial: person.index * 2 + place,
            institution: INSTITUTIONS[0],
            person: person.clone(),
            amount: Money::from_fen(DEBIT_FEN),
        };
        let mut ask = |operation, place, agreement: Option<String>| {
            let mut request = sending.request(operation, &order(place), None, now);
            if let Some(agreement) = agreement {
                request.set_text(Attribute::Agreement, agreement);
            }
            let key = request.text(Attribute::MsgId).unwrap_or_default().to_owned();
            ledger.execute(&request, &key)
        };
        let signed = ask(Operation::Sign, 0, None);
        self.agreements += u64::from(signed.agreement.is_some());
        let debited = ask(Operation::Debit, 1, signed.agreement);
        match (debited.outcome, person.kind) {
            (Outcome::Success, Kind::Plain) => self.debited += 1,
            (Outcome::Failed { .. }, Kind::Poor | Kind::Frozen) => self.refused += 1,
            (Outcome::Success | Outcome::Failed { .. } | Outcome::Unknown, _) => self.wrong += 1,
        }
    }
}

const DEBIT_FEN: i64 = 100;
const REMEMBERED: usize = 10_000;
