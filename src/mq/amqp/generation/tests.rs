#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::mq::amqp::broker_side::{Tuning, expect, send};
use crate::mq::amqp::wire::{BODY, HEADER, HEARTBEAT, METHOD, read_frame, short_string};
use crate::mq::{Publication, Published};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const FRAME_BYTES: usize = 8192;
const TUNING: Tuning = Tuning {
    channels: 9,
    frame_bytes: 8192,
    heartbeat_s: 5,
};

/// A generation, and the broker's end of its wire, which holds so many bytes.
fn generation(wire_bytes: usize, confirms: Option<Arc<Confirms>>) -> (Generation, DuplexStream) {
    let (wire, broker) = duplex(wire_bytes);
    let side = BrokerSide {
        wire: Box::new(wire),
        tuning: TUNING,
    };
    (Generation::over(side, 64 * 1024, confirms), broker)
}

fn heartbeat() -> Frame {
    frame(HEARTBEAT, 0, &[])
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Frame {
    Frame {
        kind,
        channel,
        payload: payload.to_vec().into(),
    }
}

async fn heard(broker: &mut DuplexStream) -> Frame {
    read_frame(broker, FRAME_BYTES).await.unwrap()
}

/// What the broker did to end it, and the words for it.
async fn ended_by(bytes: &[u8], reason: &str) {
    let (mut generation, mut broker) = generation(64 * 1024, None);
    broker.write_all(bytes).await.unwrap();
    drop(broker);
    assert_eq!(generation.next().await.err().as_deref(), Some(reason));
}

#[tokio::test]
async fn the_end_is_told_in_words() {
    ended_by(b"", "the connection was closed by the other side").await;
    ended_by(&[3, 0, 1, 0, 0, 0x20, 0], "a frame claims 8192 bytes, over the limit of 8192").await;
    ended_by(&[8, 0, 0, 0, 0, 0, 0, 0], "a frame does not end where it says").await;
    ended_by(&[8, 0, 1, 0, 0, 0, 0, 0xCE], "a frame is not allowed where it came").await;
    ended_by(&[9, 0, 0, 0, 0, 0, 0], "what it sends is no AMQP frame").await;
    // A confirm on a link that publishes nothing.
    let ack = [[1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80].as_slice(), &[0; 9], &[0xCE]].concat();
    ended_by(&ack, UNASKED).await;
}

#[tokio::test(start_paused = true)]
async fn two_heartbeats_of_silence_are_the_end() {
    let (mut generation, mut broker) = generation(64 * 1024, None);
    send(&mut broker, &heartbeat()).await.unwrap();
    let begin = tokio::time::Instant::now();
    let reason = generation.next().await.err();
    assert_eq!(reason.as_deref(), Some("nothing heard for 10 s, not even a heartbeat"));
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
    // It showed meanwhile that it lives, at least once in every heartbeat.
    for _ in 0..2 {
        assert_eq!(heard(&mut broker).await, heartbeat());
    }
}

/// The channel that answers nothing while heartbeats go on.
#[tokio::test(start_paused = true)]
async fn a_probe_without_an_answer_is_the_end() {
    for answers in [0, 3] {
        let (mut generation, broker) = generation(64 * 1024, None);
        generation.watch(7);
        let (from, mut to) = split(broker);
        let beating = async {
            let mut from = from;
            let mut probes = 0;
            while let Ok(frame) = read_frame(&mut from, FRAME_BYTES).await {
                if frame.method_id() == Some(QOS) {
                    assert_eq!(&frame.payload[4..], &[0, 0, 0, 0, 0, 7, 0]);
                    probes += 1;
                    if probes <= answers {
                        let answer = Frame {
                            channel: 1,
                            ..Frame::method(QOS_OK, &[])
                        };
                        send(&mut to, &answer).await.unwrap();
                    }
                }
                send(&mut to, &heartbeat()).await.unwrap();
            }
            probes
        };
        let failing = async {
            let reason = generation.next().await.err();
            drop(generation);
            reason
        };
        let (probes, reason) = tokio::join!(beating, failing);
        assert_eq!((probes, reason.as_deref()), (answers + 1, Some("the probe had no answer")));
    }
}

/// A publication as a broker reads it, through a wire that is narrower than it.
#[tokio::test]
async fn a_publication_is_whole_on_the_wire() {
    let confirms = Arc::new(Confirms::default());
    for body_bytes in [0, 1, FRAME_BYTES - 8, FRAME_BYTES - 7, 3 * FRAME_BYTES] {
        let (mut generation, mut broker) = generation(1000, Some(Arc::clone(&confirms)));
        generation.outbound.publish(&Publication {
            queue: "nps.b.req".to_owned(),
            message_id: "m-1".to_owned(),
            correlation_id: Some("c-1".to_owned()),
            content_type: "text/plain",
            body: vec![b'x'; body_bytes].into(),
        });
        let reading = async {
            let method = heard(&mut broker).await;
            let arguments = [b"\0\0\0".as_slice(), &short_string(b"nps.b.req"), &[1]].concat();
            assert_eq!((method.kind, method.channel, method.method_id()), (METHOD, 1, Some((60, 40))));
            assert_eq!(&method.payload[4..], arguments);
            let header = heard(&mut broker).await;
            let properties = [
                short_string(b"text/plain"),
                vec![2],
                short_string(b"c-1"),
                short_string(b"m-1"),
            ]
            .concat();
            let size = (body_bytes as u64).to_be_bytes();
            let expected = [[0, 60, 0, 0].as_slice(), &size, &[0x94, 0x80], &properties].concat();
            assert_eq!(header, frame(HEADER, 1, &expected));
            let mut left = body_bytes;
            while left > 0 {
                let body = heard(&mut broker).await;
                assert_eq!((body.kind, body.channel), (BODY, 1));
                left = left.checked_sub(body.payload.len()).expect("no more than announced");
            }
        };
        tokio::select! {
            () = reading => {}
            said = generation.next() => panic!("ended: {:?}", said.err()),
        }
    }
}

/// Confirms are booked, answers are the asker's, and the goodbye waits for both.
#[tokio::test]
async fn confirms_go_to_their_waiters_and_answers_to_the_asker() {
    let confirms = Arc::new(Confirms::default());
    let (generation, mut broker) = generation(64 * 1024, Some(Arc::clone(&confirms)));
    let (word, told) = tokio::sync::oneshot::channel();
    let room = crate::mq::amqp::confirms::Room::new(None, None);
    confirms.enter(crate::mq::amqp::confirms::Waiter::new(word, room), "q", "m");
    let broker_part = async {
        expect(&mut broker, CHANNEL_CLOSE).await.unwrap();
        let ack = Frame {
            channel: 1,
            ..Frame::method((60, 80), &[0, 0, 0, 0, 0, 0, 0, 1, 0])
        };
        send(&mut broker, &ack).await.unwrap();
        let closed = Frame {
            channel: 1,
            ..Frame::method(CHANNEL_CLOSE_OK, &[])
        };
        send(&mut broker, &closed).await.unwrap();
        let close = expect(&mut broker, CONNECTION_CLOSE).await.unwrap();
        assert_eq!((close.channel, &close.payload[4..]), (0, GOODBYE));
        send(&mut broker, &Frame::method(CONNECTION_CLOSE_OK, &[])).await.unwrap();
    };
    tokio::join!(broker_part, generation.close());
    assert_eq!(told.await, Ok(Published::Confirmed));
}

#[test]
fn a_whole_frame_is_told_from_a_part() {
    let mut whole = BytesMut::new();
    Frame::method(CHANNEL_OPEN, b"arguments").append_to(&mut whole);
    for size in 0..whole.len() {
        assert_eq!(first_frame(&whole[..size], FRAME_BYTES), Ok(None), "{size} bytes");
    }
    let size = whole.len();
    whole.extend_from_slice(&[1, 0]);
    let first = first_frame(&whole, FRAME_BYTES).unwrap().unwrap();
    assert_eq!((first.size(), first.method_id()), (size, Some(CHANNEL_OPEN)));
}
