//! A case that failed, explained: what was expected and what came, who sent what when, and how to look into each message.

use simulators::scenario::tape::Event;
use simulators::scenario::{Shown, Verdict, report};

/// In English and Chinese, as everything else that both sides of a table read.
pub(super) fn explained(verdict: &Verdict, events: &[Event]) -> String {
    let mut text = report::line(verdict);
    for language in [report::Language::En, report::Language::Zh] {
        let about = match language {
            report::Language::En => &verdict.about_en,
            report::Language::Zh => &verdict.about_zh,
        };
        text.push_str(&format!("\n{about}\n"));
        for reason in report::reasons(verdict, language) {
            text.push_str(&format!("  {reason}\n"));
        }
    }
    text.push_str("\nhangu message explain -l LINK FILE\n");
    for (place, event) in events.iter().enumerate().filter(|(_, event)| !event.seen.body.is_empty()) {
        let refused = Some(&event.seen.remark).filter(|remark| !remark.is_empty());
        let refused = refused.map(|remark| format!("  {remark}")).unwrap_or_default();
        text.push_str(&format!("  -l {:<12} {}{refused}\n", codec(event), file(place, event)));
    }
    text
}

/// Numbered as they came, and named after their ends.
pub(super) fn file(place: usize, event: &Event) -> String {
    let shown = Shown::of(event);
    format!("{:03}-{}-{}.msg", place + 1, shown.from, shown.to)
}

/// A party speaks the codec of its name; the centre that of its network.
fn codec(event: &Event) -> &str {
    let party = AsRef::<str>::as_ref(&event.seen.party);
    if party == "centre" { "nps" } else { party }
}
