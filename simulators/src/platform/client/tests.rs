#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{PlatformClient, PlatformClientConfig};
use crate::counterparty::{Party, Twist};
use crate::ledger::Ledger;
use crate::mix::{Flow, Planned, Shape, chosen};
use crate::people::Person;
use crate::platform::{SharedLedger, lock};
use crate::testing::{NOW, parties, world};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::{Start, Wire};
use std::sync::{Arc, Mutex};
use time::macros::date;
use tokio::net::TcpListener;

/// What the gateway says to one request after the other; the last one again and again.
type Script = Vec<Say>;

#[derive(Clone)]
enum Say {
    Outcome(Outcome),
    BadTag(Outcome),
    Status(u16),
}

/// A gateway that follows a script and notes what it was sent: start line and idempotency key.
struct Gateway {
    party: Party,
    script: Mutex<Script>,
    seen: Mutex<Vec<(String, String, Vec<u8>)>>,
}

async fn serve(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let start = Start::Request {
        method: head.method.to_string(),
        target: head.uri.to_string(),
    };
    let wire = Wire {
        start,
        headers,
        body: body.to_vec(),
    };
    let payment = gateway.party.receive(&wire, NOW).unwrap();
    let line = format!("{} {}", head.method, head.uri);
    gateway
        .seen
        .lock()
        .unwrap()
        .push((line, wire.header("idempotency-key").unwrap().to_owned(), wire.body));
    let mut script = gateway.script.lock().unwrap();
    let say = if script.len() > 1 {
        script.remove(0)
    } else {
        script[0].clone()
    };
    match say {
        Say::Outcome(outcome) => answer(&gateway.party, &payment, outcome, Twist::None),
        Say::BadTag(outcome) => answer(&gateway.party, &payment, outcome, Twist::BadSignature),
        Say::Status(status) => Response::builder().status(status).body(Body::from("proxy")).unwrap(),
    }
}

fn answer(party: &Party, request: &Payment, outcome: Outcome, twist: Twist) -> Response<Body> {
    let mut reply = request.clone();
    (reply.role, reply.outcome) = (Role::Reply, Some(outcome));
    reply.set_text(Attribute::Sender, "hangu");
    let code = party.code(reply.operation, Role::Reply).unwrap();
    let wire = party.emit_twisted(&code, &reply, NOW, &mut world(9).rng(), twist).unwrap();
    let Start::Status(status) = wire.start else {
        panic!("not an answer")
    };
    let builder = wire
        .headers
        .iter()
        .fold(Response::builder().status(status), |builder, (name, value)| {
            builder.header(name, value)
        });
    builder.body(Body::from(wire.body)).unwrap()
}

struct Scene {
    gateway: Arc<Gateway>,
    client: PlatformClient,
    ledger: SharedLedger,
}

async fn scene(script: Script) -> Scene {
    let parties = parties(40);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Arc::new(Gateway {
        party: parties.caller.clone(),
        script: Mutex::new(script),
        seen: Mutex::default(),
    });
    let router = Router::new().fallback(serve).with_state(Arc::clone(&gateway));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ledger: SharedLedger = Arc::new(Mutex::new(Ledger::new(1_000_000)));
    let config = PlatformClientConfig {
        pause_ms: 5,
        final_ms: 1_000,
        ..PlatformClientConfig::new(&base_url, date!(2030 - 01 - 02))
    };
    let client = PlatformClient::new(config, parties.platform.clone(), world(41), Arc::clone(&ledger));
    Scene { gateway, client, ledger }
}

fn planned(shape: Shape) -> Planned {
    let plain = chosen(1, 1, Operation::Refund, None);
    Planned {
        flow: Flow::PlatformToCentre,
        shape,
        person: Person::at(7),
        refusal: None,
        ..plain
    }
}

impl Scene {
    fn seen(&self) -> Vec<(String, String, Vec<u8>)> {
        self.gateway.seen.lock().unwrap().clone()
    }

    fn taken_from_customer(&self) -> i64 {
        let person = Person::at(7);
        person.opening_balance().fen() - lock(&self.ledger).balance(&person.account).unwrap().fen()
    }
}

#[tokio::test]
async fn a_payout_in_work_is_polled_until_it_is_settled() {
    let scene = scene(vec![Say::Outcome(Outcome::Unknown), Say::Outcome(Outcome::Success)]).await;
    let payout = planned(Shape::Plain(Operation::Credit));
    let played = scene.client.play(&payout).await;
    assert!(played.as_expected && played.messages[0].interim, "{played:?}");
    let seen = scene.seen();
    assert_eq!(seen[0].0, "POST /v1/credit");
    assert_eq!(seen[1].0, format!("GET /v1/payments/{}", played.messages[0].end_to_end_id));
    assert_eq!(scene.taken_from_customer(), payout.amount.fen());
    assert_eq!(lock(&scene.ledger).book().entries.values().next().unwrap().outcome, "success");
}

#[tokio::test]
async fn what_is_no_answer_is_followed_by_the_same_bytes_under_the_same_key() {
    let unauthentic = Say::BadTag(Outcome::failed(Reason::Other, "not by the gateway"));
    let scene = scene(vec![
        Say::Status(503),
        unauthentic,
        Say::Status(404),
        Say::Outcome(Outcome::Success),
    ])
    .await;
    let played = scene.client.play(&planned(Shape::Plain(Operation::Credit))).await;
    assert!(played.as_expected && played.messages[0].sends == 4, "{played:?}");
    let seen = scene.seen();
    assert!(seen.len() == 4 && seen.iter().all(|one| *one == seen[0]));
}

#[tokio::test]
async fn a_refused_payout_is_given_back_and_an_unsettled_one_is_not() {
    let refused = scene(vec![Say::Outcome(Outcome::failed(
        Reason::AccountNotFound,
        "no such account",
    ))])
    .await;
    let played = refused.client.play(&planned(Shape::Plain(Operation::Credit))).await;
    assert!(!played.as_expected && refused.taken_from_customer() == 0);
    let unsettled = scene(vec![Say::Outcome(Outcome::Unknown)]).await;
    let payout = planned(Shape::Plain(Operation::Credit));
    assert_eq!(unsettled.client.play(&payout).await.messages[0].outcome, "unknown");
    assert_eq!(unsettled.taken_from_customer(), payout.amount.fen());
    assert_eq!(
        lock(&unsettled.ledger).book().entries.values().next().unwrap().outcome,
        "unknown"
    );
}

/// A poll that does not know the payment is no refusal of it.
#[tokio::test]
async fn a_poll_that_finds_nothing_leads_to_the_request_again() {
    let unknown = Say::Outcome(Outcome::failed(Reason::OriginalNotFound, "not known"));
    let scene = scene(vec![Say::Outcome(Outcome::Unknown), unknown, Say::Outcome(Outcome::Success)]).await;
    assert!(scene.client.play(&planned(Shape::Plain(Operation::Credit))).await.as_expected);
    let lines: Vec<String> = scene.seen().into_iter().map(|(line, _, _)| line).collect();
    assert!(lines[1].starts_with("GET") && lines[2] == "POST /v1/credit", "{lines:?}");
}

#[tokio::test]
async fn queries_cancels_and_terminations_name_their_original() {
    let scene = scene(vec![Say::Outcome(Outcome::Success)]).await;
    for shape in [Shape::Query, Shape::Cancel, Shape::Plain(Operation::Terminate)] {
        let mut planned = planned(shape);
        planned.n += u64::from(shape == Shape::Cancel);
        assert!(scene.client.play(&planned).await.as_expected, "{}", shape.name());
    }
    let lines: Vec<String> = scene.seen().into_iter().map(|(line, _, _)| line).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/credit",
            "POST /v1/query",
            "POST /v1/credit",
            "POST /v1/cancel",
            "POST /v1/terminate"
        ]
    );
    let body: serde_json::Value = serde_json::from_slice(&scene.seen()[3].2).unwrap();
    assert!(
        body["original"]["end_to_end_id"].is_string() && body["original"]["msg_id"].is_string(),
        "{body}"
    );
    let mut ended = Payment::new(Operation::Debit, Role::Request);
    ended.set_text(Attribute::Agreement, Person::at(7).agreement());
    assert!(matches!(
        lock(&scene.ledger).execute(&ended, "k").outcome,
        Outcome::Failed {
            reason: Reason::AgreementEnded,
            ..
        }
    ));
}

/// A customer without money is refused by the platform itself: nothing is sent.
#[tokio::test]
async fn what_the_platform_refuses_is_not_sent() {
    let scene = scene(vec![Say::Outcome(Outcome::Success)]).await;
    let poor = Planned {
        person: Person::at(198),
        ..planned(Shape::Plain(Operation::Credit))
    };
    assert_eq!(scene.client.play(&poor).await.messages[0].outcome, "failed");
    assert_eq!(scene.seen().len(), 0);
}
