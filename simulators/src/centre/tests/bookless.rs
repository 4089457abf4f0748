//! A centre and a platform without books, as a driver of loads uses them.
use super::{CentreConfig, Habits, config, scene};
use crate::centre::Figures;
use crate::mix::chosen;
use crate::platform::lock;
use crate::report::{Book, BookFile, compare};
use codecs::payment::Operation;

#[tokio::test]
async fn what_is_answered_is_forgotten_and_nothing_is_booked() {
    let bookless = CentreConfig {
        keeps_books: false,
        request_bytes_min: 9_000,
        ..config()
    };
    let scene = scene(5, bookless, Habits::default()).await;
    scene.platform.keep_no_books();
    let desk = scene.centre.desk();
    // More than the distance between two replies that are opened whole.
    for n in 0..80 {
        let operation = if n % 2 == 0 { Operation::Debit } else { Operation::Credit };
        let played = desk.play(&chosen(1, n, operation, None)).await;
        // Without books no account is poor or frozen.
        assert_eq!(played.messages[0].outcome, "success", "{n}: {:?}", played.complaint);
    }
    let expected = Figures {
        sent: 80,
        verified: 80,
        ..Figures::default()
    };
    assert_eq!(scene.centre.figures(), expected);
    assert_eq!(desk.shared.state().remembered(), 0);
    assert!(scene.centre.books().entries.is_empty() && scene.platform.books().entries.is_empty());
    assert_eq!(scene.platform.rejected(), 0);
    scene.stop().await;
}

/// A driver of long loads: the books grow in a file, and what is remembered does not grow.
#[tokio::test]
async fn what_is_over_leaves_for_the_books_file() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = |name: &str| Box::new(BookFile::create(&folder.path().join(name)).unwrap());
    let scene = scene(6, config(), Habits::default()).await;
    let (desk, ledger) = (scene.centre.desk(), scene.platform.ledger());
    desk.remember(20, shelf("centre"));
    lock(&ledger).remember(20, shelf("platform"));
    for n in 0..120 {
        let operation = if n % 2 == 0 { Operation::Debit } else { Operation::Refund };
        let played = desk.play(&chosen(1, n, operation, None)).await;
        assert!(played.as_expected, "{n}: {:?}", played.complaint);
        // An expectation and an entry of each.
        let remembered = (desk.remembered(), lock(&ledger).remembered());
        assert!(remembered.0 <= 2 * 22 && remembered.1 <= 22, "{n}: {remembered:?}");
    }
    assert_eq!(scene.centre.figures().unmatched, 0);
    desk.shelve().unwrap();
    lock(&ledger).shelve().unwrap();
    scene.stop().await;
    let book = |name: &str| -> Book { serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap() };
    let (centre, platform) = (book("centre"), book("platform"));
    assert_eq!(centre.entries.len(), 180);
    let comparison = compare(&centre, &centre, &platform);
    assert!(comparison.equal, "{:#?}", comparison.differences);
}
