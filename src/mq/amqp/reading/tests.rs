#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::mq::amqp::wire::{long_string, short_string};

const NO_TEXT: &[u8] = &[0xC4, 0xE3, 0xBA, 0xC3];
const LIMIT: usize = 10;

fn frame(kind: u8, channel: u16, payload: impl Into<Vec<u8>>) -> Frame {
    Frame {
        kind,
        channel,
        payload: payload.into().into(),
    }
}

fn method(channel: u16, id: MethodId, arguments: &[u8]) -> Frame {
    Frame {
        channel,
        ..Frame::method(id, arguments)
    }
}

/// A content header with the given flags and the properties that they announce.
fn header(size: u64, flags: u16, properties: &[Vec<u8>]) -> Frame {
    let fixed = [&[0, 60, 0, 0], size.to_be_bytes().as_slice(), &flags.to_be_bytes()].concat();
    frame(HEADER, 1, [fixed, properties.concat()].concat())
}

/// Tag 7, redelivered.
fn deliver(exchange: &[u8], key: &[u8]) -> Frame {
    let fixed = [short_string(b"hangu"), vec![0, 0, 0, 0, 0, 0, 0, 7, 1]].concat();
    method(1, DELIVER, &[fixed, short_string(exchange), short_string(key)].concat())
}

fn take(reading: &mut Reading, frame: &Frame) -> Result<Option<Heard>, &'static str> {
    reading.take(View {
        kind: frame.kind,
        channel: frame.channel,
        payload: &frame.payload,
    })
}

fn announced() -> Reading {
    let mut reading = Reading::new(LIMIT);
    assert_eq!(take(&mut reading, &deliver(b"", b"q")), Ok(None));
    reading
}

fn delivered(heard: Option<Heard>) -> Delivered {
    match heard {
        Some(Heard::Delivered(delivered)) => delivered,
        other => panic!("no delivery: {other:?}"),
    }
}

fn check_id(flags: u16, properties: &[Vec<u8>], message_id: Option<&str>) {
    let heard = take(&mut announced(), &header(0, flags, properties)).unwrap();
    let expected = Delivered {
        tag: 7,
        redelivered: true,
        message_id: message_id.map(ToOwned::to_owned),
        body: Vec::new(),
    };
    assert_eq!(delivered(heard), expected, "{flags:#06x}");
}

#[test]
fn of_the_properties_only_a_message_id_of_text_counts() {
    let id = short_string(b"m-1");
    check_id(0, &[], None);
    check_id(MESSAGE_ID, std::slice::from_ref(&id), Some("m-1"));
    check_id(MESSAGE_ID, &[short_string(NO_TEXT)], None);
    let entry = [short_string(b"note"), vec![b'S'], long_string(NO_TEXT)].concat();
    check_id(0x2000, &[long_string(&entry)], None);
    // Every property there is, in the order of its flag.
    let text = short_string(NO_TEXT);
    let all = [
        text.clone(),
        text.clone(),
        long_string(&entry),
        vec![2],
        vec![9],
        text.clone(),
        text.clone(),
        text.clone(),
        id.clone(),
        vec![0; 8],
        text,
    ];
    check_id(0xFFC0, &all, Some("m-1"));
    // A further word of flags stands before the properties.
    check_id(MESSAGE_ID | CONTINUED, &[vec![0x80, 0x00], id], Some("m-1"));
}

#[test]
fn malformed_headers_end_the_connection() {
    for size in 0..14 {
        assert!(
            take(&mut announced(), &frame(HEADER, 1, vec![0; size])).is_err(),
            "{size} bytes"
        );
    }
    let lies = [
        header(1, MESSAGE_ID, &[]),
        header(1, MESSAGE_ID, &[vec![9, b'x']]),
        header(1, 0x2000, &[vec![0xFF; 4]]),
        header(1, CONTINUED, &[]),
    ];
    for lie in lies {
        assert!(take(&mut announced(), &lie).is_err(), "{lie:?}");
    }
}

/// Bytes that are left of a body of `size` that comes in `frames`.
fn kept(size: u64, frames: &[usize]) -> Result<usize, &'static str> {
    let mut reading = announced();
    let mut heard = take(&mut reading, &header(size, 0, &[]))?;
    for size in frames {
        assert_eq!(heard, None, "a body that goes on is no word yet");
        heard = take(&mut reading, &frame(BODY, 1, vec![b'x'; *size]))?;
    }
    // The body is over: the next method may come.
    take(&mut reading, &method(1, ACK, &[0; 9]))?;
    Ok(delivered(heard).body.len())
}

#[test]
fn a_body_over_the_limit_is_cut_one_byte_over_it() {
    assert_eq!(kept(0, &[]), Ok(0));
    assert_eq!(kept(10, &[10]), Ok(10));
    assert_eq!(kept(11, &[4, 7]), Ok(11));
    assert_eq!(kept(12, &[12]), Ok(11));
    assert_eq!(kept(40, &[8, 8, 8, 16]), Ok(11));
    assert!(kept(5, &[6]).is_err(), "a body longer than announced");
    assert!(kept(5, &[4]).is_err(), "a body that is not over");
    let mut reading = announced();
    take(&mut reading, &header(0, 0, &[])).unwrap();
    assert!(take(&mut reading, &frame(BODY, 1, [1])).is_err(), "a body that goes on");
    // A header that lies about its size makes nobody make room for it.
    let mut reading = announced();
    assert_eq!(take(&mut reading, &header(u64::MAX, 0, &[])), Ok(None));
    assert!(matches!(&reading.content, Content::Coming(coming) if coming.body.capacity() <= LIMIT + 1));
}

/// What a method says, if anything.
fn said(channel: u16, id: MethodId, arguments: &[u8]) -> Option<Heard> {
    take(&mut Reading::new(LIMIT), &method(channel, id, arguments)).ok().flatten()
}

#[test]
fn every_method_says_its_own() {
    let close = [&[1, 0x94], short_string(b"NOT_FOUND").as_slice(), &[0; 4]].concat();
    let tagged = |how: u8| [&[0; 7], [9, how].as_slice()].concat();
    let ended = |text: &str| Some(Heard::Ended(text.to_owned()));
    let expected = [
        ((1, CHANNEL_CLOSE, close.clone()), ended("404 NOT_FOUND")),
        (
            (0, CONNECTION_CLOSE, close),
            ended("the broker closed the connection: 404 NOT_FOUND"),
        ),
        (
            (1, CANCEL, short_string(b"hangu")),
            ended("the broker cancelled the consumer"),
        ),
        ((1, ACK, tagged(1)), Some(Heard::Acked { tag: 9, multiple: true })),
        ((1, ACK, tagged(0)), Some(Heard::Acked { tag: 9, multiple: false })),
        ((1, NACK, tagged(3)), Some(Heard::Nacked { tag: 9, multiple: true })),
        ((1, FLOW, vec![0]), Some(Heard::Flow(false))),
        (
            (0, BLOCKED, short_string(b"low on memory")),
            Some(Heard::Blocked("low on memory".to_owned())),
        ),
        ((0, UNBLOCKED, vec![]), Some(Heard::Unblocked)),
    ];
    for ((channel, id, arguments), heard) in expected {
        assert_eq!(said(channel, id, &arguments), heard, "{id:?}");
        let other = 1 - channel;
        assert_eq!(said(other, id, &arguments), None, "{id:?} on channel {other}");
        for size in 0..arguments.len().min(2) {
            assert!(id == CANCEL || said(channel, id, &arguments[..size]).is_none(), "{id:?} cut");
        }
    }
    for id in ANSWERS {
        assert_eq!(said(1, *id, b"x"), Some(Heard::Answer(method(1, *id, b"x"))));
    }
}

#[test]
fn a_return_tells_whose_it_is() {
    let mut reading = Reading::new(LIMIT);
    let arguments = [
        vec![1, 0x38],
        short_string(b"NO_ROUTE"),
        short_string(b""),
        short_string(b"nowhere"),
    ];
    assert_eq!(take(&mut reading, &method(1, RETURN, &arguments.concat())), Ok(None));
    let header = header(1, MESSAGE_ID, &[short_string(b"m-1")]);
    assert_eq!(take(&mut reading, &header), Ok(None));
    let expected = Returned {
        reason: "unroutable: 312 NO_ROUTE".to_owned(),
        queue: "nowhere".to_owned(),
        message_id: Some("m-1".to_owned()),
    };
    assert_eq!(take(&mut reading, &frame(BODY, 1, [1])), Ok(Some(Heard::Returned(expected))));
}

#[test]
fn only_what_is_allowed_where_it_came_is_taken() {
    assert_eq!(take(&mut Reading::new(LIMIT), &frame(HEARTBEAT, 0, [])), Ok(None));
    for wrong in [
        frame(HEARTBEAT, 1, []),
        frame(BODY, 1, [1]),
        frame(METHOD, 1, [0, 60]),
        frame(9, 0, []),
        method(1, (60, 99), &[]),
        method(77, ACK, &[0; 9]),
        header(0, 0, &[]),
    ] {
        assert!(take(&mut Reading::new(LIMIT), &wrong).is_err(), "{wrong:?}");
    }
    // Nothing of the channel comes between a method, its header and its body.
    let mut reading = announced();
    assert!(take(&mut reading, &method(1, ACK, &[0; 9])).is_err());
    assert!(take(&mut announced(), &frame(BODY, 1, [1])).is_err());
    let mut reading = announced();
    take(&mut reading, &header(5, 0, &[])).unwrap();
    assert_eq!(take(&mut reading, &frame(HEARTBEAT, 0, [])), Ok(None));
    assert_eq!(take(&mut reading, &method(0, UNBLOCKED, &[])), Ok(Some(Heard::Unblocked)));
    assert!(take(&mut reading, &header(5, 0, &[])).is_err());
    assert!(take(&mut announced(), &method(1, DELIVER, &[5, 0])).is_err());
}

#[test]
fn a_delivery_may_name_an_exchange_that_is_no_text() {
    let mut reading = Reading::new(LIMIT);
    assert_eq!(take(&mut reading, &deliver(NO_TEXT, NO_TEXT)), Ok(None));
    assert_eq!(delivered(take(&mut reading, &header(0, 0, &[])).unwrap()).tag, 7);
}

/// Random frames, half of them content headers with random flags: no body grows over its limit, and nothing panics.
#[test]
fn nothing_random_grows_over_the_limit() {
    const SEED: u64 = 0x4E50_5301;
    let mut state = SEED;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let methods = [ANSWERS, &[DELIVER, RETURN, ACK, NACK, FLOW, CHANNEL_CLOSE, CANCEL]].concat();
    let (mut taken, mut bodies) = (0, 0);
    for round in 0..50_000 {
        let size = usize::try_from(random() % 40).unwrap();
        let payload: Vec<u8> = (0..size).map(|_| random().to_be_bytes()[0] & 0x8F).collect();
        let known = methods[usize::try_from(random()).unwrap_or(0) % methods.len()];
        let random = match random() % 4 {
            0 => method(1, known, &payload),
            1 => frame(BODY, 1, payload),
            2 => header(u64::try_from(size).unwrap(), 0, &[]),
            _ => frame(HEADER, 1, payload),
        };
        let mut reading = announced();
        for frame in [header(13, 0, &[]), frame(BODY, 1, [b'x'; 6]), random] {
            match take(&mut reading, &frame) {
                Ok(Some(Heard::Delivered(delivered))) => {
                    bodies += 1;
                    assert!(delivered.body.len() <= LIMIT + 1, "seed {SEED}, round {round}");
                }
                Ok(_) => taken += 1,
                Err(_) => break,
            }
        }
    }
    assert!(
        taken > 1000 && bodies > 100,
        "only {taken} and {bodies}: the test looks at nothing"
    );
}
