//! WeChat Pay as the bank calls it: the signature in `Authorization`, answers that name nothing, a notice whose content is
//! sealed whole, SM2 and SM4-GCM throughout.

use super::{Entry, GRACE, ask, emit, enter, link, own_debit, route, sample_key, success_notice, text};
use crate::stand::{Instance, Stand, party, until, world};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Role};
use codecs::wire::{Start, Wire};
use hangu::exchange::HttpAnswer;
use hangu::journal::State;
use hangu::journal::sqlite::SqliteJournal;
use hangu::link::http::router;
use simulators::counterparty::Party;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debit_over_tenpay_is_settled_by_its_sealed_notice() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let tenpay = keyed(&stand);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, tenpay.clone()));
    let one = stand
        .start("one", |config| {
            let mut link = link("tenpay", "1900000109", &base_url);
            link.suite = Some("sm2".to_owned());
            config.link.insert("tenpay".to_owned(), link);
            config.settle.query_after_ms = vec![60_000];
            config.route = vec![route("platform", "tenpay")];
        })
        .await;
    let asked = ask(&one, "platform", &stand.emit("platform", "debit", &own_debit())).await;
    assert_eq!(asked.start, Start::Status(202), "{}", String::from_utf8_lossy(&asked.body));
    refuses_probes_and_forgeries(&one, &tenpay).await;
    assert_eq!(stand.exchanges().await[0].state, State::Unknown);

    let wire = emit(&tenpay, "TRANSACTION", &notice(1234));
    let sent = text(wire.body.clone());
    assert!(sent.contains("AEAD_SM4_GCM") && !sent.contains("trade_state") && !sent.contains("1234,"));
    let answer = ask(&one, "tenpay", &wire).await;
    assert_eq!(
        (answer.start, text(answer.body)),
        (Start::Status(200), "{\"code\":\"SUCCESS\"}".to_owned())
    );
    until("the debit is settled", async || {
        let all = stand.exchanges().await;
        let outcome = all[0].outcome.as_ref().map(|outcome| outcome.name.as_str());
        outcome == Some("success")
    })
    .await;
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

/// What WeChat sends in order to see it refused is refused, again and again, and nobody is alarmed.
async fn refuses_probes_and_forgeries(one: &Instance, tenpay: &Party) {
    let probe = replaced(
        emit(tenpay, "TRANSACTION", &notice(1234)),
        "wechatpay-signature",
        |signature| format!("WECHATPAY/SIGNTEST/{signature}"),
    );
    for _ in 0..5 {
        let refused = ask(one, "tenpay", &probe).await;
        assert_eq!(refused.start, Start::Status(401));
        assert!(text(refused.body).contains("FAIL"));
    }
    let mut forged = emit(tenpay, "TRANSACTION", &notice(1234));
    forged.body = text(forged.body).replace("EV-1234", "EV-1235").into_bytes();
    assert_eq!(ask(one, "tenpay", &forged).await.start, Start::Status(401));
    let stale = replaced(emit(tenpay, "TRANSACTION", &notice(1234)), "wechatpay-timestamp", |at| {
        (at.parse::<i64>().unwrap() - 300).to_string()
    });
    assert_eq!(ask(one, "tenpay", &stale).await.start, Start::Status(401));
    let counts = one.running.gateway().counters().counts();
    assert_eq!(counts.get("alarms").copied().unwrap_or_default(), 0);
}

fn replaced(mut wire: Wire, name: &str, change: impl Fn(&str) -> String) -> Wire {
    for (header, value) in &mut wire.headers {
        if header == name {
            *value = change(value);
        }
    }
    wire
}

/// As it answers a debit that it has accepted. What it says of itself in the header of ours counts for nothing.
async fn serve(listener: tokio::net::TcpListener, tenpay: Party) {
    let handler = move |wire: Wire| {
        let world = world();
        let request = tenpay.receive(&wire, world.now()).unwrap();
        assert_eq!(
            (
                request.operation,
                request.text(Attribute::Agreement),
                request.text(Attribute::Sender)
            ),
            (Operation::Debit, Some("90000000000000000001"), Some("1900000109"))
        );
        let authorization = wire.header("authorization").unwrap();
        assert!(authorization.starts_with("WECHATPAY2-SM2-WITH-SM3 mchid=\"1900000109\","));
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(Outcome::Unknown));
        let answer = tenpay
            .emit("papay.apply.answer", &reply, world.now(), &mut world.rng())
            .unwrap();
        let answer = replaced(answer, "hangu-answers", |_| "papay.terminate.answer".to_owned());
        Box::pin(std::future::ready(HttpAnswer::Message(answer))) as _
    };
    axum::serve(listener, router(Arc::new(handler))).await.unwrap();
}

/// WeChat Pay with keys of its own, the gateway with the other halves, and one key that both hold.
fn keyed(stand: &Stand) -> Party {
    let folder = stand.folder.path();
    let ours = (
        "gateway",
        "tenpay",
        "ten-ours",
        "sm2-seal",
        "157056765AB5A9EEE5D363D0329039A254D5EF49",
    );
    let theirs = (
        "tenpay",
        "gateway",
        "ten-theirs",
        "sm2-sign",
        "54E7F59ED8DF4570CFB14780EA8152D45A675EE6",
    );
    for (owner, other, id, key, serial) in [ours, theirs] {
        for (holder, side, half) in [(owner, "ours", "key"), (other, "theirs", "pub")] {
            let (usage, algorithm) = ("sign", "sm2");
            let entry = Entry {
                id,
                link: "tenpay",
                side,
                usage,
                algorithm,
                serial,
            };
            enter(&folder.join(holder), &entry, &sample_key(key, half));
        }
    }
    for holder in ["gateway", "tenpay"] {
        let entry = Entry {
            id: "ten-v3",
            link: "tenpay",
            side: "shared",
            usage: "seal",
            algorithm: "sm4-gcm-text",
            serial: "1",
        };
        enter(&folder.join(holder), &entry, "HanguTestKeyOfThirtyTwoCharacter");
    }
    party(folder, "tenpay", "tenpay").in_suite("sm2")
}

fn notice(fen: i64) -> Payment {
    success_notice("1900000109", "EV", "4200000000203001020000000001", fen)
}
