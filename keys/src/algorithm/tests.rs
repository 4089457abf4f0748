#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use std::collections::BTreeSet;

#[test]
fn names_are_read_back() {
    let names: BTreeSet<_> = Algorithm::ALL.map(Algorithm::name).into();
    assert_eq!(names.len(), Algorithm::ALL.len());
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Algorithm::parse("SM2"), None);
}

#[test]
fn every_algorithm_serves_and_every_default_is_served() {
    for algorithm in Algorithm::ALL {
        let uses = Side::ALL.into_iter().flat_map(|side| Usage::ALL.map(|usage| (side, usage)));
        let served: Vec<_> = uses.filter(|(side, usage)| algorithm.serves(*side, *usage)).collect();
        assert!(!served.is_empty(), "{}", algorithm.name());
        let is_pair = algorithm.secret_bytes().is_none();
        assert!(served.iter().all(|(side, _)| (*side != Side::Shared) == is_pair));
    }
    for (side, usage, expected) in [
        (Side::Ours, Usage::Sign, Some(Algorithm::Sm2)),
        (Side::Theirs, Usage::Seal, Some(Algorithm::Sm2)),
        (Side::Shared, Usage::Mac, Some(Algorithm::HmacSm3)),
        (Side::Shared, Usage::Journal, Some(Algorithm::Sm4Gcm)),
        (Side::Shared, Usage::Seal, None),
    ] {
        assert_eq!(Algorithm::default_of(side, usage), expected);
        assert!(expected.is_none_or(|algorithm| algorithm.serves(side, usage)));
    }
    assert_eq!(Algorithm::serving(Side::Shared, Usage::Sign).count(), 0);
    assert_eq!(Algorithm::serving(Side::Ours, Usage::Mac).count(), 0);
}

#[test]
fn weakness_names_what_is_weak() {
    let weak: Vec<_> = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| algorithm.weakness(None))
        .collect();
    assert_eq!(
        weak,
        [
            "MD5",
            "DES",
            "3DES",
            "AES-ECB",
            "AES-ECB under MD5",
            "3DES in ECB",
            "DES",
            "3DES"
        ]
    );
    assert_eq!(Algorithm::Rsa.weakness(Some(2047)), Some("RSA under 2048 bits"));
    assert_eq!(Algorithm::Rsa.weakness(Some(2048)), None);
}
