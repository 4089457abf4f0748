//! Each fault that is more than one message dropped or delayed, and what is read of messages.

use super::{REQUEST, ask, line, moving, other, plain};
use crate::proxy::{Carrier, Direction, Framing, Mishap, Reading, Rules, Shift, shift};
use crate::queues::{MemoryQueues, Queues};
use crate::testing::{parties, request, world};
use codecs::payment::{Attribute, Operation, Role};
use codecs::spec::Specs;
use codecs::wire::Wire;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

fn asking(number: usize) -> Vec<u8> {
    [&8_u16.to_be_bytes()[..], format!("asking{number:02}").as_bytes()].concat()
}

/// What reaches the other side of a line of frames, read by read, and whether the line ended.
async fn heard(rules: &str, sent: &[Vec<u8>]) -> (Vec<Vec<u8>>, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = super::Other {
        address: listener.local_addr().unwrap().to_string(),
        seen: std::sync::Arc::default(),
    };
    let line = line(&other, Framing::Counted, rules, 1).await;
    let mut stream = line.connect().await;
    let (mut heard, _) = listener.accept().await.unwrap();
    stream.write_all(&sent.concat()).await.unwrap();
    let mut reads = Vec::new();
    loop {
        let mut buffer = vec![0; 4096];
        match timeout(Duration::from_millis(300), heard.read(&mut buffer)).await {
            Ok(read) if read.as_ref().is_ok_and(|length| *length > 0) => {
                buffer.truncate(read.unwrap());
                reads.push(buffer);
            }
            ended => return (reads, ended.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_frame_is_overtaken_by_the_next_ones_or_waits_no_longer_than_it_may() {
    let sent = [asking(1), asking(2), asking(3), asking(4)];
    let rules = "[[rule]]\nfault = \"reorder\"\ntimes = 1\ncount = 2";
    let (reads, _) = heard(rules, &sent).await;
    assert_eq!(reads.concat(), [asking(2), asking(3), asking(1), asking(4)].concat());
    let alone = "[[rule]]\nfault = \"reorder\"\nms = 50";
    assert_eq!(heard(alone, &[asking(1)]).await, (vec![asking(1)], false));
}

#[tokio::test]
async fn a_request_is_overtaken_by_that_of_another_connection() {
    let other = other(REQUEST.len(), plain).await;
    let rules = "[[rule]]\nfault = \"reorder\"\ntimes = 1\nms = 5000";
    let line = line(&other, Framing::Http, rules, 1).await;
    let (mut first, mut second) = (line.connect().await, line.connect().await);
    first.write_all(REQUEST).await.unwrap();
    while line.proxy.carried() != [1, 0] {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&mut second, plain(1).len()).await, Some(plain(1)), "it came first");
    let mut answer = plain(2);
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, plain(2));
}

#[tokio::test]
async fn two_frames_in_one_segment_and_one_in_many() {
    let sent = [asking(1), asking(2)];
    let joined = "[[rule]]\nfault = \"join\"\ntimes = 1";
    assert_eq!(heard(joined, &sent).await.0, [sent.concat()], "one read");
    let split = "[[rule]]\nfault = \"drip\"\nbytes = 1\nms = 5";
    let (reads, _) = heard(split, &sent[..1]).await;
    assert_eq!((reads.len(), reads.concat()), (sent[0].len(), sent[0].clone()));
    let alone = "[[rule]]\nfault = \"join\"\nms = 50";
    assert_eq!(heard(alone, &sent[..1]).await, (vec![asking(1)], false), "nobody to go with");
}

#[tokio::test]
async fn half_a_header_and_half_a_message() {
    let sent = [asking(1), asking(2)];
    let half = |bytes: usize| asking(1)[..bytes].to_vec();
    let stalled = "[[rule]]\nfault = \"stall\"\nbytes = 1";
    assert_eq!(heard(stalled, &sent).await, (vec![half(1)], false), "and it stays open");
    let cut = "[[rule]]\nfault = \"truncate\"\nbytes = 1";
    assert_eq!(heard(cut, &sent).await, (vec![half(1)], true));
    assert_eq!(heard("[[rule]]\nfault = \"stall\"", &sent).await, (vec![half(5)], false));
}

#[tokio::test]
async fn a_length_that_lies() {
    let more = heard("[[rule]]\nfault = \"wrong_length\"\nbytes = 3", &[asking(1)])
        .await
        .0
        .concat();
    assert_eq!(
        (more[..2].to_vec(), more[2..].to_vec()),
        (vec![0, 11], asking(1)[2..].to_vec())
    );
    let fewer = "[[rule]]\nfault = \"wrong_length\"\nbytes = 300\nfewer = true";
    assert_eq!(heard(fewer, &[asking(1)]).await.0.concat()[..2], [0, 0]);

    let said = REQUEST.iter().map(|byte| char::from(*byte)).collect::<String>();
    let mut http = REQUEST.to_vec();
    Framing::Http.misstate(&mut http, 4, true);
    assert_eq!(String::from_utf8(http).unwrap(), said.replace("length: 12", "length: 8"));
}

#[tokio::test]
async fn messages_on_queues_are_overtaken_and_repeated() {
    let queues = MemoryQueues::default();
    for number in 0..5 {
        let body = format!("message {number}").into_bytes();
        queues.put("from", "", body).await.unwrap();
    }
    let rules = "[[rule]]\nfault = \"reorder\"\ncontains = \"message 0\"\ncount = 2\n\
                 [[rule]]\nfault = \"repeat\"\ncontains = \"message 3\"\ncount = 2\n\
                 [[rule]]\nfault = \"reorder\"\ncontains = \"message 4\"\nms = 50";
    let rules = Rules::parse(rules).unwrap();
    let got = moved(moving(&queues, rules), &queues, 7).await;
    let wanted = [1, 2, 0, 3, 3, 3, 4].map(|number| format!("message {number}").into_bytes());
    assert_eq!(got, wanted);
}

async fn moved(way: Shift<'_>, queues: &MemoryQueues, count: usize) -> Vec<Vec<u8>> {
    let taken = async {
        let mut got = Vec::new();
        while got.len() < count {
            got.push(queues.take("to").await.unwrap().body);
        }
        got
    };
    tokio::select! {
        () = shift(way, |_| {}) => panic!("the queues are open"),
        got = timeout(Duration::from_secs(20), taken) => got.unwrap(),
    }
}

/// Of two debits of the centre only the one whose institution, operation and amount are named has its amount changed, and the
/// bank finds that out.
#[tokio::test]
async fn fields_that_stand_in_the_clear_are_conditions_and_can_be_corrupted() {
    let parties = parties(5);
    let debit = |serial, fen| {
        let asked = request(Operation::Debit, serial, 7, fen, None);
        let code = parties.centre.code(Operation::Debit, Role::Request).unwrap();
        parties
            .centre
            .emit(&code, &asked, world(5).now(), &mut world(serial).rng())
            .unwrap()
    };
    let (one, two) = (debit(1, 500), debit(2, 1234));
    let queues = MemoryQueues::default();
    for wire in [&one, &two] {
        queues.put("from", "", wire.body.clone()).await.unwrap();
    }
    let rules = "[[rule]]\nfault = \"corrupt_field\"\nfield = \"amount\"\noperation = \"debit\"\ninstitution = \"Z2099999000010\"\n\
                 amount = \"12.34\"\n[[rule]]\nfault = \"drop\"\noperation = \"refund\"\n[[rule]]\nfault = \"drop\"\naccount = \"1\"";
    let rules = Rules::parse(rules).unwrap();
    assert!(
        rules
            .fit(Carrier::Queues, false)
            .unwrap_err()
            .contains("rule 1: fields are read by the spec")
    );
    rules.fit(Carrier::Queues, true).unwrap();
    let reading = Reading {
        spec: Specs::embedded().unwrap().spec("nps").unwrap().clone(),
        is_addressed: false,
    };
    let way = Shift {
        reading: Some(reading),
        ..moving(&queues, rules)
    };
    let got = moved(way, &queues, 2).await;
    assert_eq!(got[0], one.body);
    let differing = got[1].iter().zip(&two.body).filter(|(left, right)| left != right).count();
    assert_eq!((differing, got[1].len()), (1, two.body.len()));
    let spec = parties.bank.spec().unwrap();
    let altered = Wire::queue(got[1].clone());
    let stated = spec.parse(&altered).unwrap().stated();
    let amount = stated.iter().find(|one| one.attribute == Attribute::Amount).unwrap();
    assert_eq!(amount.value.canonical(), "1237", "fen");
    let refused = parties.bank.receive(&altered, world(5).now()).unwrap_err();
    assert_eq!(refused.step, crate::counterparty::Step::Verify);
}

/// Over HTTP the fields are those of the body, also of one in chunks.
#[tokio::test]
async fn fields_of_a_body_over_http() {
    let parties = parties(6);
    let asked = request(Operation::Debit, 1, 7, 500, None);
    let code = parties.caller.code(Operation::Debit, Role::Request).unwrap();
    let wire = parties
        .caller
        .emit(&code, &asked, world(6).now(), &mut world(6).rng())
        .unwrap();
    let head: Vec<String> = wire
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = head.concat();
    let length = wire.body.len();
    let whole =
        |tells: &str, body: &[u8]| [format!("POST /v1/debit HTTP/1.1\r\n{head}{tells}\r\n\r\n").as_bytes(), body].concat();
    let plain = whole(&format!("content-length: {length}"), &wire.body);
    let (first, second) = wire.body.split_at(length / 2);
    let chunks = [
        format!("{:x}\r\n", first.len()).as_bytes(),
        first,
        format!("\r\n{:X};a=b\r\n", second.len()).as_bytes(),
        second,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for (bytes, rule) in [
        (plain, "fault = \"drop\"\namount = \"5.00\"\noperation = \"debit\""),
        (
            whole("transfer-encoding: chunked", &chunks),
            "fault = \"drop\"\namount = \"5.00\"",
        ),
    ] {
        let other = other(bytes.len(), super::plain).await;
        let mut line = super::Setting::of(&other, Framing::Http, &format!("[[rule]]\n{rule}\nnth = 1"), 1);
        line.reading = Some(Reading {
            spec: Specs::embedded().unwrap().spec("platform").unwrap().clone(),
            is_addressed: false,
        });
        let line = line.start().await;
        let mut stream = line.connect().await;
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0, "dropped");
        assert_eq!(line.faults(), [(1, "drop")], "{rule}");
    }
}

/// What the pages say of each fault on each carrier is what the proxy takes; their rules are sound.
#[test]
fn the_pages_say_what_is_possible() {
    let pages = [
        include_str!("../../../../docs/proxy.md"),
        include_str!("../../../../docs/proxy.zh-CN.md"),
    ];
    for page in pages {
        for fault in Mishap::ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", fault.name())));
            let cells: Vec<&str> = row
                .unwrap_or_else(|| panic!("no row of {}", fault.name()))
                .split('|')
                .map(str::trim)
                .collect();
            for (cell, carrier) in [
                (3, Carrier::Http),
                (4, Carrier::Counted),
                (5, Carrier::Amqp),
                (6, Carrier::Queues),
            ] {
                let can = |on| fault.impossible(carrier, on).is_none();
                let wanted = match (can(Direction::Request), can(Direction::Reply)) {
                    (true, true) => "both",
                    (true, false) => "request",
                    (false, true) => "reply",
                    (false, false) => "-",
                };
                assert_eq!(cells[cell], wanted, "{} over {carrier:?}", fault.name());
            }
        }
        let examples: Vec<&str> = page
            .split("```toml\n")
            .skip(1)
            .map(|part| part.split("```").next().unwrap())
            .collect();
        assert!(examples.len() >= 2);
        for example in examples {
            Rules::parse(example).unwrap();
        }
    }
}

#[test]
fn what_cannot_happen_is_refused_with_its_reason() {
    let check = |rule: &str, carrier, wanted: &str| {
        let rules = Rules::parse(&format!("[[rule]]\n{rule}")).unwrap();
        assert!(rules.fit(carrier, true).unwrap_err().contains(wanted), "{rule}");
    };
    check("fault = \"nack_storm\"", Carrier::Http, "rule 1: nack_storm: only a broker");
    check("fault = \"repeat\"\non = \"reply\"", Carrier::Http, "one answer");
    check("fault = \"drip\"", Carrier::Queues, "whole messages");
    check("fault = \"drop\"\non = \"reply\"", Carrier::Queues, "one direction");
    check("fault = \"repeat\"", Carrier::Amqp, "one number");
    let wrong = |rule: &str, wanted: &str| {
        let error = Rules::parse(&format!("[[rule]]\n{rule}")).unwrap_err();
        assert!(error.contains(wanted), "{rule}: {error}");
    };
    wrong("fault = \"corrupt_field\"", "says which with field");
    wrong("fault = \"corrupt_field\"\nfield = \"ammount\"", "no field `ammount`");
    wrong("fault = \"drop\"\namount = \"1,5\"", "in yuan");
    wrong("fault = \"drop\"\noperation = \"debt\"", "no operation debt");
    wrong("fault = \"drip\"\nbytes = 0", "begin with 1");
}
