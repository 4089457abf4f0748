#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::mq::amqp::wire::{HEARTBEAT, short_string};
use tokio::io::{DuplexStream, duplex};

const TUNING: Tuning = Tuning {
    channels: 9,
    frame_bytes: 8192,
    heartbeat_s: 5,
};

/// A door with a broker behind it, its port, its word, and the broker's end.
async fn door() -> (tokio::task::JoinHandle<String>, u16, String, DuplexStream) {
    let door = Door::open().await.unwrap();
    let (port, word) = (door.port, door.word.clone());
    let (wire, broker) = duplex(64 * 1024);
    let side = BrokerSide {
        wire: Box::new(wire),
        tuning: TUNING,
    };
    (tokio::spawn(door.carry(side, 1024)), port, word, broker)
}

async fn call(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap()
}

/// Plays the client library's part up to the answer to its login.
async fn log_in(port: u16, word: &str) -> Result<TcpStream, String> {
    let mut stream = call(port).await;
    stream.write_all(&PROTOCOL_HEADER).await.unwrap();
    expect(&mut stream, START).await?;
    let response = ["\0\0", word].concat();
    let arguments = [
        long_string(b""),
        short_string(b"PLAIN"),
        long_string(response.as_bytes()),
        short_string(b"en_US"),
    ];
    send(&mut stream, &Frame::method(START_OK, &arguments.concat())).await?;
    let tune = expect(&mut stream, TUNE).await?;
    assert_eq!(tune, TUNING.frame(TUNE));
    send(&mut stream, &TUNING.frame(TUNE_OK)).await?;
    send(&mut stream, &Frame::method(OPEN, b"\x01/\x00\x00")).await?;
    expect(&mut stream, OPEN_OK).await?;
    Ok(stream)
}

fn heartbeat() -> Frame {
    Frame {
        kind: HEARTBEAT,
        channel: 0,
        payload: [].as_slice().into(),
    }
}

#[tokio::test]
async fn only_the_word_opens_it_and_only_once() {
    let (carrying, port, word, mut broker) = door().await;
    let silent = call(port).await;
    let short: String = word.chars().skip(1).collect();
    for wrong in ["", "0", &short, &format!("{word}0"), &word.replace(['0', '1', '2', '3'], "9")] {
        assert!(wrong != word && log_in(port, wrong).await.is_err(), "{wrong}");
    }
    let mut stream = log_in(port, &word).await.unwrap();
    // The port is closed to everybody else, also to one who waited.
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err());
    drop(silent);
    send(&mut broker, &heartbeat()).await.unwrap();
    assert_eq!(read_frame(&mut stream, 8192).await.unwrap(), heartbeat());
    stream.write_all(b"as it is").await.unwrap();
    let mut outbound = [0; 8];
    broker.read_exact(&mut outbound).await.unwrap();
    assert_eq!(&outbound, b"as it is");
    drop(stream);
    assert_eq!(carrying.await.unwrap(), CLIENT_LEFT);
}

/// What the broker did to end it, and the words for it.
async fn ended_by(bytes: &[u8], reason: &str) {
    let (carrying, port, word, mut broker) = door().await;
    let _stream = log_in(port, &word).await.unwrap();
    broker.write_all(bytes).await.unwrap();
    if bytes.is_empty() {
        drop(broker);
    }
    assert_eq!(carrying.await.unwrap(), reason);
}

#[tokio::test]
async fn the_end_is_told_in_words() {
    ended_by(b"", "the connection was closed by the other side").await;
    ended_by(&[3, 0, 1, 0, 0, 0x20, 0], "a frame claims 8192 bytes, over the limit of 8192").await;
    ended_by(&[8, 0, 0, 0, 0, 0, 0, 0], "a frame does not end where it says").await;
    ended_by(&[8, 0, 1, 0, 0, 0, 0, 0xCE], "a frame is not allowed where it came").await;
    ended_by(&[9, 0, 0, 0, 0, 0, 0], "what it sends is no AMQP frame").await;
}

#[tokio::test]
async fn two_heartbeats_of_silence_are_the_end() {
    let (carrying, port, word, mut broker) = door().await;
    let _stream = log_in(port, &word).await.unwrap();
    tokio::time::pause();
    send(&mut broker, &heartbeat()).await.unwrap();
    assert_eq!(carrying.await.unwrap(), "nothing heard for 10 s, not even a heartbeat");
}

#[test]
fn a_whole_frame_is_told_from_a_part() {
    let mut whole = BytesMut::new();
    Frame::method(OPEN, b"arguments").append_to(&mut whole);
    for size in 0..whole.len() {
        assert!(!holds_frame(&whole[..size]), "{size} bytes");
    }
    assert!(holds_frame(&whole));
    whole.extend_from_slice(&[1, 0]);
    assert!(holds_frame(&whole));
}
