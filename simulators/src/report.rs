//! Books, and their comparison payment by payment: centre, gateway journal, platform.

mod details;
mod shelf;

#[cfg(test)]
mod tests;

pub use details::Details;
pub use shelf::{BookFile, NoShelf, Shelf};
pub(crate) use shelf::{Gone, Window};

use codecs::payment::{Attribute, Money, Operation, Outcome, Payment};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one party believes of one payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BookEntry {
    pub operation: String,
    pub end_to_end_id: String,
    /// The first request's `MsgId`, by which a cancel names its original.
    pub msg_id: String,
    pub institution: String,
    pub amount_fen: i64,
    /// `success`, `failed` or `unknown`.
    pub outcome: String,
    /// For a cancel: the `MsgId` of its original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// How often this party executed it; 0 for one that only passes it on.
    #[serde(default)]
    pub executions: u32,
    /// What its statements tell, where a party writes some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
}

/// One party's book, by business key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Book {
    #[serde(deserialize_with = "shelf::entries")]
    pub entries: BTreeMap<String, BookEntry>,
}

/// The key under which all parties book a payment: operation and end-to-end id; for a cancel its original's `MsgId`, for
/// what has no end-to-end id its own `MsgId`.
pub fn business_key(operation: Operation, end_to_end_id: Option<&str>, msg_id: &str, original_msg_id: Option<&str>) -> String {
    let id = match operation {
        Operation::Cancel => original_msg_id.unwrap_or(msg_id),
        Operation::Sign
        | Operation::Terminate
        | Operation::Verify
        | Operation::Debit
        | Operation::Credit
        | Operation::Refund
        | Operation::Query
        | Operation::Notice
        | Operation::Status
        | Operation::Certificate
        | Operation::Ack
        | Operation::Echo => end_to_end_id.unwrap_or(msg_id),
    };
    format!("{operation}|{id}")
}

/// The business key of a request.
pub fn key_of(payment: &Payment) -> String {
    let text = |attribute| payment.text(attribute);
    let msg_id = text(Attribute::MsgId).unwrap_or_default();
    business_key(
        payment.operation,
        text(Attribute::EndToEndId),
        msg_id,
        text(Attribute::OriginalMsgId),
    )
}

/// Whether an operation leaves something in the books; verify and query only look.
pub const fn has_effect(operation: Operation) -> bool {
    operation.moves_money() || matches!(operation, Operation::Sign | Operation::Terminate)
}

impl Book {
    /// The same book with each cancel under its original's end-to-end id: two parties may know one payment under two
    /// `MsgId`s, because whoever sends it on gives it one of its own.
    fn by_end_to_end_id(&self) -> Self {
        let originals = self.entries.values().filter(|entry| entry.original.is_none());
        let by_msg_id: BTreeMap<&str, &str> = originals.map(|entry| (entry.msg_id.as_str(), entry.identity())).collect();
        let mut entries = BTreeMap::new();
        for (key, entry) in &self.entries {
            let original = entry
                .original
                .as_ref()
                .map(|id| by_msg_id.get(id.as_str()).map_or_else(|| id.clone(), ToString::to_string));
            let key = original
                .as_ref()
                .map_or_else(|| key.clone(), |id| format!("{}|{id}", entry.operation));
            entries.insert(
                key,
                BookEntry {
                    original,
                    ..entry.clone()
                },
            );
        }
        Self { entries }
    }
}

impl BookEntry {
    /// The entry of a request with what is known of its outcome.
    pub fn of(request: &Payment, outcome: &Outcome) -> Self {
        let text = |attribute| request.text(attribute).unwrap_or_default().to_owned();
        let cancels = request.operation == Operation::Cancel;
        Self {
            operation: request.operation.name().to_owned(),
            end_to_end_id: text(Attribute::EndToEndId),
            msg_id: text(Attribute::MsgId),
            institution: text(Attribute::Institution),
            amount_fen: request.money(Attribute::Amount).map_or(0, Money::fen),
            outcome: outcome.name().to_owned(),
            original: cancels.then(|| text(Attribute::OriginalMsgId)),
            executions: 0,
            details: Some(Box::new(Details::of(request))),
        }
    }

    /// What cancels name, once the book is by end-to-end id.
    fn identity(&self) -> &str {
        if self.end_to_end_id.is_empty() {
            &self.msg_id
        } else {
            &self.end_to_end_id
        }
    }

    fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success.name()
    }
}

/// What two books can disagree about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// One party has a successful payment that another does not have.
    Missing,
    /// Successful in one book, failed in another.
    Outcome,
    Amount,
    Institution,
    /// Sent, and nobody can tell what became of it.
    Lost,
    /// Executed more than once.
    ExecutedTwice,
    /// Cancelled at the centre, and still standing at the platform.
    CancelledButStands,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    pub key: String,
    pub kind: DifferenceKind,
    pub zh: String,
    pub en: String,
}

/// Successful payments of one operation in one book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Total {
    pub count: u64,
    pub amount_fen: i64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Comparison {
    pub equal: bool,
    pub payments: u64,
    pub lost: u64,
    pub executed_twice: u64,
    pub differences: Vec<Difference>,
    /// By party, then operation.
    pub totals: BTreeMap<String, BTreeMap<String, Total>>,
}

/// Compares the three books. A payment that failed has no effect, so a party that never saw it agrees with one that
/// refused it; a cancelled payment has none either, whatever its own outcome was.
pub fn compare(centre: &Book, gateway: &Book, platform: &Book) -> Comparison {
    let [centre, gateway, platform] = [centre, gateway, platform].map(Book::by_end_to_end_id);
    let parties = [("centre", &centre), ("gateway", &gateway), ("platform", &platform)];
    let cancelled = cancelled_originals(&centre, &gateway);
    let keys: BTreeSet<&String> = parties.iter().flat_map(|(_, book)| book.entries.keys()).collect();
    let mut comparison = Comparison {
        payments: keys.len() as u64,
        ..Comparison::default()
    };
    for key in keys {
        let row = parties.map(|(party, book)| (party, book.entries.get(key)));
        compare_row(&mut comparison, key, row, &cancelled, [&centre, &platform]);
    }
    for (party, book) in parties {
        comparison.totals.insert(party.to_owned(), totals(book));
    }
    let count = |kind| {
        comparison
            .differences
            .iter()
            .filter(|difference| difference.kind == kind)
            .count() as u64
    };
    (comparison.lost, comparison.executed_twice) = (count(DifferenceKind::Lost), count(DifferenceKind::ExecutedTwice));
    comparison.equal = comparison.differences.is_empty();
    comparison
}

type Row<'a> = [(&'static str, Option<&'a BookEntry>); 3];

/// Originals whose cancel succeeded in both books that see every cancel.
fn cancelled_originals(centre: &Book, gateway: &Book) -> BTreeSet<String> {
    let of = |book: &Book| -> BTreeSet<String> {
        let succeeded = book.entries.values().filter(|entry| entry.succeeded());
        succeeded.filter_map(|entry| entry.original.clone()).collect()
    };
    of(centre).intersection(&of(gateway)).cloned().collect()
}

/// `ends` are the books of the centre and of the platform, between which payments go.
fn compare_row(comparison: &mut Comparison, key: &str, row: Row<'_>, cancelled: &BTreeSet<String>, ends: [&Book; 2]) {
    let [centre, platform] = ends;
    let present: Vec<(&str, &BookEntry)> = row.iter().filter_map(|&(party, entry)| Some((party, entry?))).collect();
    if present.iter().any(|(_, entry)| entry.executions > 1) {
        comparison.report(
            key,
            DifferenceKind::ExecutedTwice,
            "\u{91cd}\u{590d}\u{6267}\u{884c}",
            "executed more than once",
        );
    }
    compare_facts(comparison, key, &present);
    if present.iter().any(|(_, entry)| cancelled.contains(entry.identity())) {
        return compare_cancelled(comparison, key, row, platform);
    }
    if let Some((party, _)) = present.iter().find(|(_, entry)| entry.outcome == Outcome::Unknown.name()) {
        let zh = format!("{party} \u{7ed3}\u{679c}\u{672a}\u{77e5}");
        return comparison.report(key, DifferenceKind::Lost, &zh, &format!("outcome unknown at the {party}"));
    }
    let Some((holder, success)) = present.iter().find(|(_, entry)| entry.succeeded()) else {
        return;
    };
    for (party, entry) in row {
        match entry {
            None if party == "platform" && cancels_nothing(success, platform) => {}
            None if party == "centre" && cancels_nothing(success, centre) => {}
            None => {
                let zh = format!("{holder} \u{6709}\u{800c} {party} \u{65e0}");
                comparison.report(
                    key,
                    DifferenceKind::Missing,
                    &zh,
                    &format!("the {holder} has it, the {party} has not"),
                );
            }
            Some(entry) if !entry.succeeded() => {
                let zh = format!("{holder} \u{6210}\u{529f}\u{800c} {party} \u{5931}\u{8d25}");
                let en = format!("successful at the {holder}, failed at the {party}");
                comparison.report(key, DifferenceKind::Outcome, &zh, &en);
            }
            Some(_) => {}
        }
    }
}

/// Amount and institution must be one wherever the payment is booked; an empty institution is not stated.
fn compare_facts(comparison: &mut Comparison, key: &str, present: &[(&str, &BookEntry)]) {
    let amounts: BTreeSet<i64> = present.iter().map(|(_, entry)| entry.amount_fen).collect();
    // A cancel names no amount in some messages; its original's amount is compared with the original.
    if amounts.len() > 1 && present.iter().all(|(_, entry)| entry.original.is_none()) {
        let text = present
            .iter()
            .map(|(party, entry)| format!("{party} {}", entry.amount_fen))
            .collect::<Vec<_>>()
            .join(", ");
        comparison.report(
            key,
            DifferenceKind::Amount,
            &format!("\u{91d1}\u{989d}\u{4e0d}\u{7b26}: {text}"),
            &format!("amounts differ: {text}"),
        );
    }
    let institutions: BTreeSet<&str> = present
        .iter()
        .map(|(_, entry)| entry.institution.as_str())
        .filter(|institution| !institution.is_empty())
        .collect();
    if institutions.len() > 1 {
        comparison.report(
            key,
            DifferenceKind::Institution,
            "\u{673a}\u{6784}\u{4e0d}\u{7b26}",
            "institutions differ",
        );
    }
}

/// A cancelled payment must have no effect left at the platform: not booked, failed, or cancelled there too.
fn compare_cancelled(comparison: &mut Comparison, key: &str, row: Row<'_>, platform: &Book) {
    for (party, entry) in row {
        let Some(entry) = entry.filter(|entry| party == "platform" && entry.succeeded()) else {
            continue;
        };
        let reversed = platform
            .entries
            .values()
            .any(|other| other.succeeded() && other.original.as_deref() == Some(entry.identity()));
        if !reversed {
            let en = "cancelled at the centre, still booked at the platform";
            comparison.report(
                key,
                DifferenceKind::CancelledButStands,
                "\u{5df2}\u{64a4}\u{9500}\u{4f46}\u{5e73}\u{53f0}\u{4ecd}\u{5728}\u{8d26}",
                en,
            );
        }
    }
}

/// A cancel whose original does not stand in a party's book has nothing to reverse there, and need not have reached it.
fn cancels_nothing(cancel: &BookEntry, book: &Book) -> bool {
    let Some(original) = &cancel.original else {
        return false;
    };
    let is_original = |entry: &BookEntry| entry.identity() == original && entry.original.is_none();
    !book.entries.values().any(|entry| is_original(entry) && entry.succeeded())
}

fn totals(book: &Book) -> BTreeMap<String, Total> {
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    for entry in book.entries.values().filter(|entry| entry.succeeded()) {
        let total = totals.entry(entry.operation.clone()).or_default();
        total.count += 1;
        total.amount_fen = total.amount_fen.saturating_add(entry.amount_fen);
    }
    totals
}

impl Comparison {
    fn report(&mut self, key: &str, kind: DifferenceKind, zh: &str, en: &str) {
        self.differences.push(Difference {
            key: key.to_owned(),
            kind,
            zh: zh.to_owned(),
            en: en.to_owned(),
        });
    }
}
