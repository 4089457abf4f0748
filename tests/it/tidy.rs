//! Tidy: the habits of this repository that no compiler and no lint holds, checked over the files as text.
//!
//! A rule is a function from the tree to what it reports. Each is also run over a tree with its violation planted, so
//! that none falls silent. What a lint can say (`unwrap`, clocks, hash maps) is not here; neither are commits.
#![allow(clippy::string_slice, reason = "every offset was found in the text that it cuts")]

mod content;
mod form;
mod layers;
mod planted;
mod text;
mod tree;

use content::hex_secret;
use planted::{LOOKALIKES, clean, function, planted, private_key, unfolded};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use text::words;
use tree::{File, Tree, file, read};

#[test]
fn the_tree_is_tidy() {
    let tree = read(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(
        tree.contains_key("src/lib.rs") && tree.contains_key("codecs/nps/spec.toml"),
        "the tree was not read"
    );
    let told: Vec<String> = findings(&tree)
        .into_iter()
        .map(|(rule, place, what)| format!("{place}: {rule}: {what}"))
        .collect();
    assert!(told.is_empty(), "{} violations\n{}\n", told.len(), told.join("\n"));
}

#[test]
fn no_exception_is_left_over() {
    let tree = read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let needed = |listed: &str, need: fn(&File) -> bool| tree.iter().any(|(path, file)| path.starts_with(listed) && need(file));
    let idle = |list: &[&'static str], need| {
        list.iter()
            .copied()
            .filter(|listed| !needed(listed, need))
            .collect::<Vec<_>>()
    };
    assert_eq!(idle(VECTORS, |file| hex_secret(&file.text).is_some()), [""; 0]);
    assert_eq!(
        idle(SPAWNERS, |file| SPAWNS
            .iter()
            .any(|word| words(&file.code, word).next().is_some())),
        [""; 0]
    );
    assert_eq!(idle(LONG_FILES, |file| file.text.lines().count() > FILE_LINES_MAX), [""; 0]);
}

#[test]
fn every_rule_catches_what_is_planted() {
    let mut caught = BTreeSet::new();
    for (rule, path, place, text) in planted() {
        let mut tree = clean();
        tree.insert(path.clone(), file(&path, text));
        let found = findings(&tree);
        assert!(found.iter().any(|one| one.1 == place), "{rule} at {place}: {found:?}");
        assert!(
            found.iter().all(|one| one.0 == rule),
            "{rule} planted, others found: {found:?}"
        );
        caught.insert(rule);
    }
    let rules: BTreeSet<String> = RULES.iter().map(|rule| rule.0.to_owned()).collect();
    assert_eq!(caught, rules, "a rule without a planted violation");
}

#[test]
fn what_only_looks_like_a_violation_is_left_alone() {
    let mut tree = clean();
    let longest = ["// ", &"x".repeat(LINE_CHARS_MAX - 3), "\n", &function(FUNCTION_LINES_MAX)].concat();
    for (path, text) in [("src/a.rs", longest.as_str()), ("keys/testdata/b.pem", &private_key())] {
        tree.insert(path.to_owned(), file(path, text.to_owned()));
    }
    for text in LOOKALIKES.lines() {
        let (path, text) = text.split_once(' ').unwrap();
        tree.insert(path.to_owned(), file(path, unfolded(text)));
    }
    assert_eq!(findings(&tree), []);
}

#[test]
fn the_tree_is_read_without_what_git_ignores() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        ".git/config",
        "target/debug/a.rs",
        "codecs/src/b.rs",
        "codecs/target/c.rs",
        "d.dump",
        ".ci/run",
    ] {
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), "// \n").unwrap();
    }
    fs::write(folder.path().join("e.bin"), [0xff, 0xfe]).unwrap();
    fs::write(folder.path().join(".gitignore"), "/target\n*.dump\n").unwrap();
    let paths: Vec<String> = read(folder.path()).into_keys().collect();
    assert_eq!(
        paths,
        [".ci/run", ".gitignore", "codecs/src/b.rs", "codecs/target/c.rs", "e.bin"]
    );
}

type Report<'a> = &'a mut dyn FnMut(&str, usize, &str);

/// Name, check, what to do.
type Rule = (&'static str, fn(&Tree, Report<'_>), &'static str);

#[rustfmt::skip]
const RULES: &[Rule] = &[
    ("pure", layers::pure, "move it to src/shell.rs or src/cli"),
    ("dependencies", layers::dependencies, "keep codecs and keys free of runtimes, sockets and each other"),
    ("broker_client", layers::broker_client, "AMQP is spoken in src/mq/amqp, without a client library"),
    ("simulators", layers::simulators, "the gateway must not know them: move it to src/cli"),
    ("apart", layers::apart, "codecs and keys meet only in the gateway and the simulators"),
    ("spawn", layers::spawn, "let src/shell.rs start it, which waits for it at the end"),
    ("institution", content::institution, "write it beside the spec, as the other institutions have it"),
    ("function_lines", form::function_lines, "split it where a part has a name"),
    ("line_chars", form::line_chars, "break the line; a long string with a backslash at its end"),
    ("file_lines", form::file_lines, "split it by subject, or give it a place in LONG_FILES"),
    ("ascii", form::ascii, "write an escape, or move the text to a spec, note or sample"),
    ("leftover", form::leftover, "finish it"),
    ("skipped_test", form::skipped_test, "let the test run; check the error instead of a panic"),
    ("secret", content::secret, "put it in keys/testdata; for published vectors see VECTORS"),
    ("code_map", content::code_map, "correct the map, or bring the file back"),
    ("named_tests", content::named_tests, "name the test that shows it"),
    ("shown_rows", content::shown_rows, "name the test that shows it, or say that it is not met"),
    ("machine_path", content::machine_path, "use a relative path or a temporary folder"),
    ("registry_host", content::registry_host, "leave the index to cargo's own configuration"),
];

/// Rule, place, what is wrong and what to do.
fn findings(tree: &Tree) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    for (rule, check, advice) in RULES {
        check(tree, &mut |path, line, what| {
            found.push((*rule, format!("{path}:{line}"), format!("{what}; {advice}")));
        });
    }
    found
}

const MAP: &str = "ARCHITECTURE.md";
/// The page whose rows name tests.
const THREATS: &str = "docs/security.md";
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 130;
const LITERAL_CHARS_MAX: usize = 300;
const FILE_LINES_MAX: usize = 500;

/// Files that are long for a reason.
const LONG_FILES: &[&str] = &[];

/// Where tasks and threads may start: the shell, the broker's connections, the commands, the journals' writers.
const SPAWNERS: &[&str] = &[
    "src/shell.rs",
    "src/shell/",
    "src/mq/amqp",
    "src/cli/",
    "src/journal/postgres",
    "src/journal/sqlite.rs",
];
const SPAWNS: &[&str] = &["spawn", "spawn_blocking", "spawn_local", "spawn_on"];

/// Published vectors: GM/T 0003.5, GB/T 32905 and GB/T 32907, their curve, and what follows from their keys.
const VECTORS: &[&str] = &[
    "codecs/src/envelope/tests.rs",
    "keys/src/legacy/sm4_ecb/tests.rs",
    "keys/src/sm2/encrypt/tests.rs",
    "keys/src/sm2/sign/tests.rs",
    "keys/src/sm3/tests.rs",
    "keys/src/sm4/tests.rs",
    "keys/src/testing.rs",
    "src/cli/message/tests.rs",
];
