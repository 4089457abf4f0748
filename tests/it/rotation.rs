//! Keys that change while gateways run: a key folder that is taken up or refused, keys that are revoked, an instance whose
//! keyring is too old; and in `fleet` the rotation of every link's keys under load, over three
//! processes; in `rewrapping` a journal that goes under another key.

mod announced;
mod fleet;
mod rewrapping;

use crate::stand::{Instance, Stand, debits, payouts, until};
use hangu::exchange::Phase;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{MessageRecord, Read};
use hangu::record;
use hangu::shell::SystemEntropy;
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::sm2::Engine;
use keys::store::{Change, Changes, NewKey, OpenFolder};
use simulators::load::{Load, drive};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_folder_is_taken_up_and_a_bad_one_is_not() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand.start("one", |_| {}).await;
    let gateway = one.running.gateway().clone();
    let folder = stand.folder.path().join("gateway");
    let look = one.running.follow_keys(Arc::new(open(&folder)));
    stand.open_the_day(&[&one]).await;
    let desk = stand.centre.desk();
    let load = Load {
        rate_per_s: 40,
        concurrency_max: 200,
    };
    let play = move |planned| {
        let desk = desk.clone();
        async move { desk.play(&planned).await }
    };
    let load = tokio::spawn(drive(debits(1).take(200).collect(), load, play, |_| {}));
    let first = gateway.keyring().version().to_owned();
    for n in 0..3 {
        make(&folder, &format!("spare-{n}"), "centre", Status::Pending);
        until("the folder is taken up", async || {
            gateway.keyring().infos().any(|info| info.serial == format!("spare-{n}"))
        })
        .await;
    }
    let good = std::fs::read(folder.join("keyring.toml")).unwrap();
    let stands = gateway.keyring().version().to_owned();
    assert_ne!(stands, first);
    for bad in [&b"[[key]]\nid = 1\n"[..], b"", &good[..good.len() - 40]] {
        std::fs::write(folder.join("keyring.toml"), bad).unwrap();
        until("the folder is refused", async || gateway.keyring_refused().is_some()).await;
        assert_eq!((gateway.keyring().version(), gateway.phase()), (&*stands, Phase::Running));
        std::fs::write(folder.join("keyring.toml"), &good).unwrap();
        // As SIGHUP does: at once, and whether anything looks changed or not.
        look.notify_one();
        until("the folder is good again", async || gateway.keyring_refused().is_none()).await;
    }
    let counts = gateway.counters().counts();
    assert_eq!((counts["keyrings_refused"], counts["keyrings_replaced"]), (3, 3));
    let played = load.await.unwrap();
    let failed: Vec<_> = played.iter().filter(|one| !one.result.as_expected).collect();
    assert!(failed.is_empty(), "{failed:?}");
    stand.settle_down().await;
    stand.compare().await;
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

/// A repeat that asks for a reply under a key that was revoked since: the same outcome, signed anew once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_out_under_a_revoked_key() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand.start("one", |_| {}).await;
    let gateway = one.running.gateway().clone();
    let folder = stand.folder.path().join("gateway");
    one.running.follow_keys(Arc::new(open(&folder)));
    stand.open_the_day(&[&one]).await;
    let planned = debits(1).next().unwrap();
    assert!(stand.centre.desk().play(&planned).await.as_expected);
    let debit = stand
        .exchanges()
        .await
        .into_iter()
        .find(|exchange| exchange.operation == "debit")
        .unwrap();
    let stored = async || {
        let found = stand
            .journal
            .read(Read::Messages(debit.id))
            .await
            .unwrap()
            .messages()
            .unwrap();
        let of = |direction: &str, part: &str| -> Vec<Vec<u8>> {
            let is =
                |message: &&MessageRecord| message.direction == direction && message.part == part && message.link == "centre";
            let keyring = gateway.keyring();
            found
                .iter()
                .filter(is)
                .map(|message| record::open(&keyring, message).unwrap().body)
                .collect()
        };
        (of("received", "request").remove(0), of("sent", "reply"))
    };
    let (request, replies) = stored().await;
    assert!(
        replies.len() == 1 && names(&replies[0], "4000000001"),
        "signed by the first key"
    );
    make(&folder, "4000000009", "centre", Status::Pending);
    let now = OffsetDateTime::now_utc();
    let changes = [
        change("bank-sign", Status::Revoked, None),
        change("key-4000000009", Status::Primary, Some(now)),
    ];
    open(&folder).apply(&changes).unwrap();
    until("the key is revoked", async || {
        gateway.keyring().signer("centre", now).unwrap().info.serial == "4000000009"
    })
    .await;
    for _ in 0..3 {
        let before = gateway.counters().counts().get("duplicates").copied().unwrap_or(0);
        stand.put("nps.B.req", request.clone()).await;
        until("the repeat was answered", async || {
            let counts = gateway.counters().counts();
            counts.get("duplicates").copied().unwrap_or(0) > before && gateway.counters().in_flight() == 0
        })
        .await;
        let (_, replies) = stored().await;
        assert_eq!(replies.len(), 2, "signed anew once");
        assert!(names(&replies[1], "4000000009") && !names(&replies[1], "4000000001"));
    }
    assert_eq!(gateway.counters().counts()["signed_anew"], 1);
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_with_an_older_keyring_serves_nobody() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let shared = |config: &mut hangu::config::Config| config.journal.file = None;
    let one = stand.start("one", shared).await;
    let two = stand.start("two", shared).await;
    stand.open_the_day(&[&one, &two]).await;
    let (gateway, behind) = (one.running.gateway().clone(), two.running.gateway().clone());
    let folder = stand.folder.path().join("gateway");
    one.running.follow_keys(Arc::new(open(&folder)));
    make(&folder, "4000000009", "centre", Status::Pending);
    let at = OffsetDateTime::now_utc() + time::Duration::seconds(4);
    open(&folder)
        .apply(&[change("key-4000000009", Status::Primary, Some(at))])
        .unwrap();
    until("the first one has the promotion", async || {
        gateway.keyring().promoted() == Some(at)
    })
    .await;
    behind.tell_keys().await.unwrap();
    if OffsetDateTime::now_utc() < at {
        assert!(!behind.is_outdated(), "until the instant both serve");
    }
    until("the instant has come", async || OffsetDateTime::now_utc() >= at).await;
    assert!(behind.is_outdated() && !gateway.is_outdated());
    let planned = payouts(1).next().unwrap();
    let bank = stand.bank(two.address, |config| config.attempt_ms = 500);
    let asked = tokio::time::timeout(Duration::from_secs(2), bank.play(&planned)).await;
    assert!(asked.map_or(true, |played| !played.as_expected), "it took a payment");
    assert!(!stand.exchanges().await.iter().any(|exchange| exchange.operation == "credit"));
    // With the folder that the other one has it serves again.
    two.running.follow_keys(Arc::new(open(&folder)));
    until("it is up to date", async || !behind.is_outdated()).await;
    end([one, two]).await;
}

async fn end<const N: usize>(instances: [Instance; N]) {
    for instance in instances {
        assert!(instance.running.stop(Duration::from_secs(10)).await, "ended in good order");
    }
}

fn open(folder: &Path) -> OpenFolder {
    OpenFolder::new(folder, Engine::default())
}

fn change(id: &str, status: Status, primary_from: Option<OffsetDateTime>) -> Change {
    Change {
        id: id.to_owned(),
        status,
        primary_from,
    }
}

/// A signing key of ours with this serial number.
fn make(folder: &Path, serial: &str, link: &str, status: Status) {
    let not_before = OffsetDateTime::now_utc() - time::Duration::DAY;
    let entry = KeyEntry {
        id: format!("key-{serial}"),
        link: link.to_owned(),
        side: Side::Ours,
        usage: Usage::Sign,
        algorithm: Algorithm::Sm2,
        status,
        serial: serial.to_owned(),
        primary_from: None,
        not_before,
        not_after: not_before + time::Duration::days(30),
        user_id: None,
    };
    keys::store::create(folder, &NewKey { entry, bits: 0 }, &mut hangu::clock::Random(&SystemEntropy)).unwrap();
}

fn names(body: &[u8], serial: &str) -> bool {
    body.windows(serial.len()).any(|part| part == serial.as_bytes())
}
