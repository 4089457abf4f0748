#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[FRAME_END]].concat()
}

fn method(channel: u16, (class, method): Method, arguments: &[u8]) -> Vec<u8> {
    frame(
        METHOD,
        channel,
        &[&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat(),
    )
}

fn with_body(mut head: Vec<u8>, channel: u16, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    head.extend(frame(
        HEADER,
        channel,
        &[&[0, 60, 0, 0][..], &(length as u64).to_be_bytes(), &[0, 0]].concat(),
    ));
    for part in parts.iter().filter(|part| !part.is_empty()) {
        head.extend(frame(BODY, channel, part));
    }
    head
}

fn delivery(tag: u64, parts: &[&[u8]]) -> Vec<u8> {
    let arguments = [&b"\x03tag"[..], &tag.to_be_bytes(), &[0], b"\0\x01q"].concat();
    with_body(method(1, DELIVER, &arguments), 1, parts)
}

fn publication(body: &[u8]) -> Vec<u8> {
    with_body(method(2, PUBLISH, b"\0\0\0\x01q\0"), 2, &[body])
}

fn is_whole(bytes: &[u8], length: usize) -> bool {
    matches!(end(bytes), End::At(at) if at == length)
}

#[test]
fn a_message_ends_behind_its_last_part() {
    for message in [delivery(1, &[b"one", b"and two"]), publication(b"body"), publication(b"")] {
        let behind = [&message[..], &frame(8, 0, b"")].concat();
        assert!(is_whole(&behind, message.len()));
        for cut in 0..message.len() {
            assert!(matches!(end(&message[..cut]), End::Later), "{cut}");
        }
    }
    assert!(is_whole(b"AMQP\0\0\x09\x01rest", 8));
    assert!(is_whole(&frame(8, 0, b""), 8), "a heartbeat");
    let (content, is_message) = content(&delivery(1, &[b"one", b"and two"]));
    assert!(is_message);
    assert_eq!(&delivery(1, &[b"one", b"and two"])[content], b"one");
    assert_eq!(body(&delivery(1, &[b"one", b"and two"])), b"oneand two");
    assert!(!super::content(&method(1, ACK, &[0; 9])).1);
}

/// The words that reach the broker when a consumer acknowledges all up to the third of five.
#[test]
fn a_word_about_several_is_told_apart() {
    let told = |fates: &[(u64, Fate)]| {
        let mut ledger = Ledger::default();
        for tag in 1..=5 {
            let number = ledger.number(Direction::Reply, &delivery(tag, &[b"x"])).unwrap();
            if let Some((_, fate)) = fates.iter().find(|(one, _)| *one == tag) {
                ledger.decide(number, *fate);
            }
        }
        let all = method(1, ACK, &[&3_u64.to_be_bytes()[..], &[1]].concat());
        ledger.word(Direction::Request, all)
    };
    let ack = |tag: u64, bits| said(1, ACK, tag, bits);
    assert_eq!(told(&[]), ack(3, 1), "as it came");
    assert_eq!(told(&[(4, Fate::Back)]), ack(3, 1), "it is not spoken of");
    assert_eq!(
        told(&[(2, Fate::Silent)]),
        [ack(1, 0), ack(3, 0)].concat(),
        "nobody got the second"
    );
    let back = said(1, NACK, 2, REQUEUE);
    assert_eq!(told(&[(2, Fate::Back)]), [ack(1, 0), back, ack(3, 0)].concat());
}

#[test]
fn a_publication_is_refused_under_its_own_number() {
    let mut ledger = Ledger::default();
    ledger.number(Direction::Request, &publication(b"before confirms"));
    ledger.word(Direction::Request, method(2, CONFIRM_SELECT, &[0]));
    let first = ledger.number(Direction::Request, &publication(b"1")).unwrap();
    let second = ledger.number(Direction::Request, &publication(b"2")).unwrap();
    assert_eq!((first.tag, second.tag), (1, 2));
    ledger.decide(second, Fate::Back);
    assert_eq!(ledger.word(Direction::Reply, said(2, ACK, 1, 0)), said(2, ACK, 1, 0));
    assert_eq!(ledger.word(Direction::Reply, said(2, ACK, 2, 1)), said(2, NACK, 2, 0));
    let third = ledger.number(Direction::Request, &publication(b"3")).unwrap();
    ledger.decide(third, Fate::Silent);
    assert_eq!(ledger.word(Direction::Reply, said(2, ACK, 3, 0)), [0; 0]);
}
