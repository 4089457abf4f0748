//! What files must hold and must not: an institution's folder, the code map, secrets, the names of one machine.

use super::text::line;
use super::tree::{File, Tree, written};
use super::{MAP, Report, THREATS, VECTORS};
use std::collections::BTreeSet;
use std::path::Path;

pub(super) fn institution(tree: &Tree, report: Report<'_>) {
    let folder = |path: &String| Some(path.strip_prefix("codecs/")?.split_once('/')?.0.to_owned());
    let ours = ["src", "tests", "examples", "fuzz", "target"];
    let folders: BTreeSet<String> = tree
        .keys()
        .filter_map(folder)
        .filter(|name| !ours.contains(&name.as_str()))
        .collect();
    for name in folders {
        for needed in ["spec.toml", "NOTES.md"].map(|file| format!("codecs/{name}/{file}")) {
            if tree.get(&needed).is_none_or(|file| file.text.trim().is_empty()) {
                report(&needed, 1, "missing or empty");
            }
        }
        let samples = format!("codecs/{name}/samples/");
        let (good, bad): (Vec<&str>, Vec<&str>) = tree
            .range(samples.clone()..)
            .take_while(|(path, _)| path.starts_with(&samples))
            .filter_map(|(_, file)| file.text.lines().find_map(|text| text.strip_prefix("expect: ")))
            .partition(|expected| *expected == "ok");
        // Most of what reaches the clearing centre's link is ours to refuse: its samples show that.
        if good.is_empty() || bad.is_empty() || (name == "nps" && bad.len() <= good.len()) {
            report(
                &samples,
                1,
                &format!("{} samples are accepted and {} refused", good.len(), bad.len()),
            );
        }
    }
}

pub(super) fn secret(tree: &Tree, report: Report<'_>) {
    for (path, text) in written(tree).filter(|(path, _)| !path.starts_with("keys/testdata/")) {
        for (at, label) in text.match_indices("PRIVATE KEY-----") {
            // A label alone is no key: parsers and their tests need it.
            let behind: String = text[at + label.len()..].chars().take(400).collect();
            let mut runs = behind.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/');
            if runs.any(|run| run.len() >= 40) {
                report(path, line(text, at), "holds a private key");
            }
        }
        // Samples of this format are signed in upper-case hex of 32 bytes, which no key is written in.
        let is_signed_in_hex = path.starts_with("codecs/tenpay-v2/samples/");
        if let Some(number) = hex_secret(text).filter(|_| !is_signed_in_hex && !VECTORS.contains(&path)) {
            report(path, number, "holds 64 hexadecimal digits");
        }
    }
}

/// The first line with 32 bytes in hexadecimal, as a private key or a MAC key is written. A pattern such as `abab..` is none.
pub(super) fn hex_secret(text: &str) -> Option<usize> {
    let digits = |word: &str| word.bytes().collect::<BTreeSet<u8>>().len();
    let key = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits(word) > 5;
    let holds = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(key);
    // A tag that a sample names as its signature is no key.
    let text = text.replace("signature=", "signature");
    text.lines().position(holds).map(|index| index + 1)
}

/// Every threat and every requirement that is met names a test.
pub(super) fn shown_rows(tree: &Tree, report: Report<'_>) {
    let Some(page) = tree.get(THREATS) else { return };
    let mut is_table_of_claims = false;
    for (index, row) in page.text.lines().enumerate() {
        if row.starts_with('#') {
            is_table_of_claims = CLAIMS.iter().any(|heading| row.starts_with(heading));
        }
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split('|').map(str::trim).collect();
        let is_head = cells
            .iter()
            .any(|cell| cell.starts_with("---") || cell.starts_with("shown by"));
        let is_not_claimed = cells.iter().any(|cell| ["not met", "not ours"].contains(cell));
        let shows = named(cells.last().copied().unwrap_or_default()).next().is_some();
        if is_table_of_claims && row.starts_with('|') && !(is_head || is_not_claimed || shows) {
            report(THREATS, index + 1, "claims what no test shows");
        }
    }
}

/// Tests that a cell names.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    let is_test = |name: &&str| name.contains('_') && !name.contains(['/', ' ']);
    cell.split('`').skip(1).step_by(2).filter(is_test)
}

/// Headings of the tables whose rows claim something.
const CLAIMS: [&str; 2] = ["## Threats", "## GB/T 39786"];

/// The tests that the page on threats names are there.
pub(super) fn named_tests(tree: &Tree, report: Report<'_>) {
    let Some(page) = tree.get(THREATS) else { return };
    let is_there = |name: &str| {
        let head = format!("fn {name}(");
        tree.values().any(|file| file.text.contains(&head))
    };
    for (index, row) in page.text.lines().enumerate().filter(|(_, row)| row.starts_with('|')) {
        let shown = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        for name in named(shown) {
            if !is_there(name) {
                report(THREATS, index + 1, &format!("names the test {name}, which is not there"));
            }
        }
    }
}

/// Names between back ticks in the section whose heading says "map": files, and folders with a slash.
pub(super) fn code_map(tree: &Tree, report: Report<'_>) {
    let Some(File { text, .. }) = tree.get(MAP) else {
        println!("{MAP} does not exist: its code map is not checked");
        return;
    };
    let (mut inside, mut named) = (false, 0);
    for (index, text) in text.lines().enumerate() {
        if text.starts_with('#') {
            inside = text.to_lowercase().contains("map");
        } else if inside {
            let names: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| is_path(name)).collect();
            named += names.len();
            for name in names.iter().filter(|name| !exists(tree, name, &names)) {
                report(MAP, index + 1, &format!("`{name}` does not exist"));
            }
        }
    }
    if named == 0 {
        report(MAP, 1, "names no file in a section whose heading says map");
    }
}

fn is_path(name: &str) -> bool {
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let shaped = name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    shaped && (name.contains('/') || ["rs", "toml", "md", "sql"].contains(&ending))
}

/// From the root, or in or beside a folder that the same line names. A folder exists when a file lies in it.
fn exists(tree: &Tree, name: &str, line: &[&str]) -> bool {
    let holds = |whole: &str| {
        tree.keys()
            .any(|path| path == whole || path.starts_with(&format!("{whole}/")))
    };
    let folders = line.iter().flat_map(|other| Path::new(other).ancestors().take(2));
    let whole = |folder: &Path| folder.join(name).to_string_lossy().trim_end_matches('/').to_owned();
    holds(name.trim_end_matches('/')) || folders.map(whole).any(|path| holds(&path))
}

pub(super) fn machine_path(tree: &Tree, report: Report<'_>) {
    for (path, text) in written(tree) {
        for folder in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
            let absolute = |at: &usize| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c));
            let found = text.match_indices(folder).map(|(at, _)| at).filter(absolute);
            found.for_each(|at| report(path, line(text, at), &format!("names {folder}")));
        }
    }
}

pub(super) fn registry_host(tree: &Tree, report: Report<'_>) {
    for (path, text) in written(tree) {
        for host in REGISTRIES.lines().map(|folded| folded.replace('~', "")) {
            text.match_indices(&host)
                .for_each(|(at, _)| report(path, line(text, at), &format!("names {host}")));
        }
    }
}

const REGISTRIES: &str = "registry~+
spar~se+
crates.io~-index
index.cra~tes.io
static.cra~tes.io
arti~factory
rspr~oxy.cn
py~pi.org
registry.npm~js.org
proxy.gol~ang.org
deb.deb~ian.org
docker~.io
gh~cr.io
qu~ay.io
";
