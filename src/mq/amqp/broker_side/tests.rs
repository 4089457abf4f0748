#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::secret::Password;
use tokio::io::{AsyncReadExt, duplex};

const HEARTBEAT_S: u16 = 10;

fn config() -> AmqpConfig {
    AmqpConfig {
        user: "hangu".to_owned(),
        password: Password::new("hunter2"),
        vhost: "nps".to_owned(),
        heartbeat_s: HEARTBEAT_S,
        ..AmqpConfig::default()
    }
}

/// Greets a broker that says these things, whatever it hears; gives what it heard too.
async fn greeted(said: &[Frame]) -> (Result<Tuning, String>, Vec<u8>) {
    let (wire, mut broker) = duplex(64 * 1024);
    for frame in said {
        send(&mut broker, frame).await.unwrap();
    }
    broker.shutdown().await.unwrap();
    let mut wire: Box<dyn Wire> = Box::new(wire);
    let tuning = greet(&mut wire, &config(), "hangu test").await;
    drop(wire);
    let mut heard = Vec::new();
    broker.read_to_end(&mut heard).await.unwrap();
    (tuning, heard)
}

fn tune(channels: u16, frame_bytes: u32, heartbeat_s: u16) -> Frame {
    let terms = Tuning {
        channels,
        frame_bytes,
        heartbeat_s,
    };
    terms.frame(TUNE)
}

/// What is agreed to when a broker offers these terms.
async fn check_terms(offer: Frame, expected: Option<(u16, u32, u16)>) {
    let (tuning, _) = greeted(&[Frame::method(START, &[]), offer.clone(), Frame::method(OPEN_OK, &[0])]).await;
    let agreed = tuning
        .map(|terms| (terms.channels, terms.frame_bytes, terms.heartbeat_s))
        .ok();
    assert_eq!(agreed, expected, "{offer:?}");
}

#[tokio::test]
async fn the_smaller_wish_is_agreed_to() {
    check_terms(tune(2047, 131_072, 60), Some((2047, 131_072, HEARTBEAT_S))).await;
    check_terms(tune(0, 0, 0), Some((CHANNELS_MAX, FRAME_BYTES_MAX, HEARTBEAT_S))).await;
    check_terms(tune(5, 4096, 2), Some((5, 4096, 2))).await;
    check_terms(
        tune(u16::MAX, u32::MAX, u16::MAX),
        Some((CHANNELS_MAX, FRAME_BYTES_MAX, HEARTBEAT_S)),
    )
    .await;
    // What we cannot keep is no agreement.
    check_terms(tune(2047, 4095, 60), None).await;
    check_terms(tune(2047, 131_072, 1), None).await;
    check_terms(Frame::method(TUNE, &[0, 1, 0]), None).await;
}

#[tokio::test]
async fn it_says_who_it_is_and_what_it_can_bear() {
    let said = [
        Frame::method(START, &[]),
        tune(2047, 131_072, 60),
        Frame::method(OPEN_OK, &[0]),
    ];
    let (tuning, heard) = greeted(&said).await;
    assert!(tuning.is_ok());
    assert!(heard.starts_with(&PROTOCOL_HEADER));
    let holds = |part: &[u8]| heard.windows(part.len()).any(|window| window == part);
    for part in [
        "\0hangu\0hunter2",
        "connection.blocked",
        "authentication_failure_close",
        "hangu test",
        "\u{3}nps",
    ] {
        assert!(holds(part.as_bytes()), "{part:?}");
    }
}

#[tokio::test]
async fn refusals_come_in_the_words_of_the_broker() {
    let text = "ACCESS_REFUSED";
    let close = [&403_u16.to_be_bytes(), short_string(text.as_bytes()).as_slice(), &[0; 4]].concat();
    let (refused, _) = greeted(&[Frame::method(START, &[]), Frame::method(CLOSE, &close)]).await;
    assert_eq!(refused, Err("the broker refuses: 403 ACCESS_REFUSED".to_owned()));
    let (ended, _) = greeted(&[Frame::method(START, &[])]).await;
    assert_eq!(ended, Err("the connection was closed by the other side".to_owned()));
    let (confused, _) = greeted(&[Frame::method(TUNE, &[])]).await;
    assert_eq!(confused, Err("it does not answer as AMQP 0-9-1 asks".to_owned()));
    let mut other: &[u8] = b"AMQP\x00\x01\x00\x00";
    assert_eq!(
        expect(&mut other, START).await,
        Err("it asks for another version of AMQP than 0-9-1".to_owned())
    );
}
