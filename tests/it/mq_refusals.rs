//! What a publication hears when the broker does not take it, and that the link lives on.

use crate::broker::{self, MESSAGE_BYTES_MAX};
use crate::mq_conformance::{confirmed, declared, next, publication, wait_until};
use hangu::mq::amqp::{AmqpConfig, AmqpMq, Password, QueueType};
use hangu::mq::{MqError, Published, SharedMq};
use std::sync::Arc;
use tokio::task::{JoinSet, spawn_blocking};

fn config() -> AmqpConfig {
    AmqpConfig {
        addresses: vec![broker::shared().address()],
        password: Password::new("guest"),
        confirm_timeout_ms: 3000,
        ..AmqpConfig::default()
    }
}

fn connect(queue_type: QueueType) -> SharedMq {
    let config = AmqpConfig { queue_type, ..config() };
    Arc::new(AmqpMq::open(config).unwrap())
}

/// A full queue that refuses: the broker nacks, and takes again once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn nacked_by_a_full_queue() {
    let limit = |pattern| {
        let full = "{\"max-length\":1,\"overflow\":\"reject-publish\"}";
        broker::shared().control(&["set_policy", "full", pattern, full, "--apply-to", "queues"]);
    };
    spawn_blocking(move || limit("^n\\.")).await.unwrap();
    for queue_type in [QueueType::Classic, QueueType::Quorum] {
        let mq = connect(queue_type);
        let queue = declared(&mq, &format!("n.{queue_type:?}")).await;
        wait_until("connected", || mq.state().connected).await;
        let generations = mq.state().generations;
        confirmed(&mq, &queue, "first").await;
        // A quorum queue looks at its length a little later than a classic one.
        let mut taken = 1;
        let refusal = loop {
            match mq.publish(publication(&queue, &format!("more{taken}"))).await {
                Published::Confirmed => taken += 1,
                Published::Refused(reason) => break reason,
                Published::Unknown(reason) => panic!("unknown: {reason}"),
            }
            assert!(taken < 100, "the queue is never full");
        };
        assert!(refusal.contains("nack"), "{refusal}");
        assert_eq!(mq.state().generations, generations, "a nack is no reason to reconnect");
        let mut consumer = mq.consume(&queue, 1);
        for _ in 0..taken {
            next(&mut consumer).await.settle.ack().await;
        }
        let mut tries = 0;
        while mq.publish(publication(&queue, "room")).await != Published::Confirmed {
            tries += 1;
            assert!(tries < 1000, "{queue_type:?}: no room again");
        }
        mq.close().await;
    }
}

/// Unroutable ones among others in flight: each is told its own fate.
#[tokio::test(flavor = "multi_thread")]
async fn unroutable_among_others() {
    let mq = connect(QueueType::Classic);
    let queue = declared(&mq, "r.routable").await;
    wait_until("connected", || mq.state().connected).await;
    let generations = mq.state().generations;
    let mut words = JoinSet::new();
    for number in 0..200 {
        let (mq, is_lost) = (mq.clone(), number % 3 == 0);
        let target = if is_lost { "r.nowhere".to_owned() } else { queue.clone() };
        words.spawn(async move { (is_lost, mq.publish(publication(&target, &format!("m{number}"))).await) });
    }
    for (is_lost, word) in words.join_all().await {
        match word {
            Published::Confirmed => assert!(!is_lost),
            Published::Refused(reason) => assert!(is_lost && reason.contains("unroutable: 312 NO_ROUTE"), "{reason}"),
            Published::Unknown(reason) => panic!("unknown: {reason}"),
        }
    }
    assert_eq!(mq.state().generations, generations);
    mq.close().await;
}

/// The broker closes the channel over a message that is too large for it: what was in flight is unknown, because nothing
/// says how far the broker came, and the link is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn channel_closed_by_the_broker() {
    let generous = AmqpConfig {
        message_bytes_max: 2 * MESSAGE_BYTES_MAX,
        ..config()
    };
    let mq: SharedMq = Arc::new(AmqpMq::open(generous).unwrap());
    let queue = declared(&mq, "r.closed").await;
    wait_until("connected", || mq.state().connected).await;
    let generations = mq.state().generations;
    let mut huge = publication(&queue, "huge");
    huge.body = vec![b'x'; MESSAGE_BYTES_MAX + 1].into();
    let word = mq.publish(huge).await;
    assert!(
        matches!(&word, Published::Unknown(reason) if reason.contains("connection lost")),
        "{word:?}"
    );
    wait_until("replaced", || mq.state().generations > generations && mq.state().connected).await;
    confirmed(&mq, &queue, "after").await;
    // A body over our own limit for what comes in arrives cut one byte over it, so that its taker can tell.
    let (narrow, mut largest) = (connect(QueueType::Classic), publication(&queue, "largest"));
    let limit = config().message_bytes_max;
    largest.body = vec![b'y'; MESSAGE_BYTES_MAX].into();
    assert_eq!(mq.publish(largest).await, Published::Confirmed);
    let mut consumer = narrow.consume(&queue, 1);
    let first = next(&mut consumer).await;
    assert_eq!(first.message_id.as_deref(), Some("after"));
    first.settle.ack().await;
    let cut = next(&mut consumer).await;
    assert_eq!((cut.message_id.as_deref(), cut.body.len()), (Some("largest"), limit + 1));
    cut.settle.ack().await;
    narrow.close().await;
    mq.close().await;
}

/// A passive declaration that fails closes the channel that asked, and touches no link that carries messages.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_check_touches_no_link() {
    let mq = connect(QueueType::Classic);
    let queue = declared(&mq, "r.checked").await;
    let mut consumer = mq.consume(&queue, 1);
    wait_until("connected", || mq.state().connected).await;
    let generations = mq.state().generations;
    let error = mq.check(&["r.missing".to_owned()]).await.unwrap_err();
    assert!(
        matches!(&error, MqError::Queue { queue, detail } if queue == "r.missing" && detail.contains("404 NOT_FOUND")),
        "{error}"
    );
    confirmed(&mq, &queue, "a").await;
    next(&mut consumer).await.settle.ack().await;
    assert_eq!((mq.state().generations, mq.state().connected), (generations, true));
    mq.close().await;
}
