//! The embedded broker.

use crate::mq_conformance::{confirmed, declared, next, publication, suite, wait_until};
use hangu::mq::memory::{MemoryBroker, MemoryLimits};
use hangu::mq::{Published, SharedMq};
use std::sync::Arc;

#[tokio::test]
async fn conformance() {
    let broker = MemoryBroker::default();
    suite(|| Arc::new(broker.mq())).await;
}

#[tokio::test]
async fn bounds_refuse() {
    let limits = MemoryLimits {
        queue_length_max: 2,
        queue_bytes_max: 60,
        ..MemoryLimits::default()
    };
    let mq: SharedMq = Arc::new(MemoryBroker::new(limits).mq());
    let queue = declared(&mq, "t.bounded").await;
    confirmed(&mq, &queue, "a").await;
    confirmed(&mq, &queue, "b").await;
    assert_eq!(
        mq.publish(publication(&queue, "c")).await,
        Published::Refused("the queue is full".to_owned())
    );
    // What is delivered still counts; what is acknowledged does not.
    let mut consumer = mq.consume(&queue, 1);
    let delivery = next(&mut consumer).await;
    assert!(matches!(mq.publish(publication(&queue, "c")).await, Published::Refused(_)));
    delivery.settle.ack().await;
    let mut large = publication(&queue, "large");
    large.body = vec![b'x'; 60].into();
    assert!(
        matches!(mq.publish(large).await, Published::Refused(_)),
        "over the bound by bytes"
    );
    confirmed(&mq, &queue, "c").await;
}

#[tokio::test]
async fn blocked_is_unknown_and_recovers() {
    let limits = MemoryLimits {
        confirm_timeout_ms: 50,
        ..MemoryLimits::default()
    };
    let broker = MemoryBroker::new(limits);
    let mq: SharedMq = Arc::new(broker.mq());
    let queue = declared(&mq, "t.blocked").await;
    broker.set_blocked(true);
    assert!(mq.state().stalled);
    assert!(matches!(mq.publish(publication(&queue, "a")).await, Published::Unknown(_)));
    assert_eq!(mq.state().unconfirmed, 0);
    let waiting = tokio::spawn({
        let (mq, queue) = (mq.clone(), queue.clone());
        async move { mq.publish(publication(&queue, "b")).await }
    });
    wait_until("one waits", || mq.state().unconfirmed == 1).await;
    broker.set_blocked(false);
    assert_eq!(waiting.await.unwrap(), Published::Confirmed);
    assert!(!mq.state().stalled);
}

#[tokio::test]
async fn closing_gives_back_what_was_held() {
    let broker = MemoryBroker::default();
    let (mq, other): (SharedMq, SharedMq) = (Arc::new(broker.mq()), Arc::new(broker.mq()));
    let queue = declared(&mq, "t.held").await;
    confirmed(&mq, &queue, "a").await;
    let held = next(&mut mq.consume(&queue, 1)).await;
    let mut consumer = mq.consume(&queue, 1);
    let again = next(&mut consumer).await;
    assert!(again.redelivered);
    mq.close().await;
    again.settle.ack().await;
    held.settle.ack().await;
    assert!(
        next(&mut other.consume(&queue, 1)).await.redelivered,
        "neither late acknowledgement took it"
    );
}
