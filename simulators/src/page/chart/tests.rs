#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::axis::{Scale, short};
use super::{Axes, Series, Span, histogram, lines, spans};
use hdrhistogram::Histogram;

const AXES: Axes<'_> = Axes {
    across: "across",
    up: "up & on",
};

#[test]
fn ticks_are_round_and_hold_what_is_drawn() {
    let check = |scale: Scale, expected: &[&str]| {
        let ticks: Vec<String> = scale.ticks().into_iter().map(short).collect();
        assert_eq!(ticks, expected);
    };
    check(Scale::linear(7.0), &["0", "2", "4", "6", "8"]);
    check(Scale::linear(0.0), &["0", "0.001", "0.002", "0.003", "0.004", "0.005"]);
    check(Scale::until(7.0), &["0", "2", "4", "6"]);
    check(Scale::log(0.7, 12.0), &["0.5", "1", "2", "5", "10", "20"]);
    check(Scale::log(0.2, 2e6), &["1", "10", "100", "1000", "10k", "100k", "1000k"]);
    for value in [0.7, 3.0, 12.0] {
        let scale = Scale::log(0.7, 12.0);
        assert!((scale.value(scale.part(value)) - value).abs() < 1e-9);
    }
    assert_eq!((Scale::linear(8.0).part(9.0), Scale::log(1.0, 9.0).part(0.1)), (1.0, 0.0));
}

#[test]
fn bars_hold_every_latency_and_marks_stand_at_percentiles() {
    let mut latency = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
    assert_eq!(histogram(&latency, AXES), "");
    for n in 1..=1_000_u64 {
        latency.record(n * 100).unwrap();
    }
    let svg = histogram(&latency, AXES);
    let counts = svg
        .split(" ms: ")
        .skip(1)
        .filter_map(|rest| rest.split('<').next()?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), 1_000);
    assert!(svg.contains(">p50 50.0 ms<") && svg.contains(">p99 99.0 ms<"), "{svg}");
    assert!(svg.contains("up &amp; on"));
}

#[test]
fn a_line_needs_two_moments_and_ends_at_the_right() {
    let series = |points: &[(f64, f64)]| Series {
        name: "<one>",
        tone: 0,
        points: points.to_vec(),
    };
    assert_eq!(lines(&[series(&[(1.0, 1.0)])], false, AXES), "");
    let svg = lines(&[series(&[(0.0, 0.0), (10.0, 4.0)])], false, AXES);
    assert!(svg.contains("points=\"62.0,204.0 944.0,34.0\""), "{svg}");
    assert!(svg.contains("&lt;one&gt;"));
}

#[test]
fn a_span_without_an_answer_is_open_and_one_that_waited_has_two_parts() {
    let span = |first_us, last_us| Span {
        name: "debit",
        told: "told".to_owned(),
        is_inner: false,
        is_good: true,
        sent_us: 1_000,
        first_us,
        last_us,
    };
    let rest = |count: usize| format!("and {count} more");
    let drawn = |first, last| spans(&[span(first, last)], 10_000, "ms", rest);
    assert_eq!(drawn(None, None).matches("\"open\"").count(), 1);
    assert_eq!(drawn(Some(2_000), Some(4_000)).matches("waits").count(), 1);
    assert_eq!(drawn(Some(4_000), Some(4_000)).matches("<rect").count(), 1);
    let many: Vec<Span<'_>> = (0..100).map(|_| span(Some(2_000), Some(2_000))).collect();
    assert!(spans(&many, 10_000, "ms", rest).contains("and 20 more"));
    assert_eq!(spans(&[], 10_000, "ms", rest), "");
}
