#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod line;

use super::{PlatformFault, PlatformHandle, PlatformRule, lock};
use crate::counterparty::{Step, Twist};
use crate::fault::When;
use crate::people::Person;
use crate::testing::{NOW, Parties, caller, parties, platform, request, world};
use codecs::payment::{Attribute, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::{Start, Wire};
use std::fmt::Write;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn balance(platform: &PlatformHandle, person: u64) -> i64 {
    lock(&platform.ledger()).balance(&Person::at(person).account).unwrap().fen()
}

fn wire(parties: &Parties, request: &Payment, twist: Twist) -> Wire {
    let code = parties.caller.code(request.operation, Role::Request).unwrap();
    parties
        .caller
        .emit_twisted(&code, request, NOW, &mut world(5).rng(), twist)
        .unwrap()
}

/// Sends the bytes of one HTTP request and returns the bytes that come back until the connection ends.
async fn raw(platform: &PlatformHandle, wire: &Wire) -> String {
    let Start::Request { method, target } = &wire.start else {
        panic!("not a request")
    };
    let mut text = format!(
        "{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n",
        wire.body.len()
    );
    for (name, value) in &wire.headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    text.push_str("\r\n");
    let mut stream = TcpStream::connect(platform.address()).await.unwrap();
    stream.write_all(&[text.as_bytes(), &wire.body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_debit_is_executed_and_its_answer_verifies() {
    let parties = parties(1);
    let platform = platform(&parties).await;
    let client = caller(&parties, &platform, 2_000, 5_000);
    let before = balance(&platform, 7);
    let debit = request(Operation::Debit, 1, 7, 500, None);
    assert_eq!(client.exchange(&debit).await.unwrap(), Outcome::Success);
    assert_eq!(balance(&platform, 7), before - 500);
    assert_eq!(client.exchange(&debit).await.unwrap(), Outcome::Success);
    assert_eq!(
        (
            balance(&platform, 7),
            platform.repeated(),
            platform.received(Operation::Debit)
        ),
        (before - 500, 1, 2)
    );
    let poor = client.exchange(&request(Operation::Debit, 2, 198, 500, None)).await.unwrap();
    assert!(
        matches!(
            poor,
            Outcome::Failed {
                reason: Reason::InsufficientFunds,
                ..
            }
        ),
        "{poor:?}"
    );
    platform.stop().await;
}

#[tokio::test]
async fn every_operation_crosses_the_wire() {
    let parties = parties(2);
    let platform = platform(&parties).await;
    let client = caller(&parties, &platform, 2_000, 5_000);
    let debit = request(Operation::Debit, 1, 7, 500, None);
    let requests = [
        request(Operation::Verify, 2, 7, 0, None),
        request(Operation::Sign, 3, 7, 0, None),
        debit.clone(),
        request(Operation::Credit, 4, 8, 300, None),
        request(Operation::Refund, 5, 7, 200, Some(&debit)),
        request(Operation::Query, 6, 7, 0, Some(&debit)),
        request(Operation::Terminate, 7, 9, 0, None),
    ];
    for request in &requests {
        let outcome = client.exchange(request).await.unwrap();
        assert_eq!(outcome, Outcome::Success, "{}", request.operation);
    }
    let other = request(Operation::Debit, 8, 10, 100, None);
    client.exchange(&other).await.unwrap();
    assert_eq!(
        client
            .exchange(&request(Operation::Cancel, 9, 10, 100, Some(&other)))
            .await
            .unwrap(),
        Outcome::Success
    );
    assert_eq!(balance(&platform, 10), Person::at(10).opening_balance().fen());
    assert_eq!(lock(&platform.ledger()).sum(), 0);
    platform.stop().await;
}

#[tokio::test]
async fn a_status_notice_is_acknowledged() {
    let parties = parties(9);
    let platform = platform(&parties).await;
    let mut notice = request(Operation::Status, 1, 7, 0, None);
    notice.role = Role::Notice;
    notice
        .set_text(Attribute::SystemStatus, "ST01")
        .set_date(Attribute::SystemDate, time::macros::date!(2030 - 01 - 02));
    let code = parties.caller.code(Operation::Status, Role::Notice).unwrap();
    let wire = parties.caller.emit(&code, &notice, NOW, &mut world(5).rng()).unwrap();
    let answer = raw(&platform, &wire).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"message\":\"ack\""),
        "{answer}"
    );
    assert_eq!(platform.received(Operation::Status), 1);
    platform.stop().await;
}

#[tokio::test]
async fn what_is_not_authentic_is_not_executed() {
    let parties = parties(3);
    let platform = platform(&parties).await;
    let debit = request(Operation::Debit, 1, 7, 500, None);
    for twist in [Twist::BadSignature, Twist::UnknownSerial] {
        let answer = raw(&platform, &wire(&parties, &debit, twist)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let mut stretched = wire(&parties, &debit, Twist::None);
    stretched.body.push(b' ');
    assert!(raw(&platform, &stretched).await.starts_with("HTTP/1.1 401"));
    let mut elsewhere = wire(&parties, &debit, Twist::None);
    if let Start::Request { target, .. } = &mut elsewhere.start {
        *target = "/v1/credit".to_owned();
    }
    assert!(raw(&platform, &elsewhere).await.starts_with("HTTP/1.1 401"));
    assert_eq!((platform.rejected(), platform.books().entries.len()), (4, 0));
    platform.stop().await;
}

#[tokio::test]
async fn an_old_message_is_refused() {
    let parties = parties(4);
    let sent = wire(&parties, &request(Operation::Debit, 1, 7, 500, None), Twist::None);
    assert!(parties.platform.receive(&sent, NOW + time::Duration::seconds(299)).is_ok());
    let refusal = parties
        .platform
        .receive(&sent, NOW + time::Duration::seconds(301))
        .unwrap_err();
    assert_eq!(refusal.step, Step::Verify);
}

/// Whatever the platform answers, it executes once, and the caller learns the outcome when the fault is over.
#[tokio::test]
async fn each_fault_executes_once_and_leaves_the_caller_in_doubt() {
    let parties = parties(5);
    let faults = [
        PlatformFault::Never,
        PlatformFault::Processing,
        PlatformFault::Status500,
        PlatformFault::Garbage,
        PlatformFault::BadMac,
        PlatformFault::Delay(5_000),
    ];
    let platform = platform(&parties).await;
    let client = caller(&parties, &platform, 150, 400);
    for (serial, fault) in (1..).zip(faults) {
        let debit = request(Operation::Debit, serial, 7, 500, None);
        platform.set_fault(Some(fault));
        assert_eq!(client.exchange(&debit).await.unwrap(), Outcome::Unknown, "{fault:?}");
        assert_eq!(
            platform.executions(debit.text(Attribute::EndToEndId).unwrap()),
            1,
            "{fault:?}"
        );
        platform.set_fault(None);
        assert_eq!(client.exchange(&debit).await.unwrap(), Outcome::Success, "{fault:?}");
        assert_eq!(
            platform.executions(debit.text(Attribute::EndToEndId).unwrap()),
            1,
            "{fault:?}"
        );
    }
    platform.stop().await;
}

#[tokio::test]
async fn a_fault_happens_only_on_what_fits() {
    let parties = parties(6);
    let platform = platform(&parties).await;
    let client = caller(&parties, &platform, 500, 200);
    let when = When {
        amount_fen: Some(777),
        ..When::default()
    };
    platform.set_faults(vec![PlatformRule {
        fault: PlatformFault::Status500,
        when,
    }]);
    assert_eq!(
        client.exchange(&request(Operation::Debit, 1, 7, 500, None)).await.unwrap(),
        Outcome::Success
    );
    assert_eq!(
        client.exchange(&request(Operation::Debit, 2, 7, 777, None)).await.unwrap(),
        Outcome::Unknown
    );
    platform.stop().await;
}

#[tokio::test]
async fn a_silent_platform_executes_nothing_but_what_is_let_through() {
    let parties = parties(7);
    let platform = platform(&parties).await;
    let client = caller(&parties, &platform, 100, 100);
    platform.go_silent(true);
    assert_eq!(
        client.exchange(&request(Operation::Debit, 1, 7, 500, None)).await.unwrap(),
        Outcome::Unknown
    );
    assert_eq!(platform.books().entries.len(), 0);
    platform.let_through(1);
    assert_eq!(
        client.exchange(&request(Operation::Debit, 2, 7, 500, None)).await.unwrap(),
        Outcome::Success
    );
    platform.go_silent(false);
    assert_eq!(
        client.exchange(&request(Operation::Debit, 3, 7, 500, None)).await.unwrap(),
        Outcome::Success
    );
    platform.refuse_connections(true);
    let fresh = caller(&parties, &platform, 100, 100);
    assert_eq!(
        fresh.exchange(&request(Operation::Debit, 4, 7, 500, None)).await.unwrap(),
        Outcome::Unknown
    );
    assert_eq!(platform.books().entries.len(), 2);
    // A request that is held must not hold the stop.
    platform.refuse_connections(false);
    platform.go_silent(true);
    let held = tokio::spawn(async move { fresh.exchange(&request(Operation::Debit, 5, 7, 500, None)).await });
    tokio::time::timeout(Duration::from_secs(5), platform.stop()).await.unwrap();
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_books_are_told_to_anybody() {
    let parties = parties(8);
    let platform = platform(&parties).await;
    let debit = request(Operation::Debit, 1, 7, 500, None);
    caller(&parties, &platform, 2_000, 5_000).exchange(&debit).await.unwrap();
    let start = Start::Request {
        method: "GET".to_owned(),
        target: "/books".to_owned(),
    };
    let answer = raw(
        &platform,
        &Wire {
            start,
            headers: Vec::new(),
            body: Vec::new(),
        },
    )
    .await;
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    let book: crate::report::Book = serde_json::from_str(json).unwrap();
    assert_eq!(book, platform.books());
    assert_eq!(book.entries.values().next().unwrap().executions, 1);
    platform.stop().await;
}
