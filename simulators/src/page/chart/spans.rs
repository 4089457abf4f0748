//! Requests one below the other: when each was sent, when it was first answered, when for good.

use super::axis::{Scale, short};
use super::{Frame, WIDTH, escaped, line, picture, text};

/// One request and its answers, in microseconds of the run.
pub struct Span<'a> {
    pub name: &'a str,
    /// What stands behind the bar: how long it took, and how it ended.
    pub told: String,
    /// The gateway asked, and was not asked.
    pub is_inner: bool,
    pub is_good: bool,
    pub sent_us: u64,
    pub first_us: Option<u64>,
    pub last_us: Option<u64>,
}

/// All of them on one axis of `length_us`. Of very many the first ones are drawn, and `rest` says how many more there are.
pub fn spans(spans: &[Span<'_>], length_us: u64, across: &str, rest: impl Fn(usize) -> String) -> String {
    if spans.is_empty() {
        return String::new();
    }
    let (shown, over) = (spans.len().min(SHOWN_MAX), spans.len().saturating_sub(SHOWN_MAX));
    let rows = f64::from(u32::try_from(shown).unwrap_or(u32::MAX));
    let height = rows * ROW + 46.0;
    let frame = Frame {
        left: 300.0,
        right: WIDTH - 190.0,
        top: 6.0,
        bottom: height - 34.0,
    };
    let scale = Scale::until(length_us as f64 / 1000.0);
    let mut svg = String::new();
    for tick in scale.ticks() {
        let x = frame.x(scale.part(tick));
        svg.push_str(&line("grid", (x, frame.top), (x, frame.bottom)));
        svg.push_str(&text("middle", x, frame.bottom + 15.0, &short(tick)));
    }
    for (number, span) in (0_u32..).zip(spans.iter().take(shown)) {
        svg.push_str(&row(span, frame.top + f64::from(number) * ROW, frame, scale));
    }
    svg.push_str(&line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom)));
    svg.push_str(&text("end", frame.right, height - 4.0, across));
    if over > 0 {
        svg.push_str(&text("start", 4.0, height - 4.0, &rest(over)));
    }
    picture(height, across, &svg)
}

fn row(span: &Span<'_>, y: f64, frame: Frame, scale: Scale) -> String {
    let x = |us: u64| frame.x(scale.part(us as f64 / 1000.0));
    let (from, tone) = (x(span.sent_us), if span.is_inner { "inner" } else { "outer" });
    let mut svg = text("end", frame.left - 8.0, y + 13.0, span.name);
    let mut bar = |class: &str, from: f64, to: f64| {
        svg.push_str(&format!(
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>\n",
            y + 3.0,
            (to - from).max(2.0),
            ROW - 6.0,
            escaped(&span.told)
        ));
    };
    match (span.first_us, span.last_us) {
        (Some(first), Some(last)) if first < last => {
            bar(tone, from, x(first));
            bar(&format!("{tone} waits"), x(first), x(last));
        }
        (_, Some(last)) => bar(tone, from, x(last)),
        (Some(first), None) => {
            bar(tone, from, x(first));
            bar("open", x(first), frame.right);
        }
        (None, None) => bar("open", from, frame.right),
    }
    let end = span.last_us.map_or(frame.right, x).max(from + 2.0);
    let class = if span.is_good { "told" } else { "told bad" };
    svg.push_str(&format!(
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
        end + 6.0,
        y + 13.0,
        escaped(&span.told)
    ));
    svg
}

const ROW: f64 = 19.0;
const SHOWN_MAX: usize = 80;
