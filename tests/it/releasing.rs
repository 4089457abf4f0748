//! Parked messages released through a running gateway: one effect, whatever is asked twice, refused again or cut off in
//! between; and the orders that an operator gives it on the admin port.

mod bank;

use bank::{Bank, Life, REPLIES, REQUESTS, now, parked, resolve};
use codecs::payment::{Attribute, Operation, Payment};
use codecs::wire::{Start, Wire};
use hangu::admin::{self, Order};
use hangu::exchange::{Caller, Unreleased};
use hangu::journal::{Read, Resolution, Written};
use hangu::link::http::HttpCaller;
use hangu::record;
use hangu::telemetry::Watched;
use std::time::Duration;
use tokio::net::TcpListener;

/// A debit that came before the centre's key was imported is parked; gives its id.
async fn refused_debit(bank: &Bank, serial: u64) -> (i64, Payment, bytes::Bytes) {
    let life = bank.live(bank.keyring(false)).await;
    let (request, body) = bank.debit(serial);
    bank.post(REQUESTS, body.clone()).await;
    let parked = life.parked(1, "parked").await;
    assert_eq!(parked.park.code, "key.unknown_serial");
    life.end().await;
    (parked.id, request, body)
}

fn executions(bank: &Bank, request: &Payment) -> usize {
    bank.platform.executions(request.text(Attribute::EndToEndId).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_message_goes_through_once_and_keeps_its_identity() {
    let bank = Bank::new().await;
    let (id, request, body) = refused_debit(&bank, 1).await;
    assert_eq!(executions(&bank, &request), 0);
    let life = bank.live(bank.keyring(true)).await;
    assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    let released = life.parked(id, "released").await;
    assert_eq!(released.note.as_deref(), Some("decided by Li"));
    let exchange = life.exchange(released.exchange.unwrap()).await;
    assert_eq!(exchange.outcome.unwrap().name, "success");
    assert_eq!(executions(&bank, &request), 1);
    let messages = life
        .journal
        .read(Read::Messages(exchange.id))
        .await
        .unwrap()
        .messages()
        .unwrap();
    let first = record::open(&bank.keyring(true), &messages[0]).unwrap();
    assert_eq!(first.body, body, "the very bytes that were parked");
    let origin = life
        .journal
        .read(Read::ReleasedAs(exchange.id))
        .await
        .unwrap()
        .parked()
        .unwrap();
    assert_eq!(origin.iter().map(|parked| parked.id).collect::<Vec<_>>(), [id]);
    let standing = Written::Conflict(Some("released".to_owned()));
    for again in [Resolution::Releasing, Resolution::Discarded] {
        assert_eq!(resolve(&life.journal, id, again).await, standing);
    }
    // The sender repeats it, as it may have done meanwhile.
    bank.post(REQUESTS, body).await;
    let (second, other) = bank.debit(2);
    bank.post(REQUESTS, other).await;
    wait_for_executions(&bank, &second).await;
    assert_eq!(executions(&bank, &request), 1);
    life.end().await;
}

async fn wait_for_executions(bank: &Bank, request: &Payment) {
    for _ in 0..600 {
        if executions(bank, request) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not executed in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_again_stays_parked_in_its_row() {
    let bank = Bank::new().await;
    let (id, request, _) = refused_debit(&bank, 1).await;
    let life = bank.live(bank.keyring(false)).await;
    assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    let again = life.parked(id, "parked").await;
    let note = again.note.unwrap();
    assert!(
        note.starts_with("decided by Li; refused again: verify: key.unknown_serial"),
        "{note}"
    );
    assert_eq!(parked(&life.journal, id + 1).await, None, "no second row");
    // The key is imported while the gateway runs.
    life.gateway().replace_keyring(bank.keyring(true));
    assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    assert!(life.parked(id, "released").await.exchange.is_some());
    assert_eq!(executions(&bank, &request), 1);
    life.end().await;
}

/// What a verified message is refused for lies behind the first steps of the pipeline, where parking finds its row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_repeat_is_refused_again() {
    let bank = Bank::new().await;
    let life = bank.live(bank.keyring(true)).await;
    let (request, body) = bank.debit(1);
    bank.post(REQUESTS, body).await;
    wait_for_executions(&bank, &request).await;
    let altered = bank.altered(&request);
    bank.post(REQUESTS, altered).await;
    let id = life.parked(1, "parked").await.id;
    assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    for _ in 0..600 {
        let found = parked(&life.journal, id).await.unwrap();
        if found.status == "parked" && found.note.as_ref().is_some_and(|note| note.contains("duplicate: altered")) {
            assert_eq!(parked(&life.journal, id + 1).await, None, "no second row");
            assert_eq!(executions(&bank, &request), 1);
            return life.end().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not refused again in time: {:?}", parked(&life.journal, id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_was_cut_off_is_done_again_with_one_effect() {
    let bank = Bank::new().await;
    let (id, request, _) = refused_debit(&bank, 1).await;
    let journal = bank.journal().await;
    assert_eq!(resolve(&journal, id, Resolution::Releasing).await, Written::Stored);
    let standing = Written::Conflict(Some("releasing".to_owned()));
    assert_eq!(resolve(&journal, id, Resolution::Discarded).await, standing);
    journal.close().await;
    let life = bank.live(bank.keyring(true)).await;
    let exchange = life.parked(id, "released").await.exchange;
    assert!(exchange.is_some());
    life.end().await;
    // As if the process had ended before it noted the release.
    let file = rusqlite::Connection::open(bank.path()).unwrap();
    let undone = "UPDATE parked SET status = 'parked', asked_at = 1, exchange_id = NULL, resolved_at = NULL";
    assert_eq!(file.execute(undone, []).unwrap(), 1);
    drop(file);
    let life = bank.live(bank.keyring(true)).await;
    assert_eq!(life.parked(id, "released").await.exchange, exchange);
    assert_eq!(
        (executions(&bank, &request), bank.platform.received(Operation::Debit)),
        (1, 1)
    );
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_at_the_same_time_have_one_effect() {
    let bank = Bank::new().await;
    let (id, request, _) = refused_debit(&bank, 1).await;
    let life = bank.live(bank.keyring(true)).await;
    let parked = parked(&life.journal, id).await.unwrap();
    let gateway = life.gateway();
    let (first, second) = tokio::join!(gateway.release(&parked), gateway.release(&parked));
    let both = [first, second];
    assert_eq!(
        both.iter().filter(|one| **one == Err(Unreleased::InHand)).count(),
        1,
        "{both:?}"
    );
    assert!(both.iter().any(|one| matches!(one, Ok(Some(_)))), "{both:?}");
    assert!(matches!(gateway.release(&parked).await, Ok(Some(_))));
    assert_eq!(
        (executions(&bank, &request), bank.platform.received(Operation::Debit)),
        (1, 1)
    );
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_reply_settles_its_exchange() {
    let bank = Bank::new().await;
    let life = bank.live(bank.keyring(true)).await;
    bank.post(REQUESTS, bank.announcement()).await;
    bank.sent().await;
    let answer = life.call(&bank.payout(1, time::Duration::ZERO)).await;
    assert_eq!(answer.start, Start::Status(202), "processing");
    let reply = Wire::queue(bank.reply_to(&bank.sent().await).to_vec());
    let id = bank
        .park(&life.journal, &reply, ["centre", REPLIES, "verify"], time::Duration::MINUTE)
        .await;
    assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    let settled = life.exchange(life.parked(id, "released").await.exchange.unwrap()).await;
    assert_eq!(
        (settled.operation.as_str(), settled.outcome.unwrap().name.as_str()),
        ("credit", "success")
    );
    life.end().await;
}

/// What was verified when it came is not too old because a person took time; what was never verified is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_message_is_judged_by_when_it_came() {
    let bank = Bank::new().await;
    let life = bank.live(bank.keyring(true)).await;
    let ago = time::Duration::minutes(30);
    let source = "POST /v1/credit";
    let verified = bank
        .park(&life.journal, &bank.payout(1, ago), ["platform", source, "route"], ago)
        .await;
    let unverified = bank
        .park(&life.journal, &bank.payout(2, ago), ["platform", source, "verify"], ago)
        .await;
    for id in [verified, unverified] {
        assert_eq!(resolve(&life.journal, id, Resolution::Releasing).await, Written::Stored);
    }
    let exchange = life.exchange(life.parked(verified, "released").await.exchange.unwrap()).await;
    assert_eq!(exchange.link_in, "platform");
    let refused = life.parked(unverified, "parked").await;
    assert!(refused.note.unwrap().contains("verify: signature.window"));
    life.end().await;
}

/// The admin port of a life, as `hangu run` serves it.
async fn admin_port(life: &Life) -> HttpCaller {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let watched = Watched {
        gateway: life.gateway().clone(),
        mqs: Vec::new(),
        doors: Vec::new(),
    };
    drop(tokio::spawn(async move {
        axum::serve(listener, hangu::telemetry::admin(watched)).await
    }));
    HttpCaller::new(&format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_takes_signed_orders_only() {
    let bank = Bank::new().await;
    let (id, request, _) = refused_debit(&bank, 1).await;
    let keyring = bank.keyring(true);
    let life = bank.live(keyring.clone()).await;
    let port = admin_port(&life).await;
    let status = async |wire: &Wire| port.call(wire, Duration::from_secs(10)).await.unwrap().start;
    let order = |order, id, note, ago| admin::request(&keyring, order, id, note, now() - ago).unwrap();
    let zero = time::Duration::ZERO;
    let good = order(Order::Release, id, "key imported", zero);

    let unsigned = Wire {
        headers: Vec::new(),
        ..good.clone()
    };
    let mut altered = good.clone();
    altered.body = b"{\"note\":\"something else\"}".to_vec();
    let mut aimed_elsewhere = good.clone();
    aimed_elsewhere.start = order(Order::Discard, id, "key imported", zero).start;
    let by_another_key = admin::request(&Bank::new().await.keyring(true), Order::Release, id, "n", now()).unwrap();
    let old = order(Order::Release, id, "key imported", time::Duration::seconds(62));
    for forged in [unsigned, altered, aimed_elsewhere, by_another_key, old] {
        assert_eq!(status(&forged).await, Start::Status(401), "{forged:?}");
    }
    assert_eq!(parked(&life.journal, id).await.unwrap().status, "parked");

    assert_eq!(status(&order(Order::Release, id, " ", zero)).await, Start::Status(400));
    assert_eq!(status(&order(Order::Release, 99, "n", zero)).await, Start::Status(404));
    assert_eq!(status(&good).await, Start::Status(200));
    assert_eq!(status(&good).await, Start::Status(409), "again");
    assert_eq!(life.parked(id, "released").await.note.as_deref(), Some("key imported"));
    assert_eq!(status(&order(Order::Discard, id, "too late", zero)).await, Start::Status(409));
    assert_eq!(executions(&bank, &request), 1);
    let other = bank
        .park(
            &life.journal,
            &Wire::queue(b"junk".to_vec()),
            ["centre", REQUESTS, "parse"],
            zero,
        )
        .await;
    assert_eq!(status(&order(Order::Discard, other, "junk", zero)).await, Start::Status(200));
    assert_eq!(parked(&life.journal, other).await.unwrap().status, "discarded");
    life.end().await;
}
