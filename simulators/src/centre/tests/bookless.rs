//! A centre and a platform without books, as a driver of loads uses them.
use super::{CentreConfig, Habits, config, scene};
use crate::centre::Figures;
use crate::mix::chosen;
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
