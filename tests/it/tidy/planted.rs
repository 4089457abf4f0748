//! A tree in which nothing is wrong, one violation of each rule to plant there, and what only looks like one.

use super::tree::{Tree, file};
use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, LINE_CHARS_MAX};

/// A tree in which nothing is wrong, small enough to be seen whole.
pub(super) fn clean() -> Tree {
    let files = CLEAN.lines().map(|text| text.split_once(' ').unwrap());
    files
        .map(|(path, text)| (path.to_owned(), file(path, unfolded(text))))
        .collect()
}

/// Rule, path, place where the rule must report, text.
pub(super) fn planted() -> Vec<(String, String, String, String)> {
    let own = |text: &str| {
        let parts: Vec<&str> = text.splitn(4, ' ').collect();
        let place = if parts[2].contains(':') {
            parts[2].to_owned()
        } else {
            format!("{}:{}", parts[1], parts[2])
        };
        (parts[0].to_owned(), parts[1].to_owned(), place, unfolded(parts[3]))
    };
    let long = [
        (
            "function_lines",
            "tests/it/a.rs:2",
            format!("\n{}", function(FUNCTION_LINES_MAX + 1)),
        ),
        (
            "line_chars",
            "tests/it/a.rs:2",
            format!("\n//{}", "x".repeat(LINE_CHARS_MAX - 1)),
        ),
        ("file_lines", "tests/it/a.rs:501", "\n".repeat(FILE_LINES_MAX + 1)),
        ("ascii", "keys/src/a.rs:2", "\n// \u{517b}\n".to_owned()),
        ("secret", "docs/a.md:1", private_key()),
        (
            "named_tests",
            "docs/security.md:1",
            "| a | `a_test_that_is_gone` |\n".to_owned(),
        ),
        (
            "shown_rows",
            "docs/security.md:4",
            "## Threats\n| a | shown by |\n| --- | --- |\n| a | the test |\n".to_owned(),
        ),
        (
            "secret",
            "src/a.rs:1",
            format!("const KEY: &str = \"{}\";\n", "0123456789abcdef".repeat(4)),
        ),
    ];
    let long = long.map(|(rule, place, text)| {
        let path = place.split(':').next().unwrap();
        (rule.to_owned(), path.to_owned(), place.to_owned(), text)
    });
    PLANTED.lines().map(own).chain(long).collect()
}

/// `|` is a line end and `~` nothing, so that this file does not hold what it plants.
pub(super) fn unfolded(text: &str) -> String {
    text.replace('~', "").replace('|', "\n")
}

pub(super) fn function(lines: usize) -> String {
    format!("fn a(b: [u8; 2]) {{\n{}}}\n", "    c();\n".repeat(lines - 2))
}

pub(super) fn private_key() -> String {
    format!(
        "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n",
        "PRIVATE KEY",
        "MIGHAgEA".repeat(8)
    )
}

const CLEAN: &str = r#"ARCHITECTURE.md ## Code map|| `codecs/nps/`, `spec.toml` | `code` |## Next|`gone.rs`
Cargo.lock [[package]]|name = "codecs"|dependencies = ["nom 8.0.0"]|[[package]]|name = "keys"|[[package]]|name = "nom"
codecs/Cargo.toml [dependencies]|nom = "8"
codecs/nps/NOTES.md Notes
codecs/nps/samples/a.txt expect: ok
codecs/nps/samples/b.txt expect: rule
codecs/nps/samples/c.txt expect: rule
codecs/nps/spec.toml # fields
keys/Cargo.toml [dependencies]"#;

const PLANTED: &str = r#"pure src/pipeline/open.rs 2 use a;|use tokio::sync::mpsc;
pure src/pipeline/mod.rs 1 fn a() { std::fs::read(b) }
pure codecs/src/spec/load.rs 2 use a::{|std::net::IpAddr};
pure codecs/src/spec/load.rs 1 use std::{collections::BTreeMap, fs};
pure codecs/src/lib.rs 1 pub async fn a() {}
dependencies codecs/Cargo.toml 2 [dependencies]|tokio = "1"
dependencies codecs/Cargo.toml 2 [dependencies]|keys.workspace = true
dependencies keys/Cargo.toml 2 [target.'cfg(unix)'.dev-dependencies]|net = { package = "mio", version = "1" }
dependencies keys/Cargo.toml 2 [build-dependencies]|codecs = { path = "codecs" }
dependencies Cargo.lock codecs/Cargo.toml:2 package=[{name="codecs",dependencies=["nom"]},{name="nom",dependencies=["mio 1.0"]}]
broker_client src/mq/amqp/a.rs 1 use amqprs::channel::Channel;
broker_client tests/it/a.rs 1 fn a() { lapin::b() }
simulators src/exchange/a.rs 1 use simulators::world;
apart codecs/src/a.rs 1 use keys::keyring::Keyring;
apart codecs/tests/it/a.rs 1 use keys as secrets;
apart codecs/build.rs 2 fn a() {|keys::sm3::b() }
apart keys/src/a.rs 1 fn a(b: codecs::wire::Wire) {}
spawn src/exchange/a.rs 1 fn a() { tokio::spawn(b) }
spawn src/start.rs 2 fn a() {| tasks.spawn(b) }
spawn src/link/a.rs 1 fn a() { tokio::task::spawn_blocking(b) }
institution codecs/nps/NOTES.md 1 |
institution codecs/nps/samples/b.txt codecs/nps/samples/:1 expect: ok
institution codecs/bank/spec.toml codecs/bank/samples/:1 # fields
institution codecs/bank/spec.toml codecs/bank/NOTES.md:1 # fields
institution codecs/bank/samples/a.txt codecs/bank/spec.toml:1 expect: ok
leftover docs/a.md 2 A|TO~DO: b
leftover src/a.rs 1 // FIX~ME
leftover simulators/src/a.rs 1 // XX~X
leftover src/a.rs 1 fn a() { todo!() }
leftover src/a.rs 1 fn a() { unimplemented!("b") }
leftover src/a.rs 1 fn a() { dbg!(b) }
skipped_test tests/it/a.rs 2 #[test]|#[ignore = "slow"]|fn a() {}
skipped_test codecs/src/tests.rs 1 #[should_panic(expected = "b")]|fn a() {}
skipped_test keys/src/tests.rs 1 #[cfg_attr(miri, ignore)]|fn a() {}
code_map ARCHITECTURE.md 2 ## Code map|`codecs/nps/`: `gone.rs`
code_map ARCHITECTURE.md 3 # Map of the code|`codecs/nps/`|`codecs/gone/`
code_map ARCHITECTURE.md 1 # Architecture|`codecs/nps/`
machine_path docs/a.md 2 A|cd /wo~rk/main
machine_path src/a.rs 1 const A: &str = "/ro~ot/.cargo";
machine_path tests/run 1 PATH=/ho~me/user
registry_host .cargo/config.toml 2 [source.mirror]|registry = "spar~se+https://mirror/"
registry_host docs/a.md 1 https://stat~ic.crates.io"#;

pub(super) const LOOKALIKES: &str = r##"codecs/src/a.rs // tokio|const A: &str = "\" std::net"; /* /* async fn */ todo!() */
codecs/src/b.rs fn b<'a>(c: &'a str) { d.keys(); e('"', '\'', b'{', '{', r#"tokio " { "#, br"std::fs"); }|use std::{fmt, str};
codecs/src/c.rs fn a(keys: B) { c.map(BTreeMap::keys); keys.d() }
codecs/build.rs use std::fs;
codecs/src/d.rs const MAC: &str = "abababababababababababababababababababababababababababababababab"; // XXXX
src/cli/a.rs use simulators::load;|fn a() { tokio::spawn(b) }
src/exchange/a.rs pub async fn a() { std::fs::read(b).await }
src/mq/amqp/a.rs use super::wire::Frame;
src/a.rs fn respawn() {}
keys/src/a.rs const LABEL: &str = "-----BEGIN PRIVATE KEY-----";|trait B { fn c(d: [u8; 4]); }
docs/a.md https://example.org/ho~me/a and target/wo~rk/a"##;
