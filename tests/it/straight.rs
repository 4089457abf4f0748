//! Straight through: a payment that can go at once is accepted and sent in one write; and when nobody knows what became of that
//! write, what was certainly not sent goes out as soon as the request comes again.

use crate::stand::{Stand, debits};
use async_trait::async_trait;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{Exchange, Found, Journal, JournalError, Read, State, Write, Written};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_needs_three_writes() {
    let (watched, debit) = played(0).await;
    assert_eq!((debit.state, debit.attempts), (State::Delivered, 1));
    assert_eq!(watched.sent_alone.load(Ordering::SeqCst), 0, "sent by a write of its own");
    assert_eq!(watched.sent_at_once.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_certainly_not_sent_is_sent_after_all() {
    let (watched, debit) = played(1).await;
    assert_eq!(watched.silences.load(Ordering::SeqCst), 0, "the commit was not answered");
    // Nobody had to ask the platform: the first attempt had never left.
    assert_eq!((debit.state, debit.attempts, debit.queries), (State::Delivered, 2, 0));
    assert_eq!(debit.outcome.map(|outcome| outcome.name), Some("success".to_owned()));
}

/// Plays one debit from the centre to the platform over a journal that leaves so many commits of a first attempt unanswered.
async fn played(silences: u32) -> (Arc<Watched>, Exchange) {
    let watched = Arc::new(Watched {
        journal: SqliteJournal::memory().unwrap(),
        silences: AtomicU32::new(silences),
        sent_at_once: AtomicU32::new(0),
        sent_alone: AtomicU32::new(0),
    });
    let stand = Stand::set(watched.clone()).await;
    let one = stand.start("one", |_| {}).await;
    stand.open_the_day(&[&one]).await;
    let planned = debits(1).next().unwrap();
    assert!(stand.centre.desk().play(&planned).await.as_expected);
    assert!(one.running.stop(Duration::from_secs(10)).await);
    let all = stand.exchanges().await;
    let debit = all.into_iter().find(|exchange| exchange.operation == "debit").unwrap();
    (watched, debit)
}

/// A journal that counts how requests become sent, and does not always answer.
struct Watched {
    journal: SqliteJournal,
    silences: AtomicU32,
    sent_at_once: AtomicU32,
    sent_alone: AtomicU32,
}

#[async_trait]
impl Journal for Watched {
    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        let is_first = matches!(&write, Write::Accept(accept) if accept.sends.is_some());
        if is_first {
            self.sent_at_once.fetch_add(1, Ordering::SeqCst);
        }
        if matches!(&write, Write::Move(step) if step.from == [State::Accepted] && step.to == State::Sent) {
            self.sent_alone.fetch_add(1, Ordering::SeqCst);
        }
        let written = self.journal.write(write).await;
        let left = self.silences.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(u32::from(is_first))
        });
        match left {
            Ok(left) if is_first && left > 0 => Err(JournalError::Unknown("the commit was not answered".to_owned())),
            Ok(_) | Err(_) => written,
        }
    }

    async fn read(&self, read: Read) -> Result<Found, JournalError> {
        self.journal.read(read).await
    }

    async fn close(&self) {
        self.journal.close().await;
    }
}
