//! Time and bounds of a connection, on a clock of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use codecs::wire::Start;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const MANNER: Manner = Manner {
    framing: Framing {
        addressed: false,
        message_bytes_max: 64,
    },
    idle: Duration::from_mins(2),
};

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_begun_and_not_ended_ends_the_connection_long_before_an_idle_one() {
    let start = Instant::now();
    for sent in [&[0][..], &[0, 9, 1, 2]] {
        let (mut client, served) = connected(echo(), CancellationToken::new());
        client.write_all(sent).await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(served.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
    assert!(start.elapsed() < MANNER.idle, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_and_one_with_signs_of_life_does_not() {
    let start = Instant::now();
    let (mut client, served) = connected(echo(), CancellationToken::new());
    for _ in 0..3 {
        tokio::time::sleep(MANNER.idle * 2 / 3).await;
        client.write_all(&[0, 0]).await.unwrap();
        client.write_all(&[0, 1, 7]).await.unwrap();
        let mut answer = [0; 3];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0, 1, 7]);
    }
    assert!(start.elapsed() > MANNER.idle);
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_the_connection_before_it_is_read() {
    let (mut client, served) = connected(echo(), CancellationToken::new());
    client.write_all(&[0, 65]).await.unwrap();
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(served.await.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
}

/// However much is sent at once, no more is in hand than the bound; the rest is read when there is room.
#[tokio::test(start_paused = true)]
async fn requests_in_hand_are_bounded_and_a_stop_waits_for_their_answers() {
    let most = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let (client, served) = connected(slow(most.clone()), stop.clone());
    let (mut reader, mut writer) = tokio::io::split(client);
    let count = limits::FRAMES_IN_HAND_MAX * 2;
    writer.write_all(&[0, 1, 7].repeat(count)).await.unwrap();
    let mut answer = [0; 3];
    for _ in 0..count - 1 {
        reader.read_exact(&mut answer).await.unwrap();
    }
    stop.cancel();
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
    served.await.unwrap().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), limits::FRAMES_IN_HAND_MAX);
}

#[tokio::test]
async fn a_caller_knows_whether_its_request_was_sent() {
    let request = Wire::queue(vec![7]);
    let call = |address: Option<String>| {
        let (caller, request) = (TcpCaller::new(address.as_deref(), MANNER.framing), request.clone());
        async move { caller.call(&request, Duration::from_secs(5)).await }
    };
    assert!(matches!(call(None).await, Err(CallError::NotSent(_))));
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = tokio::spawn(async move {
        for handler in [echo(), silent()] {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, MANNER, &handler, &CancellationToken::new()).await.unwrap();
        }
    });
    let answer = call(Some(address.clone())).await.unwrap();
    assert_eq!((answer.start, answer.body), (Start::Queue, vec![7]));
    let caller = TcpCaller::new(Some(&address), MANNER.framing);
    let unanswered = caller.call(&request, Duration::from_millis(50)).await;
    assert!(matches!(unanswered, Err(CallError::Unknown(_))), "{unanswered:?}");
    answering.await.unwrap();
    assert!(matches!(call(Some(address)).await, Err(CallError::NotSent(_))));
}

type Served = tokio::task::JoinHandle<io::Result<()>>;

/// A connection that `handler` serves: in memory, so that nothing of it depends on the machine's clock.
fn connected(handler: Handler, stop: CancellationToken) -> (DuplexStream, Served) {
    let (client, stream) = tokio::io::duplex(4096);
    let served = tokio::spawn(async move { serve(stream, MANNER, &handler, &stop).await });
    (client, served)
}

fn echo() -> Handler {
    Arc::new(|wire| Box::pin(std::future::ready(HttpAnswer::Message(wire))))
}

fn silent() -> Handler {
    Arc::new(|_| {
        let reason = "no".to_owned();
        Box::pin(std::future::ready(HttpAnswer::Later { reason }))
    })
}

/// Answers when others have had their turn, and notes how many wait.
fn slow(most: Arc<AtomicUsize>) -> Handler {
    let waiting = Arc::new(AtomicUsize::new(0));
    Arc::new(move |wire| {
        let (most, waiting) = (most.clone(), waiting.clone());
        Box::pin(async move {
            most.fetch_max(waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            waiting.fetch_sub(1, Ordering::SeqCst);
            HttpAnswer::Message(wire)
        })
    })
}
