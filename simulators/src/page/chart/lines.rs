//! Values over the time of a run, one line for each.

use super::axis::Scale;
use super::{Axes, Frame, HEIGHT, line, picture, text};

/// One line: its name, which of the page's colours it has, and its values at their seconds.
pub struct Series<'a> {
    pub name: &'a str,
    pub tone: usize,
    pub points: Vec<(f64, f64)>,
}

/// Lines that share both axes; `is_log` spreads what is small. Nothing without two moments.
pub fn lines(series: &[Series<'_>], is_log: bool, axes: Axes<'_>) -> String {
    let points = || series.iter().flat_map(|one| &one.points);
    let last = points().map(|(second, _)| *second).fold(0.0, f64::max);
    if series.iter().all(|one| one.points.len() < 2) {
        return String::new();
    }
    let values = || points().map(|(_, value)| *value);
    let highest = values().fold(0.0, f64::max);
    let up = if is_log {
        let lowest = values().filter(|value| *value > 0.0).fold(highest, f64::min);
        Scale::log(lowest, highest)
    } else {
        Scale::linear(highest)
    };
    let (frame, across) = (Frame::plain(), Scale::until(last));
    let mut svg = frame.grid(across, up, axes);
    let mut x = frame.left + 150.0;
    for one in series {
        let class = format!("series s{}", one.tone % TONES);
        svg.push_str(&path(one, &class, |(second, value)| {
            (frame.x(across.part(second)), frame.y(up.part(value)))
        }));
        svg.push_str(&line(&class, (x, 8.0), (x + 18.0, 8.0)));
        svg.push_str(&text("start", x + 23.0, 12.0, one.name));
        x += 55.0 + 8.0 * one.name.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.8 }).sum::<f64>();
    }
    picture(HEIGHT, axes.up, &svg)
}

fn path(one: &Series<'_>, class: &str, place: impl Fn((f64, f64)) -> (f64, f64)) -> String {
    let points: Vec<String> = one
        .points
        .iter()
        .map(|point| place(*point))
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" "))
}

const TONES: usize = 6;
