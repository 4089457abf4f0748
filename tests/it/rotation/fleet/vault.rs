//! The gateways' keys in a guarded store, and its two officers: Li proposes by `hangu key rotate`, Wang approves.

use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use keys::guarded::{Cost, FileDisk, Founder, Founding, MasterKey, OfficerKey, Role, Terms, Writer, import, read};
use keys::key::KeyEntry;
use keys::store::{Encoding, held};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// Makes `vault` and `vault.key` of an open folder, and the officers' files.
pub(super) fn found(folder: &Path, open: &Path) {
    let mut rng = Random(&SystemEntropy);
    let master = MasterKey::generate(&mut rng).unwrap();
    let [li, wang] = ["li", "wang"].map(|name| officer(folder, name));
    let founder = |key| Founder {
        key,
        roles: BTreeSet::from([Role::Custodian, Role::Approver]),
    };
    let now = OffsetDateTime::now_utc() - time::Duration::MINUTE;
    let founding = Founding {
        founders: vec![founder(&li), founder(&wang)],
        threshold: 2,
        master: &master,
        now,
    };
    let mut writer = Writer::found(&place(folder), &founding, &FileDisk, &mut rng).unwrap();
    let terms = Terms {
        now,
        expires: now + time::Duration::DAY,
    };
    for (entry, text, encoding) in listed(open) {
        let key = import(writer.state(), &master, &entry, &text, encoding, &mut rng).unwrap();
        let number = writer.propose_key(&li, &key, terms, &mut rng).unwrap();
        writer.approve(&wang, number, now, &mut rng).unwrap();
    }
    secret(&folder.join("vault.key"), &master.danger_to_hex());
}

/// The public half of a key, as whoever reads the log sees it.
pub(super) fn public(folder: &Path, serial: &str) -> String {
    let (_, state) = read(&place(folder)).unwrap();
    let held = state.keys().find(|held| held.entry.serial == serial).unwrap();
    held.material.public.clone().unwrap()
}

/// A file that nobody else may read.
pub(super) fn secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn place(folder: &Path) -> PathBuf {
    folder.join("vault")
}

fn officer(folder: &Path, name: &str) -> OfficerKey {
    let mut rng = Random(&SystemEntropy);
    let (key, passphrase) = (
        OfficerKey::generate(name, &mut rng).unwrap(),
        format!("a passphrase of {name}"),
    );
    let cheap = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };
    secret(
        &folder.join(format!("{name}.officer")),
        &key.to_file(&passphrase, cheap, &mut rng).unwrap(),
    );
    secret(&folder.join(format!("{name}.pass")), &passphrase);
    key
}

/// Every key of an open folder with the text of its file.
fn listed(open: &Path) -> Vec<(KeyEntry, String, Encoding)> {
    let list: toml::Table = std::fs::read_to_string(open.join("keyring.toml")).unwrap().parse().unwrap();
    let files = list["key"].as_array().unwrap().iter();
    let both = files.zip(held(open, &keys::provider::Devices::default()).unwrap());
    both.map(|(table, held)| {
        let text = std::fs::read_to_string(open.join(table["file"].as_str().unwrap())).unwrap();
        let named = table.get("encoding").and_then(|name| name.as_str()).unwrap_or("hex");
        let encoding = Encoding::ALL.into_iter().find(|encoding| encoding.name() == named);
        (held.entry, text, encoding.unwrap())
    })
    .collect()
}
