//! Charts as inline SVG. Colours are classes of the page's style, so that they hold in its dark dress too.

mod axis; // from values to places, with ticks of 1, 2 and 5
mod bars; // how often each latency was
mod lines; // values over the time of a run
mod spans; // requests one below the other, from their sending to their answer

#[cfg(test)]
mod tests;

pub use bars::histogram;
pub use lines::{Series, lines};
pub use spans::{Span, spans};

use super::escaped;

/// What the axes of a chart are called.
#[derive(Clone, Copy)]
pub struct Axes<'a> {
    pub across: &'a str,
    pub up: &'a str,
}

/// The rectangle that values are drawn in, inside of the whole picture.
#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    const fn plain() -> Self {
        Self {
            left: 62.0,
            right: WIDTH - 16.0,
            top: 34.0,
            bottom: HEIGHT - 36.0,
        }
    }

    fn x(self, part: f64) -> f64 {
        self.left + part * (self.right - self.left)
    }

    fn y(self, part: f64) -> f64 {
        self.bottom - part * (self.bottom - self.top)
    }

    /// The grid, the numbers beside it and what they count.
    fn grid(self, across: axis::Scale, up: axis::Scale, axes: Axes<'_>) -> String {
        let mut svg = String::new();
        for tick in up.ticks() {
            let y = self.y(up.part(tick));
            svg.push_str(&line("grid", (self.left, y), (self.right, y)));
            svg.push_str(&text("end", self.left - 6.0, y + 4.0, &axis::short(tick)));
        }
        for tick in across.ticks() {
            let x = self.x(across.part(tick));
            svg.push_str(&line("grid", (x, self.bottom), (x, self.bottom + 4.0)));
            svg.push_str(&text("middle", x, self.bottom + 17.0, &axis::short(tick)));
        }
        svg.push_str(&line("axis", (self.left, self.bottom), (self.right, self.bottom)));
        svg.push_str(&text("end", self.right, HEIGHT - 4.0, axes.across));
        svg.push_str(&text("start", 4.0, 12.0, axes.up));
        svg
    }
}

/// The picture with all that is in it; `label` is what a reader without eyes for it gets.
fn picture(height: f64, label: &str, inner: &str) -> String {
    let label = escaped(label);
    format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n{inner}</svg>\n")
}

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn text(anchor: &str, x: f64, y: f64, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
        escaped(text)
    )
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 240.0;
