//! Unknown outcomes: settled by a notice that the counterparty sends by itself, asked about at the pace of their institution,
//! and made known to a person when that goes on too long.

use crate::stand::{Instance, Stand, debits, until};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use hangu::config::{Config, InstitutionSettleConfig};
use hangu::exchange::Caller;
use hangu::journal::sqlite::SqliteJournal;
use hangu::journal::{Exchange, Parked, Read, State};
use hangu::link::http::HttpCaller;
use simulators::institution::INSTITUTIONS;
use simulators::mix::Planned;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_settles_an_unknown_once() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand.start("one", quick).await;
    stand.open_the_day(&[&one]).await;
    stand.platform.go_silent(true);
    let planned = debits(1).next().unwrap();
    let desk = stand.centre.desk();
    let playing = tokio::spawn({
        let planned = planned.clone();
        async move { desk.play(&planned).await }
    });
    let exchange = unknown(&stand).await;
    // What does not fit settles nothing: another amount, another name, no final word.
    let good = notice(&exchange, Outcome::Success);
    let mut dear = good.clone();
    dear.set_money(Attribute::Amount, Money::from_fen(1));
    let mut other = good.clone();
    other.set_text(Attribute::OriginalEndToEndId, "nobody");
    let open = notice(&exchange, Outcome::Unknown);
    for (n, wrong) in [dear, other, open].into_iter().enumerate() {
        assert_eq!(send(&stand, &one, &wrong, &format!("wrong-{n}")).await, 200);
    }
    assert_eq!(stored(&stand, exchange.id).await.state, State::Unknown);
    assert_eq!(parked(&stand).await, ["notice.unmatched", "notice.unmatched"]);

    assert_eq!(send(&stand, &one, &good, "good").await, 200);
    let played = playing.await.unwrap();
    assert!(played.as_expected && played.messages[0].interim, "{played:?}");
    let settled = stored(&stand, exchange.id).await;
    assert_eq!(settled.outcome.map(|outcome| outcome.name), Some("success".to_owned()));

    // The same again is a repeat; another word is kept, and nothing changes.
    let contrary = notice(&exchange, Outcome::failed(Reason::InsufficientFunds, "no money"));
    assert_eq!(send(&stand, &one, &good, "again").await, 200);
    assert_eq!(send(&stand, &one, &contrary, "contrary").await, 200);
    let settled = stored(&stand, exchange.id).await;
    assert_eq!(settled.outcome.map(|outcome| outcome.name), Some("success".to_owned()));
    assert_eq!(parked(&stand).await.last().map(String::as_str), Some("notice.contradicts"));
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

/// The policy of an institution is its own: one is asked about often, and its alarm comes early; another is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_institution_is_asked_about_at_its_own_pace() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let one = stand
        .start("one", |config| {
            quick(config);
            config.settle.query_after_ms = vec![60_000];
            let own = InstitutionSettleConfig {
                query_after_ms: Some(vec![100]),
                queries_max: Some(2),
                ..InstitutionSettleConfig::default()
            };
            let platform = config.link.get_mut("platform").unwrap();
            platform.settle.institution.insert(INSTITUTIONS[0].id.to_owned(), own);
        })
        .await;
    stand.open_the_day(&[&one]).await;
    stand.platform.go_silent(true);
    let debits: Vec<_> = debits(1).take(2).collect();
    for (planned, institution) in debits.into_iter().zip(INSTITUTIONS) {
        let desk = stand.centre.desk();
        let planned = Planned { institution, ..planned };
        tokio::spawn(async move { desk.play(&planned).await });
    }
    let asked = async |place: usize| {
        let found = stand.exchanges().await;
        let of = |exchange: &&Exchange| exchange.institution.as_deref() == Some(INSTITUTIONS[place].id);
        found
            .iter()
            .find(of)
            .map_or((State::Accepted, 0), |exchange| (exchange.state, exchange.queries))
    };
    until("the first one is asked about three times", async || asked(0).await.1 >= 3).await;
    assert_eq!(asked(1).await, (State::Unknown, 0));
    let alarms = one.running.gateway().counters().counts().get("alarms").copied();
    assert_eq!(alarms, Some(1), "one alarm for one exchange, however often it is asked about");
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

fn quick(config: &mut Config) {
    config.link.get_mut("platform").unwrap().answer_ms = 300;
}

/// What the platform says of a request that it got.
fn notice(exchange: &Exchange, outcome: Outcome) -> Payment {
    let mut notice = Payment::new(Operation::Notice, Role::Notice);
    let id = exchange.end_to_end_id.as_deref().unwrap();
    notice
        .set_text(Attribute::OriginalInitiator, &*exchange.initiator)
        .set_text(Attribute::OriginalEndToEndId, id)
        .set_text(Attribute::OriginalOperation, &*exchange.operation)
        .set_text(Attribute::Sender, "platform")
        .set_money(Attribute::Amount, Money::from_fen(exchange.amount_fen.unwrap()));
    notice.outcome = Some(outcome);
    notice
}

/// Sends a notice and gives the status of its answer.
async fn send(stand: &Stand, instance: &Instance, notice: &Payment, serial: &str) -> u16 {
    let mut notice = notice.clone();
    notice
        .set_text(Attribute::Serial, serial)
        .set_text(Attribute::MessageCode, "notice");
    let wire = stand.emit("platform", "notice", &notice);
    let caller = HttpCaller::new(&format!("http://{}", instance.address));
    let answer = caller.call(&wire, Duration::from_secs(10)).await.unwrap();
    match answer.start {
        codecs::wire::Start::Status(status) => status,
        codecs::wire::Start::Queue | codecs::wire::Start::Request { .. } => panic!("{:?}", answer.start),
    }
}

async fn unknown(stand: &Stand) -> Exchange {
    let find = async || {
        let found = stand.exchanges().await;
        found.into_iter().find(|exchange| exchange.state == State::Unknown)
    };
    until("an outcome is unknown", async || find().await.is_some()).await;
    find().await.unwrap()
}

async fn stored(stand: &Stand, id: i64) -> Exchange {
    let found = stand.journal.read(Read::Exchange(id)).await.unwrap();
    found.exchange().unwrap().unwrap()
}

/// Codes of what is parked, in order.
async fn parked(stand: &Stand) -> Vec<String> {
    let all = Read::Parked {
        id: None,
        status: None,
        limit: 100,
    };
    let mut found: Vec<Parked> = stand.journal.read(all).await.unwrap().parked().unwrap();
    found.sort_by_key(|parked| parked.id);
    found.into_iter().map(|parked| parked.park.code).collect()
}
