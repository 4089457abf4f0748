#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[test]
fn every_text_stands_in_both_languages() {
    let texts: Texts = toml::from_str(SOURCE).unwrap();
    assert!(texts.text.len() > 50);
    for (key, text) in &texts.text {
        check(key, &text.en, &text.zh);
    }
    for row in &texts.config {
        check(&row.key, &row.en, &row.zh);
    }
}

fn check(key: &str, en: &str, zh: &str) {
    assert!(!en.is_empty() && en.is_ascii(), "{key}: {en}");
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    assert!(zh.chars().any(is_chinese), "{key}: {zh}");
}

#[test]
fn every_key_used_exists_and_none_is_left_over() {
    let known: BTreeSet<_> = toml::from_str::<Texts>(SOURCE).unwrap().text.into_keys().collect();
    let prefixes: BTreeSet<_> = known.iter().map(|key| key.split('.').next().unwrap().to_owned()).collect();
    // A table of hangu.toml looks like a key of a text.
    let is_table = |literal: &str| config_keys().iter().any(|row| row.key.starts_with(&format!("{literal}.")));
    let mut used = BTreeSet::new();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")) {
        let source = std::fs::read_to_string(&file)
            .unwrap()
            .replace("\\\"", "")
            .replace("'\"'", "");
        for literal in source
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|literal| is_key(literal, &prefixes) && !is_table(literal))
        {
            assert!(known.contains(literal), "{}: no text is named {literal}", file.display());
            used.insert(literal.to_owned());
        }
    }
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unused.is_empty(), "no source uses {unused:?}");
}

/// The files that use texts: those that name this module, and those that make checks or pages of rows, whose names are texts.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            if ["texts::", "Check::", "words::"].iter().any(|module| source.contains(module)) {
                found.push(path);
            }
        }
    }
    found
}

/// Whether a literal looks like `check.key.sign`: a known first word, then words of letters.
fn is_key(literal: &str, prefixes: &BTreeSet<String>) -> bool {
    let mut words = literal.split('.');
    let first = words.next().is_some_and(|word| prefixes.contains(word));
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    first && literal.contains('.') && words.all(is_word)
}
