#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Answer, Ledger};
use crate::people::Person;
use crate::testing::request;
use crate::world::Dice;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason};

const ACCOUNTS: u64 = 1_000_000;

fn balance(ledger: &Ledger, person: u64) -> i64 {
    ledger.balance(&Person::at(person).account).unwrap().fen()
}

fn opening(person: u64) -> i64 {
    Person::at(person).opening_balance().fen()
}

fn execute(ledger: &mut Ledger, request: &Payment) -> Answer {
    let key = request.text(Attribute::MsgId).unwrap().to_owned();
    ledger.execute(request, &key)
}

fn check_refused(answer: &Answer, expected: Reason) {
    match &answer.outcome {
        Outcome::Failed { reason, .. } => assert_eq!(*reason, expected),
        other @ (Outcome::Success | Outcome::Unknown) => panic!("expected {expected}, was {other:?}"),
    }
}

#[test]
fn a_debit_moves_money_once() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 500, None);
    let answer = ledger.execute(&debit, "a");
    assert_eq!(answer.outcome, Outcome::Success);
    assert_eq!(answer.account, Some(Person::at(7).account));
    assert_eq!(balance(&ledger, 7), opening(7) - 500);
    for key in ["a", "b"] {
        let again = ledger.execute(&debit, key);
        assert!(again.repeated && again.bank_tx_id == answer.bank_tx_id);
    }
    assert_eq!(ledger.executions(debit.text(Attribute::EndToEndId).unwrap()), 1);
    assert_eq!(balance(&ledger, 7), opening(7) - 500);
    assert_eq!(ledger.sum(), 0);
}

#[test]
fn other_content_under_a_known_key_is_altered() {
    let mut ledger = Ledger::new(ACCOUNTS);
    ledger.execute(&request(Operation::Debit, 1, 7, 500, None), "a");
    check_refused(
        &ledger.execute(&request(Operation::Debit, 2, 7, 500, None), "a"),
        Reason::Altered,
    );
    check_refused(
        &ledger.execute(&request(Operation::Debit, 1, 7, 501, None), "b"),
        Reason::Altered,
    );
    assert_eq!(balance(&ledger, 7), opening(7) - 500);
}

#[test]
fn the_same_key_gets_the_stored_answer_even_where_nothing_is_booked() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let verify = request(Operation::Verify, 1, 7, 0, None);
    let (first, again) = (ledger.execute(&verify, "a"), ledger.execute(&verify, "a"));
    assert!(again.repeated && !first.repeated && again.bank_tx_id == first.bank_tx_id);
    let debit = request(Operation::Debit, 2, 7, 500, None);
    let query = request(Operation::Query, 3, 7, 0, Some(&debit));
    check_refused(&ledger.execute(&query, "q"), Reason::OriginalNotFound);
    ledger.execute(&debit, "d");
    assert_eq!(ledger.execute(&query, "q").outcome, Outcome::Success, "a query is asked anew");
}

#[test]
fn business_refusals() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let check = |ledger: &mut Ledger, request: &Payment, reason| check_refused(&execute(ledger, request), reason);
    check(
        &mut ledger,
        &request(Operation::Debit, 1, 198, 2, None),
        Reason::InsufficientFunds,
    );
    check(
        &mut ledger,
        &request(Operation::Debit, 2, 199, 2, None),
        Reason::AccountFrozen,
    );
    check(
        &mut ledger,
        &request(Operation::Debit, 3, ACCOUNTS, 2, None),
        Reason::AgreementNotFound,
    );
    check(
        &mut ledger,
        &request(Operation::Credit, 4, ACCOUNTS, 2, None),
        Reason::AccountNotFound,
    );
    check(&mut ledger, &request(Operation::Debit, 5, 7, 0, None), Reason::InvalidMessage);
    let mut credit = request(Operation::Credit, 6, 7, 2, None);
    check(
        &mut ledger,
        credit.set_text(Attribute::PayeeName, "somebody else"),
        Reason::NameMismatch,
    );
    let mut verify = request(Operation::Verify, 7, 7, 0, None);
    check(
        &mut ledger,
        verify.set_text(Attribute::IdNumber, "990000195001010000"),
        Reason::IdentityMismatch,
    );
    check(&mut ledger, &request(Operation::Status, 8, 7, 0, None), Reason::NotSupported);
    assert_eq!(ledger.entries().len(), 0, "a refusal books nothing");
}

#[test]
fn an_agreement_is_signed_used_and_ended() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let signed = execute(&mut ledger, &request(Operation::Sign, 1, 7, 0, None));
    let number = signed.agreement.unwrap();
    let with_number = |operation, serial| {
        let mut request = request(operation, serial, 7, 100, None);
        request.set_text(Attribute::Agreement, number.clone());
        request
    };
    assert_eq!(
        execute(&mut ledger, &with_number(Operation::Debit, 2)).outcome,
        Outcome::Success
    );
    assert_eq!(
        execute(&mut ledger, &with_number(Operation::Terminate, 3)).outcome,
        Outcome::Success
    );
    check_refused(
        &execute(&mut ledger, &with_number(Operation::Debit, 4)),
        Reason::AgreementEnded,
    );
    check_refused(
        &execute(&mut ledger, &with_number(Operation::Terminate, 5)),
        Reason::AgreementEnded,
    );
    // The agreement from before the run is another one and goes on.
    assert_eq!(
        execute(&mut ledger, &request(Operation::Debit, 6, 7, 100, None)).outcome,
        Outcome::Success
    );
}

#[test]
fn refunds_stop_at_the_original() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 100, None);
    execute(&mut ledger, &debit);
    let refund = |serial, fen| request(Operation::Refund, serial, 7, fen, Some(&debit));
    assert_eq!(execute(&mut ledger, &refund(2, 60)).outcome, Outcome::Success);
    check_refused(&execute(&mut ledger, &refund(3, 41)), Reason::RefundExceedsOriginal);
    assert_eq!(execute(&mut ledger, &refund(4, 40)).outcome, Outcome::Success);
    assert_eq!(balance(&ledger, 7), opening(7));
    let unknown = request(Operation::Debit, 9, 7, 100, None);
    check_refused(
        &execute(&mut ledger, &request(Operation::Refund, 10, 7, 1, Some(&unknown))),
        Reason::OriginalNotFound,
    );
    check_refused(
        &execute(&mut ledger, &request(Operation::Cancel, 11, 7, 1, Some(&debit))),
        Reason::OriginalNotSuccessful,
    );
}

#[test]
fn a_cancelled_refund_can_be_refunded_again() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 100, None);
    execute(&mut ledger, &debit);
    let refund = request(Operation::Refund, 2, 7, 100, Some(&debit));
    execute(&mut ledger, &refund);
    assert_eq!(
        execute(&mut ledger, &request(Operation::Cancel, 3, 7, 100, Some(&refund))).outcome,
        Outcome::Success
    );
    assert_eq!(balance(&ledger, 7), opening(7) - 100);
    assert_eq!(
        execute(&mut ledger, &request(Operation::Refund, 4, 7, 100, Some(&debit))).outcome,
        Outcome::Success
    );
    assert_eq!((balance(&ledger, 7), ledger.sum()), (opening(7), 0));
}

#[test]
fn a_cancel_reverses_once() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 100, None);
    execute(&mut ledger, &debit);
    for serial in [2, 3] {
        assert_eq!(
            execute(&mut ledger, &request(Operation::Cancel, serial, 7, 100, Some(&debit))).outcome,
            Outcome::Success
        );
        assert_eq!(balance(&ledger, 7), opening(7));
    }
    check_refused(
        &execute(&mut ledger, &request(Operation::Refund, 4, 7, 1, Some(&debit))),
        Reason::OriginalNotSuccessful,
    );
}

#[test]
fn a_cancel_before_its_original_stands() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 100, None);
    assert_eq!(
        execute(&mut ledger, &request(Operation::Cancel, 2, 7, 100, Some(&debit))).outcome,
        Outcome::Success
    );
    check_refused(&execute(&mut ledger, &debit), Reason::AlreadyCancelled);
    assert_eq!(balance(&ledger, 7), opening(7));
}

#[test]
fn a_query_tells_the_originals_outcome() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let debit = request(Operation::Debit, 1, 7, 100, None);
    let query = |serial| request(Operation::Query, serial, 7, 0, Some(&debit));
    check_refused(&execute(&mut ledger, &query(2)), Reason::OriginalNotFound);
    let executed = execute(&mut ledger, &debit);
    let told = execute(&mut ledger, &query(3));
    assert!(told.outcome == Outcome::Success && told.bank_tx_id != executed.bank_tx_id);
}

/// Money that an institution collects comes with its word, and a refund of it leaves before the institution is told.
#[test]
fn what_an_institution_collects_comes_once_and_is_given_back_once() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let collected = |ledger: &Ledger| ledger.balance(super::COLLECTED).map_or(0, Money::fen);
    let debit = request(Operation::Debit, 1, 7, 500, None);
    assert_eq!(ledger.begin(&debit).outcome, Outcome::Unknown);
    assert_eq!(collected(&ledger), 0);
    for _ in 0..2 {
        ledger.settle(&debit, &Outcome::Success);
    }
    assert_eq!(collected(&ledger), 500);
    assert_eq!(ledger.executions(debit.text(Attribute::EndToEndId).unwrap()), 1);

    let refund = request(Operation::Refund, 2, 7, 200, Some(&debit));
    ledger.begin(&refund);
    assert_eq!(collected(&ledger), 300);
    ledger.settle(&refund, &Outcome::failed(Reason::Other, "refused"));
    assert_eq!(collected(&ledger), 500, "what was not refunded is there again");
    let cancel = request(Operation::Cancel, 3, 7, 500, Some(&debit));
    ledger.begin(&cancel);
    ledger.settle(&cancel, &Outcome::Success);
    assert_eq!((collected(&ledger), ledger.sum()), (0, 0));
}

#[test]
fn a_payout_is_taken_first_and_given_back_once() {
    let mut ledger = Ledger::new(ACCOUNTS);
    let payout = |serial| {
        let mut payout = request(Operation::Credit, serial, 7, 100, None);
        payout.set_text(Attribute::PayerAccount, Person::at(7).account);
        payout
    };
    assert_eq!(ledger.begin(&payout(1)).outcome, Outcome::Unknown);
    assert_eq!(balance(&ledger, 7), opening(7) - 100);
    let failed = Outcome::failed(Reason::AccountNotFound, "no such account");
    for outcome in [&Outcome::Unknown, &failed, &Outcome::Success] {
        ledger.settle(&payout(1), outcome);
    }
    assert_eq!(balance(&ledger, 7), opening(7), "the first final outcome stays");
    ledger.begin(&payout(2));
    ledger.settle(&payout(2), &Outcome::Success);
    let cancel = request(Operation::Cancel, 3, 7, 100, Some(&payout(2)));
    ledger.begin(&cancel);
    ledger.settle(&cancel, &Outcome::Success);
    assert_eq!((balance(&ledger, 7), ledger.sum()), (opening(7), 0));
}

/// Random histories: the sum stays zero, every effect happens once, no refund exceeds its original.
#[test]
fn what_was_carried_over_and_is_executed_again_was_executed_twice() {
    let (mut first, mut second) = (Ledger::new(ACCOUNTS), Ledger::new(ACCOUNTS));
    let [one, two] = [1, 2].map(|serial| request(Operation::Debit, serial, 7, 500, None));
    execute(&mut first, &one);
    second.carry(first.book());
    execute(&mut second, &two);
    let executions = |ledger: &Ledger| {
        ledger
            .book()
            .entries
            .values()
            .map(|entry| entry.executions)
            .collect::<Vec<_>>()
    };
    assert_eq!(executions(&second), [1, 1]);
    execute(&mut second, &one);
    assert_eq!(executions(&second), [2, 1]);
}

#[test]
fn random_histories_keep_the_books_whole() {
    for seed in 0..20 {
        let mut ledger = Ledger::new(400);
        let mut dice = Dice::new(seed, 1);
        let mut debits: Vec<Payment> = Vec::new();
        for serial in 0..400 {
            let (person, fen) = (dice.below(400), dice.between(1, 2_000_000));
            let original = usize::try_from(dice.below(debits.len() as u64))
                .ok()
                .and_then(|at| debits.get(at))
                .cloned();
            let operation = [Operation::Debit, Operation::Credit, Operation::Refund, Operation::Cancel]
                [usize::try_from(dice.below(4)).unwrap()];
            let request = request(operation, serial, person, fen, original.as_ref());
            let (before, first) = (ledger.entries().len(), execute(&mut ledger, &request));
            let after = ledger.entries().len();
            assert!(
                execute(&mut ledger, &request).outcome == first.outcome && ledger.entries().len() == after,
                "seed {seed}"
            );
            assert!(
                first.outcome == Outcome::Success || before == after,
                "seed {seed}: a refusal booked"
            );
            assert_eq!(ledger.sum(), 0, "seed {seed} serial {serial}");
            if operation == Operation::Debit {
                debits.push(request);
            }
        }
        check_final(&ledger, seed);
    }
}

fn check_final(ledger: &Ledger, seed: u64) {
    for person in 0..400 {
        // Only a credit that was cancelled after the money was spent leaves less than nothing; this history cancels debits.
        assert!(balance(ledger, person) >= 0, "seed {seed}: person {person} is overdrawn");
    }
    for (key, entry) in &ledger.book().entries {
        assert!(
            entry.executions <= 1,
            "seed {seed}: {key} executed {} times",
            entry.executions
        );
    }
}

#[test]
fn a_million_accounts_are_there_without_being_made() {
    let ledger = Ledger::new(ACCOUNTS);
    assert_eq!(
        ledger.balance(&Person::at(ACCOUNTS - 1).account),
        Some(Person::at(ACCOUNTS - 1).opening_balance())
    );
    assert_eq!(ledger.balance(&Person::at(ACCOUNTS).account), None);
    assert_eq!(ledger.balance("6200000000 00000001"), None);
    assert!(Person::at(5).opening_balance() > Money::ZERO);
}
