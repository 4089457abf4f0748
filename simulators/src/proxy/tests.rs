#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod faults;

use super::{Framing, InClear, Proxy, Reading, Route, Rules, Shift, Told, shift};
use crate::queues::{MemoryQueues, Queues};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A counterparty that answers each request of so many bytes with an answer that holds its number, and remembers requests.
struct Other {
    address: String,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

async fn other(request_bytes: usize, answer: fn(usize) -> Vec<u8>) -> Other {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut request = vec![0; request_bytes];
                while stream.read_exact(&mut request).await.is_ok() {
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request.clone());
                        kept.len()
                    };
                    stream.write_all(&answer(number)).await.unwrap();
                }
            });
        }
    });
    Other { address, seen }
}

struct Line {
    proxy: Proxy,
    told: Arc<Mutex<Vec<Told>>>,
}

/// A proxy before another side, yet to be started.
struct Setting {
    target: String,
    framing: Framing,
    reading: Option<Reading>,
    rules: String,
    seed: u64,
}

impl Setting {
    fn of(other: &Other, framing: Framing, rules: &str, seed: u64) -> Self {
        Self {
            target: other.address.clone(),
            framing,
            reading: None,
            rules: rules.to_owned(),
            seed,
        }
    }

    async fn start(self) -> Line {
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let (kept, listener) = (Arc::clone(&told), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let route = Route {
            target: self.target,
            framing: self.framing,
            reading: self.reading,
            inbound: Arc::new(InClear),
            outbound: Arc::new(InClear),
        };
        let rules = Rules::parse(&self.rules).unwrap();
        let proxy = Proxy::start(listener, route, rules, self.seed, move |one| kept.lock().unwrap().push(one)).unwrap();
        Line { proxy, told }
    }
}

async fn line(other: &Other, framing: Framing, rules: &str, seed: u64) -> Line {
    Setting::of(other, framing, rules, seed).start().await
}

impl Line {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }

    fn faults(&self) -> Vec<(u64, &'static str)> {
        let told = self.told.lock().unwrap();
        let name = |one: &Told| match serde_json::to_value(one.fault).unwrap().as_str().unwrap() {
            "drop" => "drop",
            "corrupt_byte" => "corrupt_byte",
            other => panic!("{other}"),
        };
        told.iter().map(|one| (one.message, name(one))).collect()
    }
}

const REQUEST: &[u8] = b"POST /pay HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n{\"id\":\"0001\"";

fn plain(number: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{number:04}").into_bytes()
}

fn chunked(number: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\n{number:04}\r\n0\r\n\r\n").into_bytes()
}

/// One exchange; `None` when the connection was cut before the whole answer came.
async fn ask(stream: &mut TcpStream, answer_bytes: usize) -> Option<Vec<u8>> {
    stream.write_all(REQUEST).await.ok()?;
    let mut answer = vec![0; answer_bytes];
    stream.read_exact(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test]
async fn without_rules_everything_passes_as_it_is() {
    for answer in [plain, chunked] {
        let other = other(REQUEST.len(), answer).await;
        let line = line(&other, Framing::Http, "", 1).await;
        let mut stream = line.connect().await;
        for number in 1..=3 {
            assert_eq!(ask(&mut stream, answer(number).len()).await, Some(answer(number)));
        }
        assert_eq!(line.proxy.carried(), [3, 3]);
        assert!(other.seen.lock().unwrap().iter().all(|seen| seen == REQUEST));
        line.proxy.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_request_is_never_seen_and_a_lost_reply_was_executed() {
    let other = other(REQUEST.len(), plain).await;
    let rules = "[[rule]]\nfault = \"drop\"\nnth = 2\n[[rule]]\nfault = \"drop\"\non = \"reply\"\nnth = 2";
    let line = line(&other, Framing::Http, rules, 1).await;
    let size = plain(1).len();
    assert!(ask(&mut line.connect().await, size).await.is_some());
    assert_eq!(
        ask(&mut line.connect().await, size).await,
        None,
        "the second request is dropped"
    );
    assert_eq!(other.seen.lock().unwrap().len(), 1);
    assert_eq!(
        ask(&mut line.connect().await, size).await,
        None,
        "the second reply is dropped"
    );
    assert_eq!(other.seen.lock().unwrap().len(), 2);
    assert_eq!(line.faults(), [(2, "drop"), (2, "drop")]);
}

#[tokio::test]
async fn conditions_look_at_the_content() {
    let other = other(REQUEST.len(), plain).await;
    let rules = "[[rule]]\nfault = \"drop\"\ncontains = \"0002\"\n[[rule]]\nfault = \"drop\"\ncontains = \"0001\"\ntimes = 1";
    let line = line(&other, Framing::Http, rules, 1).await;
    let size = plain(1).len();
    assert_eq!(ask(&mut line.connect().await, size).await, None);
    assert!(ask(&mut line.connect().await, size).await.is_some(), "once is enough");
}

#[tokio::test]
async fn a_repeated_request_is_executed_twice_and_answered_once() {
    let other = other(REQUEST.len(), plain).await;
    let line = line(&other, Framing::Http, "[[rule]]\nfault = \"repeat\"\nnth = 2", 1).await;
    let mut stream = line.connect().await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(ask(&mut stream, plain(1).len()).await.unwrap());
    }
    // The second answer may be that of either send; the third request is not answered by what is left over.
    assert_eq!(answers[2], plain(4));
    assert_eq!(other.seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn truncated_dripped_and_silent() {
    let size = plain(1).len();
    let cut = other(REQUEST.len(), plain).await;
    let line_cut = line(&cut, Framing::Http, "[[rule]]\nfault = \"truncate\"\non = \"reply\"", 1).await;
    let mut stream = line_cut.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, &plain(1)[..size * 2 / 3]);

    let slow = line(&cut, Framing::Http, "[[rule]]\nfault = \"drip\"\non = \"reply\"\nms = 20", 1).await;
    let started = tokio::time::Instant::now();
    assert_eq!(ask(&mut slow.connect().await, size).await, Some(plain(2)));
    // Three pieces, and a wait behind each but the last.
    assert!(started.elapsed() >= Duration::from_millis(40), "{:?}", started.elapsed());

    let mute = line(&cut, Framing::Http, "[[rule]]\nfault = \"never\"\non = \"reply\"", 1).await;
    let mut stream = mute.connect().await;
    let asked = timeout(Duration::from_millis(200), ask(&mut stream, size)).await;
    assert!(asked.is_err(), "neither an answer nor an end");
    assert_eq!(cut.seen.lock().unwrap().len(), 3, "it was executed nevertheless");
}

#[tokio::test]
async fn one_that_dies_after_its_reply_cuts_everybody_and_comes_back() {
    let other = other(REQUEST.len(), plain).await;
    let rules = "[[rule]]\nfault = \"die\"\non = \"reply\"\nnth = 2\nms = 300";
    let line = line(&other, Framing::Http, rules, 1).await;
    let (mut one, mut two, size) = (line.connect().await, line.connect().await, plain(1).len());
    assert!(ask(&mut one, size).await.is_some());
    assert!(ask(&mut two, size).await.is_some(), "the reply itself arrives");
    assert_eq!(ask(&mut one, size).await, None, "every connection is cut");
    assert_eq!(ask(&mut line.connect().await, size).await, None, "nobody is let in");
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(ask(&mut line.connect().await, size).await.is_some());
}

fn frame(number: usize) -> Vec<u8> {
    [&8_u16.to_be_bytes()[..], format!("answer{number:02}").as_bytes()].concat()
}

/// Which frames are corrupted, and how, is the seed's word alone.
#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let run = async |seed: u64| {
        let other = other(10, frame).await;
        let rules = "[[rule]]\nfault = \"corrupt_byte\"\nchance_percent = 30";
        let line = line(&other, Framing::Counted, rules, seed).await;
        let mut stream = line.connect().await;
        for number in 1..=40 {
            let request = [&8_u16.to_be_bytes()[..], format!("asking{number:02}").as_bytes()].concat();
            stream.write_all(&request).await.unwrap();
            let mut answer = vec![0; 10];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, frame(number), "the frames themselves stay whole");
        }
        let seen = other.seen.lock().unwrap().clone();
        (line.faults(), seen)
    };
    let (faults, seen) = run(7).await;
    assert!((5..=20).contains(&faults.len()), "seed 7: {}", faults.len());
    assert_eq!(run(7).await, (faults.clone(), seen));
    assert_ne!(run(8).await.0, faults);
}

#[tokio::test]
async fn messages_are_moved_between_queues() {
    let queues = MemoryQueues::default();
    for number in 0..6 {
        queues
            .put("from", "", format!("message {number}").into_bytes())
            .await
            .unwrap();
    }
    let rules = Rules::parse(
        "[[rule]]\nfault = \"drop\"\ncontains = \"message 1\"\n[[rule]]\nfault = \"repeat\"\ncontains = \"message 2\"\n\
         [[rule]]\nfault = \"truncate\"\ncontains = \"message 3\"",
    );
    let moved = async {
        let mut got = Vec::new();
        while got.len() < 6 {
            got.push(String::from_utf8(queues.take("to").await.unwrap().body).unwrap());
        }
        got
    };
    let got = tokio::select! {
        () = shift(moving(&queues, rules.unwrap()), |_| {}) => panic!("the queues are open"),
        got = moved => got,
    };
    let wanted = ["message 0", "message 2", "message 2", "messag", "message 4", "message 5"];
    assert_eq!(got, wanted);
}

fn moving(queues: &MemoryQueues, rules: Rules) -> Shift<'_> {
    Shift {
        queues,
        from: "from",
        to: "to",
        rules,
        seed: 1,
        reading: None,
    }
}

#[test]
fn a_wrong_rule_says_where() {
    let check = |text: &str, wanted: &str| {
        let error = Rules::parse(text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    };
    check(
        "[[rule]]\nfault = \"explode\"",
        "unknown variant `explode`, expected one of `drop`",
    );
    check("[[rule]]\nfault = \"drop\"\nnht = 3", "unknown field `nht`");
    check("[[rule]]\nfault = \"drop\"\nnth = 0", "rule 1: nth counts from 1");
    check(
        "[[rule]]\nfault = \"drop\"\n[[rule]]\nfault = \"drop\"\nchance_percent = 101",
        "rule 2: chance_percent",
    );
}
