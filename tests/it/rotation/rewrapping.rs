//! A journal in a file goes under another key in pages, by an instance that ends in the middle and by the next one. It is proven
//! before, while and after; what is moved to another place shows, and what was wrapped anew answers repeats as before.

use super::{change, end, open};
use crate::stand::{Instance, Stand, debits};
use hangu::clock::Random;
use hangu::exchange::Turn;
use hangu::journal::prove::Opener;
use hangu::journal::rewrap::{MARK, Place, Rewrapped};
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::verify::Verifier;
use hangu::journal::{Chain, MessageRecord, Read, Write};
use hangu::shell::SystemEntropy;
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::store::{Changes, NewKey};
use std::sync::Arc;
use time::OffsetDateTime;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_goes_under_another_key_and_stays_proven() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let still = |config: &mut hangu::config::Config| config.journal.rewrap_per_s = 0;
    let one = stand.start("one", still).await;
    stand.open_the_day(&[&one]).await;
    for planned in debits(1).take(60) {
        assert!(stand.centre.desk().play(&planned).await.as_expected);
    }
    stand.settle_down().await;
    assert_eq!(one.running.gateway().rewrap_some().await, Ok(Turn::Idle), "there is one key");
    promote(&stand);
    let folder = stand.folder.path().join("gateway");
    let keyring = Arc::new(keys::store::load(&folder).unwrap());
    one.running.gateway().replace_keyring(keyring);
    assert!(matches!(one.running.gateway().rewrap_some().await, Ok(Turn::Read(1..))));
    is_proven(&stand, &one).await;
    let kept = messages(&stand).await;
    let [old, new] = ["journal-1", "journal-2"].map(|key| kept.iter().filter(|(_, _, kept)| kept.record.key == key).count());
    assert!(old > 0 && new > 0, "{old} {new}: one page is not the whole journal");
    end([one]).await;

    let two = stand.start("two", still).await;
    while two.running.gateway().rewrap_some().await.unwrap() != Turn::Idle {}
    for (_, _, message) in messages(&stand).await {
        assert_eq!(message.record.key, "journal-2", "{}", message.part);
    }
    is_proven(&stand, &two).await;
    swapped_replies_are_found(&stand, &two).await;
    end([two]).await;
}

/// The first key is still there: it opens, and what the journal compares is keyed by it.
fn promote(stand: &Stand) {
    let folder = stand.folder.path().join("gateway");
    let now = OffsetDateTime::now_utc();
    let entry = KeyEntry {
        id: "journal-next".to_owned(),
        link: "journal".to_owned(),
        side: Side::Shared,
        usage: Usage::Journal,
        algorithm: Algorithm::Sm4Gcm,
        status: Status::Pending,
        serial: "journal-2".to_owned(),
        primary_from: None,
        not_before: now - time::Duration::HOUR,
        not_after: now + time::Duration::days(30),
        user_id: None,
    };
    keys::store::create(&folder, &NewKey { entry, bits: 0 }, &mut Random(&SystemEntropy)).unwrap();
    // Long enough ago for every instance to use it.
    let from = now - time::Duration::MINUTE;
    open(&folder)
        .apply(&[change("journal-next", Status::Primary, Some(from))])
        .unwrap();
}

async fn messages(stand: &Stand) -> Vec<(i64, i64, MessageRecord)> {
    let mut found = Vec::new();
    for exchange in stand.exchanges().await {
        let all = stand
            .journal
            .read(Read::Messages(exchange.id))
            .await
            .unwrap()
            .messages()
            .unwrap();
        found.extend((1..).zip(all).map(|(seq, message)| (exchange.id, seq, message)));
    }
    found
}

async fn findings(stand: &Stand, instance: &Instance) -> usize {
    let gateway = instance.running.gateway();
    let opener = Opener::new(gateway.config(), gateway.keyring()).unwrap();
    let verifier = Verifier {
        journal: &*stand.journal,
        chain: &Chain::unkeyed("hangu"),
        opening: &|message: &MessageRecord| opener.open(message),
        kept_since: 0,
        known: None,
    };
    verifier.verify().await.unwrap().findings.len()
}

pub(super) async fn is_proven(stand: &Stand, instance: &Instance) {
    assert_eq!(findings(stand, instance).await, 0);
}

/// Both were sealed for the same place, and each opens where the other was: the chain knows them by what was sealed first.
async fn swapped_replies_are_found(stand: &Stand, instance: &Instance) {
    let all = messages(stand).await;
    let is_debit_reply = |(_, _, message): &&(i64, i64, MessageRecord)| {
        message.part == "reply" && message.direction == "sent" && message.link == "centre" && message.code.contains("143")
    };
    let replies: Vec<_> = all.iter().filter(is_debit_reply).take(2).collect();
    let [(first, seq, left), (second, other, right)] = replies[..] else {
        panic!("two debits were replied")
    };
    assert!(left.record.sealed.starts_with(MARK));
    let put = |exchange: i64, seq: i64, from: &MessageRecord, to: &MessageRecord| Rewrapped {
        place: Place::Message { exchange, seq },
        from: from.record.clone(),
        to: to.record.clone(),
    };
    let swap = vec![put(*first, *seq, left, right), put(*second, *other, right, left)];
    stand.journal.write(Write::Rewrap(swap)).await.unwrap();
    assert!(findings(stand, instance).await >= 2);
    // What is not as it was read is left alone.
    let stale = vec![put(*first, *seq, left, right)];
    stand.journal.write(Write::Rewrap(stale)).await.unwrap();
    let back = vec![put(*first, *seq, right, left), put(*second, *other, left, right)];
    stand.journal.write(Write::Rewrap(back)).await.unwrap();
    is_proven(stand, instance).await;
}
