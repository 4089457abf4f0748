//! The proof over any journal: through the trait alone, in pages, and beside what a prune leaves.

use super::data::{Subjected, accept, fresh, key, message, outcome, step, stored, walk};
use hangu::journal::verify::{Flaw, Report, Said, Verifier};
use hangu::journal::{Accept, Chain, ExchangeId, Kept, MessageRecord, Millis, Read, State, Write, Written};

pub(super) async fn a_pruned_journal_holds(journal: Subjected<'_>) {
    for (serial, at) in [("1", 1_000), ("2", 1_000), ("3", 9_000)] {
        deliver(journal, serial, at).await;
    }
    assert_eq!(journal.write(Write::Prune { before: 5_000 }).await, Ok(Written::Pruned(2)));
    let report = verify(journal, 5_000).await;
    assert_eq!(report.findings, []);
    let (checked, tip) = (&report.checked, &report.known.tips[0]);
    // A writer of several adds its number; with a slow disk they take turns, and a chain of which all is pruned is gone.
    let records = u64::try_from(tip.seq).unwrap();
    assert!(
        tip.chain == "hangu" && records == 3 || tip.chain.starts_with("hangu."),
        "{tip:?}"
    );
    assert_eq!(
        (checked.exchanges, checked.records, checked.pruned, checked.chains),
        (1, records, records - 1, 1)
    );
    assert_eq!(tip.date, "2026-11-22");
    // The same prune where outcomes are to be kept for longer.
    let report = verify(journal, 1_000).await;
    let flaws: Vec<Flaw> = report.findings.iter().map(|finding| finding.flaw).collect();
    assert_eq!(flaws.len() as u64, records - 1);
    assert!(flaws.iter().all(|flaw| *flaw == Flaw::PrunedYoung), "{flaws:?}");
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

pub(super) async fn what_hangs_on_many_is_what_hangs_on_each(journal: Subjected<'_>) {
    deliver(journal, "1", 1_000).await;
    let open = fresh(&**journal, accept("2")).await;
    deliver(journal, "3", 1_000).await;
    let all = Read::Scan { after: 0, limit: 10 };
    let all = journal.read(all).await.unwrap().exchanges().unwrap();
    let ids: Vec<ExchangeId> = all.iter().map(|exchange| exchange.id).collect();
    // One that is not there changes nothing of the others.
    let asked = [ids.as_slice(), &[open + 1_000]].concat();
    let mut found = journal
        .read(Read::Exchanges(asked.clone()))
        .await
        .unwrap()
        .exchanges()
        .unwrap();
    found.sort_by_key(|exchange| exchange.id);
    assert_eq!(found, all);
    let mut kept = journal.read(Read::Kept(asked)).await.unwrap().kept().unwrap();
    kept.retain(|kept| ids.contains(&kept.exchange));
    kept.sort_by_key(|kept| kept.exchange);
    for (id, kept) in ids.iter().zip(kept) {
        let one = Kept {
            exchange: *id,
            effect: journal.read(Read::EffectOf(*id)).await.unwrap().effects().unwrap().pop(),
            messages: journal.read(Read::Messages(*id)).await.unwrap().messages().unwrap(),
            requests: journal.read(Read::Requests(*id)).await.unwrap().requests().unwrap(),
        };
        assert_eq!(
            (kept.messages.len(), kept.effect.is_some()),
            if *id == open { (1, false) } else { (2, true) }
        );
        assert_eq!(kept, one);
    }
}

/// No acceptance lets it happen; somebody who writes the tables can.
pub(super) async fn a_business_that_succeeded_twice_is_found(journal: Subjected<'_>) {
    let nameless = |serial: &str| Accept {
        business_key: None,
        end_to_end_id: Some("twice".to_owned()),
        ..accept(serial)
    };
    let elder = succeed(journal, "1", nameless("1")).await;
    deliver(journal, "2", 1_000).await;
    let younger = succeed(journal, "3", nameless("3")).await;
    let report = verify(journal, 0).await;
    let found: Vec<(Flaw, Option<i64>)> = report
        .findings
        .iter()
        .map(|finding| (finding.flaw, finding.exchange))
        .collect();
    assert_eq!(found, [(Flaw::DoubleEffect, Some(younger))]);
    assert!(report.findings[0].detail.contains(&format!("exchange {elder} ")));
}

async fn deliver(journal: Subjected<'_>, serial: &str, at: Millis) {
    succeed(journal, serial, Accept { at, ..accept(serial) }).await;
}

/// Accepted, answered with success, delivered.
async fn succeed(journal: Subjected<'_>, serial: &str, accept: Accept) -> ExchangeId {
    let at = accept.at;
    let id = fresh(&**journal, accept).await;
    let mut settled = step(id, &[State::Accepted], State::Answered, at);
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![message("sent", "reply", serial, at)];
    settled.answers = Some(key(serial));
    assert_eq!(walk(&**journal, settled).await, Written::Moved);
    let delivered = step(id, &[State::Answered], State::Delivered, at);
    assert_eq!(walk(&**journal, delivered).await, Written::Moved);
    id
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
