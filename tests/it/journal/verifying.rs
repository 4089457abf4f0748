//! The proof over any journal: through the trait alone, in pages, and beside what a prune leaves.

use super::data::{Subjected, accept, fresh, key, message, outcome, step, stored, walk};
use hangu::journal::verify::{Flaw, Report, Said, Verifier};
use hangu::journal::{Accept, Chain, MessageRecord, Millis, State, Write, Written};

pub(super) async fn a_pruned_journal_holds(journal: Subjected<'_>) {
    for (serial, at) in [("1", 1_000), ("2", 1_000), ("3", 9_000)] {
        deliver(journal, serial, at).await;
    }
    assert_eq!(journal.write(Write::Prune { before: 5_000 }).await, Ok(Written::Pruned(2)));
    let report = verify(journal, 5_000).await;
    assert_eq!(report.findings, []);
    let checked = &report.checked;
    assert_eq!(
        (checked.exchanges, checked.records, checked.pruned, checked.chains),
        (1, 3, 2, 1)
    );
    let tip = &report.known.tips[0];
    // A writer of its own adds its number.
    assert!(tip.chain.starts_with("hangu"), "{}", tip.chain);
    assert_eq!((tip.date.as_str(), tip.seq), ("2026-11-22", 3));
    // The same prune where outcomes are to be kept for longer.
    let report = verify(journal, 1_000).await;
    let flaws: Vec<Flaw> = report.findings.iter().map(|finding| finding.flaw).collect();
    assert_eq!(flaws, [Flaw::PrunedYoung, Flaw::PrunedYoung]);
}

pub(super) async fn a_journal_of_many_pages_holds(journal: Subjected<'_>) {
    const COUNT: u64 = 1_203;
    for serial in 1..=COUNT {
        deliver(journal, &serial.to_string(), 1_000).await;
    }
    let open = fresh(&**journal, accept("open")).await;
    let report = verify(journal, 0).await;
    assert_eq!(report.findings, []);
    let checked = &report.checked;
    assert_eq!(
        (checked.exchanges, checked.records, checked.businesses, checked.replies),
        (COUNT + 1, COUNT, COUNT, COUNT)
    );
    assert_eq!((checked.by_state["accepted"], checked.by_state["delivered"]), (1, COUNT));
    assert_eq!(stored(&**journal, open).await.state, State::Accepted);
}

pub(super) async fn an_unreadable_message_and_a_contradiction_are_found(journal: Subjected<'_>) {
    deliver(journal, "1", 1_000).await;
    let id = fresh(&**journal, accept("2")).await;
    let mut settled = step(id, &[State::Accepted], State::Answered, 1_000);
    settled.outcome = Some(outcome("failed", Some("other")));
    settled.messages = vec![
        message("received", "reply", "torn", 1_000),
        message("sent", "reply", "2", 1_000),
    ];
    settled.answers = Some(key("2"));
    assert_eq!(walk(&**journal, settled).await, Written::Moved);
    let report = verify(journal, 0).await;
    let found: Vec<(Flaw, Option<i64>)> = report
        .findings
        .iter()
        .map(|finding| (finding.flaw, finding.exchange))
        .collect();
    assert_eq!(found, [(Flaw::Unreadable, Some(id)), (Flaw::Contradiction, Some(id))]);
}

/// Accepted, answered with success, delivered.
async fn deliver(journal: Subjected<'_>, serial: &str, at: Millis) {
    let id = fresh(&**journal, Accept { at, ..accept(serial) }).await;
    let mut settled = step(id, &[State::Accepted], State::Answered, at);
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![message("sent", "reply", serial, at)];
    settled.answers = Some(key(serial));
    assert_eq!(walk(&**journal, settled).await, Written::Moved);
    let delivered = step(id, &[State::Answered], State::Delivered, at);
    assert_eq!(walk(&**journal, delivered).await, Written::Moved);
}

/// In these journals a reply's bytes are the serial that it answers, and each says success.
async fn verify(journal: Subjected<'_>, kept_since: Millis) -> Report {
    let opening = |message: &MessageRecord| match message.record.sealed.as_slice() {
        b"torn" => Err("torn".to_owned()),
        serial => Ok(Said {
            outcome: Some("success".to_owned()),
            serial: String::from_utf8(serial.to_vec()).ok(),
        }),
    };
    let chain = Chain::unkeyed("hangu");
    let verifier = Verifier {
        journal: &**journal,
        chain: &chain,
        opening: &opening,
        kept_since,
        known: None,
    };
    verifier.verify().await.unwrap()
}
