//! The chain of terminal effects: one record for each final outcome, in order, and gone only with what it speaks of.

use super::data::{Subjected, accept, cancel, fresh, message, outcome, step, stored, take, walk};
use hangu::journal::chain::{Chain, FIRST, reply_digest};
use hangu::journal::{Accept, Accepted, Effect, EffectKey, Found, Read, State, Tip, Write, Written};

pub(super) async fn a_final_outcome_is_chained_once(journal: Subjected<'_>) {
    let id = fresh(&**journal, accept("1")).await;
    assert_eq!(effects(journal).await, [], "an accepted request has no effect yet");
    walk(&**journal, step(id, &[State::Accepted], State::Sent, 2_000)).await;
    let mut unknown = step(id, &[State::Sent], State::Unknown, 3_000);
    unknown.outcome = Some(outcome("unknown", None));
    walk(&**journal, unknown).await;
    assert_eq!(effects(journal).await, [], "unknown is no effect");
    let reply = message("sent", "reply", "done", 4_000);
    let mut settled = step(id, &[State::Unknown], State::Answered, 4_000);
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![message("received", "reply", "said", 4_000), reply.clone()];
    assert_eq!(walk(&**journal, settled).await, Written::Moved);
    let found = effects(journal).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].exchange, found[0].seq, found[0].at), (id, 1, 4_000));
    assert_eq!(found[0].date, "2026-11-22");
    assert_eq!(found[0].reply, Some(reply_digest(&reply.record.sealed)));
    walk(&**journal, step(id, &[State::Answered], State::Delivered, 5_000)).await;
    assert_eq!(effects(journal).await, found, "delivery adds nothing");
    assert_eq!(of(journal, id).await, found);
}

pub(super) async fn records_hang_on_one_another(journal: Subjected<'_>) {
    for serial in ["1", "2", "3"] {
        let id = fresh(&**journal, accept(serial)).await;
        settle(journal, id).await;
    }
    let other = Accept {
        settlement_date: None,
        ..accept("4")
    };
    let other = fresh(&**journal, other).await;
    settle(journal, other).await;
    let ends = whole_chains(journal, &Chain::unkeyed("hangu")).await;
    assert!(ends.iter().any(|tip| tip.date == "none" && tip.seq == 1));
    assert_eq!(journal.read(Read::Tips).await.unwrap().tips().unwrap(), ends);
}

/// Checks number and digest of every record; gives where the chains end.
pub(crate) async fn whole_chains(journal: Subjected<'_>, key: &Chain) -> Vec<Tip> {
    let mut chains = std::collections::BTreeMap::new();
    for effect in effects(journal).await {
        let place = (effect.chain.clone(), effect.date.clone());
        let (seq, before) = chains.get(&place).copied().unwrap_or((0, FIRST));
        assert_eq!(effect.seq, seq + 1, "{effect:?}");
        let exchange = stored(&**journal, effect.exchange).await;
        assert_eq!(key.facts(&exchange), effect.facts, "{effect:?}");
        assert_eq!(key.digest(&before, &effect), effect.digest, "{effect:?}");
        chains.insert(place, (effect.seq, effect.digest));
    }
    let tips = chains.into_iter().map(|((chain, date), (seq, digest))| Tip {
        chain,
        date,
        seq,
        digest,
    });
    tips.collect()
}

pub(super) async fn a_tombstoned_request_is_chained_when_it_comes(journal: Subjected<'_>) {
    take(&**journal, cancel("9", "1")).await;
    let Accepted::Tombstoned { id } = take(&**journal, accept("1")).await else {
        panic!("not tombstoned")
    };
    assert_eq!(of(journal, id).await.len(), 1);
    let mut refusal = step(id, &[State::Accepted], State::Answered, 4_000);
    refusal.outcome = Some(outcome("failed", Some("already_cancelled")));
    assert_eq!(walk(&**journal, refusal).await, Written::Moved);
    assert_eq!(of(journal, id).await.len(), 1);
}

pub(super) async fn a_prune_marks_records_and_drops_whole_chains(journal: Subjected<'_>) {
    let mut ids = Vec::new();
    for (serial, at) in [("1", 1_000), ("2", 1_000), ("3", 9_000)] {
        let id = fresh(&**journal, Accept { at, ..accept(serial) }).await;
        settle(journal, id).await;
        ids.push(id);
    }
    // A database's writers have a chain each: what stands in the last one's chain is marked, other chains go.
    let all = effects(journal).await;
    let chain = &all.iter().find(|effect| effect.exchange == ids[2]).unwrap().chain;
    let staying = all.iter().filter(|effect| effect.chain == *chain);
    let expected: Vec<_> = staying.map(|effect| (effect.exchange, effect.exchange != ids[2])).collect();
    // Old enough is what was also delivered before.
    assert_eq!(journal.write(Write::Prune { before: 5_000 }).await, Ok(Written::Pruned(0)));
    assert_eq!(journal.write(Write::Prune { before: 6_000 }).await, Ok(Written::Pruned(2)));
    let found = effects(journal).await;
    let marks = found.iter().map(|effect| (effect.exchange, effect.pruned));
    assert_eq!(marks.collect::<Vec<_>>(), expected);
    assert_eq!(journal.write(Write::Prune { before: 10_000 }).await, Ok(Written::Pruned(1)));
    assert_eq!(effects(journal).await, []);
}

pub(super) async fn everything_can_be_walked_in_pages(journal: Subjected<'_>) {
    let mut ids = Vec::new();
    for serial in ["1", "2", "3"] {
        let id = fresh(&**journal, accept(serial)).await;
        settle(journal, id).await;
        ids.push(id);
    }
    let mut walked = Vec::new();
    let mut after = 0;
    loop {
        let page = journal
            .read(Read::Scan { after, limit: 2 })
            .await
            .unwrap()
            .exchanges()
            .unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        walked.extend(page.iter().map(|exchange| exchange.id));
    }
    assert_eq!(walked, ids);
    let first = effects(journal).await.remove(0);
    let after = EffectKey {
        chain: first.chain,
        date: first.date,
        seq: first.seq,
    };
    let found = journal.read(Read::Effects { after, limit: 10 }).await.unwrap();
    assert_eq!(found.effects().unwrap().len(), 2);
}

/// Answered with success, and delivered.
pub(crate) async fn settle(journal: Subjected<'_>, id: i64) {
    let mut settled = step(id, &[State::Accepted], State::Answered, 4_000);
    settled.outcome = Some(outcome("success", None));
    settled.messages = vec![message("sent", "reply", "done", 4_000)];
    assert_eq!(walk(&**journal, settled).await, Written::Moved);
    walk(&**journal, step(id, &[State::Answered], State::Delivered, 5_000)).await;
}

async fn effects(journal: Subjected<'_>) -> Vec<Effect> {
    let (mut found, mut after) = (Vec::new(), EffectKey::default());
    loop {
        let page = taken(journal.read(Read::Effects { after, limit: 1_000 }).await.unwrap());
        let Some(last) = page.last() else { return found };
        after = EffectKey {
            chain: last.chain.clone(),
            date: last.date.clone(),
            seq: last.seq,
        };
        found.extend(page);
    }
}

async fn of(journal: Subjected<'_>, id: i64) -> Vec<Effect> {
    taken(journal.read(Read::EffectOf(id)).await.unwrap())
}

fn taken(found: Found) -> Vec<Effect> {
    found.effects().unwrap()
}
