//! JD Pay as the bank calls it: every document signed without its signature and sealed as a whole, answers that name nothing
//! and are sealed in the journal too, a notice that settles.

use super::{Entry, GRACE, ask, emit, enter, link, own_debit, route, sample_key, success_notice, text};
use crate::stand::{Instance, Stand, party, until, world};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::wire::{Start, Wire};
use hangu::exchange::HttpAnswer;
use hangu::journal::State;
use hangu::journal::sqlite::SqliteJournal;
use hangu::link::http::router;
use simulators::counterparty::{Party, Twist};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debit_over_jd_pay_is_settled_by_its_sealed_notice() {
    let (stand, jd, one, server) = with_jd(Outcome::Unknown).await;
    let asked = ask(&one, "platform", &stand.emit("platform", "debit", &own_debit())).await;
    assert_eq!(asked.start, Start::Status(202), "{}", text(asked.body));

    let notice = emit(&jd, "notify.pay", &notice(1234));
    let sent = text(notice.body.clone());
    assert!(sent.contains("<merchant>110000001</merchant>") && !sent.contains("1234<") && !sent.contains("sign"));
    let altered = Wire {
        body: sent.replace("110000001", "110000002").into_bytes(),
        ..notice.clone()
    };
    let refused = ask(&one, "jdpay", &altered).await;
    assert_eq!((refused.start, text(refused.body)), (Start::Status(400), "fail".to_owned()));
    let world = world();
    let forged = jd
        .emit_twisted(
            "notify.pay",
            &self::notice(1234),
            world.now(),
            &mut world.rng(),
            Twist::BadSignature,
        )
        .unwrap();
    assert_eq!(ask(&one, "jdpay", &forged).await.start, Start::Status(401));
    assert_eq!(stand.exchanges().await[0].state, State::Unknown);

    let answer = ask(&one, "jdpay", &notice).await;
    assert_eq!((answer.start, text(answer.body)), (Start::Status(200), "success".to_owned()));
    until("the debit is settled", async || succeeded(&stand).await).await;
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

/// The answer is kept as it came, sealed: the platform's repeat is answered from what the journal opens of it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_answer_of_jd_pay_is_opened_again_for_a_repeat() {
    let (stand, _, one, server) = with_jd(Outcome::Success).await;
    let request = stand.emit("platform", "debit", &own_debit());
    let asked = ask(&one, "platform", &request).await;
    assert_eq!(asked.start, Start::Status(200), "{}", text(asked.body));
    assert!(succeeded(&stand).await);
    assert_eq!(ask(&one, "platform", &request).await.body, asked.body);
    let again = ask(
        &one,
        "platform",
        &stand.emit("platform", "debit", own_debit().set_text(Attribute::Serial, "ask-2")),
    )
    .await;
    assert_eq!(again.start, Start::Status(200), "{}", text(again.body.clone()));
    assert!(text(again.body).contains("JD-20300102183005000001"));
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

async fn succeeded(stand: &Stand) -> bool {
    let all = stand.exchanges().await;
    all[0].outcome.as_ref().map(|outcome| outcome.name.as_str()) == Some("success")
}

async fn with_jd(outcome: Outcome) -> (Stand, Party, Instance, tokio::task::JoinHandle<()>) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let jd = keyed(&stand);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, jd.clone(), outcome));
    let one = stand
        .start("one", |config| {
            config.link.insert("jdpay".to_owned(), link("jdpay", "110000001", &base_url));
            config.settle.query_after_ms = vec![60_000];
            config.route = vec![route("platform", "jdpay")];
        })
        .await;
    (stand, jd, one, server)
}

/// As it answers a debit: accepted, or done at once.
async fn serve(listener: tokio::net::TcpListener, jd: Party, outcome: Outcome) {
    let handler = move |wire: Wire| {
        let world = world();
        assert!(text(wire.body.clone()).contains("<encrypt>"));
        let request = jd.receive(&wire, world.now()).unwrap();
        assert_eq!(
            (request.operation, request.text(Attribute::Agreement)),
            (Operation::Debit, Some("90000000000000000001"))
        );
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(outcome.clone()));
        reply.set_text(Attribute::BankTxId, "JD-20300102183005000001");
        let mut answer = jd.emit("fkmPay.answer", &reply, world.now(), &mut world.rng()).unwrap();
        answer.headers.retain(|(name, _)| name != "hangu-answers");
        Box::pin(std::future::ready(HttpAnswer::Message(answer))) as _
    };
    axum::serve(listener, router(Arc::new(handler))).await.unwrap();
}

/// JD Pay with an RSA key of its own, the gateway with the other half, and a key that both hold.
fn keyed(stand: &Stand) -> Party {
    let folder = stand.folder.path();
    for (owner, other, id, key) in [
        ("gateway", "jdpay", "jd-ours", "rsa-seal"),
        ("jdpay", "gateway", "jd-theirs", "rsa-sign"),
    ] {
        for (holder, side, half) in [(owner, "ours", "key"), (other, "theirs", "pub")] {
            enter(
                &folder.join(holder),
                &of_link(id, side, "sign", "rsa"),
                &sample_key(key, half),
            );
        }
    }
    for holder in ["gateway", "jdpay"] {
        let entry = of_link("jd-whole", "shared", "seal", "3des-ecb");
        enter(&folder.join(holder), &entry, "HanguTestKeyOf24Letters!");
    }
    party(folder, "jdpay", "jdpay")
}

const fn of_link<'a>(id: &'a str, side: &'a str, usage: &'a str, algorithm: &'a str) -> Entry<'a> {
    Entry {
        id,
        link: "jdpay",
        side,
        usage,
        algorithm,
        serial: "1",
    }
}

fn notice(fen: i64) -> Payment {
    success_notice("110000001", "notice", "JD-20300102183005000001", fen)
}
