//! A folder that changes: what its mark sees, and how statuses are changed in place.

use super::GOOD;
use crate::key::Status;
use crate::sm2::Engine;
use crate::store::{Applied, Change, Changes, OpenFolder, Source, load};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

const AT: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

fn folder(list: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keyring.toml"), list).unwrap();
    for name in ["k.pem", "k2.pem"] {
        std::fs::write(folder.path().join(name), include_str!("../../../testdata/openssl.pub.pem")).unwrap();
    }
    folder
}

/// Two keys to seal for a counterparty with, the second not primary.
fn two() -> String {
    let first = GOOD.replace("sign", "seal");
    let second = first
        .replace("\"k\"", "\"k2\"")
        .replace("\"1\"", "\"2\"")
        .replace("primary", "accepted");
    [&first, "# kept as it is\n", &second.replace("k.pem", "k2.pem")].concat()
}

fn open(folder: &Path) -> OpenFolder {
    OpenFolder::new(folder, Engine::Reference)
}

fn change(id: &str, status: Status, primary_from: Option<OffsetDateTime>) -> Change {
    Change {
        id: id.to_owned(),
        status,
        primary_from,
    }
}

#[test]
fn statuses_change_in_place() {
    let folder = folder(&two());
    let source = open(folder.path());
    let before = source.load().unwrap().version().to_owned();
    let changes = [change("k2", Status::Primary, Some(AT)), change("k", Status::Primary, None)];
    let Applied::InForce { version } = source.apply(&changes).unwrap() else {
        panic!("an open folder changes at once")
    };
    let keyring = source.load().unwrap();
    assert_eq!((keyring.version(), keyring.promoted()), (&*version, Some(AT)));
    assert_ne!(version, before);
    let serial = |now| keyring.wrapper("centre", now).unwrap().info.serial.as_str();
    assert_eq!((serial(AT - time::Duration::SECOND), serial(AT)), ("1", "2"));
    let text = std::fs::read_to_string(folder.path().join("keyring.toml")).unwrap();
    assert!(text.contains("# kept as it is\n"), "{text}");

    let back = [change("k2", Status::Accepted, None)];
    assert!(source.apply(&back).is_ok());
    let text = std::fs::read_to_string(folder.path().join("keyring.toml")).unwrap();
    assert_eq!(text, two(), "what was added is gone again");
    assert_eq!(source.load().unwrap().version(), before);
}

#[test]
fn what_the_gateway_would_refuse_is_not_written() {
    let folder = folder(&two());
    let source = open(folder.path());
    let text = || std::fs::read_to_string(folder.path().join("keyring.toml")).unwrap();
    for refused in [
        change("k2", Status::Primary, None),
        change("k2", Status::Accepted, Some(AT)),
        change("none", Status::Retired, None),
    ] {
        let good = change("k", Status::Primary, None);
        assert!(source.apply(&[good, refused]).is_err());
        assert_eq!(text(), two());
    }
    // A list without an end of line at its end.
    std::fs::write(
        folder.path().join("keyring.toml"),
        GOOD.replace("status = \"primary\"\n", "").replace("sign", "seal") + "status = \"primary\"",
    )
    .unwrap();
    assert!(source.apply(&[change("k", Status::Primary, Some(AT))]).is_ok());
    assert_eq!(load(folder.path()).unwrap().promoted(), Some(AT));
}

#[test]
fn a_mark_sees_every_change() {
    let folder = folder(&two());
    let source = open(folder.path());
    let file = |name: &str| folder.path().join(name);
    let mut marks = vec![source.mark()];
    assert_eq!(source.mark(), marks[0], "nothing changed");
    std::fs::write(file("keyring.toml"), two() + "\n").unwrap();
    marks.push(source.mark());
    std::fs::write(file("new"), "another key").unwrap();
    std::fs::rename(file("new"), file("k2.pem")).unwrap();
    marks.push(source.mark());
    std::fs::set_permissions(file("k2.pem"), std::fs::Permissions::from_mode(0o400)).unwrap();
    marks.push(source.mark());
    std::fs::remove_file(file("k2.pem")).unwrap();
    marks.push(source.mark());
    std::fs::remove_file(file("keyring.toml")).unwrap();
    marks.push(source.mark());
    for (n, mark) in marks.iter().enumerate() {
        assert!(!marks[..n].contains(mark), "change {n} was not seen");
    }
}

#[test]
fn versions_tell_keyrings_apart() {
    let version = |list: &str| load(folder(list).path()).unwrap().version().to_owned();
    assert_eq!(version(&two()), version(&two()));
    let swapped = two().rsplit("# kept as it is\n").collect::<Vec<_>>().join("\n");
    assert_eq!(version(&swapped), version(&two()), "the order of the list says nothing");
    let changed = [
        two().replace("accepted", "draining"),
        two().replace("\"2\"", "\"3\""),
        two().replace("2026-12-31", "2026-12-30"),
        GOOD.to_owned(),
        GOOD.to_owned() + "user_id = \"bank\"\n",
    ];
    let versions: BTreeSet<_> = changed.iter().map(|list| version(list)).chain([version(&two())]).collect();
    assert_eq!(versions.len(), changed.len() + 1);
}
