//! Mistakes with bytes, links, suites and clocks.

use super::Seeded;
use super::bench::{Bench, LINK};
use crate::doctor::coding::{Escaping, to_gbk, unescape};
use keys::key::Status;
use std::sync::Arc;
use time::Duration;

pub(super) const SEEDED: &[Seeded] = &[
    ("body.bom", "epcc", "201.txt", |bench| {
        bench.wire.body = [&b"\xef\xbb\xbf"[..], &bench.wire.body].concat();
    }),
    ("body.bom", "tenpay-v2", "debit_hmac.txt", |bench| {
        bench.wire.body = [&b"\xef\xbb\xbf"[..], &bench.wire.body].concat();
    }),
    ("body.gbk", "tenpay", "debit_sm2.txt", |bench| {
        // Signed and sent in GBK: the head is ASCII.
        let text = to_gbk(&bench.text()).unwrap();
        bench.sign(text);
        bench.wire.body = to_gbk(std::str::from_utf8(&bench.wire.body).unwrap()).unwrap();
    }),
    ("body.gbk", "tenpay-v2", "debit_hmac.txt", |bench| {
        bench.wire.body = to_gbk(std::str::from_utf8(&bench.wire.body).unwrap()).unwrap();
    }),
    ("body.gbk", "alipay", "pay_sm2.txt", |bench| {
        let text = to_gbk(&bench.text()).unwrap();
        bench.sign(text);
        bench.put("%E8%8C%B6", "%B2%E8");
        bench.put("%E7%82%B9%E5%BF%83", "%B5%E3%D0%C4");
    }),
    ("body.declaration", "epcc", "201.txt", |bench| {
        bench.put("encoding=\"UTF-8\"", "encoding=\"GBK\"");
    }),
    ("body.line_end_added", "alipay", "pay_sm2.txt", |bench| {
        bench.wire.body.push(b'\n');
    }),
    ("body.line_end_added", "tenpay", "debit_sm2.txt", |bench| {
        bench.wire.body.extend(b"\r\n");
    }),
    ("body.line_end_lost", "tenpay", "debit_sm2.txt", |bench| {
        bench.sign(bench.text() + "\n");
    }),
    ("body.unescaped", "unionpay-form", "consume_rsa.txt", |bench| {
        let body = String::from_utf8(bench.wire.body.clone()).unwrap();
        bench.wire.body = unescape(&body.replace('+', "%20")).unwrap();
    }),
    ("body.escaped", "unionpay-form", "consume_answer_sm3.txt", |bench| {
        let body = String::from_utf8(bench.wire.body.clone()).unwrap();
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap();
            format!("{key}={}", Escaping::FORM.escape(value))
        };
        bench.wire.body = body.split('&').map(pair).collect::<Vec<_>>().join("&").into_bytes();
    }),
    ("signature.line_breaks", "epcc", "201_rsa.txt", |bench| {
        in_lines(bench, 76, "\n");
    }),
    ("signature.line_breaks", "alipay", "pay_rsa2.txt", |bench| {
        in_lines(bench, 64, "\r\n");
    }),
    ("signature.line_breaks", "alipay", "pay_answer_rsa2.txt", |bench| {
        in_lines(bench, 76, "\\n");
    }),
    ("window.old", "tenpay", "query_paid.txt", |bench| {
        bench.now += Duration::seconds(600);
    }),
    ("window.ahead", "tenpay", "query_paid.txt", |bench| {
        bench.now -= Duration::seconds(600);
    }),
    ("window.old", "platform", "debit.txt", |bench| bench.now += Duration::hours(8)),
    ("link.suite", "alipay", "pay_rsa2.txt", |bench| in_suite(bench, "sm2")),
    ("link.suite", "unionpay-form", "consume_sha256.txt", |bench| {
        in_suite(bench, "rsa");
    }),
    ("link.other", "epcc", "201.txt", |bench| {
        bench.others.push((LINK.to_owned(), bench.spec.clone()));
        elsewhere(bench, "unionpay-quick");
    }),
    ("link.codec", "epcc", "201.txt", |bench| {
        bench.keys[0].0.status = Status::Revoked;
        elsewhere(bench, "unionpay-quick");
    }),
    ("link.codec", "alipay", "pay_sm2.txt", |bench| {
        bench.keys.clear();
        elsewhere(bench, "tenpay");
    }),
    ("seal.unexpected", "nps", "142_document.txt", |bench| {
        bench.spec = Arc::new(bench.spec.with_sealing(false));
    }),
];

/// Examined as a message of another suite.
fn in_suite(bench: &mut Bench, suite: &str) {
    let (_, spec) = bench.others.iter().find(|(_, spec)| spec.codec == bench.spec.codec).unwrap();
    bench.spec = spec.in_suite(suite).unwrap().clone();
}

/// Examined as a message of another link, which has the keys of none.
fn elsewhere(bench: &mut Bench, codec: &str) {
    bench.link = "elsewhere";
    let (_, spec) = bench.others.iter().find(|(name, _)| name == codec).unwrap();
    bench.spec = spec.clone();
}

/// The signature broken into lines, as base64 of MIME and PEM is.
fn in_lines(bench: &mut Bench, characters: usize, line_end: &str) {
    let sent = bench.sent();
    let lines: Vec<&str> = sent
        .as_bytes()
        .chunks(characters)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    assert!(lines.len() > 1);
    bench.put_signature(&lines.join(line_end));
}
