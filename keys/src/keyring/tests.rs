#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::key::{KeyEntry, Side, Usage};
use crate::sm2::PrivateKey;
use crate::testing::{NOW, SeededRng, entry, gmt_key};
use time::Duration;
use time::macros::datetime;

mod algorithms; // RSA and shared keys beside SM2

/// One key of this status on every shelf, under the serial `1`.
fn keyring(status: Status) -> Keyring {
    let key = gmt_key();
    let described = |side, usage| entry("centre", side, usage, status, "1");
    let journal = entry(JOURNAL_LINK, Side::Shared, Usage::Journal, status, "1");
    Keyring::builder()
        .add_private(described(Side::Ours, Usage::Sign), &key)
        .add_private(described(Side::Ours, Usage::Seal), &key)
        .add_public(described(Side::Theirs, Usage::Sign), key.public())
        .add_public(described(Side::Theirs, Usage::Seal), key.public())
        .add_secret(described(Side::Shared, Usage::Mac), &[1; 32])
        .add_secret(journal, &[2; 16])
        .build()
        .unwrap()
}

/// What each lookup gives: `ok`, or the kind of error.
fn outcomes(keyring: &Keyring, link: &str, serial: &str, now: OffsetDateTime) -> [&'static str; 9] {
    [
        kind(&keyring.signer(link, now)),
        kind(&keyring.wrapper(link, now)),
        kind(&keyring.mac(link, now)),
        kind(&keyring.journal(now)),
        kind(&keyring.signer_with(link, serial, now)),
        kind(&keyring.verifier(link, serial, now)),
        kind(&keyring.unwrapper(link, serial, now)),
        kind(&keyring.mac_with(link, serial, now)),
        kind(&keyring.journal_with(serial)),
    ]
}

fn kind<T: ?Sized>(found: &Result<Usable<'_, T>, KeyError>) -> &'static str {
    match found {
        Ok(_) => "ok",
        Err(KeyError::UnknownSerial { .. }) => "unknown",
        Err(KeyError::Unusable { .. }) => "unusable",
        Err(KeyError::Expired { .. }) => "expired",
        Err(KeyError::NoPrimary { .. }) => "no primary",
        Err(KeyError::Algorithm { .. }) => "algorithm",
    }
}

#[test]
fn every_status_and_lookup() {
    let (none, bad) = ("no primary", "unusable");
    let expected = |status| match status {
        Status::Pending | Status::Retired => [none, none, none, none, bad, bad, bad, bad, "ok"],
        Status::Accepted | Status::Draining => [none, none, none, none, "ok", "ok", "ok", "ok", "ok"],
        Status::Primary => ["ok"; 9],
        Status::Revoked => [none, none, none, none, bad, bad, bad, bad, bad],
    };
    for status in Status::ALL {
        assert_eq!(
            outcomes(&keyring(status), "centre", "1", NOW),
            expected(status),
            "{}",
            status.name()
        );
    }
}

#[test]
fn validity_has_both_ends() {
    let keyring = keyring(Status::Primary);
    let check = |now, kind: &str| {
        let outcomes = outcomes(&keyring, "centre", "1", now);
        assert_eq!(outcomes[..8], [kind; 8], "{now}");
        assert_eq!(outcomes[8], "ok", "stored bytes open whatever the day: {now}");
    };
    check(datetime!(2025-12-31 23:59:59.999 UTC), "expired");
    check(datetime!(2026-01-01 00:00 UTC), "ok");
    check(datetime!(2026-12-31 00:00 UTC), "ok");
    check(datetime!(2026-12-31 00:00:00.001 UTC), "expired");
}

#[test]
fn unknown_serials_and_links_are_told_apart_from_unusable() {
    let keyring = keyring(Status::Primary);
    let serials = outcomes(&keyring, "centre", "2", NOW);
    assert_eq!(
        serials,
        ["ok", "ok", "ok", "ok", "unknown", "unknown", "unknown", "unknown", "unknown"]
    );
    let links = outcomes(&keyring, "other", "1", NOW);
    assert_eq!(links[..3], ["no primary"; 3]);
    assert_eq!(links[4..8], ["unknown"; 4]);
    let error = keyring.verifier("centre", "2", NOW).err().unwrap();
    assert_eq!(error.to_string(), "no key of link centre has serial 2 for verifying");
    assert_eq!(outcomes(&Keyring::default(), "centre", "1", NOW)[0], "no primary");
}

/// A key that is there under another serial is not tried.
#[test]
fn only_the_named_key_verifies() {
    let (old, new) = (gmt_key(), PrivateKey::generate(&mut SeededRng::new(30)).unwrap());
    let described = |side, status, serial| entry("centre", side, Usage::Sign, status, serial);
    let keyring = Keyring::builder()
        .add_private(described(Side::Ours, Status::Primary, "old"), &old)
        .add_private(described(Side::Ours, Status::Accepted, "new"), &new)
        .add_public(described(Side::Theirs, Status::Draining, "old"), old.public())
        .add_public(described(Side::Theirs, Status::Primary, "new"), new.public())
        .build()
        .unwrap();
    let signer = keyring.signer("centre", NOW).unwrap();
    assert_eq!(signer.info.serial, "old");
    let signature = signer.sm2().unwrap().sign(b"m", &mut SeededRng::new(31)).unwrap();
    let verify = |serial| {
        keyring
            .verifier("centre", serial, NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &signature)
    };
    assert!(verify("old").is_ok());
    assert!(verify("new").is_err());
    let next = keyring
        .signer_with("centre", "new", NOW)
        .unwrap()
        .sm2()
        .unwrap()
        .sign(b"m", &mut SeededRng::new(32))
        .unwrap();
    assert!(
        keyring
            .verifier("centre", "new", NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &next)
            .is_ok()
    );
}

#[test]
fn user_ids_of_entries_are_used() {
    let key = gmt_key();
    let described = |link: &str, side, user_id: Option<&str>| KeyEntry {
        user_id: user_id.map(str::to_owned),
        ..entry(link, side, Usage::Sign, Status::Primary, "1")
    };
    let keyring = Keyring::builder()
        .add_private(described("a", Side::Ours, Some("bank")), &key)
        .add_public(described("a", Side::Theirs, Some("bank")), key.public())
        .add_public(described("b", Side::Theirs, None), key.public())
        .build()
        .unwrap();
    let signature = keyring
        .signer("a", NOW)
        .unwrap()
        .sm2()
        .unwrap()
        .sign(b"m", &mut SeededRng::new(33))
        .unwrap();
    assert!(
        keyring
            .verifier("a", "1", NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &signature)
            .is_ok()
    );
    assert!(
        keyring
            .verifier("b", "1", NOW)
            .unwrap()
            .sm2()
            .unwrap()
            .verify(b"m", &signature)
            .is_err()
    );
}

#[test]
fn the_digest_stays_while_journal_keys_rotate() {
    let journal = |serial, status, year: i32| {
        let not_before = datetime!(2020-01-01 00:00 UTC).replace_year(year).unwrap();
        KeyEntry {
            not_before,
            ..entry(JOURNAL_LINK, Side::Shared, Usage::Journal, status, serial)
        }
    };
    let digest = |keyring: Keyring| keyring.digest().unwrap().tag(&[b"6222"]);
    let first = digest(
        Keyring::builder()
            .add_secret(journal("1", Status::Primary, 2020), &[1; 16])
            .build()
            .unwrap(),
    );
    let rotated = Keyring::builder()
        .add_secret(journal("2", Status::Primary, 2022), &[2; 16])
        .add_secret(journal("1", Status::Retired, 2020), &[1; 16])
        .add_secret(journal("0", Status::Revoked, 2019), &[0; 16]);
    assert_eq!(digest(rotated.build().unwrap()), first);
    let other = digest(
        Keyring::builder()
            .add_secret(journal("2", Status::Primary, 2022), &[2; 16])
            .build()
            .unwrap(),
    );
    assert_ne!(other, first);
    assert!(matches!(Keyring::default().digest().err(), Some(KeyError::NoPrimary { .. })));
}

fn refused(builder: KeyringBuilder, rule: &str) {
    let error = builder.build().err().expect(rule).to_string();
    assert!(error.contains(rule), "{error}");
}

#[test]
fn contradictions_are_refused() {
    let key = gmt_key();
    let sign = |serial| entry("centre", Side::Ours, Usage::Sign, Status::Primary, serial);
    let mac = || entry("centre", Side::Shared, Usage::Mac, Status::Primary, "1");
    let journal = || entry(JOURNAL_LINK, Side::Shared, Usage::Journal, Status::Primary, "1");
    let (check, new) = (refused, Keyring::builder);
    check(
        new().add_private(sign("1"), &key).add_private(sign("2"), &key),
        "second primary key beside centre-ours-sign-1",
    );
    let again = KeyEntry {
        id: "other".to_owned(),
        status: Status::Accepted,
        ..sign("1")
    };
    check(
        new().add_private(sign("1"), &key).add_private(again, &key),
        "has the serial 1 of key centre-ours-sign-1",
    );
    check(
        new().add_private(sign("1"), &key).add_private(sign("1"), &key),
        "is there twice",
    );
    check(new().add_private(mac(), &key), "side shared and usage mac");
    check(
        new().add_private(
            KeyEntry {
                side: Side::Ours,
                ..mac()
            },
            &key,
        ),
        "side ours and usage mac",
    );
    check(new().add_public(sign("1"), key.public()), "side ours and usage sign");
    check(
        new().add_secret(
            KeyEntry {
                side: Side::Shared,
                ..sign("1")
            },
            &[1; 32],
        ),
        "side shared and usage sign",
    );
    check(new().add_secret(mac(), &[1; 31]), "must be 32 bytes");
    check(new().add_secret(journal(), &[1; 32]), "must be 16 bytes");
    check(
        new().add_secret(
            KeyEntry {
                link: "centre".to_owned(),
                ..journal()
            },
            &[1; 16],
        ),
        "journal keys",
    );
    check(
        new().add_secret(
            KeyEntry {
                link: JOURNAL_LINK.to_owned(),
                ..mac()
            },
            &[1; 32],
        ),
        "journal keys",
    );
}

#[test]
fn impossible_entries_are_refused() {
    let key = gmt_key();
    let sign = |serial| entry("centre", Side::Ours, Usage::Sign, Status::Primary, serial);
    let mac = || entry("centre", Side::Shared, Usage::Mac, Status::Primary, "1");
    let (check, new) = (refused, Keyring::builder);
    check(
        new().add_secret(
            KeyEntry {
                user_id: Some("x".to_owned()),
                ..mac()
            },
            &[1; 32],
        ),
        "user_id",
    );
    check(
        new().add_private(
            KeyEntry {
                user_id: Some("x".repeat(8192)),
                ..sign("1")
            },
            &key,
        ),
        "too long",
    );
    check(
        new().add_private(
            KeyEntry {
                not_after: datetime!(2020-01-01 00:00 UTC),
                ..sign("1")
            },
            &key,
        ),
        "validity",
    );
    check(new().add_private(sign(""), &key), "needs serial to be 1 to 128");
    let spaced = KeyEntry {
        serial: "a b".to_owned(),
        ..sign("1")
    };
    check(new().add_private(spaced, &key), "needs serial to be 1 to 128");
}

#[test]
fn fingerprints_tell_keys_apart_and_show_no_secret() {
    let keyring = keyring(Status::Primary);
    let infos: Vec<_> = keyring.infos().collect();
    assert_eq!(infos.len(), 6);
    let of = |usage, side| {
        infos
            .iter()
            .find(|info| info.usage == usage && info.side == side)
            .unwrap()
            .fingerprint
            .clone()
    };
    assert_eq!(
        of(Usage::Sign, Side::Ours),
        of(Usage::Sign, Side::Theirs),
        "one key pair, one fingerprint"
    );
    assert_ne!(of(Usage::Mac, Side::Shared), of(Usage::Journal, Side::Shared));
    for info in infos {
        assert_eq!(info.fingerprint.len(), 32);
        assert!(!format!("{info:?}").contains("0101010101"));
    }
}

#[test]
fn a_key_that_no_message_names_is_the_only_one_or_none() {
    let kinds = |statuses: &[Status]| {
        let mut builder = Keyring::builder();
        for (number, status) in statuses.iter().enumerate() {
            let named = |side, usage: Usage| KeyEntry {
                id: format!("{number}-{}", usage.name()),
                ..entry("one", side, usage, *status, &number.to_string())
            };
            builder = builder
                .add_public(named(Side::Theirs, Usage::Sign), gmt_key().public())
                .add_secret(named(Side::Shared, Usage::Mac), &[1; 32]);
        }
        let keyring = builder.build().unwrap();
        let both = [kind(&keyring.one_verifier("one", NOW)), kind(&keyring.one_mac("one", NOW))];
        assert_eq!(both[0], both[1]);
        both[0]
    };
    assert_eq!(kinds(&[Status::Primary]), "ok");
    assert_eq!(
        kinds(&[Status::Primary, Status::Retired, Status::Revoked, Status::Pending]),
        "ok"
    );
    assert_eq!(kinds(&[Status::Primary, Status::Draining]), "unknown");
    assert_eq!(kinds(&[Status::Retired]), "unknown");
    assert_eq!(kinds(&[]), "unknown");
}

#[test]
fn a_primary_key_takes_its_place_at_an_instant() {
    let from = |serial: &str, primary_from| KeyEntry {
        primary_from,
        ..entry("one", Side::Shared, Usage::Mac, Status::Primary, serial)
    };
    let at = NOW + Duration::HOUR;
    let build = |entries: [KeyEntry; 2]| {
        let add = |builder: KeyringBuilder, entry| builder.add_secret(entry, &[1; 32]);
        entries.into_iter().fold(Keyring::builder(), add).build()
    };
    let keyring = build([from("new", Some(at)), from("old", None)]).unwrap();
    let serial = |now| keyring.mac("one", now).unwrap().info.serial.as_str();
    assert_eq!(
        [serial(at - Duration::NANOSECOND), serial(at), serial(at + Duration::HOUR)],
        ["old", "new", "new"]
    );
    for serial in ["old", "new"] {
        assert!(keyring.mac_with("one", serial, at).is_ok(), "both check what names them");
    }
    assert_eq!(keyring.promoted(), Some(at));
    // Nothing signs before the first one takes its place, and no two take it at once.
    let later = build([from("new", Some(at)), from("newer", Some(at + Duration::HOUR))]).unwrap();
    assert!(matches!(later.mac("one", NOW).err(), Some(KeyError::NoPrimary { .. })));
    let twice = build([from("new", Some(at)), from("newer", Some(at))]);
    assert!(twice.err().unwrap().rule.starts_with("is a second primary key"));
}
