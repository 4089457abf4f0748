//! An institution added at run time: the worked example of docs/add-an-institution.md is written, checked and played as it
//! stands on the page.

use crate::stand::{Stand, world};
use codecs::payment::Operation;
use hangu::config::{LinkConfig, RouteConfig};
use hangu::journal::sqlite::SqliteJournal;
use serde::Deserialize;
use simulators::counterparty::Party;
use simulators::institution::direct::{self, DirectConfig};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// What the page adds to hangu.toml.
#[derive(Deserialize)]
struct Added {
    codecs: toml::Table,
    link: BTreeMap<String, LinkConfig>,
    route: Vec<RouteConfig>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_of_the_page_is_played_by_a_gateway_that_was_not_built_with_it() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let page = Page::read();
    let root = stand.folder.path();
    // The page's commands work where the gateway's keys lie in keys/gateway.
    fs::create_dir(root.join("keys")).unwrap();
    std::os::unix::fs::symlink(root.join("gateway"), root.join("keys/gateway")).unwrap();
    page.write(root);
    page.run_commands(root);
    share_keys(root);

    let added: Added = toml::from_str(&page.files["hangu.toml"]).unwrap();
    let further = root.join(added.codecs["folder"].as_str().unwrap());
    let one = stand
        .start("one", |config| {
            config.codecs.folder = Some(further.clone());
            for (name, mut link) in added.link.clone() {
                link.http.as_mut().unwrap().listen = "127.0.0.1:0".to_owned();
                config.link.insert(name, link);
            }
            config.route.extend(added.route.clone());
        })
        .await;

    let specs = hangu::config::specs(Some(&further)).unwrap();
    let keys = keys::store::load(&root.join("examplepay_keys")).unwrap();
    let institution = Party::new(Arc::new(specs), "examplepay", Arc::new(keys), "examplepay");
    let gateway = format!("http://{}", one.addresses["examplepay"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let direct = direct::start(Some(listener), institution, world(), DirectConfig::new(&gateway, 1)).unwrap();

    let mut operations = Vec::new();
    for n in 0..direct.calling().unwrap() {
        for played in direct.play(n).await {
            assert_eq!(played.complaint, None);
            operations.push(played.operation);
        }
    }
    assert!(
        operations.contains(&Operation::Debit) && operations.contains(&Operation::Refund),
        "{operations:?}"
    );
    let (figures, books) = (direct.figures(), direct.books());
    assert!(figures.verified >= 4 && figures.rejected == 0, "{figures:?}");
    assert!(figures.forged > 0 && figures.forged == figures.forged_refused, "{figures:?}");

    // Its books and the platform's are one.
    let platform = stand.platform.books();
    assert!(books.entries.len() >= 4, "{books:?}");
    for (key, entry) in &books.entries {
        let there = &platform.entries[key];
        assert_eq!(
            (&there.outcome, there.amount_fen),
            (&entry.outcome, entry.amount_fen),
            "{key}"
        );
        assert!(there.executions <= 1, "{key}");
    }
    direct.stop().await;
    assert!(one.running.stop(Duration::from_secs(10)).await);
}

#[test]
fn a_codec_of_the_binary_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("epcc");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("spec.toml"), "format = \"json\"\n").unwrap();
    let refused = hangu::config::specs(Some(folder.path())).unwrap_err();
    assert_eq!(refused.place, "codecs.folder");
    assert!(refused.detail.contains("epcc is a codec of the binary"), "{refused}");
}

/// Files and commands of the page, in their order.
struct Page {
    files: BTreeMap<String, String>,
    commands: Vec<String>,
}

impl Page {
    /// A fenced block is a file where the line before it begins with a path in backticks and ends in a colon; one in `sh` is a
    /// list of commands.
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/add-an-institution.md");
        let text = fs::read_to_string(path).unwrap();
        let (_, example) = text.split_once("\n## A worked example").unwrap();
        let mut page = Self {
            files: BTreeMap::new(),
            commands: Vec::new(),
        };
        let mut before = "";
        let mut lines = example.lines();
        while let Some(line) = lines.next() {
            if let Some(kind) = line.strip_prefix("```") {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                if kind == "sh" {
                    page.commands.extend(block.into_iter().map(ToOwned::to_owned));
                } else {
                    let name = before.strip_prefix('`').and_then(|rest| rest.split_once('`')).unwrap().0;
                    page.files.insert(name.to_owned(), block.join("\n") + "\n");
                }
            }
            before = line;
        }
        assert!(page.files.len() >= 6 && page.commands.len() >= 4, "{:?}", page.files.keys());
        page
    }

    fn write(&self, root: &Path) {
        for (name, text) in self.files.iter().filter(|(name, _)| *name != "hangu.toml") {
            let place = root.join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
    }

    fn run_commands(&self, root: &Path) {
        for line in &self.commands {
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("hangu"), "{line}");
            let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
            let done = command.args(words).current_dir(root).output().unwrap();
            assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
            assert!(!done.stdout.is_empty(), "{line}");
        }
    }
}

/// Gives Example Pay the secret that the page's command made: its entry and its file.
fn share_keys(root: &Path) {
    let (ours, theirs) = (root.join("gateway"), root.join("examplepay_keys"));
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o700)).unwrap();
    let list = fs::read_to_string(ours.join("keyring.toml")).unwrap();
    let entry = list
        .split("[[key]]")
        .find(|entry| entry.contains("\"examplepay-mac\""))
        .unwrap();
    let file = entry
        .lines()
        .find_map(|line| line.strip_prefix("file = "))
        .unwrap()
        .trim_matches('"');
    fs::write(theirs.join("keyring.toml"), format!("[[key]]{entry}")).unwrap();
    fs::copy(ours.join(file), theirs.join(file)).unwrap();
    fs::set_permissions(theirs.join("keyring.toml"), fs::Permissions::from_mode(0o600)).unwrap();
}
