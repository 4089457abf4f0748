#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::mq::amqp::wire::long_string;

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

fn filter() -> Filter {
    Filter::new(LIMIT)
}

fn check_header(flags: u16, properties: &[Vec<u8>], message_id: Option<&[u8]>) {
    let passed = filter().pass(header(3, flags, properties)).unwrap().unwrap();
    let id = message_id.map(short_string);
    let expected = header(3, if id.is_some() { MESSAGE_ID } else { 0 }, id.as_slice());
    assert_eq!(passed, expected, "{flags:#06x}");
}

#[test]
fn of_the_properties_only_a_message_id_of_text_passes() {
    let id = short_string(b"m-1");
    check_header(0, &[], None);
    check_header(MESSAGE_ID, std::slice::from_ref(&id), Some(b"m-1"));
    check_header(MESSAGE_ID, &[short_string(NO_TEXT)], None);
    let entry = [short_string(b"note"), vec![b'S'], long_string(NO_TEXT)].concat();
    check_header(0x2000, &[long_string(&entry)], None);
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
    check_header(0xFFC0, &all, Some(b"m-1"));
    // A further word of flags stands before the properties.
    check_header(MESSAGE_ID | CONTINUED, &[vec![0x80, 0x00], id], Some(b"m-1"));
}

#[test]
fn malformed_headers_end_the_connection() {
    for size in 0..14 {
        assert!(filter().pass(frame(HEADER, 1, vec![0; size])).is_err(), "{size} bytes");
    }
    let lies = [
        header(1, MESSAGE_ID, &[]),
        header(1, MESSAGE_ID, &[vec![9, b'x']]),
        header(1, 0x2000, &[vec![0xFF; 4]]),
        header(1, CONTINUED, &[]),
    ];
    for lie in lies {
        assert!(filter().pass(lie.clone()).is_err(), "{lie:?}");
    }
}

/// Sizes of the frames that pass of a body that comes in `frames`.
fn passed(size: u64, frames: &[usize]) -> Result<Vec<usize>, &'static str> {
    let mut filter = filter();
    let announced = filter.pass(header(size, 0, &[]))?.unwrap();
    let (announced, _) = properties(&announced.payload).unwrap();
    let mut sizes = Vec::new();
    for size in frames {
        let body = filter.pass(frame(BODY, 1, vec![b'x'; *size]))?;
        sizes.extend(body.map(|frame| frame.payload.len()));
    }
    assert_eq!(sizes.iter().sum::<usize>() as u64, announced, "announced and passed");
    // The body is over: the next method may come.
    filter.pass(method(1, (60, 80), &[0; 9]))?;
    Ok(sizes)
}

#[test]
fn a_body_over_the_limit_is_cut_one_byte_over_it() {
    assert_eq!(passed(0, &[]), Ok(vec![]));
    assert_eq!(passed(10, &[10]), Ok(vec![10]));
    assert_eq!(passed(11, &[4, 7]), Ok(vec![4, 7]));
    assert_eq!(passed(12, &[12]), Ok(vec![11]));
    assert_eq!(passed(40, &[8, 8, 8, 16]), Ok(vec![8, 3]));
    assert!(passed(5, &[6]).is_err(), "a body longer than announced");
    assert!(passed(5, &[5, 1]).is_err(), "a body that goes on");
    assert!(passed(0, &[1]).is_err(), "a body that was not announced");
}

#[test]
fn only_what_the_library_knows_passes() {
    for id in OF_CHANNEL.iter().filter(|id| **id != DELIVER) {
        assert!(filter().pass(method(1, *id, &[])).unwrap().is_some(), "{id:?}");
        assert!(filter().pass(method(77, *id, &[])).is_err(), "{id:?} on another channel");
        assert!(filter().pass(method(0, *id, &[])).is_err(), "{id:?} on the connection");
    }
    for id in OF_CONNECTION {
        assert!(filter().pass(method(0, *id, &[])).unwrap().is_some(), "{id:?}");
        assert!(filter().pass(method(1, *id, &[])).is_err(), "{id:?} on a channel");
    }
    assert!(filter().pass(frame(HEARTBEAT, 0, [])).unwrap().is_some());
    for wrong in [
        frame(HEARTBEAT, 1, []),
        frame(BODY, 1, [1]),
        frame(METHOD, 1, [0, 60]),
        frame(9, 0, []),
        method(1, (60, 99), &[]),
    ] {
        assert!(filter().pass(wrong.clone()).is_err(), "{wrong:?}");
    }
    // Nothing of the channel comes between a header and its body.
    let mut filter = filter();
    filter.pass(header(5, 0, &[])).unwrap();
    assert!(filter.pass(frame(HEARTBEAT, 0, [])).is_ok());
    assert!(filter.pass(header(5, 0, &[])).is_err());
}

#[test]
fn a_delivery_keeps_its_tag_and_loses_what_is_no_text() {
    let arguments = |exchange: &[u8], key: &[u8]| {
        let fixed = [short_string(b"hangu"), vec![0, 0, 0, 0, 0, 0, 0, 7, 1]].concat();
        [fixed, short_string(exchange), short_string(key)].concat()
    };
    let delivery = method(1, DELIVER, &arguments(NO_TEXT, NO_TEXT));
    assert_eq!(
        filter().pass(delivery).unwrap().unwrap(),
        method(1, DELIVER, &arguments(b"", b""))
    );
    let sound = method(1, DELIVER, &arguments(b"amq.direct", b"nps.b.req"));
    assert_eq!(filter().pass(sound.clone()).unwrap().unwrap(), sound);
    assert!(filter().pass(method(1, DELIVER, &[5, 0])).is_err());
}

/// Random frames, half of them content headers with random flags: whatever passes is what the library can bear.
#[test]
fn nothing_random_gets_through_unclean() {
    const SEED: u64 = 0x4E50_5301;
    let mut state = SEED;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut passed = 0;
    for round in 0..50_000 {
        let size = usize::try_from(random() % 40).unwrap();
        let mut payload: Vec<u8> = (0..size).map(|_| random().to_be_bytes()[0] & 0x8F).collect();
        let kind = if round % 2 == 0 {
            HEADER
        } else {
            random().to_be_bytes()[0] % 9
        };
        let known = OF_CHANNEL[usize::try_from(random()).unwrap_or(0) % OF_CHANNEL.len()];
        if kind == METHOD && size >= 4 {
            payload[..4].copy_from_slice(&Frame::method(known, &[]).payload);
        }
        let Ok(Some(frame)) = filter().pass(frame(kind, 1, payload)) else {
            continue;
        };
        passed += 1;
        if frame.kind == HEADER {
            let (size, id) = properties(&frame.payload).unwrap();
            let expected = header(
                size,
                if id.is_some() { MESSAGE_ID } else { 0 },
                id.map(short_string).as_slice(),
            );
            assert!(
                frame == expected && size <= LIMIT as u64 + 1,
                "seed {SEED}, round {round}: {frame:?}"
            );
        } else if frame.method_id() == Some(DELIVER) {
            assert_eq!(delivery(frame.clone()).as_ref(), Ok(&frame), "seed {SEED}, round {round}");
        }
    }
    assert!(passed > 1000, "only {passed} frames passed: the test looks at nothing");
}
