//! The documents of the W3C's XML suite, as data: the strict layer refuses every malformed one and everything with a DOCTYPE,
//! and of the valid ones only what our rules name.

use codecs::fuzz::strict_xml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_strict_layer_refuses_every_malformed_document_and_every_doctype() {
    let (mut malformed, mut with_doctype, mut valid) = (0, 0, 0);
    let mut ours: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases() {
        let body = std::fs::read(&case.file).unwrap();
        let verdict = strict_xml(&body);
        let place = case.file.display();
        if holds(&body, "<!DOCTYPE") {
            with_doctype += 1;
            assert!(verdict.is_err(), "a DOCTYPE was accepted: {place}");
        } else if case.kind == "not-wf" {
            malformed += 1;
            assert!(verdict.is_err(), "a malformed document was accepted: {place}");
        } else if case.kind == "valid" || case.kind == "invalid" {
            match verdict {
                Ok(()) => valid += 1,
                Err(error) => *ours.entry(error.rule).or_default() += 1,
            }
        }
    }
    assert!(
        malformed >= 101 && with_doctype >= 1_600,
        "{malformed} and {with_doctype}: the suite is not whole"
    );
    let more_than_xml_asks = [
        "encoding.bom",
        "encoding.control",
        "encoding.utf8",
        "xml.attribute",
        "xml.cdata",
        "xml.character_reference",
        "xml.comment",
        "xml.declaration",
        "xml.instruction",
        "xml.name",
        "xml.version",
        "xml.prefix",
    ];
    let foreign: Vec<_> = ours.keys().filter(|rule| !more_than_xml_asks.contains(rule)).collect();
    assert!(
        foreign.is_empty() && valid >= 30,
        "{valid} accepted, refused without need: {foreign:?}"
    );
}

struct Case {
    kind: String,
    file: PathBuf,
}

/// Every entry of every catalogue. A catalogue names files beside itself.
fn cases() -> Vec<Case> {
    let mut catalogues = Vec::new();
    find(&suite(), &mut catalogues);
    let cases: Vec<Case> = catalogues.iter().flat_map(|catalogue| entries(catalogue)).collect();
    assert!(cases.len() > 2_000, "{} documents", cases.len());
    cases
}

fn entries(catalogue: &Path) -> Vec<Case> {
    let Ok(text) = std::fs::read_to_string(catalogue) else {
        return Vec::new();
    };
    let folder = catalogue.parent().unwrap();
    let tests = text
        .split("<TEST")
        .skip(1)
        .filter(|test| test.starts_with(char::is_whitespace));
    let case = |test: &str| Case {
        kind: attribute(test, "TYPE"),
        file: folder.join(attribute(test, "URI")),
    };
    tests.map(case).filter(|case| case.file.is_file()).collect()
}

/// The value of an attribute; either quote may stand around it.
fn attribute(test: &str, name: &str) -> String {
    let (_, rest) = test.split_once(&format!("{name}=")).unwrap();
    let quote = rest.chars().next().unwrap();
    rest[1..].split(quote).next().unwrap().to_owned()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|end| end == "xml") && is_catalogue(&path) {
            found.push(path);
        }
    }
}

fn is_catalogue(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    holds(&bytes, "<TESTCASES") && holds(&bytes, "<TEST ")
}

/// Whether an ASCII text stands in bytes, which may be UTF-16.
fn holds(bytes: &[u8], text: &str) -> bool {
    let narrow: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != 0).collect();
    narrow.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Where cargo keeps the crate that carries the suite; fetched when it is not there.
fn suite() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/xml-suite/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let carrier = packages.iter().find(|package| package["name"] == "xrust").unwrap();
    let manifest = Path::new(carrier["manifest_path"].as_str().unwrap());
    manifest.with_file_name("tests").join("conformance/xml/xmlconf")
}
