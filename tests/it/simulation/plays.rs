//! What is played: short courses of requests that belong together, each on its own customer.

use super::bank::Bank;
use super::centre::{Centre, PAYOUT_FEN_MAX};
use super::world::World;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment};
use simulators::counterparty::Twist;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The two who start payments.
#[derive(Clone)]
pub(crate) struct Cast {
    pub(crate) world: Arc<World>,
    pub(crate) centre: Centre,
    pub(crate) bank: Bank,
}

/// One course.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Play {
    Debit,
    Credit,
    Sign,
    Verify,
    Refund,
    /// The same bytes several times, also while the first is in work.
    Repeat,
    /// The same ids with another amount.
    Altered,
    /// The same business under another communication key, before or after the first is answered.
    Again,
    /// As before, and then cancelled by the name of the second message.
    CancelAgain,
    CancelAfter,
    /// The cancel follows on the heels of its original, and may overtake it.
    CancelDuring,
    CancelFirst,
    Query,
    Unreadable,
    /// A status message of the day before.
    StaleStatus,
    Payout,
    PayoutCancel,
    PayoutQuery,
    Terminate,
}

pub(crate) const PLAYS: [Play; 19] = [
    Play::Debit,
    Play::Credit,
    Play::Sign,
    Play::Verify,
    Play::Refund,
    Play::Repeat,
    Play::Altered,
    Play::Again,
    Play::CancelAgain,
    Play::CancelAfter,
    Play::CancelDuring,
    Play::CancelFirst,
    Play::Query,
    Play::Unreadable,
    Play::StaleStatus,
    Play::Payout,
    Play::PayoutCancel,
    Play::PayoutQuery,
    Play::Terminate,
];

impl Cast {
    /// Plays one course to its end; `place` gives it a customer of its own.
    pub(crate) async fn play(self, play: Play, place: u64) {
        let world = self.world.clone();
        sleep(world.up_to(4_000)).await;
        let fen = 100 + i64::try_from(world.below(4_000)).unwrap();
        world.say(|| format!("play {play:?} {place}"));
        let request = |operation| self.centre.request(operation, place, fen, None);
        match play {
            Play::Debit => drop(self.centre.ask(request(Operation::Debit)).await),
            Play::Credit => drop(self.centre.ask(request(Operation::Credit)).await),
            Play::Sign => drop(self.centre.ask(request(Operation::Sign)).await),
            Play::Verify => drop(self.centre.ask(request(Operation::Verify)).await),
            Play::Repeat => self.repeat(request(Operation::Debit)).await,
            Play::Altered => self.altered(request(Operation::Debit)).await,
            Play::Refund => self.refund(request(Operation::Debit), place, fen).await,
            Play::Again => drop(self.again(&request(Operation::Debit)).await),
            Play::CancelAgain => self.cancel_again(&request(Operation::Debit), place).await,
            Play::CancelAfter | Play::CancelDuring | Play::CancelFirst => {
                self.cancel(play, request(Operation::Debit), place).await;
            }
            Play::Query => self.query(request(Operation::Debit), place).await,
            Play::Unreadable => self.centre.post_refusable(&request(Operation::Debit), Twist::BadSignature),
            Play::StaleStatus => self.centre.announce_late().await,
            Play::Payout | Play::PayoutCancel | Play::PayoutQuery | Play::Terminate => self.ask_from_bank(play, place, fen).await,
        }
    }

    async fn repeat(&self, request: Payment) {
        let key = self.centre.post(request);
        for _ in 0..=self.world.below(3) {
            sleep(self.world.up_to(3_000)).await;
            self.centre.post_again(&key);
        }
        self.answered(&key).await;
        self.centre.post_again(&key);
    }

    async fn altered(&self, request: Payment) {
        let outcome = self.centre.ask(request.clone()).await;
        if outcome.is_some() {
            let mut altered = request;
            altered.set_money(Attribute::Amount, Money::from_fen(7));
            self.centre.post_refusable(&altered, Twist::None);
        }
    }

    async fn refund(&self, debit: Payment, place: u64, fen: i64) {
        if self.centre.ask(debit.clone()).await == Some(Outcome::Success) {
            let refund = self.centre.request(Operation::Refund, place, fen / 2, Some(&debit));
            self.centre.ask(refund).await;
        }
    }

    async fn again(&self, first: &Payment) -> Payment {
        let key = self.centre.post(first.clone());
        if self.world.below(2) == 0 {
            self.answered(&key).await;
        } else {
            sleep(self.world.up_to(3_000)).await;
        }
        let second = self.centre.renumbered(first);
        self.centre.ask(second.clone()).await;
        self.answered(&key).await;
        second
    }

    async fn cancel_again(&self, first: &Payment, place: u64) {
        let second = self.again(first).await;
        self.ask_cancel(&second, place).await;
    }

    async fn cancel(&self, play: Play, request: Payment, place: u64) {
        let key = simulators::ids::communication_key(&request);
        if play == Play::CancelDuring {
            self.centre.post(request.clone());
            sleep(self.world.up_to(200)).await;
        } else if play == Play::CancelAfter {
            self.centre.ask(request.clone()).await;
        }
        self.ask_cancel(&request, place).await;
        if play == Play::CancelFirst {
            self.centre.post(request);
        }
        self.answered(&key).await;
    }

    async fn ask_cancel(&self, original: &Payment, place: u64) {
        let cancel = self.centre.request(Operation::Cancel, place, 0, Some(original));
        let key = simulators::ids::communication_key(&cancel);
        let end_to_end_id = original.text(Attribute::EndToEndId).unwrap().to_owned();
        self.centre.with_book(|book| book.cancels.push((key, end_to_end_id)));
        self.centre.ask(cancel).await;
    }

    async fn query(&self, request: Payment, place: u64) {
        let key = self.centre.post(request.clone());
        sleep(self.world.up_to(4_000)).await;
        for _ in 0..3 {
            let query = self.centre.request(Operation::Query, place, 0, Some(&request));
            if self.centre.ask(query).await.is_none_or(|outcome| outcome.is_final()) {
                break;
            }
            sleep(self.world.up_to(3_000)).await;
        }
        self.answered(&key).await;
    }

    async fn ask_from_bank(&self, play: Play, place: u64, fen: i64) {
        if play == Play::Terminate {
            let end = self.bank.request(Operation::Terminate, place, 0, None);
            return drop(self.bank.ask(end).await);
        }
        let fen = if self.world.below(5) == 0 { PAYOUT_FEN_MAX + fen } else { fen };
        let payout = self.bank.request(Operation::Credit, place, fen, None);
        let paid = self.bank.ask(payout.clone()).await;
        let follow_up = if play == Play::PayoutQuery {
            Operation::Query
        } else if play == Play::PayoutCancel && paid == Some(Outcome::Success) {
            Operation::Cancel
        } else {
            return;
        };
        let request = self.bank.request(follow_up, place, fen, Some(&payout));
        self.bank.ask(request).await;
    }

    /// Waits until a request of the centre has its final outcome, and repeats it as long as it has none.
    async fn answered(&self, key: &str) {
        for _ in 0..30 {
            let wait = Duration::from_secs(15) + self.world.up_to(5_000);
            if timeout(wait, self.centre.outcome(key)).await.is_ok() {
                return;
            }
            self.centre.post_again(key);
        }
    }
}
