//! What the benches print, on figures made for it, and that each of them runs. No time that was measured is judged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::course::{Course, Leg, Pace};
use super::gateway::{Seen, duration, seen};
use super::inside::Inside;
use super::measure::{Call, Cost, cost, measure};
use super::operations::{Counts, Operation};
use super::process::{self, Memory, stat_us, status_mib, with_reaped_us};
use super::report::{self, Shares, flatness};
use super::settings::{Endpoint, Mix, Setting};
use crate::cli::output::{Exit, Failure};
use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[test]
fn a_cost_is_the_median_and_the_best() {
    let found = cost(vec![9.0, 1.0, 5.0]);
    assert_eq!(
        found,
        Cost {
            median_us: 5.0,
            best_us: 1.0
        }
    );
}

#[test]
fn a_call_that_fails_ends_the_measurement() {
    let mut calls = 0;
    let call: Call<'_> = Box::new(|| {
        calls += 1;
        if calls < 100 {
            Ok(())
        } else {
            Err(Failure::new(Exit::CheckFailed, "test", "failed"))
        }
    });
    assert_eq!(measure(3, &mut [call]).unwrap_err().place, "test");
    assert_eq!(calls, 100);
}

#[test]
fn a_thread_name_may_hold_brackets_and_blanks() {
    let line = "17 (a) b (c)) S 1 17 17 0 -1 4194304 99 0 0 0 120 30 7 7 20 0 1 0 597365 3133440 380";
    assert_eq!(stat_us(line).unwrap(), ("a) b (c)", 1_500_000));
    for broken in ["", "17 (a", "17 (a) S 1 17", "17 (a) S 1 17 17 0 -1 4194304 99 0 0 0 x y"] {
        assert!(stat_us(broken).is_err(), "{broken}");
    }
}

#[test]
fn memory_is_read_in_mebibytes() {
    let status = "Name:\thangu\nVmHWM:\t    4096 kB\nVmRSS:\t    3072 kB\n";
    assert_eq!(status_mib(status, "VmRSS:"), Some(3.0));
    assert_eq!(status_mib(status, "VmHWM:"), Some(4.0));
    assert_eq!(status_mib(status, "VmSwap:"), None);
    assert_eq!(status_mib("VmRSS: many kB", "VmRSS:"), None);
}

#[test]
fn threads_are_told_apart_by_name() {
    let work = std::thread::Builder::new().name("bench-test".to_owned()).spawn(|| {
        let mut block = [0; 32];
        // Until the kernel has counted a tick for this thread.
        while process::cpu("bench-test").unwrap().named_us == 0 {
            for _ in 0..10_000 {
                block = keys::sm3::sm3(&[&block]);
            }
        }
        (block, process::cpu("bench-test").unwrap())
    });
    let (_block, cpu) = work.unwrap().join().unwrap();
    assert!(cpu.process_us >= cpu.named_us, "{cpu:?}");
    assert_eq!(process::cpu("no such thread").unwrap().named_us, 0);
}

#[test]
fn what_a_process_saw_end_is_counted_with_it() {
    let line = "17 (a) S 1 17 17 0 -1 4194304 99 0 0 0 120 30 7 3 20 0 1 0";
    assert_eq!(with_reaped_us(line).unwrap(), 1_600_000);
    let own = process::tree_us(std::process::id()).unwrap();
    assert!(own <= process::tree_us(1).unwrap(), "everything is below the first process");
    assert!(process::memory(std::process::id()).unwrap().rss_mib > 1.0);
}

#[test]
fn the_shares_of_a_payment_add_up() {
    // 40,000 us over ten payments; two credits in ten, which have no operations here.
    let expected = Shares {
        whole: 4000.0,
        crypto: 320.0,
        other: 3680.0,
    };
    assert_eq!(made_up().shares(), expected);
}

#[test]
fn the_gateway_object_has_the_keys_of_the_interface() {
    let object = report::object(&made_up());
    for key in ["transport", "journal"] {
        assert!(object[key].is_string(), "{key}");
    }
    let numbers = [
        "payments",
        "tps",
        "cpu_us_per_payment",
        "crypto_us_per_payment",
        "other_us_per_payment",
        "rss_mib",
        "fsync_us",
    ];
    for key in numbers {
        assert!(object[key].is_number(), "{key}");
    }
    assert_eq!(object["tps"], 5.0);
    assert_eq!(object["latency_ms"]["p50"], 2.0);
    for times in ["latency_ms", "inside_ms"] {
        assert_eq!(keys_of(&object[times]), ["mean", "p50", "p99", "p999"].into());
    }
    assert_eq!(object["latency_from"], "intended start");
    assert_eq!(object["processes_cpu_us_per_payment"]["rabbitmq"], 100.0);
    assert_eq!(object["memory"], Value::Null);
    assert!(report::page(&made_up()).contains("5 arrivals a second, evenly spaced"));
}

#[test]
fn memory_is_flat_or_not() {
    assert_eq!(flatness(&[50.0; 10]), None);
    assert_eq!(flatness(&[50.0; 40]), Some((true, 50.0, 50.0)));
    let rising: Vec<f64> = (0..100).map(|n| 50.0 + f64::from(n)).collect();
    assert!(!flatness(&rising).unwrap().0);
    // What is taken once at the start is no growth.
    let settled: Vec<f64> = (0..100).map(|n| if n < 20 { 20.0 + f64::from(n) } else { 50.0 }).collect();
    assert!(flatness(&settled).unwrap().0);
}

#[test]
fn times_inside_are_read_from_histograms_and_from_pages_alike() {
    let mut here = Inside::default();
    here.add(&histogram(&[1_000, 2_000, 3_000]));
    assert_eq!((here.count(), here.quantile_us(0.5)), (3, 2_000.0));
    assert!((here.mean_us() - 2_000.0).abs() < 1.0);
    let page = "hangu_inside_time_seconds_bucket{operation=\"debit\",le=\"0.001000\"} 1\n\
        hangu_inside_time_seconds_bucket{operation=\"debit\",le=\"0.002000\"} 3\n\
        hangu_inside_time_seconds_bucket{operation=\"debit\",le=\"+Inf\"} 4\n\
        hangu_inside_time_seconds_sum{operation=\"debit\"} 0.009\n\
        hangu_inside_time_seconds_bucket{operation=\"credit\",le=\"0.001000\"} 5\n\
        hangu_inside_time_seconds_bucket{operation=\"credit\",le=\"+Inf\"} 5\n";
    let mut there = Inside::default();
    there.add_page(page);
    assert_eq!(
        (there.count(), there.quantile_us(0.5), there.quantile_us(0.8)),
        (9, 500.0, 1_500.0)
    );
    assert!((there.mean_us() - 1_000.0).abs() < 1.0);
    let nothing = there.since(&there.clone());
    assert_eq!(nothing.count(), 0);
}

#[test]
fn options_are_read_as_they_are_meant() {
    assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
    assert_eq!(duration("6h"), Ok(Duration::from_hours(6)));
    for wrong in ["", "m", "0s", "-1", "1d", "9999h"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
    let endpoint = Endpoint::parse("--rabbitmq-url", "amqp", "amqp://u:p@host:5672/v").unwrap();
    assert_eq!(
        (&*endpoint.address, &*endpoint.user, &*endpoint.password, &*endpoint.name),
        ("host:5672", "u", "p", "v")
    );
    assert!(Endpoint::parse("--rabbitmq-url", "amqp", "http://u:p@host:1/").is_err());
}

#[test]
fn a_mix_is_spread_evenly() {
    let mix = Mix { debits: 3, credits: 1 };
    let credits: Vec<bool> = (0..8).map(|n| mix.is_credit(n)).collect();
    assert_eq!(credits, [false, false, false, true, false, false, false, true]);
}

#[test]
fn the_search_for_saturation_closes_in() {
    let next = |fails, held| super::gateway::next_rate(160, 10, fails, held);
    assert_eq!(next(None, None), Some(160));
    assert_eq!(next(None, Some(160)), Some(320));
    assert_eq!(next(Some(640), Some(320)), Some(480));
    assert_eq!(next(Some(500), Some(480)), None, "close enough");
    assert_eq!(
        (next(Some(20), None), next(Some(19), None)),
        (Some(10), None),
        "down to the lowest"
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (arguments, option) in [
        ("--gateways 2", "--gateways"),
        ("--gateways 2 --transport rabbitmq", "--gateways"),
        ("--rabbitmq-url amqp://a:b@c:1/", "--rabbitmq-url"),
        ("--postgres-url postgres://a:b@c:1/d", "--postgres-url"),
    ] {
        let failure = setting(arguments).check().unwrap_err();
        assert_eq!((failure.exit, &*failure.place), (Exit::Usage, option), "{arguments}");
    }
    assert!(
        setting("--gateways 2 --transport rabbitmq --journal postgres")
            .check()
            .is_ok()
    );
}

#[test]
fn every_operation_is_in_the_crypto_object() {
    let mut rows = super::crypto::sm2_rows(1).unwrap();
    rows.extend(super::crypto::symmetric_rows(1).unwrap());
    let object = super::crypto::object(&rows);
    let operations = object["operations"].as_array().unwrap();
    let names: Vec<_> = operations.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names[..4], ["sign", "verify", "wrap", "unwrap"]);
    assert_eq!(names.len(), 10);
    for row in operations {
        for key in ["engine_us", "reference_us", "ratio"] {
            assert!(row[key].as_f64().unwrap() > 0.0, "{row}");
        }
    }
}

#[test]
fn every_step_is_in_the_codec_object() {
    let object = super::codec::object(&super::codec::measured(2).unwrap());
    let operations = object["operations"].as_array().unwrap();
    let names: Vec<_> = operations.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, super::codec::STEPS);
    assert!(operations.iter().all(|row| row["us"].as_f64().unwrap() > 0.0), "{object}");
    assert_eq!(operations[4]["message"], "NPS.142.001.01");
    assert_eq!(operations[5]["message"], "NPS.143.001.01");
    let bytes = object["message_bytes"].as_u64().unwrap();
    assert!((1_500..4_096).contains(&bytes), "{bytes}");
    of_institutions(&object["institutions"]);
}

/// Every institution with a link of its own is there in each of its suites.
fn of_institutions(rows: &Value) {
    let specs = codecs::spec::Specs::embedded().unwrap();
    let institutions = specs.iter().filter(|spec| simulators::institution::direct::is_played(spec));
    let suites: Vec<_> = institutions.flat_map(codecs::spec::Spec::suites).collect();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), suites.len());
    for (row, spec) in rows.iter().zip(suites) {
        assert_eq!(
            (&row["codec"], &row["suite"]),
            (&spec.codec.as_str().into(), &spec.suite.as_str().into())
        );
        for figure in ["receive_us", "emit_us", "received_bytes", "sent_bytes"] {
            assert!(row[figure].as_f64().unwrap() > 0.0, "{row}");
        }
    }
}

/// The centre signs and seals each request, and the gateway each reply: one operation of each kind, in both loops. Institutions
/// beyond the usual ones and filled-up requests go through like any other.
#[test]
fn a_small_run_carries_every_payment() {
    for (arguments, pace) in [
        ("", Pace::Open(100)),
        ("--institutions 9 --message-bytes 9000 --mix 1:2", Pace::Closed(3)),
    ] {
        let course = Course {
            pace,
            warm_up: 6,
            measured: 18,
        };
        let seen = seen(&setting(arguments), course).unwrap();
        assert_eq!(
            (seen.leg.succeeded, seen.leg.latency_us.len(), seen.rejected),
            (18, 18, 0),
            "{arguments}"
        );
        // Some ends of the warm-up may be noted after it, and some of what follows before the look at the gateway.
        assert!((12..=24).contains(&seen.leg.inside.count()), "{arguments}");
        for counts in [&seen.debit, &seen.credit] {
            for name in ["sign", "verify", "wrap", "unwrap"] {
                let found = counts.iter().filter(|(operation, _)| operation.name() == name);
                assert_eq!(found.map(|(_, count)| count).sum::<u32>(), 1, "{arguments} {name}");
            }
            assert!(
                counts
                    .keys()
                    .any(|operation| matches!(operation, Operation::Sm4Seal(bytes) if *bytes > 1_000))
            );
            assert!(counts.keys().all(|operation| seen.costs[operation] > 0.0));
        }
    }
}

fn setting(arguments: &str) -> Setting {
    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        setting: Setting,
    }
    Options::parse_from(["bench"].into_iter().chain(arguments.split_ascii_whitespace())).setting
}

fn made_up() -> Seen {
    let memory = Memory {
        rss_mib: 40.0,
        peak_mib: 50.0,
    };
    let mut inside = Inside::default();
    inside.add(&histogram(&[500, 600]));
    let cpu_us = [("gateway-1", 30_000), ("gateway-2", 10_000), ("rabbitmq", 1_000)];
    Seen {
        setting: setting("--mix 8:2"),
        leg: Leg {
            course: Course {
                pace: Pace::Open(5),
                warm_up: 1,
                measured: 10,
            },
            succeeded: 10,
            between: 10,
            took: Duration::from_secs(2),
            latency_us: histogram(&[1000, 2000, 3000]),
            lag_max: Duration::ZERO,
            inside,
            cpu_us: cpu_us.map(|(name, us)| (name.to_owned(), us)).into(),
            memory: BTreeMap::from([("gateway-1".to_owned(), memory)]),
            samples_mib: Vec::new(),
        },
        steps: Vec::new(),
        rejected: 0,
        fsync: Cost {
            median_us: 700.0,
            best_us: 500.0,
        },
        load_average: 0.5,
        debit: Counts::from([(Operation::Sign(9), 1), (Operation::Verify(9), 1)]),
        credit: Counts::new(),
        costs: BTreeMap::from([(Operation::Sign(9), 150.0), (Operation::Verify(9), 250.0)]),
    }
}

fn histogram(times_us: &[u64]) -> Histogram<u64> {
    // Four digits, so that small figures come out as they went in.
    let mut histogram = Histogram::new_with_bounds(1, 10_000_000, 4).unwrap();
    for us in times_us {
        histogram.record(*us).unwrap();
    }
    histogram
}

fn keys_of(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
