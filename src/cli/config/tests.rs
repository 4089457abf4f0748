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
    let source = include_str!("../../config.rs")
        .split("pub struct ConfigError")
        .next()
        .unwrap();
    let field = |line: &str| Some(line.trim().strip_prefix("pub ")?.split_once(": ")?.0.to_owned());
    source
        .lines()
        .filter_map(field)
        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect()
}

#[test]
fn every_key_of_the_configuration_is_in_the_table_and_none_more() {
    let tables = ["journal", "keys", "admin", "settle", "stop", "link", "route", "mq", "http"];
    let mut expected = keys_of_source();
    assert!(expected.len() > 40, "{expected:?}");
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
    let shown = toml::to_string(&show::table(&Config::parse(&sample::file()).unwrap())).unwrap();
    let active: String = sample::file().lines().map(activated).collect();
    let active = toml::to_string(&show::table(&Config::parse(&active).unwrap())).unwrap();
    // What has no default shows its example once it is active; everything else must not change.
    let without = |text: &str| {
        text.lines()
            .filter(|line| !OPTIONAL.iter().any(|key| line.starts_with(key)))
            .collect::<String>()
    };
    assert_eq!(without(&shown), without(&active));
    assert!(active.contains("password_file"), "{active}");
}

const OPTIONAL: [&str; 5] = ["password_file", "password_env", "tls_", "dead_letters", "operations"];

/// `#key = value` without its mark. One of the two places of a password is left out, since both may not be given.
fn activated(line: &str) -> String {
    let is_key = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with("password_env");
    match line.strip_prefix('#').filter(|rest| is_key(rest)) {
        Some(active) => format!("{active}\n"),
        None => format!("{line}\n"),
    }
}

#[test]
fn every_example_is_valid_in_its_place() {
    for row in config_keys() {
        let name = row.key.rsplit('.').next().unwrap();
        let replaced: String = sample::file()
            .lines()
            .map(|line| {
                if line.trim_start_matches('#').starts_with(&format!("{name} = ")) {
                    format!("{name} = {}\n", row.example)
                } else if name.starts_with("tls_") && line.starts_with("#tls_") {
                    // None of them goes without the others.
                    activated(line)
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
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

#[test]
fn what_is_shown_parses_again_and_keeps_no_password_of_a_url() {
    let shown = show::table(&Config::parse(&sample::file()).unwrap());
    let again = Config::parse(&toml::to_string_pretty(&shown).unwrap()).unwrap();
    assert_eq!(show::table(&again), shown);
    for row in config_keys().iter().filter(|row| row.default.as_deref() != Some("none")) {
        let name = row.key.rsplit('.').next().unwrap();
        assert!(
            toml::to_string_pretty(&shown).unwrap().contains(name),
            "{} is not shown",
            row.key
        );
    }
    assert_eq!(show::redacted("http://user:secret@host:1/a"), "http://***@host:1/a");
    assert_eq!(show::redacted("http://host:1"), "http://host:1");
}
