//! The form of a Rust file: lengths, characters, nothing unfinished, no test that does not run.

use super::layers::ban;
use super::text::{body, closing, line, words};
use super::tree::{Tree, rust, written};
use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, LINE_CHARS_MAX, LITERAL_CHARS_MAX, LONG_FILES, Report};

pub(super) fn function_lines(tree: &Tree, report: Report<'_>) {
    for (path, code) in rust(tree) {
        for at in words(code, "fn ") {
            let Some(body) = body(code, at) else { continue };
            let lines = line(code, closing(code, body)) - line(code, at) + 1;
            if lines > FUNCTION_LINES_MAX {
                report(
                    path,
                    line(code, at),
                    &format!("a function of {lines} lines, the limit is {FUNCTION_LINES_MAX}"),
                );
            }
        }
    }
}

pub(super) fn line_chars(tree: &Tree, report: Report<'_>) {
    each_line(tree, report, |text| {
        let chars = text.chars().count();
        // rustfmt cannot break a literal: help texts and SQL may run on.
        let max = if text.contains('"') {
            LITERAL_CHARS_MAX
        } else {
            LINE_CHARS_MAX
        };
        (chars > max).then(|| format!("{chars} characters, the limit is {max}"))
    });
}

pub(super) fn ascii(tree: &Tree, report: Report<'_>) {
    each_line(tree, report, |text| {
        let foreign = text.chars().find(|c| !c.is_ascii())?;
        Some(format!("holds U+{:04X}", u32::from(foreign)))
    });
}

fn each_line(tree: &Tree, report: Report<'_>, check: fn(&str) -> Option<String>) {
    for (path, _) in rust(tree) {
        for (index, text) in tree[path].text.lines().enumerate() {
            if let Some(what) = check(text) {
                report(path, index + 1, &what);
            }
        }
    }
}

pub(super) fn file_lines(tree: &Tree, report: Report<'_>) {
    for (path, code) in rust(tree).filter(|(path, _)| !LONG_FILES.contains(path)) {
        let lines = code.lines().count();
        if lines > FILE_LINES_MAX {
            report(path, lines, &format!("{lines} lines, the limit is {FILE_LINES_MAX}"));
        }
    }
}

pub(super) fn leftover(tree: &Tree, report: Report<'_>) {
    ban(tree, |_| true, &["todo!", "unimplemented!", "dbg!"], report);
    for (path, text) in written(tree) {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
            words(text, word).for_each(|at| report(path, line(text, at), &format!("says {word}")));
        }
    }
}

pub(super) fn skipped_test(tree: &Tree, report: Report<'_>) {
    for (path, code) in rust(tree) {
        for (at, _) in code.match_indices("#[") {
            let attribute = code[at..].split(']').next().unwrap();
            if ["ignore", "should_panic"]
                .iter()
                .any(|word| words(attribute, word).next().is_some())
            {
                report(path, line(code, at), "does not run, or passes by a panic");
            }
        }
    }
}
