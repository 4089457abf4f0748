//! The platform's customers: each is derived from its number, so a million of them take no memory.
//!
//! All are invented. Card numbers start with 6200000000 and mobiles with 100, which are given to nobody.

#[cfg(test)]
mod tests;

use codecs::payment::Money;

/// What a customer's account is like, for scenarios that need a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    /// Holds one fen.
    Poor,
    Frozen,
}

/// One customer with one account.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub index: u64,
    pub account: String,
    pub name: String,
    pub id_number: String,
    pub mobile: String,
    pub kind: Kind,
}

/// As many as there are numbers: an account exists because its number does, so all of them cost nothing.
pub const ACCOUNTS_MAX: u64 = 1_000_000_000;

const ACCOUNT_PREFIX: &str = "6200000000";
const AGREEMENT_PREFIX: &str = "9";
/// The ten heavenly stems stand for digits, so a name is as long as a name and tells its owner.
const STEMS: [char; 10] = [
    '\u{7532}', '\u{4e59}', '\u{4e19}', '\u{4e01}', '\u{620a}', '\u{5df1}', '\u{5e9a}', '\u{8f9b}', '\u{58ec}', '\u{7678}',
];

impl Person {
    pub fn at(index: u64) -> Self {
        let kind = match index % 200 {
            198 => Kind::Poor,
            199 => Kind::Frozen,
            _ => Kind::Plain,
        };
        Self {
            index,
            account: format!("{ACCOUNT_PREFIX}{index:09}"),
            name: name(index),
            id_number: format!("990000{:04}0101{:04}", 1950 + index % 50, index / 50 % 10_000),
            mobile: format!("100{:08}", index % 100_000_000),
            kind,
        }
    }

    /// The owner of an account number, if it is one of the first `count`.
    pub fn of_account(account: &str, count: u64) -> Option<Self> {
        let index = numbered(account, ACCOUNT_PREFIX, 9)?;
        (index < count).then(|| Self::at(index))
    }

    /// The owner of an agreement that existed before the run: number 9 and the account's index.
    pub fn of_agreement(agreement: &str, count: u64) -> Option<Self> {
        let index = numbered(agreement, AGREEMENT_PREFIX, 19)?;
        (index < count).then(|| Self::at(index))
    }

    /// The owner of an agreement, whoever it is.
    pub fn of_any_agreement(agreement: &str) -> Option<Self> {
        Self::of_agreement(agreement, u64::MAX)
    }

    pub fn agreement(&self) -> String {
        format!("{AGREEMENT_PREFIX}{:019}", self.index)
    }

    pub fn opening_balance(&self) -> Money {
        match self.kind {
            Kind::Poor => Money::from_fen(1),
            Kind::Plain | Kind::Frozen => Money::from_fen(1_000_000 + i64::try_from(self.index * 7919 % 100_000).unwrap_or(0)),
        }
    }
}

fn numbered(text: &str, prefix: &str, digits: usize) -> Option<u64> {
    let number = text.strip_prefix(prefix)?;
    let plain = number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit());
    if plain { number.parse().ok() } else { None }
}

fn name(index: u64) -> String {
    let digits = index.to_string();
    let stems = digits
        .bytes()
        .filter_map(|digit| STEMS.get(usize::from(digit.wrapping_sub(b'0'))));
    "\u{793a}".chars().chain(stems.copied()).collect()
}
