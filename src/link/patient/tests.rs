use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_reader_who_takes_nothing_is_left() {
    let (ours, theirs) = duplex(4);
    let mut patient = Patient::new(ours, Duration::from_secs(10));
    let began = Instant::now();
    let error = patient.write_all(b"more than fits").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 10);
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_who_takes_something_is_not() {
    let (ours, mut theirs) = duplex(4);
    let mut patient = Patient::new(ours, Duration::from_secs(10));
    let reading = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..7 {
            sleep(Duration::from_secs(9)).await;
            let mut two = [0; 2];
            theirs.read_exact(&mut two).await.unwrap();
            taken.extend(two);
        }
        taken
    });
    patient.write_all(b"more than fits").await.unwrap();
    assert_eq!(reading.await.unwrap(), b"more than fits");
}
