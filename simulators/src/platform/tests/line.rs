//! Answers that come slowly, and a connection that ends behind one.

use super::{NOW, PlatformFault, PlatformRule, When, parties, platform, request, wire};
use crate::counterparty::Twist;
use codecs::payment::Operation;
use codecs::wire::{Start, Wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One exchange on a connection that its client would keep: what came read by read, and whether the platform ended it.
async fn heard(fault: Option<PlatformFault>) -> (Vec<Vec<u8>>, bool) {
    let parties = parties(1);
    let platform = platform(&parties).await;
    let when = When::default();
    platform.set_faults(fault.map(|fault| PlatformRule { fault, when }).into_iter().collect());
    let Wire { start, headers, body } = wire(&parties, &request(Operation::Debit, 1, 7, 500, None), Twist::None);
    let Start::Request { method, target } = start else {
        panic!("not a request")
    };
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: a\r\n{}content-length: {length}\r\n\r\n",
        lines(&headers)
    );
    let mut stream = TcpStream::connect(platform.address()).await.unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let mut reads = Vec::new();
    loop {
        let mut buffer = vec![0; 4096];
        match timeout(Duration::from_millis(1_500), stream.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => reads.push(buffer[..length].to_vec()),
            ended => return (reads, ended.is_ok()),
        }
    }
}

fn lines(headers: &[(String, String)]) -> String {
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    lines.concat()
}

/// Whether an answer verifies at the bank.
fn is_good(answer: &[u8]) -> bool {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut wire = Wire::queue(body.as_bytes().to_vec());
    wire.start = Start::Status(200);
    let header = |line: &str| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
    };
    wire.headers = head.lines().filter_map(header).collect();
    parties(1).caller.receive(&wire, NOW).is_ok()
}

#[tokio::test]
async fn a_dripping_answer_comes_whole_in_many_pieces() {
    let (reads, is_ended) = heard(Some(PlatformFault::Drip(400))).await;
    assert!(reads.len() >= 10 && !is_ended, "{} pieces", reads.len());
    assert!(is_good(&reads.concat()));
    assert!(heard(None).await.0.len() < 10);
}

#[tokio::test]
async fn a_connection_ends_behind_a_whole_answer() {
    let (reads, is_ended) = heard(Some(PlatformFault::HangUp)).await;
    assert!(is_good(&reads.concat()) && is_ended);
    let (reads, is_ended) = heard(None).await;
    assert!(is_good(&reads.concat()) && !is_ended, "else it is kept");
}
