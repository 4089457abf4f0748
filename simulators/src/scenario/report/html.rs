//! One HTML file that needs nothing else: the results, and of each scenario its steps, checks and timeline.

use super::super::{Shown, Verdict};
use super::{Language, escaped, reasons, seconds, text};

pub fn html(verdicts: &[Verdict], language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let passed = verdicts.iter().filter(|verdict| verdict.passed).count();
    let lang = match language {
        Language::Zh => "zh-CN",
        Language::En => "en",
    };
    let seed = verdicts.first().map_or(0, |verdict| verdict.seed);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p class=\"sum\"><b class=\"good\">{passed}</b> {} &nbsp; <b class=\"{}\">{}</b> {} &nbsp; {} {seed}</p>\n\
         <label><input type=\"checkbox\" id=\"only\"> {}</label>\n",
        t("passed"),
        if passed == verdicts.len() { "good" } else { "bad" },
        verdicts.len() - passed,
        t("failed"),
        t("seed"),
        t("failed_only"),
        title = t("title"),
    );
    page.push_str("<main>\n");
    for verdict in verdicts {
        page.push_str(&section(verdict, language));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
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
    html.push_str(&timeline(&verdict.timeline, language));
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

/// Three lanes: the centre at the left, the gateway in the middle, the platform at the right; an arrow shows who sent.
fn timeline(messages: &[Shown], language: Language) -> String {
    let t = |key: &'static str| text(key, language);
    let mut html = format!(
        "<h3>{}</h3>\n<table>\n<tr><th>{}</th><th>{}</th><th></th><th>{}</th><th></th><th>{}</th><th>{}</th></tr>\n",
        t("timeline"),
        t("time"),
        t("centre"),
        t("gateway"),
        t("platform"),
        t("message")
    );
    for shown in messages {
        html.push_str(&row(shown, language));
    }
    html.push_str("</table>\n");
    html
}

fn row(shown: &Shown, language: Language) -> String {
    let (is_left, leaves) = (shown.from == "centre" || shown.to == "centre", shown.to == "gateway");
    let arrow = if is_left == leaves { "&rarr;" } else { "&larr;" };
    let lanes = if is_left {
        format!("<td>&#9679;</td><td>{arrow}</td><td>&#9679;</td><td></td><td></td>")
    } else {
        format!("<td></td><td></td><td>&#9679;</td><td>{arrow}</td><td>&#9679;</td>")
    };
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
    format!(
        "<tr><td>{}</td>{lanes}<td class=\"what\">{what}</td></tr>\n",
        seconds(shown.at_ms)
    )
}

const STYLE: &str = include_str!("style.css");
