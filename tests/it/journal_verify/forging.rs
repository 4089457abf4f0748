//! Somebody who knows how chains are made, and has no key, changes an exchange and writes the rest of its chain anew.

use super::copy::{Copy, Named};
use hangu::journal::chain::FIRST;
use hangu::journal::sqlite::Store;
use hangu::journal::{Chain, Effect, EffectKey, Exchange, Read};
use rusqlite::params;

#[test]
fn a_chain_written_anew_without_the_key_is_found() {
    let copy = Copy::new();
    let id = copy.nth(5);
    copy.change(&format!("UPDATE exchange SET amount_fen = amount_fen + 1 WHERE id = {id}"));
    let length = rehash_from(&copy, 5);
    let verdict = copy.verify(&[]);
    assert_eq!(verdict.exit, 1);
    assert_eq!(verdict.found[0], Named("digest", Some(id)), "{}", verdict.json);
    let forged = verdict.found.iter().filter(|found| found.0 == "digest").count();
    assert_eq!(i64::try_from(forged).unwrap(), length, "every record that was written anew");
}

/// Computes the digests of the day's chain anew from one record on; gives how many.
fn rehash_from(copy: &Copy, seq: i64) -> i64 {
    let forger = Chain::unkeyed("forger");
    let (mut before, mut count) = (FIRST, 0);
    for (mut effect, exchange) in records(copy) {
        if effect.seq < seq {
            before = effect.digest;
            continue;
        }
        effect.facts = forger.facts(&exchange);
        before = forger.digest(&before, &effect);
        let sql = "UPDATE effect SET digest = ?1, facts = ?2 WHERE exchange_id = ?3";
        let values = params![before, effect.facts, effect.exchange];
        assert_eq!(copy.open().execute(sql, values).unwrap(), 1);
        count += 1;
    }
    count
}

fn records(copy: &Copy) -> Vec<(Effect, Exchange)> {
    let store = Store::open_read_only(&copy.path("journal.db")).unwrap();
    let all = Read::Effects {
        after: EffectKey::default(),
        limit: 10_000,
    };
    let effects = store.query(&all).unwrap().effects().unwrap().into_iter();
    let of_the_day = effects.filter(|effect| effect.date != "none");
    let with_exchange = of_the_day.map(|effect| {
        let exchange = store.query(&Read::Exchange(effect.exchange)).unwrap().exchange().unwrap();
        (effect, exchange.unwrap())
    });
    with_exchange.collect()
}
