//! Terminals whose frames go wrong on the way, and a terminal that sends such frames itself: what is whole is answered and
//! executed once, and nothing holds up anybody else.

use super::*;
use simulators::institution::direct::{self, DirectConfig};
use simulators::proxy::{Framing as ProxyFraming, InClear, Proxy, Reading, Route, Rules};
use tokio::net::TcpListener;

/// A proxy before the gateway's listener.
async fn proxied(one: &Instance, rule: &str) -> Proxy {
    let specs = codecs::spec::Specs::embedded().unwrap();
    let route = Route {
        target: one.addresses["pos"].to_string(),
        framing: ProxyFraming::Counted,
        reading: Some(Reading {
            spec: specs.spec("unionpay-pos").unwrap().in_suite("3des").unwrap().clone(),
            is_addressed: true,
        }),
        inbound: Arc::new(InClear),
        outbound: Arc::new(InClear),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rules = Rules::parse(&format!("[[rule]]\n{rule}")).unwrap();
    Proxy::start(listener, route, rules, 7, |_| {}).unwrap()
}

/// Whether an answer comes before one would have come.
async fn is_answered(connection: &mut TcpStream) -> bool {
    let count = tokio::time::timeout(Duration::from_millis(900), connection.read_u16()).await;
    count.is_ok_and(|read| read.is_ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_spoiled_on_the_way_get_silence_and_good_ones_their_answer() {
    let (stand, terminal, one) = with_terminals().await;
    let mut sound = connect(&one).await;
    let cases = [
        ("fault = \"stall\"\nbytes = 1", false),
        ("fault = \"stall\"", false),
        ("fault = \"truncate\"\nbytes = 1", false),
        ("fault = \"truncate\"", false),
        ("fault = \"wrong_length\"\nbytes = 7", false),
        ("fault = \"wrong_length\"\nbytes = 7\nfewer = true", false),
        (
            "fault = \"corrupt_field\"\nfield = \"amount\"\noperation = \"debit\"\namount = \"7.89\"",
            false,
        ),
        ("fault = \"never\"\non = \"reply\"", false),
        ("fault = \"drop\"\non = \"reply\"", false),
        ("fault = \"drop\"\namount = \"7.88\"", true),
        ("fault = \"drip\"\nbytes = 1\nms = 1", true),
        ("fault = \"join\"\nms = 50", true),
        ("fault = \"reorder\"\nms = 50", true),
        ("fault = \"repeat\"", true),
        ("fault = \"die\"\non = \"reply\"\nms = 100", true),
    ];
    for (trace, (rule, answers)) in (40..).zip(cases) {
        let proxy = proxied(&one, rule).await;
        let whole = debit(&terminal, trace, 789);
        let mut line = TcpStream::connect(proxy.address()).await.unwrap();
        line.write_all(&frame(&whole)).await.unwrap();
        assert_eq!(is_answered(&mut line).await, answers, "{rule}");
        // The same bytes on a sound connection: nobody was held up, and it is done once.
        let reply = receive(&terminal, &ask(&mut sound, &whole).await[5..]);
        assert_eq!(reply.outcome, Some(Outcome::Success), "{rule}");
        assert_eq!(stand.platform.executions(&serial(trace)), 1, "{rule}");
        proxy.stop().await;
    }
    assert!(one.running.stop(GRACE).await);
}

/// Two purchases that leave their terminals one after the other and reach the gateway in one segment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_messages_in_one_segment_are_both_answered() {
    let (stand, terminal, one) = with_terminals().await;
    let proxy = proxied(&one, "fault = \"join\"\ntimes = 1\nms = 20000").await;
    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    let mut serials = Vec::new();
    for trace in [70, 71] {
        line.write_all(&frame(&debit(&terminal, trace, 500))).await.unwrap();
    }
    for _ in 0..2 {
        let reply = receive(&terminal, &answer(&mut line).await[5..]);
        assert_eq!(reply.outcome, Some(Outcome::Success));
        serials.push(reply.text(Attribute::Serial).unwrap().to_owned());
    }
    serials.sort();
    assert_eq!(serials, [serial(70), serial(71)]);
    assert_eq!(stand.platform.books().entries.len(), 2);
    proxy.stop().await;
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_sends_bad_frames_is_served_as_ever() {
    let (_, algorithm, key) = signing_in::MASTERS[1];
    let (stand, terminal, one) = with_terminal_key("3des", ["seal", algorithm], key).await;
    let plain = DirectConfig::new(&format!("tcp://{}", one.addresses["pos"]), 1);
    let usual = direct::start(None, terminal.clone(), world(), plain.clone()).unwrap();
    let config = DirectConfig {
        bad_frames: true,
        ..plain
    };
    let direct = direct::start(None, terminal, world(), config).unwrap();
    let (first, all) = (usual.calling().unwrap(), direct.calling().unwrap());
    assert_eq!(all - first, 6, "half a header, two lies, broken off, joined, split");
    let mut debits = 0;
    for n in first..all {
        for played in direct.play(n).await {
            assert_eq!(played.complaint, None, "course {n}");
            debits += 1;
        }
    }
    assert_eq!(debits, 7, "two of them in one segment");
    let books = direct.books();
    assert_eq!(books.entries.len(), 7);
    for (key, entry) in &stand.platform.books().entries {
        assert_eq!((entry.executions, entry.outcome.as_str()), (1, "success"), "{key}");
    }
    assert_eq!(stand.platform.books().entries.len(), 7);
    assert!(one.running.stop(GRACE).await);
}
