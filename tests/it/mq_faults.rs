//! What every `Mq` must survive, whatever is behind it: the same case for each fault, over the fault proxy for a broker,
//! and for the embedded one what there is of it: it can be blocked, but has no connection that could break.

use crate::broker::{self, Broker};
use crate::mq_conformance::{PATIENCE, confirmed, declared, next, publication, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::raw_amqp::publish_with_header;
use async_trait::async_trait;
use bytes::Bytes;
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password};
use hangu::mq::memory::{MemoryBroker, MemoryLimits};
use hangu::mq::{Consumer, Published, SharedMq};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const HEARTBEAT_S: u16 = 5;
const CONFIRM_MS: u64 = 2000;
/// Every death is found within three heartbeats.
const DETECTION: Duration = Duration::from_secs(3 * HEARTBEAT_S as u64);
/// No call takes longer than the confirm time and five seconds.
const CALL: Duration = Duration::from_millis(CONFIRM_MS + 5000);
/// Bodies that wait at once, and the bound on them.
const BODY_BYTES: usize = 64 * 1024;
const UNCONFIRMED_BYTES_MAX: u32 = 1024 * 1024;
/// What the sockets on the way may hold of a flood; a client that buffers takes all of it.
const FLOOD_BYTES: u64 = 16 * 1024 * 1024;

/// What happens to a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Harm {
    /// Nothing moves any more, and nothing is closed.
    Stall,
    /// The other side is gone, and nobody said so.
    HalfOpen,
    Cut,
    /// A sound frame for a channel that is not open.
    StrayFrame,
    UnknownMethod,
    NoFrame,
    /// A frame that claims 600 MB, and goes on to send them.
    OversizedFrame,
    /// A body frame that no header announced.
    StrayBody,
    /// The broker closes the channel.
    ChannelClosed,
    ConnectionClosed,
    Blocked,
}

const HARMS: [Harm; 11] = [
    Harm::Stall,
    Harm::HalfOpen,
    Harm::Cut,
    Harm::StrayFrame,
    Harm::UnknownMethod,
    Harm::NoFrame,
    Harm::OversizedFrame,
    Harm::StrayBody,
    Harm::ChannelClosed,
    Harm::ConnectionClosed,
    Harm::Blocked,
];

/// A way to a broker that can go wrong.
#[async_trait]
trait Way: Send + Sync {
    fn connect(&self) -> SharedMq;
    /// False if there is nothing on this way that it could happen to.
    async fn suffer(&self, harm: Harm) -> bool;
    /// Ends what does not end by itself.
    async fn relieve(&self);
    /// Bytes of bodies that may wait for a confirm, if there is a wire to wait for.
    fn waiting_bytes_max(&self) -> Option<u64>;
}

/// One case for each harm that the way can suffer, on a link of its own.
async fn survives<W: Way + 'static>(name: &str, harm: Harm, way: W) -> bool {
    let mq = way.connect();
    let queue = declared(&mq, &format!("f.{name}.{harm:?}")).await;
    let mut consumer = mq.consume(&queue, 4);
    wait_until("the links are up", || mq.state().connected).await;
    confirmed(&mq, &queue, "before").await;
    take_until(&mut consumer, "before").await;
    confirmed(&mq, &queue, "held").await;
    let held = next(&mut consumer).await;
    let generations = mq.state().generations;
    if !way.suffer(harm).await {
        return false;
    }
    if !matches!(harm, Harm::Blocked) && name != "memory" {
        let begin = Instant::now();
        wait_until("both links are replaced", || mq.state().generations >= generations + 2).await;
        assert!(begin.elapsed() < DETECTION, "{harm:?} was found after {:?}", begin.elapsed());
    }
    if matches!(harm, Harm::Blocked) {
        wait_until("the block is noticed", || mq.state().stalled).await;
    }
    no_call_hangs(&mq, &queue, harm, way.waiting_bytes_max()).await;
    way.relieve().await;
    // Late, and perhaps for a generation that is gone: it may take nothing but its own message.
    held.settle.ack().await;
    publish_until_confirmed(&mq, &queue, "after").await;
    take_until(&mut consumer, "after").await;
    wait_until("nothing is stalled", || !mq.state().stalled).await;
    timeout(CALL + CALL, mq.close()).await.expect("close ends");
    true
}

/// A burst of large publications and a look at the queue, all within the bounds of time and memory.
async fn no_call_hangs(mq: &SharedMq, queue: &str, harm: Harm, bytes_max: Option<u64>) {
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..64 {
        let (mq, mut large) = (mq.clone(), publication(queue, &format!("burst{number}")));
        large.body = Bytes::from(vec![b'x'; BODY_BYTES]);
        calls.spawn(async move { timeout(CALL, mq.publish(large)).await.map(Some) });
    }
    let (looking, looked_at) = (mq.clone(), queue.to_owned());
    calls.spawn(async move { timeout(CALL, looking.check(&[looked_at])).await.map(|_| None) });
    while let Some(call) = calls.join_next().await {
        let word = call.unwrap().unwrap_or_else(|_| panic!("{harm:?}: a call hangs"));
        let is_blocked = matches!(harm, Harm::Blocked);
        assert!(!is_blocked || word != Some(Published::Confirmed), "blocked, and confirmed");
        let waiting = mq.state().unconfirmed * BODY_BYTES as u64;
        assert!(bytes_max.is_none_or(|max| waiting <= max), "{waiting} bytes wait");
    }
}

async fn take_until(consumer: &mut Box<dyn Consumer>, message_id: &str) {
    loop {
        let delivery = next(consumer).await;
        let found = delivery.message_id.as_deref() == Some(message_id);
        delivery.settle.ack().await;
        if found {
            return;
        }
    }
}

async fn publish_until_confirmed(mq: &SharedMq, queue: &str, message_id: &str) {
    let end = Instant::now() + PATIENCE;
    while mq.publish(publication(queue, message_id)).await != Published::Confirmed {
        assert!(Instant::now() < end, "{message_id} is never confirmed");
        sleep(Duration::from_millis(50)).await;
    }
}

/// RabbitMQ behind a proxy of its own.
struct OverProxy(Proxy);

#[async_trait]
impl Way for OverProxy {
    fn connect(&self) -> SharedMq {
        let config = AmqpConfig {
            addresses: vec![self.0.address()],
            password: Password::new("guest"),
            heartbeat_s: HEARTBEAT_S,
            confirm_timeout_ms: CONFIRM_MS,
            unconfirmed_bytes_max: UNCONFIRMED_BYTES_MAX,
            ..AmqpConfig::default()
        };
        Arc::new(AmqpMq::open(config).unwrap())
    }

    async fn suffer(&self, harm: Harm) -> bool {
        self.0.inflict(&fault(harm)).await;
        true
    }

    async fn relieve(&self) {
        // connection.unblocked; sound connections take no notice.
        self.0.inflict(&Fault::Inject(frame(1, 0, &[0, 10, 0, 61]))).await;
    }

    fn waiting_bytes_max(&self) -> Option<u64> {
        Some(u64::from(UNCONFIRMED_BYTES_MAX))
    }
}

fn fault(harm: Harm) -> Fault {
    let text = |id: [u8; 4], code: u16, text: &str| {
        let size = [u8::try_from(text.len()).unwrap()];
        [&id, code.to_be_bytes().as_slice(), &size, text.as_bytes(), &[0; 4]].concat()
    };
    match harm {
        Harm::Stall => Fault::Freeze,
        Harm::HalfOpen => Fault::HalfOpen,
        Harm::Cut => Fault::Cut,
        Harm::StrayFrame => Fault::Inject(frame(1, 77, &[0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0])),
        Harm::UnknownMethod => Fault::Inject(frame(1, 1, &[0, 60, 0, 99])),
        Harm::NoFrame => Fault::Inject(vec![9; 64]),
        Harm::OversizedFrame => Fault::Flood([[3, 0, 1].as_slice(), &600_000_000_u32.to_be_bytes()].concat()),
        Harm::StrayBody => Fault::Inject(frame(3, 1, b"body")),
        Harm::ChannelClosed => Fault::Inject(frame(1, 1, &text([0, 20, 0, 40], 404, "NOT_FOUND - no exchange"))),
        Harm::ConnectionClosed => Fault::Inject(frame(1, 0, &text([0, 10, 0, 50], 320, "CONNECTION_FORCED"))),
        Harm::Blocked => Fault::Inject(frame(1, 0, b"\x00\x0A\x00\x3C\x0Dlow on memory")),
    }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], channel.to_be_bytes().as_slice(), &size, payload, &[0xCE]].concat()
}

/// The embedded broker.
struct Embedded(MemoryBroker);

#[async_trait]
impl Way for Embedded {
    fn connect(&self) -> SharedMq {
        Arc::new(self.0.mq())
    }

    async fn suffer(&self, harm: Harm) -> bool {
        let can_happen = matches!(harm, Harm::Blocked | Harm::Stall);
        self.0.set_blocked(can_happen);
        can_happen
    }

    async fn relieve(&self) {
        self.0.set_blocked(false);
    }

    fn waiting_bytes_max(&self) -> Option<u64> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_over_the_proxy() {
    let broker = broker::shared();
    let mut cases = tokio::task::JoinSet::new();
    for harm in HARMS {
        cases.spawn(async move {
            let proxy = Proxy::to(&broker.address()).await;
            assert!(survives("amqp", harm, OverProxy(proxy)).await);
        });
    }
    cases.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    let mut suffered = BTreeSet::new();
    for harm in HARMS {
        let limits = MemoryLimits {
            queue_bytes_max: 8 * 1024 * 1024,
            confirm_timeout_ms: 200,
            ..MemoryLimits::default()
        };
        if survives("memory", harm, Embedded(MemoryBroker::new(limits))).await {
            suffered.insert(harm);
        }
    }
    assert_eq!(suffered, BTreeSet::from([Harm::Stall, Harm::Blocked]));
}

/// The client hangs up on a frame over the agreed size as soon as its head is read, and buffers nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn oversized_frame_is_not_buffered() {
    let way = OverProxy(Proxy::to(&broker::shared().address()).await);
    let mq = way.connect();
    wait_until("connected", || mq.state().connected).await;
    let generations = mq.state().generations;
    way.suffer(Harm::OversizedFrame).await;
    wait_until("replaced", || mq.state().generations > generations && mq.state().connected).await;
    let flooded = way.0.flooded();
    assert!((1..FLOOD_BYTES).contains(&flooded), "{flooded} bytes were taken");
    mq.close().await;
}

/// Headers in GBK or of raw bytes, as bridges from other brokers set them: the message arrives, and no link is lost.
#[tokio::test(flavor = "multi_thread")]
async fn header_that_is_no_text_arrives() {
    let broker: &'static Broker = broker::shared();
    let way = OverProxy(Proxy::to(&broker.address()).await);
    let mq = way.connect();
    let queue = declared(&mq, "f.header").await;
    let mut consumer = mq.consume(&queue, 4);
    wait_until("the links are up", || mq.state().connected).await;
    let generations = mq.state().generations;
    let headers: [&[u8]; 3] = [&[0xC4, 0xE3, 0xBA, 0xC3], &[0xFF; 24], b"text"];
    for header in headers {
        let publishing = move || publish_with_header(&broker.address(), "f.header", header);
        tokio::task::spawn_blocking(publishing).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!(
            (delivery.body.as_ref(), delivery.message_id.as_deref()),
            (b"x".as_slice(), None)
        );
        delivery.settle.ack().await;
    }
    confirmed(&mq, &queue, "after").await;
    let delivery = next(&mut consumer).await;
    assert_eq!((delivery.message_id.as_deref(), delivery.redelivered), (Some("after"), false));
    delivery.settle.ack().await;
    assert_eq!(mq.state().generations, generations, "no link was lost");
    mq.close().await;
}
