//! One HTML file that needs nothing else: the results, their latencies, and of each scenario its steps, checks and messages.

use super::super::Verdict;
use super::{Language, lanes, latency, reasons, seconds, text};
use crate::page::{escaped, page};

pub fn html(verdicts: &[Verdict], language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let passed = verdicts.iter().filter(|verdict| verdict.passed).count();
    let seed = verdicts.first().map_or(0, |verdict| verdict.seed);
    let mut body = format!(
        "<p class=\"sum\"><b class=\"good\">{passed}</b> {} &nbsp; <b class=\"{}\">{}</b> {} &nbsp; {} {seed}</p>\n",
        t("passed"),
        if passed == verdicts.len() { "good" } else { "bad" },
        verdicts.len() - passed,
        t("failed"),
        t("seed"),
    );
    body.push_str(&latency::of_all(verdicts, language));
    body.push_str(&format!(
        "<h2>{}</h2>\n<label><input type=\"checkbox\" id=\"only\"> {}</label>\n<main>\n",
        t("scenarios"),
        t("failed_only")
    ));
    for verdict in verdicts {
        body.push_str(&section(verdict, language));
    }
    body.push_str("</main>\n");
    page(t("title"), &body, language)
}

/// One scenario, folded unless it failed.
fn section(verdict: &Verdict, language: Language) -> String {
    let (class, result, open) = if verdict.passed {
        ("good", "passed", "")
    } else {
        ("bad", "failed", " open")
    };
    let about = match language {
        Language::Zh => &verdict.about_zh,
        Language::En => &verdict.about_en,
    };
    let mut html = format!(
        "<details class=\"{class}\"{open}>\n<summary><b>{}</b> <code>{}</code> <span>{} / {}</span> <span>{} {}</span><br>{}</summary>\n",
        text(result, language),
        escaped(&verdict.name),
        escaped(&verdict.institution),
        escaped(&verdict.operation),
        seconds(verdict.took_ms),
        text("took", language),
        escaped(about)
    );
    if !verdict.passed {
        let lines = escaped(&reasons(verdict, language).join("\n"));
        html.push_str(&format!(
            "<h3>{}</h3>\n<pre class=\"why\">{lines}</pre>\n",
            text("why", language)
        ));
    }
    html.push_str(&steps(verdict, language));
    html.push_str(&checks(verdict, language));
    html.push_str(&latency::of_one(verdict, language));
    html.push_str(&lanes::timeline(&verdict.timeline, language));
    let again = format!("hangu sim run {} --seed {}", escaped(&verdict.source), verdict.seed);
    html.push_str(&format!(
        "<p>{}: <code>{again}</code></p>\n</details>\n",
        text("again", language)
    ));
    html
}

fn steps(verdict: &Verdict, language: Language) -> String {
    let mut html = format!("<h3>{}</h3>\n<ol>\n", text("steps", language));
    for step in &verdict.steps {
        let class = if step.ok { "good" } else { "bad" };
        let place = format!("{} {}, {} s", text("line", language), step.line, seconds(step.at_ms));
        html.push_str(&format!(
            "<li class=\"{class}\">{} <small>{place}</small></li>\n",
            escaped(&step.text)
        ));
    }
    html.push_str("</ol>\n");
    html
}

fn checks(verdict: &Verdict, language: Language) -> String {
    if verdict.checks.is_empty() {
        return String::new();
    }
    let mut html = format!("<h3>{}</h3>\n<ul>\n", text("checks", language));
    for check in &verdict.checks {
        let class = if check.ok { "good" } else { "bad" };
        let name = text(check.name, language);
        html.push_str(&format!("<li class=\"{class}\">{name}: {}</li>\n", escaped(&check.detail)));
    }
    html.push_str("</ul>\n");
    html
}
