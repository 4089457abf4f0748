#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::testing::{SeededRng, bytes};

fn share(threshold: u8, digits: &str) -> Share {
    let mut value = bytes(digits);
    let number = value.pop().unwrap();
    Share {
        store: "s".to_owned(),
        threshold,
        number,
        value: Zeroizing::new(value),
    }
}

/// Made by another implementation (the Python package pyshamir 1.1, a port of Vault's): value, then number.
#[test]
fn shares_of_another_implementation_are_combined() {
    let secret: Vec<u8> = (0..32).collect();
    for chosen in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        let shares = chosen.map(|index: usize| share(3, THEIRS[index]));
        assert_eq!(*combine(&shares).unwrap(), secret, "{chosen:?}");
    }
    let all = THEIRS.map(|digits| share(3, digits));
    assert_eq!(*combine(&all).unwrap(), secret);
}

#[test]
fn the_field_is_the_one_of_aes() {
    // FIPS 197 4.2.
    assert_eq!((product(0x57, 0x83), product(0x57, 0x13)), (0xc1, 0xfe));
    for value in 1..=255 {
        assert_eq!(product(value, inverse(value)), 1, "{value}");
    }
}

#[test]
fn any_threshold_of_them_gives_the_secret_and_fewer_do_not() {
    let mut rng = SeededRng::new(75);
    let secret = [7; 32];
    for (threshold, count) in [(2, 2), (2, 3), (3, 5), (5, 7)] {
        let shares = split(&secret, "s", threshold, count, &mut rng).unwrap();
        let texts: Vec<_> = shares.iter().map(|share| share.danger_to_text().unwrap()).collect();
        let taken = |numbers: &[usize]| -> Vec<Share> { numbers.iter().map(|&n| Share::from_text(&texts[n]).unwrap()).collect() };
        let all: Vec<usize> = (0..usize::from(count)).collect();
        for window in all.windows(usize::from(threshold)) {
            assert_eq!(*combine(&taken(window)).unwrap(), secret);
            assert!(combine(&taken(&window[1..])).is_err());
        }
        let twice = [all[0]; 7];
        assert!(combine(&taken(&twice[..usize::from(threshold)])).is_err(), "one share twice");
        assert!(shares.iter().all(|share| *share.value != secret));
    }
    for (threshold, count) in [(0, 3), (1, 3), (4, 3)] {
        assert!(split(&secret, "s", threshold, count, &mut rng).is_err());
    }
    assert!(combine(&[]).is_err());
}

#[test]
fn shares_of_two_splits_are_not_mixed() {
    let mut rng = SeededRng::new(76);
    let one = split(&[7; 32], "one", 2, 2, &mut rng).unwrap();
    let two = split(&[7; 32], "two", 2, 2, &mut rng).unwrap();
    let mixed: Vec<_> = one.into_iter().take(1).chain(two.into_iter().skip(1)).collect();
    assert!(combine(&mixed).is_err());
}

#[test]
fn a_slip_of_the_hand_is_noticed() {
    let mut rng = SeededRng::new(77);
    let shares = split(&[7; 32], "s", 2, 2, &mut rng).unwrap();
    let text = shares[0].danger_to_text().unwrap();
    let line = text.lines().find(|line| line.starts_with("value")).unwrap();
    let digit = line.chars().nth(20).unwrap();
    let slip = line.replace(digit, if digit == '0' { "1" } else { "0" });
    assert!(Share::from_text(&text.replace(line, &slip)).is_err());
    assert!(Share::from_text(&text.replace("number = 1", "number = 2")).is_err());
    assert!(Share::from_text("").is_err());
}

const THEIRS: [&str; 5] = [
    "89047166cc7c375a95738a7912e23c0b469947fe125899bb9505750d3e484842e7",
    "2920f742267e838876a1d6be210e103013b60651e0387a09acab00faff4bdcc230",
    "1cbee6519e0928774a14b22828d710a3195ceb0b9737e0b182b1198e04b240e10e",
    "4c456995a6a0072691d60c13cce7c986f1f395ee9c980220e2a72a5909e70ef7b2",
    "bdeb37a8eceb56fce15c5c25a2efbac183364c47e1c4b48c17441f8a7aeb0d88cc",
];
