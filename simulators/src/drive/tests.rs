#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Accounts, Arrivals, Curve, Ended, Mixture, Order, Source, Tally, accounts, ceiling};
use crate::load::{Finished, Tap, drive_at};
use crate::mix::Flow;
use crate::people::Person;
use crate::testing::{parties, world};
use std::collections::BTreeMap;
use std::time::Duration;

fn offsets_ms(arrivals: Arrivals) -> Vec<u128> {
    arrivals.map(|offset| offset.as_millis()).collect()
}

#[test]
fn even_arrivals_are_evenly_spaced_and_end_with_the_run() {
    let arrivals = Arrivals::new(Curve::Constant, 4, Duration::from_secs(2));
    assert_eq!(offsets_ms(arrivals), [0, 250, 500, 750, 1000, 1250, 1500, 1750]);
}

#[test]
fn a_ramp_from_nothing_has_a_quarter_of_its_arrivals_in_its_first_half() {
    let arrivals = Arrivals::new(Curve::Ramp { from_per_s: 0 }, 100, Duration::from_secs(20));
    let offsets = offsets_ms(arrivals);
    // The n-th is due where the integral of the rate, 5 t/2 a second squared, is n.
    assert_eq!(offsets.len(), 1000);
    assert_eq!(offsets.iter().filter(|offset| **offset < 10_000).count(), 250);
    let down = Arrivals::new(Curve::Ramp { from_per_s: 300 }, 100, Duration::from_secs(10));
    let down = offsets_ms(down);
    assert_eq!(
        (down.len(), down.iter().filter(|offset| **offset < 5_000).count()),
        (2000, 1250)
    );
}

#[test]
fn a_day_is_quiet_at_night_and_busiest_in_the_evening() {
    let day = Duration::from_mins(4);
    let mut hours = BTreeMap::<u128, u32>::new();
    for offset in Arrivals::new(Curve::Day, 100, day) {
        *hours.entry(offset.as_millis() / 10_000).or_default() += 1;
    }
    assert_eq!(hours.len(), 24);
    let most = hours.iter().max_by_key(|(_, count)| **count).unwrap();
    // From seven to eight and from eight to nine in the evening the curve is highest.
    assert!((19..=20).contains(most.0), "{hours:?}");
    assert!(hours[&3] * 10 < *most.1, "{hours:?}");
}

#[test]
fn random_arrivals_keep_the_rate_and_repeat_with_their_seed() {
    let drawn = |seed| offsets_ms(Arrivals::new(Curve::Constant, 1000, Duration::from_secs(20)).at_random(seed));
    let (one, other) = (drawn(7), drawn(8));
    assert_eq!(one, drawn(7));
    assert_ne!(one, other);
    // 20 000 are expected; five standard deviations are 707.
    assert!((19_293..=20_707).contains(&one.len()), "seed 7: {}", one.len());
    assert!(one.is_sorted());
    // Even arrivals never share a millisecond with two others; random ones do.
    let crowded = one.windows(3).filter(|three| three[0] == three[2]).count();
    assert!(crowded > 500, "seed 7: {crowded}");
}

/// A gateway that stalls for a second is charged for everybody who was due meanwhile.
#[tokio::test(start_paused = true)]
async fn a_stall_is_charged_from_the_intended_start() {
    let arrivals = Arrivals::new(Curve::Constant, 100, Duration::from_secs(2));
    let mut tally = Tally::new().unwrap();
    let work = |n: u64| async move {
        let stall = if n == 0 { 1000 } else { 1 };
        tokio::time::sleep(Duration::from_millis(stall)).await;
        Ended {
            messages: vec![("debit".to_owned(), "success".to_owned())],
            latency: Some(Duration::from_millis(stall)),
            complaints: Vec::new(),
        }
    };
    let items = arrivals.map(Some).zip(0_u64..);
    drive_at(&Tap::default(), items, 1, work, |one| tally.take(one)).await;
    assert_eq!((tally.ended, tally.all.success), (200, 200));
    // A driver that waits for its answers would see one slow payment in two hundred and a p90 of a millisecond.
    let p90 = tally.all.latency_ms(0.9);
    assert!(p90 > 800.0, "{p90}");
    assert!(tally.lag_max >= Duration::from_millis(990), "{:?}", tally.lag_max);
}

#[test]
fn outcomes_are_counted_in_three_values() {
    let mut tally = Tally::new().unwrap();
    let ended = |outcomes: &[(&str, &str)], latency_ms: Option<u64>, complaint: Option<&str>| Finished {
        result: Ended {
            messages: outcomes
                .iter()
                .map(|(operation, outcome)| ((*operation).to_owned(), (*outcome).to_owned()))
                .collect(),
            latency: latency_ms.map(Duration::from_millis),
            complaints: complaint.map(ToOwned::to_owned).into_iter().collect(),
        },
        latency: Duration::from_millis(500),
        lag: Duration::from_millis(3),
    };
    tally.take(ended(&[("debit", "success")], Some(400), None));
    tally.take(ended(
        &[("debit", "success"), ("refund", "failed")],
        Some(40),
        Some("refused"),
    ));
    tally.take(ended(&[("credit", "unknown")], None, Some("no answer")));
    let count = |name: &str| {
        let group = &tally.by_operation[name];
        (group.success, group.failed, group.unknown)
    };
    assert_eq!(
        [count("debit"), count("refund"), count("credit")],
        [(2, 0, 0), (0, 1, 0), (0, 0, 1)]
    );
    assert_eq!((tally.ended, tally.as_planned, tally.complaints.len()), (3, 1, 2));
    // One request counts whole; of a pair the first one, from its intended start; without an answer as long as it was waited for.
    let times = |name: &str| {
        tally.by_operation[name]
            .latency_us
            .iter_recorded()
            .map(|step| step.value_iterated_to() / 1000)
            .collect::<Vec<_>>()
    };
    assert_eq!(times("debit"), [43, 500]);
    assert_eq!(times("credit"), [500]);
    let look = tally.look();
    assert_eq!((look.ended, look.success, look.failed, look.unknown), (4, 2, 1, 1));
    assert_eq!(tally.look().ended, 0, "a look begins anew");
}

const MIX: &str = r#"
people = 1_000_000
[[part]]
share = 3
from = "centre"
send = "debit"
institution = "Z2099998000019"
amount_fen = [500, 500]
[[part]]
share = 1
from = "platform"
send = "credit"
[[part]]
share = 1
from = "epcc"
"#;

#[test]
fn a_mix_keeps_its_shares_and_draws_from_a_million() {
    let mix = Mixture::parse(MIX).unwrap();
    assert_eq!(mix.links().collect::<Vec<_>>(), ["epcc"]);
    let (mut debits, mut credits, mut courses, mut highest) = (0, 0, 0, 0);
    for n in 0..5_000 {
        match mix.order(7, n).unwrap() {
            Order::Planned(planned) if planned.flow == Flow::CentreToPlatform => {
                debits += 1;
                assert_eq!((planned.institution.id, planned.amount.fen()), ("Z2099998000019", 500));
                highest = highest.max(planned.person.index);
            }
            Order::Planned(_) => credits += 1,
            Order::Course { .. } => courses += 1,
        }
    }
    assert!((2_800..3_200).contains(&debits), "seed 7: {debits}");
    assert!(
        (850..1_150).contains(&credits) && (850..1_150).contains(&courses),
        "seed 7: {credits} {courses}"
    );
    assert!((990_000..1_000_000).contains(&highest), "seed 7: {highest}");
    assert!(mix.without_platform().order(7, 0).is_some());
    assert_eq!(Source::Link("epcc".to_owned()), Source::Link("epcc".to_owned()));
}

#[test]
fn a_wrong_mix_says_where_and_what_there_is() {
    let check = |text: &str, wanted: &str| {
        let error = Mixture::parse(text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    };
    let part = |rest: &str| format!("[[part]]\nshare = 1\n{rest}");
    check(
        &part("from = \"centre\"\nsend = \"debt\""),
        "part 1: send = \"debt\": one of debit, credit",
    );
    check(&part("from = \"platform\"\nsend = \"debit\""), "one of credit, terminate");
    check(&part("from = \"centre\""), "`send` is missing");
    check(&part("from = \"centre\"\nsnd = \"debit\""), "unknown field `snd`");
    check(&part("from = \"epcc\"\nsend = \"debit\""), "no `send`");
    check(
        &part("from = \"centre\"\nsend = \"debit\"\namount_fen = [5, 1]"),
        "the lower one first",
    );
    check(
        &part("from = \"centre\"\nsend = \"debit\"\ninstitution = \"Z1\""),
        "one of Z2099999000010",
    );
    check("people = 3\n[[part]]\nshare = 1\nfrom = \"epcc\"", "people: 200 to");
    check("[[part]]\nshare = 0\nfrom = \"epcc\"", "add up to nothing");
}

/// Every customer of a million, and his agreement, is there without having been stored.
#[test]
fn a_million_accounts_and_agreements_are_derived() {
    let mix = Mixture::usual();
    assert_eq!(mix.people(), 1_000_000);
    let mut ledger = crate::ledger::Ledger::new(crate::people::ACCOUNTS_MAX);
    for index in [0, 1, 123_456, 999_999, 25_000_000] {
        let person = Person::at(index);
        assert_eq!(ledger.balance(&person.account), Some(person.opening_balance()));
        let debit = crate::testing::request(codecs::payment::Operation::Debit, index + 1, index, 100, None);
        let answer = ledger.execute(&debit, &format!("key-{index}"));
        let works = person.kind == crate::people::Kind::Plain;
        assert_eq!(answer.outcome == codecs::payment::Outcome::Success, works, "{index}");
    }
    assert_eq!(ledger.sum(), 0);
}

/// Each customer signs and pays; what `hangu sim drive --ceiling --accounts` does with a million of them.
#[test]
fn every_customer_has_an_account_and_an_agreement_of_his_own() {
    let done = accounts(20_000, crate::testing::NOW);
    let expected = Accounts {
        customers: 20_000,
        // A poor customer can sign, a frozen one cannot.
        agreements: 19_900,
        debited: 19_800,
        refused: 200,
        took: done.took,
        ..Accounts::default()
    };
    assert_eq!(done, expected);
}

#[tokio::test]
async fn the_ceiling_plays_whole_payments() {
    let parties = parties(3);
    let reached = ceiling(parties.centre, &parties.bank, world(3), 3, 30).await.unwrap();
    // Of two hundred customers two are refused, but no refusal was written: every reply is a success.
    assert_eq!((reached.payments, reached.succeeded), (30, 30));
    assert!(reached.per_second() > 0.0);
}
