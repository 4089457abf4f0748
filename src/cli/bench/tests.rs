//! What the benches print, on figures made for it, and that each of them runs. No time that was measured is judged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::crypto::Sm2;
use super::measure::{Call, Cost, cost, measure};
use super::process::{self, Cpu, stat_us, status_mib};
use super::report::{self, Seen, Shares};
use crate::cli::output::{Exit, Failure};
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
fn the_shares_of_a_payment_add_up() {
    let seen = seen();
    let expected = Shares {
        whole: 1000.0,
        simulators: 300.0,
        crypto: 400.0,
        other: 300.0,
    };
    assert_eq!(seen.shares(), expected);
}

#[test]
fn the_gateway_object_has_the_keys_of_the_interface() {
    let object = report::object(&seen());
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
    assert_eq!(keys_of(&object["latency_ms"]), ["mean", "p50", "p99", "p999"].into());
    assert_eq!(object["sm2_per_payment"]["verify"], 1);
    // The centre signs what we verify, and verifies what we sign.
    assert_eq!(object["simulators_crypto_us_per_payment"], 400.0);
    assert!(report::page(&seen()).contains("gateway: 1 sign, 1 verify"));
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
}

/// The centre signs and seals a debit, and the gateway its reply: one operation of each kind.
#[test]
fn a_small_run_carries_every_payment() {
    let seen = super::gateway::seen(12, 3, None).unwrap();
    assert_eq!((seen.succeeded, seen.inside_us.len()), (12, 12));
    assert_eq!(seen.sm2_count, Sm2::ALL.map(|operation| (operation, 1)).into());
}

fn seen() -> Seen {
    Seen {
        payments: 10,
        concurrency: 2,
        succeeded: 10,
        took: Duration::from_secs(2),
        inside_us: histogram(&[1000, 2000, 3000]),
        answered_us: histogram(&[5000]),
        cpu: Cpu {
            process_us: 10_000,
            named_us: 3_000,
        },
        memory_mib: (40.0, 50.0),
        fsync: Cost {
            median_us: 700.0,
            best_us: 500.0,
        },
        sm2_us: BTreeMap::from([(Sm2::Sign, 150.0), (Sm2::Verify, 250.0)]),
        sm2_count: BTreeMap::from([(Sm2::Sign, 1), (Sm2::Verify, 1)]),
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
