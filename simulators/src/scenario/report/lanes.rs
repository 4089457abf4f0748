//! Who sent what when: a lane for each party, the gateway's beside the centre's, and an arrow for each message.

use super::super::Shown;
use super::{Language, seconds, text};
use crate::page::escaped;

pub(super) fn timeline(messages: &[Shown], language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let lanes = lanes(messages);
    let mut names = String::new();
    for name in &lanes {
        names.push_str(&format!("<i>{}</i>", escaped(text(name, language))));
    }
    let mut html = format!(
        "<h3>{}</h3>\n<table class=\"timeline\" style=\"--lanes:{}\">\n<tr><th>{}</th><th class=\"lanes\">{names}</th><th>{}</th></tr>\n",
        t("timeline"),
        lanes.len(),
        t("time"),
        t("message")
    );
    for shown in messages {
        html.push_str(&row(shown, &lanes, language));
    }
    html.push_str("</table>\n");
    html
}

/// The centre at the left of the gateway, everybody else at its right.
fn lanes(messages: &[Shown]) -> Vec<&str> {
    let rank = |name: &str| match name {
        CENTRE => 0,
        GATEWAY => 1,
        _ => 2,
    };
    let mut lanes: Vec<&str> = messages.iter().flat_map(ends).collect();
    lanes.sort_by_key(|name| (rank(name), *name));
    lanes.dedup();
    lanes
}

fn row(shown: &Shown, lanes: &[&str], language: Language) -> String {
    let mut what = format!("<b>{}</b>", escaped(&shown.what));
    for part in [&shown.outcome, &shown.remark].into_iter().filter(|part| !part.is_empty()) {
        what.push_str(&format!(", {}", escaped(part)));
    }
    let fields: Vec<String> = shown
        .fields
        .iter()
        .map(|(name, value)| format!("{} = {}", escaped(name), escaped(value)))
        .collect();
    if !fields.is_empty() {
        let (title, fields) = (text("fields", language), fields.join("\n"));
        what.push_str(&format!(
            "<details><summary>{title}, {} B</summary><pre>{fields}</pre></details>",
            shown.bytes
        ));
    }
    let tone = if shown.remark.is_empty() { "arrow" } else { "arrow odd" };
    format!(
        "<tr><td>{}</td><td class=\"lanes\">{}</td><td class=\"what\">{what}</td></tr>\n",
        seconds(shown.at_ms),
        arrow(shown, lanes, tone)
    )
}

fn ends(shown: &Shown) -> [&str; 2] {
    [AsRef::<str>::as_ref(&shown.from), AsRef::<str>::as_ref(&shown.to)]
}

/// From the middle of one lane to that of another.
fn arrow(shown: &Shown, lanes: &[&str], class: &str) -> String {
    let [from, to] = ends(shown);
    let middle = |party: &str| {
        let place = lanes.iter().position(|lane| *lane == party).unwrap_or_default();
        place as f64 * LANE + LANE / 2.0
    };
    let (from, to) = (middle(from), middle(to));
    let back = if from < to { -7.0 } else { 7.0 };
    let width = lanes.len() as f64 * LANE;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} 18\" width=\"{width}\" height=\"18\"><line x1=\"{from}\" y1=\"9\" x2=\"{}\" y2=\"9\"/>\
         <path d=\"M{to} 9l{back} -4v8z\"/><circle cx=\"{from}\" cy=\"9\" r=\"3\"/></svg>",
        to + back
    )
}

/// The width of a lane; the style sheet says the same.
const LANE: f64 = 84.0;
const CENTRE: &str = "centre";
const GATEWAY: &str = "gateway";
