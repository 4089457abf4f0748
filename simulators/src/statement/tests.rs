#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Break, BreakKind, Breaks, Effect, Layout, Period, Statement, Totals, zip, zlib};
use crate::report::Book;
use keys::hex::encode as hex;
use std::collections::BTreeMap;
use std::path::Path;
use time::macros::date;

const BANK: &str = "402100088888";

/// Files that another hand wrote from the same book: `tests/samples/statements.py`.
fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/it/statements");
    std::fs::read(folder.join(name)).unwrap()
}

fn book() -> Book {
    serde_json::from_slice(&golden("book.json")).unwrap()
}

fn statement(hour: Option<u8>, breaks: Breaks, seed: u64) -> Statement {
    let period = Period {
        date: date!(2030 - 01 - 02),
        hour,
    };
    Statement::of(&book(), BANK, period, breaks, seed)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_layout_is_what_another_hand_wrote() {
    let check = |layout: Layout, hour: Option<u8>, name: &str| {
        let mut written = statement(hour, Breaks::default(), 0).files(layout).unwrap()[0].bytes.clone();
        if layout == Layout::Neutral {
            // The golden files hold half of the digest.
            let end = written.iter().position(|byte| *byte == b'\n').unwrap();
            written.drain(end - 32..end);
        }
        assert_eq!(text(&written), text(&golden(name)), "{name}");
        assert!(written == golden(name), "{name}: the same text in other bytes");
    };
    check(Layout::Neutral, None, "nps.golden");
    check(Layout::Neutral, Some(10), "nps-10.golden");
    check(Layout::Wechat, None, "wechat.golden");
    check(Layout::Alipay, None, "alipay.golden");
    check(Layout::Zm, None, "zm.golden");
}

/// All payments of the day given back: the lines are those that another hand wrote, and nothing moved in the other file.
#[test]
fn adjustments_stand_in_a_file_of_their_own() {
    let all = Breaks {
        adjusted: 100,
        ..Breaks::default()
    };
    let statement = statement(None, all, 3);
    let files = statement.files(Layout::Zm).unwrap();
    let mut lines: Vec<&[u8]> = files[1].bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    assert_eq!(text(&lines.concat()), text(&golden("zme.golden")));
    assert_eq!(text(&files[0].bytes), text(&golden("zm.golden")));
    assert_eq!(statement.broken.len(), 7);
    // What was collected comes back to the bank, and what it was paid leaves it again.
    let over = statement.broken.iter().filter(|one| one.effect == Effect::Over).count();
    assert_eq!(over, 4);
}

#[test]
fn a_file_transfer_carries_all_files_in_one_text() {
    let files = statement(None, Breaks::default(), 0).files(Layout::Zm).unwrap();
    let expected = golden("content.golden");
    let expected: Vec<u8> = expected.split(|byte| *byte == b'\n').next().unwrap().to_vec();
    let stream = zlib(&zip(&files).unwrap());
    assert_eq!(hex(&stream), hex(&decoded(&expected)));
    assert_eq!(zlib::adler32(b"Wikipedia"), 0x11e6_0398);
    // More than a block holds.
    let long = vec![7; 70_000];
    let stream = zlib(&long);
    assert_eq!((stream.len(), &stream[2..5]), (long.len() + 16, &[0, 0xff, 0xff][..]));
}

/// Base64, by its definition.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| digits.iter().position(|digit| *digit == byte).unwrap_or(0);
    let padding = text.rsplit(|byte| *byte != b'=').next().map_or(0, <[u8]>::len);
    let mut bytes = Vec::new();
    for four in text.chunks(4) {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | value(*byte));
        bytes.extend([bits >> 16, bits >> 8, bits].map(|part| u8::try_from(part & 0xff).unwrap()));
    }
    bytes.truncate(bytes.len() - padding);
    bytes
}

#[test]
fn hours_add_up_to_their_day() {
    let totals = |hour| statement(hour, Breaks::default(), 0).totals();
    let mut sum = Totals::default();
    for hour in 0..24 {
        let part = totals(Some(hour));
        sum.count += part.count;
        sum.debit_fen += part.debit_fen;
        sum.credit_fen += part.credit_fen;
    }
    assert_eq!(sum, totals(None));
    // By hand: 123.45 + 5.00 + 0.07 collected and 3.00 sent; 5.00 cancelled, 20.00 credited, 3.45 refunded.
    assert_eq!((sum.count, sum.debit_fen, sum.credit_fen), (7, 13_152, 2_845));
}

#[test]
fn breaks_are_told_and_nothing_else_is_wrong() {
    let plan = Breaks {
        missing: 1,
        surplus: 1,
        amount: 2,
        adjusted: 0,
    };
    for seed in 0..40 {
        let (whole, broken) = (statement(None, Breaks::default(), seed), statement(None, plan, seed));
        assert_eq!(broken.broken, statement(None, plan, seed).broken, "seed {seed}");
        let amounts = |statement: &Statement| -> BTreeMap<String, i64> {
            let lines = statement.lines.iter();
            lines
                .map(|line| (format!("{} {}", line.operation, line.msg_id), line.fen))
                .collect()
        };
        let (before, after) = (amounts(&whole), amounts(&broken));
        let missing = before.keys().filter(|id| !after.contains_key(*id)).count();
        let surplus = after.keys().filter(|id| !before.contains_key(*id)).count();
        let differing = before
            .iter()
            .filter(|(id, fen)| after.get(*id).is_some_and(|other| other != *fen))
            .count();
        assert_eq!((missing, surplus, differing), (1, 1, 2), "seed {seed}");
        let kinds: Vec<BreakKind> = broken.broken.iter().map(|one| one.kind).collect();
        assert_eq!(
            kinds,
            [BreakKind::Missing, BreakKind::Surplus, BreakKind::Amount, BreakKind::Amount],
            "seed {seed}"
        );
        let change = |one: &Break| {
            let fen = (one.fen.unwrap_or(0) - one.book_fen.unwrap_or(0)).abs();
            if one.effect == Effect::Short { fen } else { -fen }
        };
        // What is short and over explains the whole difference of what the bank owes.
        let explained: i64 = broken.broken.iter().map(change).sum();
        assert_eq!(
            broken.totals().owed_fen() - whole.totals().owed_fen(),
            explained,
            "seed {seed}"
        );
        assert!(broken.lines.iter().all(|line| line.fen > 0), "seed {seed}");
    }
    assert_ne!(statement(None, plan, 1).broken, statement(None, plan, 2).broken);
    let nothing = statement(Some(3), plan, 1);
    assert!(
        nothing.lines.is_empty() && nothing.broken.is_empty(),
        "there is nothing to break"
    );
}

#[test]
fn a_party_has_the_layout_of_its_kind() {
    let names = ["centre", "platform", "epcc", "tenpay-v2", "alipay", "unionpay-quick"];
    let layouts = names.map(|name| Layout::of_party(name).name());
    assert_eq!(layouts, ["nps", "nps", "nps", "wechat", "alipay", "zm"]);
    assert!(
        Layout::ALL
            .into_iter()
            .all(|layout| Layout::parse(layout.name()) == Some(layout))
    );
}

/// Read from its end, as unpackers do.
#[test]
fn an_archive_holds_its_files() {
    let files = statement(None, Breaks::default(), 0).files(Layout::Alipay).unwrap();
    assert_eq!(files.len(), 2);
    let archive = zip(&files).unwrap();
    let end = archive.len() - 22;
    let number = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&archive[end..end + 4], archive[end + 10]), (&b"PK\x05\x06"[..], 2));
    let mut entry = number(end + 16);
    for file in &files {
        assert_eq!(&archive[entry..entry + 4], b"PK\x01\x02");
        let (name, at) = (usize::from(archive[entry + 28]), number(entry + 42));
        let content = at + 30 + name;
        assert_eq!(&archive[content..content + file.bytes.len()], &file.bytes[..]);
        assert_eq!(number(entry + 24), file.bytes.len());
        entry += 46 + name;
    }
    assert_eq!(entry, end);
    // The check value that every description of this sum gives.
    assert_eq!(zip::crc32(b"123456789"), 0xcbf4_3926);
}
