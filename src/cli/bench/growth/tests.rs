#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::journal::{STEPS, measured};
use crate::cli::bench::folder;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{Journal, Read, State};

/// Copies are exchanges like any other: found by key and by number, delivered, chained, and with messages where wanted. What
/// is there already is gone on from.
#[tokio::test]
async fn a_filled_journal_holds_what_it_says() {
    let folder = folder(None, "growth-test").unwrap();
    let place = folder.path().to_owned();
    for sizes in [vec![50], vec![50, 200]] {
        let place = place.clone();
        let rows = tokio::task::spawn_blocking(move || measured(&place, &sizes, 20, 3))
            .await
            .unwrap()
            .unwrap();
        assert!(rows.iter().all(|row| row.costs.len() == STEPS.len() && row.bytes > 0));
    }
    let journal = SqliteJournal::open_read_only(&place.join("journal-200.db")).unwrap();
    let read = async |read| journal.read(read).await.unwrap();
    let scanned = read(Read::Scan { after: 0, limit: 1_000 }).await.exchanges().unwrap();
    // 200 copies and those that were played upon them, warm-up included.
    assert_eq!(scanned.len(), 200 + 23);
    assert!(scanned.iter().all(|exchange| exchange.state == State::Delivered));
    for (id, messages) in [(100, 0), (181, 4), (200, 4)] {
        assert_eq!(read(Read::Messages(id)).await.messages().unwrap().len(), messages, "{id}");
        let effects = read(Read::EffectOf(id)).await.effects().unwrap();
        assert_eq!(effects.len(), 1, "{id}");
    }
    let dates: std::collections::BTreeSet<_> = scanned.iter().map(|exchange| exchange.settlement_date.clone()).collect();
    assert!(dates.len() > 20, "{dates:?}");
    journal.close().await;
}
