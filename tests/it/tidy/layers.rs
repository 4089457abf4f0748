//! Who may know whom: what is pure, and the one place each that knows the broker's client, the simulators and tasks.

use super::text::{closing, in_word, line, words};
use super::tree::{Tree, rust};
use super::{Report, SPAWNERS, SPAWNS};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn pure(tree: &Tree, report: Report<'_>) {
    let ours = |path: &str| path.starts_with("src/pipeline") || path.starts_with("codecs/src/");
    ban(tree, ours, &["tokio", "std::fs", "std::net", "async fn"], report);
    for (path, code) in rust(tree).filter(|(path, _)| ours(path)) {
        for at in words(code, "std::{") {
            let group = &code[at..closing(code, at + 5)];
            if ["fs", "net"].iter().any(|word| words(group, word).next().is_some()) {
                report(path, line(code, at), "imports files or sockets");
            }
        }
    }
}

pub(super) fn dependencies(tree: &Tree, report: Report<'_>) {
    let graph = lock_graph(tree);
    for (package, other) in [("codecs", "keys"), ("keys", "codecs")] {
        let path = format!("{package}/Cargo.toml");
        let manifest = &tree[&path].text;
        let refused = |name: &str| name == other || RUNTIMES_AND_SOCKETS.contains(&name);
        for (key, name) in declared(&manifest.parse().unwrap()).iter().filter(|(_, name)| refused(name)) {
            report(&path, entry_line(manifest, key), &format!("depends on {name}"));
        }
        for chain in closure(&graph, package)
            .iter()
            .filter(|chain| refused(chain[chain.len() - 1]))
        {
            report(
                &path,
                entry_line(manifest, chain[1]),
                &format!("depends on {}", chain.join(" > ")),
            );
        }
    }
}

/// Every dependency of a manifest, of all kinds and targets: its key and the package's real name.
fn declared(manifest: &toml::Table) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (key, value) in manifest.iter().filter_map(|(key, value)| Some((key, value.as_table()?))) {
        if !key.ends_with("dependencies") {
            all.extend(declared(value));
            continue;
        }
        for (name, entry) in value {
            let real = entry.get("package").and_then(toml::Value::as_str).unwrap_or(name);
            all.insert(name.clone(), real.to_owned());
        }
    }
    all
}

fn lock_graph(tree: &Tree) -> BTreeMap<String, Vec<String>> {
    let lock: toml::Table = tree["Cargo.lock"].text.parse().unwrap();
    let mut graph: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        // Versions are not told apart: a closure too large is on the safe side.
        let name = |value: &toml::Value| value.as_str().unwrap().split(' ').next().unwrap().to_owned();
        let below = package
            .get("dependencies")
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten();
        graph.entry(name(&package["name"])).or_default().extend(below.map(name));
    }
    graph
}

/// All packages below one, each as the chain that leads to it.
fn closure<'a>(graph: &'a BTreeMap<String, Vec<String>>, root: &'a str) -> Vec<Vec<&'a str>> {
    let mut seen = BTreeSet::from([root]);
    let mut chains = vec![vec![root]];
    let mut next = 0;
    while let Some(chain) = chains.get(next).cloned() {
        for below in graph.get(chain[chain.len() - 1]).into_iter().flatten() {
            if seen.insert(below) {
                chains.push([&chain[..], &[below]].concat());
            }
        }
        next += 1;
    }
    chains.split_off(1)
}

fn entry_line(manifest: &str, key: &str) -> usize {
    let starts = |text: &str| text.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '.', '=']));
    manifest.lines().position(starts).map_or(1, |index| index + 1)
}

pub(super) fn broker_client(tree: &Tree, report: Report<'_>) {
    ban(tree, |_| true, &["amqprs", "lapin"], report);
}

pub(super) fn simulators(tree: &Tree, report: Report<'_>) {
    let library = |path: &str| path.starts_with("src/") && !path.starts_with("src/cli/") && path != "src/main.rs";
    ban(tree, library, &["simulators"], report);
}

pub(super) fn apart(tree: &Tree, report: Report<'_>) {
    for (folder, other) in [("codecs/", "keys"), ("keys/", "codecs")] {
        for (path, code) in rust(tree).filter(|(path, _)| path.starts_with(folder)) {
            // `keys` is also an ordinary word: only a path that starts with it, or an import, is the package.
            let package = |at: &usize| {
                let (before, after) = (code[..*at].trim_end(), &code[at + other.len()..]);
                let nested = before.ends_with('.') || before.strip_suffix("::").is_some_and(|path| path.ends_with(in_word));
                before.ends_with("use") || before.ends_with("crate") || (after.starts_with("::") && !nested)
            };
            for at in words(code, other).filter(package) {
                report(path, line(code, at), &format!("names the package {other}"));
            }
        }
    }
}

pub(super) fn spawn(tree: &Tree, report: Report<'_>) {
    let allowed = |path: &str| path.ends_with("tests.rs") || SPAWNERS.iter().any(|listed| path.starts_with(listed));
    ban(tree, |path| path.starts_with("src/") && !allowed(path), SPAWNS, report);
}

pub(super) fn ban(tree: &Tree, scope: impl Fn(&str) -> bool, banned: &[&str], report: Report<'_>) {
    for (path, code) in rust(tree).filter(|(path, _)| scope(path)) {
        for word in banned {
            words(code, word).for_each(|at| report(path, line(code, at), &format!("names {word}")));
        }
    }
}

#[rustfmt::skip]
const RUNTIMES_AND_SOCKETS: &[&str] = &[
    "async-io", "async-std", "axum", "curl", "hangu", "hyper", "hyper-util", "mio", "native-tls", "openssl", "polling",
    "quinn", "reqwest", "rustls", "simulators", "smol", "socket2", "tokio", "tokio-util", "tower", "ureq",
];
