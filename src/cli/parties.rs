//! The simulated counterparties with their keys, and the gateway's journal as a book.

use super::output::{Exit, Failure};
use hangu::clock::{Clock, Entropy};
use hangu::journal::{Exchange, Read, Search, SharedJournal};
use hangu::shell::{SystemClock, SystemEntropy};
use simulators::counterparty::Party;
use simulators::report::{Book, BookEntry, business_key, has_effect};
use simulators::world::World;
use std::path::Path;
use std::sync::Arc;

/// A counterparty with the keys of a folder.
pub(crate) fn party(codec: &str, link: &str, folder: &Path) -> Result<Party, Failure> {
    let specs = codecs::spec::Specs::embedded().map_err(|error| Failure::config("codecs", error))?;
    let keyring = keys::store::load(folder).map_err(|error| Failure::config("keys", error))?;
    Ok(Party::new(Arc::new(specs), codec, Arc::new(keyring), link))
}

/// The machine's clock and random source, for simulators.
pub(crate) fn world() -> World {
    World::new(
        Arc::new(|| SystemClock.now()),
        Arc::new(|bytes: &mut [u8]| SystemEntropy.fill(bytes)),
    )
}

/// Every exchange of a journal.
pub(crate) async fn exchanges(journal: &SharedJournal) -> Result<Vec<Exchange>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, "journal", error);
    let search = Search {
        limit: u32::MAX,
        ..Search::default()
    };
    let found = journal
        .read(Read::Search(Box::new(search)))
        .await
        .map_err(|error| failed(&error))?;
    found.exchanges().map_err(|error| failed(&error))
}

/// A party's book, as a simulator or `journal export` wrote it.
pub(crate) fn read_book(file: &Path) -> Result<Book, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, file.display().to_string(), error);
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

/// The gateway's book: every exchange that has an effect, by business key.
pub(crate) fn book(exchanges: &[Exchange]) -> Book {
    let entries = exchanges.iter().filter_map(entry).collect();
    Book { entries }
}

fn entry(exchange: &Exchange) -> Option<(String, BookEntry)> {
    let operation = codecs::payment::Operation::parse(&exchange.operation).filter(|operation| has_effect(*operation))?;
    let is_cancel = operation == codecs::payment::Operation::Cancel;
    // A cancel's business key ends in what it cancels: a message id, or an end-to-end id that is marked as one.
    let cancelled = exchange
        .business_key
        .as_deref()
        .filter(|_| is_cancel)
        .and_then(|key| key.rsplit('|').next());
    let original = cancelled.map(|id| id.strip_prefix("e2e:").unwrap_or(id));
    let key = business_key(operation, exchange.end_to_end_id.as_deref(), &exchange.msg_id, original);
    let outcome = exchange.outcome.as_ref().map_or("unknown", |outcome| outcome.name.as_str());
    let entry = BookEntry {
        operation: exchange.operation.clone(),
        end_to_end_id: exchange.end_to_end_id.clone().unwrap_or_default(),
        msg_id: exchange.msg_id.clone(),
        institution: exchange.institution.clone().unwrap_or_default(),
        amount_fen: exchange.amount_fen.unwrap_or(0),
        outcome: outcome.to_owned(),
        original: original.map(ToOwned::to_owned),
        executions: 0,
        details: None,
    };
    Some((key, entry))
}
