//! A histogram of latencies: bars as wide as their logarithm, and marks at the percentiles that people ask for.

use super::axis::Scale;
use super::{Axes, Frame, HEIGHT, escaped, line, picture, text};
use hdrhistogram::Histogram;

/// Of microseconds, drawn in milliseconds; nothing of an empty one.
pub fn histogram(latency_us: &Histogram<u64>, axes: Axes<'_>) -> String {
    if latency_us.is_empty() {
        return String::new();
    }
    let across = Scale::log(ms(latency_us.min()), ms(latency_us.max()));
    let counts = counts(latency_us, across);
    let highest = counts.iter().copied().max().unwrap_or(1);
    let (frame, up) = (Frame::plain(), Scale::linear(highest.max(COUNT_MIN) as f64));
    let mut svg = frame.grid(across, up, axes);
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let [from, to] = [place, place + 1].map(|place| place as f64 / BARS as f64);
        let (x, y) = (frame.x(from), frame.y(up.part(*count as f64)));
        let (width, height) = (frame.x(to) - x - 1.0, (frame.bottom - y).max(1.5));
        let told = format!("{:.2} - {:.2} ms: {count}", across.value(from), across.value(to));
        svg.push_str(&format!(
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{}</title></rect>\n",
            frame.bottom - height,
            escaped(&told)
        ));
    }
    svg.push_str(&marks(latency_us, across, frame));
    picture(HEIGHT, axes.across, &svg)
}

/// How many latencies fall into each bar.
fn counts(latency_us: &Histogram<u64>, across: Scale) -> Vec<u64> {
    let mut counts = vec![0; BARS];
    let ends: Vec<f64> = (1..=BARS).map(|bar| across.value(bar as f64 / BARS as f64)).collect();
    for step in latency_us.iter_recorded() {
        let value = ms(step.value_iterated_to());
        let place = ends.partition_point(|end| *end <= value).min(BARS - 1);
        if let Some(count) = counts.get_mut(place) {
            *count += step.count_at_value();
        }
    }
    counts
}

/// A line at each percentile, its text at a height of its own so that neighbours stay apart.
fn marks(latency_us: &Histogram<u64>, across: Scale, frame: Frame) -> String {
    let mut svg = String::new();
    for (row, (name, quantile)) in (0_u32..).zip(MARKS) {
        let value = ms(latency_us.value_at_quantile(quantile));
        let (x, y) = (frame.x(across.part(value)), frame.top - 22.0 + f64::from(row) * 14.0);
        svg.push_str(&line("mark", (x, y + 2.0), (x, frame.bottom)));
        let anchor = if x > frame.x(0.8) { ("end", -4.0) } else { ("start", 4.0) };
        svg.push_str(&text(anchor.0, x + anchor.1, y + 8.0, &format!("{name} {value:.1} ms")));
    }
    svg
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

const BARS: usize = 60;
/// So that no tick stands at a part of a request.
const COUNT_MIN: u64 = 5;
const MARKS: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];
