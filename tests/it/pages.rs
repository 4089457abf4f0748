//! The pages on loads and statements, in both languages: what they name is there, and they say the same.

use simulators::drive::Mixture;
use simulators::statement::Layout;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// What stands between back ticks, in one line.
fn named(page: &str) -> BTreeSet<String> {
    let plain = page.split("```").step_by(2);
    let spans = plain.flat_map(|text| text.split('`').skip(1).step_by(2));
    spans.map(str::to_owned).collect()
}

fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```").skip(1).step_by(2);
    // Comments are in the page's language.
    let bare = |line: &str| line.split('#').next().unwrap_or_default().trim_end().to_owned();
    blocks
        .map(|block| block.lines().map(bare).collect::<Vec<_>>().join("\n"))
        .collect()
}

#[test]
fn twins_name_the_same_and_show_the_same() {
    for (english, chinese) in [
        ("load.md", "load.zh-CN.md"),
        ("statements.md", "statements.zh-CN.md"),
        ("testers.md", "testers.zh-CN.md"),
    ] {
        let (ours, twin) = (page(english), page(chinese));
        assert!(ours.contains(&format!("]({chinese})")) && twin.contains(&format!("]({english})")));
        let heads = |page: &str| page.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(heads(&ours), heads(&twin), "{english}: sections");
        if english == "testers.md" {
            continue;
        }
        assert_eq!(named(&ours), named(&twin), "{english}: what stands between back ticks");
        assert_eq!(blocks(&ours), blocks(&twin), "{english}: blocks");
        let figures = |page: &str| -> BTreeSet<String> {
            let digits = page.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 1);
            digits.map(str::to_owned).collect()
        };
        assert_eq!(figures(&ours), figures(&twin), "{english}: figures");
    }
}

#[test]
fn what_the_pages_name_is_there() {
    for name in ["load.md", "load.zh-CN.md"] {
        let page = page(name);
        let mixes: Vec<&str> = page
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        assert_eq!(mixes.len(), 1);
        Mixture::parse(mixes[0]).unwrap();
        options(&page, &["drive"]);
    }
    for name in ["statements.md", "statements.zh-CN.md"] {
        let page = page(name);
        for layout in Layout::ALL {
            assert!(
                page.contains(&format!("| `{}` |", layout.name())),
                "{name}: {}",
                layout.name()
            );
        }
        options(&page, &["statement", "drive", "run"]);
    }
}

/// Every option that a page names is one of these commands.
fn options(page: &str, commands: &[&str]) {
    let help: String = commands
        .iter()
        .map(|command| {
            let mut run = Command::new(env!("CARGO_BIN_EXE_hangu"));
            let words: &[&str] = if *command == "run" {
                &["sim", "run", "centre", "--help"]
            } else {
                &["sim", command, "--help"]
            };
            let done = run.args(words).output().unwrap();
            String::from_utf8(done.stdout).unwrap()
        })
        .collect();
    let spans = named(page);
    let words = spans.iter().flat_map(|span| span.split([' ', '[', ']']));
    let options: BTreeSet<&str> = words.filter(|word| word.starts_with("--")).collect();
    assert!(options.len() >= 5, "{options:?}");
    // What belongs to another command is explained there.
    let elsewhere = ["--gateway"];
    for option in options.into_iter().filter(|option| !elsewhere.contains(option)) {
        assert!(
            help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")),
            "{option}"
        );
    }
}
