#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::cli::check::report::Level;
use keys::algorithm::Algorithm;
use keys::key::KeyEntry;
use keys::sm2::PrivateKey;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-06-01 00:00 UTC);

fn entry(id: &str, side: Side, usage: Usage, status: Status, not_after: OffsetDateTime) -> KeyEntry {
    KeyEntry {
        id: id.to_owned(),
        link: "centre".to_owned(),
        side,
        usage,
        algorithm: Algorithm::Sm2,
        status,
        serial: id.to_owned(),
        primary_from: None,
        not_before: datetime!(2026-01-01 00:00 UTC),
        not_after,
        user_id: None,
    }
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes(&[number; 32]).unwrap()
}

/// The results of a keyring with our signing key of one status and end, and theirs.
fn check(status: Status, not_after: OffsetDateTime) -> Vec<Check> {
    let far = datetime!(2030-01-01 00:00 UTC);
    let keyring = Keyring::builder()
        .add_private(entry("mine", Side::Ours, Usage::Sign, status, not_after), &key(1))
        .add_public(
            entry("yours", Side::Theirs, Usage::Sign, Status::Primary, far),
            key(2).public(),
        )
        .build()
        .unwrap();
    keyring_checks(&keyring, NOW)
}

fn level(checks: &[Check], name: &str, part: &str) -> Level {
    let found = checks
        .iter()
        .find(|check| check.name == name && (check.detail.contains(part) || check.subject.contains(part)));
    found.unwrap_or_else(|| panic!("no {name} about {part} in {checks:?}")).level
}

#[test]
fn a_key_that_ends_within_thirty_days_warns() {
    let end = |days: i64| NOW + time::Duration::days(days);
    assert_eq!(
        level(&check(Status::Primary, end(30)), "check.key.validity", "mine"),
        Level::Ok
    );
    assert_eq!(
        level(&check(Status::Primary, end(29)), "check.key.validity", "mine"),
        Level::Warn
    );
    assert_eq!(
        level(&check(Status::Primary, end(-1)), "check.key.validity", "mine"),
        Level::Fail
    );
    assert_eq!(
        level(&check(Status::Draining, end(-1)), "check.key.validity", "mine"),
        Level::Warn
    );
}

#[test]
fn a_shelf_without_a_primary_and_a_half_pair_fail() {
    let far = NOW + time::Duration::days(400);
    let good = check(Status::Primary, far);
    assert_eq!(level(&good, "check.key.primary", "centre ours sign"), Level::Ok);
    assert_eq!(level(&good, "check.key.pair", "centre sign"), Level::Ok);
    let accepted = check(Status::Accepted, far);
    assert_eq!(level(&accepted, "check.key.primary", "centre ours sign"), Level::Fail);
    let retired = check(Status::Retired, far);
    assert_eq!(level(&retired, "check.key.pair", "centre sign"), Level::Fail);
}

#[test]
fn a_link_whose_codec_seals_needs_sealing_keys() {
    let specs = codecs::spec::Specs::embedded().unwrap();
    let spec = specs.spec("nps").unwrap();
    let far = NOW + time::Duration::days(400);
    let keyring = Keyring::builder()
        .add_private(entry("mine", Side::Ours, Usage::Sign, Status::Primary, far), &key(1))
        .add_public(
            entry("yours", Side::Theirs, Usage::Sign, Status::Accepted, far),
            key(2).public(),
        )
        .build()
        .unwrap();
    let view = View {
        keyring: &keyring,
        link: "centre",
        now: NOW,
    };
    let checks = view.of_link(spec);
    assert_eq!(level(&checks, "check.key.sign", "mine"), Level::Ok);
    assert_eq!(level(&checks, "check.key.verify", "yours"), Level::Ok);
    assert_eq!(level(&checks, "check.key.seal", "centre"), Level::Fail);
    assert_eq!(level(&checks, "check.key.open", "centre"), Level::Fail);
    let unsealed = view.of_link(&spec.with_sealing(false));
    assert!(unsealed.iter().all(|check| check.level == Level::Ok), "{unsealed:?}");
    let stranger = View {
        link: "elsewhere",
        ..view
    };
    assert!(stranger.of_link(spec).iter().all(|check| check.level == Level::Fail));
}

#[test]
fn weak_algorithms_in_use_warn() {
    let far = NOW + time::Duration::days(400);
    let secret = |id: &str, algorithm, status| KeyEntry {
        algorithm,
        ..entry(id, Side::Shared, Usage::Mac, status, far)
    };
    let keyring = Keyring::builder()
        .add_secret(secret("old", Algorithm::Md5Key, Status::Primary), &[b'k'; 32])
        .add_secret(secret("older", Algorithm::CupEcbDes, Status::Draining), &[7; 8])
        .add_secret(secret("oldest", Algorithm::CupEcbTripleDes, Status::Retired), &[7; 24])
        .add_secret(secret("good", Algorithm::HmacSha256, Status::Accepted), &[7; 32])
        .build()
        .unwrap();
    let checks = keyring_checks(&keyring, NOW);
    let weak: Vec<_> = checks.iter().filter(|check| check.name == "check.key.weak").collect();
    assert!(weak.iter().all(|check| check.level == Level::Warn));
    let details: Vec<_> = weak.iter().map(|check| check.detail.as_str()).collect();
    assert_eq!(details, ["old (md5-key): MD5", "older (cup-ecb-des): DES"]);
    assert!(
        checks.iter().all(|check| check.name != "check.key.pair"),
        "shared keys have no other half"
    );
}
