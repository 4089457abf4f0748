#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

use super::*;
use std::collections::BTreeSet;

mod announced; // mistakes with keys that are announced
mod bench; // a sound sample, its keys, and what can be done wrong with it
mod bodies; // mistakes with bytes, links and clocks
mod keys_and_algorithms; // mistakes with keys, user ids, digests
mod samples; // the codecs' own samples, wrong ones among them
mod seals; // mistakes with envelopes and sealed values
mod texts; // mistakes with the signed text

use bench::Bench;

/// A mistake, a sound sample, and how the mistake is made with it.
type Seeded = (&'static str, &'static str, &'static str, fn(&mut Bench));

fn every() -> impl Iterator<Item = &'static Seeded> {
    [
        announced::SEEDED,
        bodies::SEEDED,
        keys_and_algorithms::SEEDED,
        seals::SEEDED,
        texts::SEEDED,
    ]
    .into_iter()
    .flatten()
}

/// And what is said of it holds no value of the message.
#[test]
fn each_mistake_is_named_as_it_was_made() {
    let mut wrong = Vec::new();
    for (code, codec, file, make) in every() {
        let mut bench = Bench::new(codec, file);
        assert_eq!(bench.diagnose(), "sound", "{codec}/{file}");
        let values = bench.secrets();
        make(&mut bench);
        let found = bench.examine();
        if Bench::code(&found) != *code {
            wrong.push(format!("{code} in {codec}/{file}: {found:?}"));
        }
        if let Finding::Explained(explanation) = found {
            let told = values.iter().find(|value| explanation.variant.contains(value.as_str()));
            assert!(told.is_none(), "{code} tells a value: {}", explanation.variant);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mistake_of_the_table_is_made_in_a_test() {
    let made: BTreeSet<&str> = every().map(|(code, ..)| *code).collect();
    let known: BTreeSet<&str> = MISTAKES.iter().map(|mistake| mistake.code).collect();
    assert_eq!(made, known);
    assert_eq!(known.len(), MISTAKES.len(), "a code stands twice");
}

/// A value that was altered after all else: whatever was done wrong before, the signature says nothing any more.
#[test]
fn an_altered_message_is_explained_by_nothing() {
    for (codec, file, old, new) in [
        ("epcc", "201.txt", "CNY12.34", "CNY92.34"),
        ("alipay", "pay_sm2.txt", "12.34", "92.34"),
        ("alipay", "pay_answer_sm2.txt", "12.34", "92.34"),
        ("tenpay", "debit_sm2.txt", "1234,", "9234,"),
        ("tenpay-v2", "debit_hmac.txt", "[1234]", "[9234]"),
        ("unionpay-form", "consume_sha256.txt", "txnAmt=1234", "txnAmt=9234"),
        ("unionpay-quick", "pay_sm.txt", "CNY12.34", "CNY92.34"),
    ] {
        let mut bench = Bench::new(codec, file);
        bench.put(old, new);
        assert_eq!(bench.diagnose(), "unknown", "{codec}/{file}");
    }
}

/// Two mistakes of which each would be known alone: a text, key or algorithm, and then the encoding of the signature.
#[test]
fn two_mistakes_at_once_get_no_wrong_name() {
    let (mut pairs, mut unknown) = (0, 0);
    for (one, codec, file, make) in every().filter(|(code, ..)| !code.starts_with("signature.")) {
        let encodings = every().filter(|(other, ..)| other.starts_with("signature."));
        let Some((other, .., also)) = encodings.into_iter().find(|(_, at, of, _)| (at, of) == (codec, file)) else {
            continue;
        };
        let mut bench = Bench::new(codec, file);
        make(&mut bench);
        if bench.parses() {
            also(&mut bench);
            let found = bench.diagnose();
            assert!(
                [*one, *other, "unknown"].contains(&found.as_str()),
                "{one} and {other}: {found}"
            );
            unknown += usize::from(found == "unknown");
            pairs += 1;
        }
    }
    assert!(pairs >= 20 && unknown >= 15, "{pairs} pairs, {unknown} unknown");
}
