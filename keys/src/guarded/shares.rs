//! Shamir's secret sharing over GF(2^8) with the polynomial of AES, byte by byte, in constant time: as `HashiCorp` Vault does it.
//!
//! Written here because the crates that do it bring a random generator of their own and look up tables by secret bytes.

use super::change::Officer;
use super::officer::OfficerKey;
use super::refusal::Refusal;
use crate::error::CryptoError;
use crate::hex;
use crate::sm2::{Ciphertext, Engine};
use crate::sm3::sm3;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// One part of a master key, in the clear. No `Debug`, no `Clone`; wiped when dropped.
pub struct Share {
    store: String,
    threshold: u8,
    /// Where the polynomials were evaluated, never 0.
    number: u8,
    value: Zeroizing<Vec<u8>>,
}

/// A share sealed for one officer's key; the officer's passphrase opens it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedShare {
    format: String,
    pub store: String,
    pub threshold: u8,
    pub number: u8,
    pub officer: String,
    /// C1 || C3 || C2 of GB/T 32918.4, in hex.
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenShare {
    format: String,
    store: String,
    threshold: u8,
    number: u8,
    value: String,
    check: String,
}

impl Drop for OpenShare {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Share {
    pub fn number(&self) -> u8 {
        self.number
    }

    /// For a file of mode 0600 that lives as long as a start takes.
    pub fn danger_to_text(&self) -> Result<Zeroizing<String>, Refusal> {
        let open = OpenShare {
            format: OPEN.to_owned(),
            store: self.store.clone(),
            threshold: self.threshold,
            number: self.number,
            value: hex::encode(&self.value),
            check: hex::encode(&self.check()),
        };
        let text = toml::to_string(&open).map_err(|error| Refusal::Form(error.to_string()))?;
        Ok(Zeroizing::new(text))
    }

    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        // The parser's own message would quote the line.
        let open: OpenShare = toml::from_str(text).map_err(|_| not("share in the clear"))?;
        let value = hex::decode(&open.value).ok_or_else(|| not("share in the clear"))?;
        let share = Self {
            store: open.store.clone(),
            threshold: open.threshold,
            number: open.number,
            value,
        };
        if open.format == OPEN && hex::encode(&share.check()) == open.check {
            Ok(share)
        } else {
            Err(not("share in the clear, or was mistyped"))
        }
    }

    pub fn seal(&self, officer: &Officer, rng: &mut dyn CryptoRng) -> Result<SealedShare, Refusal> {
        let clear = Zeroizing::new([self.value.as_slice(), &self.check()].concat());
        let sealed = Engine::default().wrapper(&officer.public()?).wrap(&clear, rng);
        let sealed = sealed.map_err(|error| Refusal::Form(error.to_string()))?;
        Ok(SealedShare {
            format: SEALED.to_owned(),
            store: self.store.clone(),
            threshold: self.threshold,
            number: self.number,
            officer: officer.name.clone(),
            sealed: hex::encode(&[&sealed.c1[..], &sealed.c3, &sealed.c2].concat()),
        })
    }

    /// Finds slips of a hand that copies, and a share that was opened by another key.
    fn check(&self) -> [u8; CHECK_BYTES] {
        let head = format!("{OPEN}\n{}\n{}\n{}\n", self.store, self.threshold, self.number);
        let digest = sm3(&[head.as_bytes(), &self.value]);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&digest[..CHECK_BYTES]);
        check
    }
}

impl SealedShare {
    pub fn to_text(&self) -> Result<String, Refusal> {
        toml::to_string(self).map_err(|error| Refusal::Form(error.to_string()))
    }

    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        let sealed: Self = toml::from_str(text).map_err(|_| not("sealed share"))?;
        if sealed.format == SEALED {
            Ok(sealed)
        } else {
            Err(not("sealed share"))
        }
    }

    pub fn open(&self, key: &OfficerKey) -> Result<Share, Refusal> {
        let refused = || Refusal::Share(self.officer.clone());
        let bytes = hex::decode(&self.sealed).filter(|bytes| bytes.len() > POINT_BYTES + DIGEST_BYTES);
        let bytes = bytes.ok_or_else(refused)?;
        let (c1, rest) = bytes.split_at(POINT_BYTES);
        let (c3, c2) = rest.split_at(DIGEST_BYTES);
        let ciphertext = Ciphertext {
            c1: c1.try_into().map_err(|_| refused())?,
            c3: c3.try_into().map_err(|_| refused())?,
            c2: c2.to_vec(),
        };
        let clear = key.open(&ciphertext).map_err(|_| refused())?;
        let Some((value, check)) = clear.danger_expose().split_last_chunk::<CHECK_BYTES>() else {
            return Err(refused());
        };
        let share = Share {
            store: self.store.clone(),
            threshold: self.threshold,
            number: self.number,
            value: Zeroizing::new(value.to_vec()),
        };
        if share.check() == *check { Ok(share) } else { Err(refused()) }
    }
}

/// Shares 1 to `count` of a secret; any `threshold` of them give it again, and fewer tell nothing.
pub(super) fn split(
    secret: &[u8],
    store: &str,
    threshold: u8,
    count: u8,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<Share>, CryptoError> {
    if threshold < 2 || count < threshold {
        return Err(CryptoError::TooLong);
    }
    // Coefficients of rising power; those of power 0 are the secret.
    let mut powers = vec![Zeroizing::new(secret.to_vec())];
    for _ in 1..threshold {
        let mut coefficients = Zeroizing::new(vec![0; secret.len()]);
        rng.fill_bytes(&mut coefficients);
        powers.push(coefficients);
    }
    let share = |number| Share {
        store: store.to_owned(),
        threshold,
        number,
        value: Zeroizing::new((0..secret.len()).map(|index| evaluate(&powers, index, number)).collect()),
    };
    Ok((1..=count).map(share).collect())
}

/// The secret of as many different shares as their threshold asks for.
pub(super) fn combine(shares: &[Share]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let first = shares.first().ok_or(CryptoError::Key)?;
    let like_first = |share: &Share| {
        share.number != 0
            && (&share.store, share.threshold, share.value.len()) == (&first.store, first.threshold, first.value.len())
    };
    let is_again = |(index, share): (usize, &Share)| shares[..index].iter().any(|other| other.number == share.number);
    let is_enough = shares.len() >= usize::from(first.threshold);
    if !is_enough || !shares.iter().all(like_first) || shares.iter().enumerate().any(is_again) {
        return Err(CryptoError::Key);
    }
    let mut secret = Zeroizing::new(vec![0; first.value.len()]);
    for share in shares {
        let weight = weight_at_zero(share.number, shares);
        for (byte, part) in secret.iter_mut().zip(share.value.iter()) {
            *byte ^= product(*part, weight);
        }
    }
    Ok(secret)
}

fn evaluate(powers: &[Zeroizing<Vec<u8>>], index: usize, at: u8) -> u8 {
    powers.iter().rev().fold(0, |sum, power| product(sum, at) ^ power[index])
}

/// Lagrange's polynomial of one share, at 0.
fn weight_at_zero(number: u8, shares: &[Share]) -> u8 {
    let others = shares.iter().map(|share| share.number).filter(|other| *other != number);
    others.fold(1, |weight, other| product(weight, product(other, inverse(other ^ number))))
}

/// In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, without a branch or a table.
fn product(left: u8, right: u8) -> u8 {
    let (mut sum, mut shifted) = (0, left);
    for bit in 0..8 {
        sum ^= shifted & 0u8.wrapping_sub((right >> bit) & 1);
        shifted = (shifted << 1) ^ (0x1b & 0u8.wrapping_sub(shifted >> 7));
    }
    sum
}

/// The 254th power.
fn inverse(value: u8) -> u8 {
    let mut power = value;
    for _ in 0..6 {
        power = product(product(power, power), value);
    }
    product(power, power)
}

fn not(what: &str) -> Refusal {
    Refusal::Form(format!("is no {what}"))
}

const OPEN: &str = "hangu-share 1";
const SEALED: &str = "hangu-sealed-share 1";
const CHECK_BYTES: usize = 8;
const POINT_BYTES: usize = 64;
const DIGEST_BYTES: usize = 32;

#[cfg(test)]
mod tests;
