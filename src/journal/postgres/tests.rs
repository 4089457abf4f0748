#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::batch::groups;
use super::queue::{Next, Queue};
use crate::journal::{JournalError, Move, State, Write, Written};

fn step(id: i64, out_key: Option<&str>) -> Write {
    Write::Move(Box::new(Move {
        out_key: out_key.map(Into::into),
        ..Move::bare(id, 1, vec![State::Accepted], State::Sent, 1)
    }))
}

fn renew() -> Write {
    Write::Renew {
        owner: "one".into(),
        now: 1,
        lease_until: 2,
    }
}

#[test]
fn writes_that_share_something_stay_in_order() {
    let writes = [
        step(1, None),
        step(2, Some("a")),
        step(1, Some("b")),
        step(3, None),
        step(4, Some("a")),
        step(2, Some("b")),
        renew(),
    ];
    let writes: Vec<&Write> = writes.iter().collect();
    let mut found = groups(&writes);
    found.sort();
    // 1 and 2 have come together by the key that the last move of 2 shares with one of 1.
    assert_eq!(found, [vec![0, 1, 2, 4, 5], vec![3], vec![6]]);
    assert_eq!(groups(&[]), Vec::<Vec<usize>>::new());
}

fn size(next: &Next) -> Option<usize> {
    match next {
        Next::Batch(jobs) => Some(jobs.len()),
        Next::Wait | Next::Linger | Next::End => None,
    }
}

#[tokio::test]
async fn what_locks_many_exchanges_goes_alone() {
    let queue = Queue::new(2, 10);
    for write in [step(1, None), step(2, None), renew(), renew(), step(3, None)] {
        queue.push(write).unwrap();
    }
    let sizes: Vec<_> = (0..5).map(|_| size(&queue.next(0, 10))).collect();
    assert_eq!(sizes, [Some(2), Some(1), Some(1), Some(1), None]);
    for number in 0..5 {
        queue.push(step(number, None)).unwrap();
    }
    assert_eq!((size(&queue.next(0, 3)), size(&queue.next(1, 3))), (Some(3), Some(2)));
}

#[tokio::test]
async fn a_full_or_closed_queue_refuses_and_a_closed_one_is_emptied() {
    let queue = Queue::new(1, 2);
    let answered = queue.push(step(1, None)).unwrap();
    queue.push(step(2, None)).unwrap();
    assert!(matches!(queue.push(step(3, None)), Err(JournalError::Refused(_))));
    queue.close();
    let Next::Batch(jobs) = queue.next(0, 10) else {
        panic!("what waited is given out")
    };
    assert_eq!(jobs.len(), 2);
    assert!(matches!(queue.next(0, 10), Next::End));
    assert_eq!(queue.push(step(4, None)).unwrap_err(), super::queue::closed());
    let mut jobs = jobs.into_iter();
    jobs.next().unwrap().tell(Ok(Written::Moved));
    assert_eq!(answered.await.unwrap(), Ok(Written::Moved));
    // A prune that is not done when the end comes is told so.
    queue.push_back(jobs.next().unwrap());
    assert!(matches!(queue.next(0, 10), Next::End));
    queue.lane_ended();
    queue.ended().await;
}

/// The lowest idle lane is called; while it works, another one for much that waits, or when it takes long.
#[tokio::test]
async fn the_lowest_idle_lane_is_called() {
    let queue = Queue::new(3, 100);
    for lane in [2, 0, 1] {
        assert!(matches!(queue.next(lane, 100), Next::Wait));
    }
    queue.push(step(1, None)).unwrap();
    queue.called(0).await;
    assert_eq!(size(&queue.next(0, 100)), Some(1));
    queue.push(step(2, None)).unwrap();
    assert!(!is_called(&queue, 1).await, "the lane at work takes it next");
    queue.call_further();
    assert!(is_called(&queue, 1).await);
    assert_eq!(size(&queue.next(1, 100)), Some(1));
    queue.call_further();
    assert!(!is_called(&queue, 2).await, "nothing waits");
    for number in 3..34 {
        queue.push(step(number, None)).unwrap();
    }
    assert!(!is_called(&queue, 2).await);
    queue.push(step(34, None)).unwrap();
    assert!(is_called(&queue, 2).await, "too much for one lane");
}

/// A delivery that nobody waits for is not taken at once; with company, or after a while, it is.
#[tokio::test]
async fn what_nobody_waits_for_waits_for_company() {
    let delivered = |id| {
        let Write::Move(mut change) = step(id, None) else {
            panic!("a move")
        };
        change.to = State::Delivered;
        Write::Move(change)
    };
    let queue = Queue::new(1, 10);
    assert!(matches!(queue.next(0, 10), Next::Wait));
    queue.push(delivered(1)).unwrap();
    queue.called(0).await;
    assert!(matches!(queue.next(0, 10), Next::Linger));
    queue.push(step(2, None)).unwrap();
    assert!(is_called(&queue, 0).await);
    assert_eq!(size(&queue.next(0, 10)), Some(2));
    queue.push(delivered(3)).unwrap();
    assert!(matches!(queue.next(0, 10), Next::Linger));
    assert_eq!(size(&queue.take(0, 10)), Some(1));
    queue.push(delivered(4)).unwrap();
    queue.close();
    assert_eq!(size(&queue.next(0, 10)), Some(1));
}

async fn is_called(queue: &Queue, lane: usize) -> bool {
    tokio::time::timeout(std::time::Duration::from_millis(20), queue.called(lane))
        .await
        .is_ok()
}
