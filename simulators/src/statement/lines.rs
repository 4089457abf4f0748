//! From a book to the lines of a period: successful payments that moved money, each with the side of the bank that it moved.

use crate::ids::digits;
use crate::report::{Book, BookEntry, Details};
use codecs::payment::{Operation, Outcome};
use serde::Serialize;
use time::Date;

/// A day, or one hour of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    pub date: Date,
    pub hour: Option<u8>,
}

/// Which of the bank's sides a payment moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum Side {
    /// The bank owes it: a customer was debited.
    #[serde(rename = "D")]
    Debit,
    /// The bank is owed it: a customer was credited.
    #[serde(rename = "C")]
    Credit,
}

/// One payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub operation: Operation,
    pub msg_id: String,
    pub end_to_end_id: String,
    pub institution: String,
    pub fen: i64,
    pub side: Side,
    /// For a refund or a cancel: the end-to-end id of what it gives back.
    pub original: String,
    pub details: Details,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    pub count: u64,
    pub debit_fen: i64,
    pub credit_fen: i64,
}

impl Side {
    pub const fn letter(self) -> char {
        match self {
            Self::Debit => 'D',
            Self::Credit => 'C',
        }
    }

    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

impl Period {
    /// By settlement date; the hour is that of the request.
    fn holds(self, details: &Details) -> bool {
        let hour = details.created_at.get(11..13).and_then(|hour| hour.parse::<u8>().ok());
        day_of(details) == digits(self.date) && (self.hour.is_none() || self.hour == hour)
    }

    /// First moment and last, as date and hour; the last is the first of what follows.
    pub(super) fn bounds(self) -> [(Date, u8); 2] {
        let next = self.date.next_day().unwrap_or(self.date);
        match self.hour {
            None => [(self.date, 0), (next, 0)],
            Some(23) => [(self.date, 23), (next, 0)],
            Some(hour) => [(self.date, hour), (self.date, hour + 1)],
        }
    }
}

impl Line {
    pub(super) const fn gives_back(&self) -> bool {
        matches!(self.operation, Operation::Refund | Operation::Cancel)
    }

    /// What the other side knows it by: the transaction where there is one.
    pub(super) fn id(&self) -> &str {
        if self.details.tx_id.is_empty() {
            &self.end_to_end_id
        } else {
            &self.details.tx_id
        }
    }

    /// `yyyy-MM-dd HH:mm:ss`.
    pub(super) fn moment(&self) -> String {
        self.details.created_at.replacen('T', " ", 1)
    }
}

impl Totals {
    pub fn of(lines: &[Line]) -> Self {
        let sum = |side| {
            let fens = lines.iter().filter(|line| line.side == side).map(|line| line.fen);
            fens.fold(0_i64, i64::saturating_add)
        };
        Self {
            count: lines.len() as u64,
            debit_fen: sum(Side::Debit),
            credit_fen: sum(Side::Credit),
        }
    }

    /// What the bank has to pay, or to get when it is below nothing.
    pub fn owed_fen(&self) -> i64 {
        self.debit_fen.saturating_sub(self.credit_fen)
    }
}

/// A party that knows no settlement date settles on the day of the request.
fn day_of(details: &Details) -> String {
    if details.settlement_date.is_empty() {
        details.created_at.get(..10).unwrap_or_default().replace('-', "")
    } else {
        details.settlement_date.clone()
    }
}

/// The lines of a period in the order of their keys. `bank` is the member number by which the bank sends.
pub(super) fn of(book: &Book, bank: &str, period: Period) -> Vec<Line> {
    let entries = book.entries.values();
    entries.filter_map(|entry| line(book, entry, bank, period)).collect()
}

fn line(book: &Book, entry: &BookEntry, bank: &str, period: Period) -> Option<Line> {
    let operation = Operation::parse(&entry.operation).filter(|operation| operation.moves_money())?;
    let details = entry.details.as_deref()?;
    if entry.outcome != Outcome::Success.name() || !period.holds(details) {
        return None;
    }
    let original = reversed(book, entry);
    let (side, fen) = if operation == Operation::Cancel {
        // A cancel of what never stood moves nothing.
        let original = original?;
        (side(original, bank)?.turned(), original.amount_fen)
    } else {
        (side(entry, bank)?, entry.amount_fen)
    };
    let original = original.map(|original| original.end_to_end_id.clone());
    Some(Line {
        operation,
        msg_id: entry.msg_id.clone(),
        end_to_end_id: entry.end_to_end_id.clone(),
        institution: entry.institution.clone(),
        fen,
        side,
        original: original.unwrap_or_default(),
        details: details.clone(),
    })
}

/// What others send collects from the bank's customers or credits them; what the bank sends goes the other way.
fn side(entry: &BookEntry, bank: &str) -> Option<Side> {
    let sender = &entry.details.as_deref()?.sender;
    let begun_by_bank = sender == bank || sender == PLATFORM;
    let side = if entry.operation == Operation::Debit.name() {
        Side::Debit
    } else if [Operation::Credit.name(), Operation::Refund.name()].contains(&entry.operation.as_str()) {
        Side::Credit
    } else {
        return None;
    };
    Some(if begun_by_bank { side.turned() } else { side })
}

fn reversed<'b>(book: &'b Book, entry: &BookEntry) -> Option<&'b BookEntry> {
    let by_msg_id = |id: &str| {
        book.entries
            .values()
            .find(|other| other.msg_id == id && other.original.is_none())
    };
    let by_tx_id = |id: &str| {
        let is_it = |other: &&BookEntry| other.details.as_deref().is_some_and(|details| details.tx_id == id);
        book.entries.values().filter(|other| other.original.is_none()).find(is_it)
    };
    let by_end = |id: &str| {
        book.entries
            .values()
            .find(|other| other.end_to_end_id == id && other.original.is_none())
    };
    let found = match &entry.original {
        Some(id) => by_msg_id(id).or_else(|| by_end(id)),
        None => entry
            .details
            .as_deref()
            .filter(|details| !details.original_tx_id.is_empty())
            .and_then(|details| by_tx_id(&details.original_tx_id)),
    };
    found.filter(|original| original.outcome == Outcome::Success.name())
}

/// How the bank's platform calls itself towards the gateway.
const PLATFORM: &str = "platform";
