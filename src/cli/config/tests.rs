#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::cli::texts::config_keys;
use std::collections::BTreeSet;

/// The keys that `src/config.rs` reads, by their last part: the public fields of its configuration structs.
fn keys_of_source() -> BTreeSet<String> {
    let parts = [
        include_str!("../../config.rs"),
        include_str!("../../config/further.rs"),
        include_str!("../../config/journal.rs"),
        include_str!("../../config/keys.rs"),
        include_str!("../../config/mq.rs"),
        include_str!("../../config/providers.rs"),
        include_str!("../../config/http.rs"),
        include_str!("../../config/bulkhead.rs"),
        include_str!("../../config/envelope_reuse.rs"),
        include_str!("../../config/runtime.rs"),
        include_str!("../../config/settle.rs"),
        include_str!("../../config/tcp.rs"),
    ];
    let structs = |part: &'static str| {
        let part = part.split("pub struct ConfigError").next().unwrap();
        part.split("pub struct Shares").next().unwrap()
    };
    let source = parts.map(structs).concat();
    let field = |line: &str| Some(line.trim().strip_prefix("pub ")?.split_once(": ")?.0.to_owned());
    source
        .lines()
        .filter_map(field)
        .filter(|name| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
        .collect()
}

#[test]
fn every_key_of_the_configuration_is_in_the_table_and_none_more() {
    let tables = [
        "bulkhead",
        "codecs",
        "envelope_reuse",
        "journal",
        "keys",
        "master",
        "provider",
        "revocation",
        "admin",
        "institution",
        "stop",
        "runtime",
        "link",
        "route",
        "mq",
        "http",
        "tcp",
        "postgres",
    ];
    let mut expected = keys_of_source();
    assert!(expected.len() > 45, "{expected:?}");
    expected.retain(|key| !tables.contains(&key.as_str()));
    let listed: BTreeSet<_> = config_keys()
        .iter()
        .map(|row| row.key.rsplit('.').next().unwrap().to_owned())
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn the_sample_parses_and_names_every_key() {
    let text = sample::file();
    let config = Config::parse(&text).unwrap();
    assert_eq!(config.link["centre"].member, "402100088888");
    assert_eq!(config.link["platform"].http.as_ref().unwrap().listen, "127.0.0.1:8100");
    for key in keys_of_source() {
        assert!(text.contains(&key), "{key} is not in the sample");
    }
}

#[test]
fn defaults_are_those_of_the_parser() {
    for text in [sample::file(), with_postgres(), with_tcp()] {
        let shown = toml::to_string(&show::table(&Config::parse(&text).unwrap())).unwrap();
        let active = toml::to_string(&show::table(&Config::parse(&active(&text)).unwrap())).unwrap();
        // What has no default shows its example once it is active; everything else must not change.
        let without = |text: &str| {
            let is_optional = |table: &str| table.contains(".settle") || table.starts_with("codecs]");
            let tables = text.split("\n[").filter(|table| !is_optional(table));
            tables
                .flat_map(str::lines)
                .filter(|line| !OPTIONAL.iter().any(|key| line.starts_with(key)))
                .collect::<String>()
        };
        assert_eq!(without(&shown), without(&active));
        assert!(active.contains("password_file"), "{active}");
    }
}

const OPTIONAL: [&str; 14] = [
    "base_url",
    "connections_max",
    "listen_c",
    "listen_k",
    "suite",
    "connect",
    "password_file",
    "password_env",
    "tls_",
    "dead_letters",
    "operations",
    "hand_off_prefix",
    "institution_max",
    "operation_max",
];

/// `#key = value` without its mark, but for sections that are off. One of the two places of a password is left out, since
/// both may not be given. Certificates go with https only.
fn active(text: &str) -> String {
    let is_key = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with("password_env");
    let mut off = false;
    let lines = text.lines().map(|line| {
        off = line.starts_with("#[") || (off && !line.starts_with('['));
        match line.strip_prefix('#').filter(|rest| !off && is_key(rest)) {
            Some(active) => format!("{active}\n"),
            None => format!("{}\n", line.replace("\"http:", "\"https:")),
        }
    });
    lines.collect()
}

/// The sample with the journal in a database instead of a file: the section that is off has what must be given.
fn with_postgres() -> String {
    let text = switched_on("[journal.postgres]", "journal.postgres.");
    let lines = text.lines().filter(|line| !line.starts_with("file = "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The sample with the platform over TCP instead of HTTP.
fn with_tcp() -> String {
    let text = switched_on("[link.platform.tcp]", "link.*.tcp.");
    let (before, rest) = text.split_once("[link.platform.http]").unwrap();
    let (_, after) = rest.split_once("[link.platform.tcp]").unwrap();
    format!("{before}[link.platform.tcp]{after}")
}

/// The sample with a section that is off switched on: its head and what must be given.
fn switched_on(head: &str, keys: &str) -> String {
    let required: Vec<String> = config_keys()
        .iter()
        .filter(|row| row.default.is_none() && row.key.starts_with(keys))
        .map(|row| format!("#{} = ", row.key.rsplit('.').next().unwrap()))
        .collect();
    let mut inside = false;
    let lines = sample::file();
    let lines = lines.lines().map(|line| {
        inside = line == format!("#{head}") || (inside && !line.starts_with('['));
        let is_on = inside && (line.starts_with("#[") || required.iter().any(|key| line.starts_with(key)));
        let line = if is_on { line.trim_start_matches('#') } else { line };
        format!("{line}\n")
    });
    lines.collect()
}

/// The sample with a device of either kind.
fn with_provider(is_sdf: bool) -> String {
    let on = switched_on("[keys.provider.hsm1]", "keys.provider.*.");
    if is_sdf {
        on.replace("kind = \"pkcs11\"", "kind = \"sdf\"")
    } else {
        on.replace("#token = \"hangu\"", "token = \"hangu\"")
    }
}

fn with_master() -> String {
    let on = sample::file().replace("#[keys.master]", "[keys.master]");
    on.replace("#file = \"master.key\"", "file = \"master.key\"")
}

#[test]
fn every_example_is_valid_in_its_place() {
    for row in config_keys() {
        let (table, name) = row.key.rsplit_once('.').unwrap_or(("", &row.key));
        let base = match table {
            "journal.postgres" => with_postgres(),
            "link.*.tcp" => with_tcp(),
            "keys.master" => sample::file().replace("#[keys.master]", "[keys.master]"),
            "keys.provider.*" => with_provider(name.starts_with("decrypt_")),
            "keys.revocation" => with_master().replace("#[keys.revocation]", "[keys.revocation]"),
            _ => sample::file(),
        };
        let mut here = String::new();
        let replaced: String = base
            .lines()
            .map(|line| {
                let head = line.trim_start_matches('#');
                if head.starts_with('[') {
                    here = head
                        .trim_matches(['[', ']'])
                        .replace(".centre", ".*")
                        .replace(".platform", ".*")
                        .replace(".hsm1", ".*");
                }
                if here == table && line.trim_start_matches('#').starts_with(&format!("{name} = ")) {
                    format!("{name} = {}\n", row.example)
                } else if here == table && goes_with(name, line) {
                    // None of them goes without the others.
                    format!("{}\n", line.trim_start_matches('#').replace("\"http:", "\"https:"))
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        assert!(
            replaced.contains(&format!("{name} = {}\n", row.example)),
            "{} is not in its table",
            row.key
        );
        let parsed = Config::parse(&replaced);
        // Both routes, or both links, get the same value; that is no error in itself.
        assert!(
            parsed.is_ok() || name == "codec",
            "{}: {}\n{replaced}",
            row.key,
            parsed.unwrap_err()
        );
    }
}

fn goes_with(name: &str, line: &str) -> bool {
    let calling = name.starts_with("tls_") && ["#tls_", "base_url = "].iter().any(|start| line.starts_with(start));
    let listening = name.starts_with("listen_") && name != "listen_client" && line.starts_with("#listen_");
    calling || (listening && !line.starts_with("#listen_client = "))
}

#[test]
fn what_only_looks_like_tls_is_refused() {
    let changed = |from: &str, to: &str| Config::parse(&sample::file().replace(from, to)).unwrap_err();
    for (from, to, place) in [
        ("\"http://127", "\"https://127", "tls_ca_file"),
        ("\"http://127", "\"ftp://127", "base_url"),
        ("#tls_ca_file = \"tenpay", "tls_ca_file = \"tenpay", "base_url"),
        ("#listen_cert_file", "listen_cert_file", "listen_cert_file"),
        ("#listen_client_ca_file", "listen_client_ca_file", "listen_cert_file"),
        ("#listen_client_subject", "listen_client_subject", "listen_client_ca_file"),
        ("#listen_client = \"required\"", "listen_client = \"never\"", "listen_client"),
        (
            "#listen_client_serials = []",
            "listen_client_serials = [\"no\"]",
            "listen_client_ca_file",
        ),
        ("#connections_max = 256", "connections_max = 0", "connections_max"),
        ("#handshake_ms = 5000", "handshake_ms = 0", "handshake_ms"),
    ] {
        let error = changed(from, to);
        assert_eq!(error.place, format!("link.platform.http.{place}"), "{to}: {error}");
    }
    let error = changed("#listen_cert_file", "listen_cert_fil");
    assert!(error.detail.contains("listen_cert_file"), "{error}");
}

#[test]
fn the_journal_is_in_one_place() {
    let both = with_postgres().replace("[journal]\n", "[journal]\nfile = \"hangu.db\"\n");
    let none = sample::file().replace("file = \"hangu.db\"\n", "");
    for text in [both, none] {
        let error = Config::parse(&text).unwrap_err();
        assert_eq!(error.place, "journal");
        assert!(error.detail.contains("exactly one"), "{error}");
    }
    let wrong = [
        ("addresses = ", "addresses = [\"db\"]"),
        ("addresses = ", "addresses = []"),
        ("database = ", "database = \"\""),
        ("#connections = ", "connections = 0"),
    ];
    for (key, value) in wrong {
        let lines = with_postgres();
        let changed = lines.lines().map(|line| if line.starts_with(key) { value } else { line });
        let text = changed.collect::<Vec<_>>().join("\n");
        let error = Config::parse(&text).unwrap_err();
        assert!(error.place.starts_with("journal.postgres."), "{error}");
    }
}

#[test]
fn what_is_shown_parses_again_and_keeps_no_password_of_a_url() {
    let mut all = String::new();
    for text in [sample::file(), with_postgres(), with_tcp(), with_provider(false)] {
        let shown = show::table(&Config::parse(&text).unwrap());
        let again = Config::parse(&toml::to_string_pretty(&shown).unwrap()).unwrap();
        assert_eq!(show::table(&again), shown);
        all += &toml::to_string_pretty(&shown).unwrap();
    }
    for row in config_keys().iter().filter(|row| row.default.as_deref() != Some("none")) {
        let name = row.key.rsplit('.').next().unwrap();
        assert!(all.contains(name), "{} is not shown", row.key);
    }
    assert_eq!(show::redacted("http://user:secret@host:1/a"), "http://***@host:1/a");
    assert_eq!(show::redacted("http://host:1"), "http://host:1");
}
