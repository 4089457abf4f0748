//! Mistakes with the signed text.

use super::Seeded;
use super::bench::Bench;
use crate::doctor::coding::{Escaping, to_gbk};
use codecs::examined::{SignedAs, SignedPairs};

pub(super) const SEEDED: &[Seeded] = &[
    ("fields.empty", "alipay", "pay_sm2.txt", |bench| {
        let pairs = sorted(bench, |pairs, (key, _)| !pairs.excluded.contains(key));
        bench.sign(joined(&pairs));
    }),
    ("fields.type_signed", "alipay", "trade_notice.txt", |bench| {
        let pairs = sorted(bench, |_, (key, value)| key != "sign" && !value.is_empty());
        bench.sign(joined(&pairs));
    }),
    ("fields.type_unsigned", "alipay", "pay_sm2.txt", |bench| {
        without(bench, "sign_type");
    }),
    ("fields.type_unsigned", "unionpay-form", "consume_rsa.txt", |bench| {
        without(bench, "signMethod");
    }),
    ("fields.uncovered", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.put("&bizType=", "&merName=x&bizType=");
    }),
    ("fields.uncovered", "alipay", "pay_sm2.txt", |bench| {
        without(bench, "timestamp");
    }),
    ("fields.unsorted", "unionpay-form", "consume_rsa.txt", |bench| {
        let pairs = usual(bench);
        bench.sign(joined(&pairs));
    }),
    ("fields.caseless", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.put("&bizType=", "&txnaa=1&bizType=");
        let mut pairs = usual(bench);
        pairs.sort_by_key(|(key, _)| key.to_ascii_lowercase());
        bench.sign(joined(&pairs));
    }),
    ("fields.separator", "alipay", "pay_sm2.txt", |bench| {
        let mut pairs = usual(bench);
        pairs.sort();
        bench.sign(pairs.into_iter().map(|(key, value)| key + "=" + &value).collect::<String>());
    }),
    ("fields.separator", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.sign(bench.text() + "&");
    }),
    ("fields.values_only", "alipay", "pay_rsa2.txt", |bench| {
        let pairs = sorted(bench, |pairs, (key, value)| {
            !pairs.excluded.contains(key) && !value.is_empty()
        });
        bench.sign(pairs.into_iter().map(|(_, value)| value).collect::<String>());
    }),
    ("fields.suffix", "unionpay-form", "consume_sm3.txt", |bench| {
        bench.sign(bench.text().trim_end_matches('&'));
    }),
    ("fields.quoted", "alipay", "pay_sm2.txt", |bench| {
        let pairs = sorted(bench, |pairs, (key, value)| {
            !pairs.excluded.contains(key) && !value.is_empty()
        });
        let quoted: Vec<Pair> = pairs.into_iter().map(|(key, value)| (key, format!("\"{value}\""))).collect();
        bench.sign(joined(&quoted));
    }),
    ("values.escaped", "alipay", "pay_sm2.txt", |bench| {
        escape(bench, Escaping::FORM);
    }),
    ("values.escaped", "alipay", "pay_rsa2.txt", |bench| {
        escape(
            bench,
            Escaping {
                space: "%20",
                upper: true,
                kept: "-._~",
            },
        );
    }),
    ("values.escaped", "unionpay-form", "consume_sm3.txt", |bench| {
        escape(
            bench,
            Escaping {
                upper: false,
                ..Escaping::FORM
            },
        );
    }),
    ("slots.last_separator", "nps", "142_document.txt", |bench| {
        bench.sign(bench.text().trim_end_matches('|'));
    }),
    ("slots.absent", "nps", "142_document.txt", |bench| {
        let text = bench.text();
        assert!(text.contains("||"), "no slot is empty");
        let there = text.trim_end_matches('|').split('|').filter(|slot| !slot.is_empty());
        bench.sign(there.collect::<Vec<_>>().join("|") + "|");
    }),
    ("slots.currency", "nps", "142_document.txt", |bench| {
        bench.sign(bench.text().replace("|CNY12.34|", "|12.34|"));
    }),
    ("document.declaration", "epcc", "201.txt", |bench| {
        bench.sign(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}", bench.text()));
    }),
    ("document.line_end", "epcc", "201.txt", |bench| {
        bench.sign(bench.text() + "\r\n");
    }),
    ("document.part", "epcc", "201.txt", |bench| {
        let text = bench.text();
        let (from, to) = (text.find("<MsgBody>").unwrap(), text.find("</root>").unwrap());
        bench.sign(&text[from..to]);
    }),
    ("document.white_space", "epcc", "201_spaced.txt", |bench| {
        let lines = bench.text();
        bench.sign(lines.lines().map(str::trim).collect::<String>());
    }),
    ("document.white_space", "epcc", "303.txt", |bench| {
        let tight: String = IN_LINES.lines().map(str::trim).collect();
        assert_eq!(bench.text(), tight);
        bench.sign(IN_LINES);
    }),
    ("document.empty_elements", "epcc", "201_spaced.txt", |bench| {
        assert!(bench.text().contains("<RPFlg></RPFlg>"));
        bench.sign(bench.text().replace("<RPFlg></RPFlg>", "<RPFlg />"));
    }),
    ("document.attributes", "epcc", "201.txt", |bench| {
        bench.put("xmlns=\"namespace_string\"", "xmlns=\"namespace_string\" version=\"1\"");
        bench.sign(bench.text().replace(
            "xmlns=\"namespace_string\" version=\"1\"",
            "version=\"1\" xmlns=\"namespace_string\"",
        ));
    }),
    ("document.attributes", "unionpay-quick", "pay_sm.txt", |bench| {
        bench.sign(bench.text().replace('"', "'"));
    }),
    ("document.line_ends", "epcc", "201_spaced.txt", |bench| {
        assert!(bench.text().contains("\r\n"));
        bench.sign(bench.text().replace("\r\n", "\n"));
    }),
    ("json.white_space", "tenpay", "debit_sm2.txt", |bench| {
        bench.sign(
            bench
                .text()
                .replace("\",\"", "\", \"")
                .replace("\":", "\": ")
                .replace("},", "}, ")
                .replace("34,", "34, "),
        );
    }),
    ("json.white_space", "alipay", "pay_answer_sm2.txt", |bench| {
        bench.sign(
            bench
                .text()
                .replace("{ \"code\"", "{\"code\"")
                .replace("\", \"", "\",\"")
                .replace("\" }", "\"}"),
        );
    }),
    ("json.white_space", "platform", "debit.txt", |bench| {
        let text = bench.text();
        let (head, body) = text.split_at(text.find('{').unwrap());
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        let members = |value: &serde_json::Value| value.as_object().unwrap().len();
        assert!(members(&value) > 3);
        bench.sign(format!("{head}{}", in_lines(body)));
    }),
    ("json.order", "tenpay", "debit_sm2.txt", |bench| {
        let text = bench.text();
        let (head, body) = text.split_at(text.find('{').unwrap());
        let value: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(body).unwrap();
        let sorted = serde_json::to_string(&value)
            .unwrap()
            .replace("{\"total\":1234,\"currency\":\"CNY\"}", AMOUNT_SORTED);
        assert!(sorted.contains(AMOUNT_SORTED));
        bench.sign(format!("{head}{sorted}\n"));
    }),
    ("json.escapes", "tenpay", "debit_sm2.txt", |bench| {
        assert!(bench.text().contains('\u{8336}'));
        bench.sign(bench.text().replace('\u{8336}', "\\u8336").replace('\u{70b9}', "\\u70b9"));
    }),
    ("json.escapes", "alipay", "pay_answer_sm2.txt", |bench| {
        bench.sign(bench.text().replace("\\/", "/"));
    }),
    ("json.too_much", "alipay", "pay_answer_sm2.txt", |bench| {
        bench.sign(format!("\"alipay_trade_pay_response\":{}", bench.text()));
    }),
    ("lines.last", "tenpay", "debit_sm2.txt", |bench| {
        let text = bench.text();
        bench.sign(text.strip_suffix('\n').unwrap());
    }),
    ("lines.carriage_returns", "tenpay", "query_paid.txt", |bench| {
        bench.sign(bench.text().replace('\n', "\r\n"));
    }),
    ("lines.query", "tenpay", "query.txt", |bench| {
        let text = bench.text();
        let (before, rest) = text.split_once('?').unwrap();
        bench.sign(format!("{before}\n{}", rest.split_once('\n').unwrap().1));
    }),
    ("lines.order", "tenpay", "query_paid.txt", |bench| {
        let text = bench.text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.swap(0, 1);
        bench.sign(lines.join("\n") + "\n");
    }),
    ("lines.body", "tenpay", "debit_sm2.txt", |bench| {
        let text = bench.text();
        bench.sign(format!("{}\n", &text[..text.find('{').unwrap()]));
    }),
    ("text.gbk", "alipay", "pay_sm2.txt", |bench| {
        bench.sign(to_gbk(&bench.text()).unwrap());
    }),
    ("text.gbk", "unionpay-form", "consume_rsa.txt", |bench| {
        bench.sign(to_gbk(&bench.text()).unwrap());
    }),
];

/// As it was signed, before it was sent on one line.
const IN_LINES: &str = r#"<root xmlns="namespace_string">
  <MsgHeader>
    <SndDt>2030-01-02T18:30:05</SndDt>
    <MsgTp>epcc.303.001.01</MsgTp>
    <IssrId>G4000311000018</IssrId>
    <Drctn>12</Drctn>
    <SignSN>4000000001</SignSN>
  </MsgHeader>
  <MsgBody>
    <SysRtnInf>
      <SysRtnCd>00000000</SysRtnCd>
    </SysRtnInf>
  </MsgBody>
</root>"#;

const AMOUNT_SORTED: &str = "{\"currency\":\"CNY\",\"total\":1234}";

type Pair = (String, String);

fn pairs(bench: &Bench) -> SignedPairs {
    let message = bench.spec.parse(&bench.wire).unwrap();
    let SignedAs::Pairs(pairs) = message.signed_as() else {
        panic!("no pairs")
    };
    pairs
}

/// In the order of the message.
fn usual(bench: &Bench) -> Vec<Pair> {
    let SignedPairs { pairs, excluded, .. } = pairs(bench);
    pairs
        .into_iter()
        .filter(|(key, value)| !excluded.contains(key) && !value.is_empty())
        .collect()
}

fn sorted(bench: &Bench, fits: impl Fn(&SignedPairs, &Pair) -> bool) -> Vec<Pair> {
    let all = pairs(bench);
    let mut chosen: Vec<Pair> = all.pairs.iter().filter(|pair| fits(&all, pair)).cloned().collect();
    chosen.sort();
    chosen
}

fn joined(pairs: &[Pair]) -> String {
    let written: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    written.join("&")
}

fn without(bench: &mut Bench, left_out: &str) {
    let mut pairs = usual(bench);
    pairs.retain(|(key, _)| key != left_out);
    pairs.sort();
    bench.sign(joined(&pairs));
}

fn escape(bench: &mut Bench, escaping: Escaping) {
    let suffix = pairs(bench).suffix;
    let mut pairs = usual(bench);
    pairs.sort();
    let escaped: Vec<Pair> = pairs.into_iter().map(|(key, value)| (key, escaping.escape(&value))).collect();
    bench.sign(joined(&escaped) + &suffix);
}

/// JSON in lines, two blanks a level, in its own order.
fn in_lines(json: &str) -> String {
    let (mut out, mut depth, mut inside) = (String::new(), 0_usize, false);
    for c in json.chars() {
        inside ^= c == '"';
        if !inside && matches!(c, '}' | ']') {
            depth -= 1;
            out.push_str(&format!("\n{}", "  ".repeat(depth)));
        }
        out.push(c);
        if !inside && matches!(c, '{' | '[' | ',') {
            depth += usize::from(c != ',');
            out.push_str(&format!("\n{}", "  ".repeat(depth)));
        }
        if !inside && c == ':' {
            out.push(' ');
        }
    }
    out
}
