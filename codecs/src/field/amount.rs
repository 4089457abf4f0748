//! Amounts as whole numbers of fen. Yuan with two decimals is read by `Money` itself.

use super::push_number;
use crate::payment::Money;

/// Reads `CNY12.34`.
pub(super) fn cny(text: &str) -> Option<Money> {
    text.strip_prefix("CNY").and_then(Money::parse_yuan)
}

/// Reads twelve digits.
pub(super) fn fen12(text: &str) -> Option<Money> {
    let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Money::from_fen)
}

/// Reads a whole number without sign, leading zeros or fraction.
pub(super) fn fen(text: &str) -> Option<Money> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Money::from_fen)
}

/// `12.34` behind a currency or nothing.
pub(super) fn write_yuan(currency: &str, money: Money) -> String {
    let mut text = String::with_capacity(AMOUNT_BYTES);
    text.push_str(currency);
    money.push_yuan(&mut text);
    text
}

pub(super) fn write_fen(money: Money) -> String {
    let mut text = String::with_capacity(AMOUNT_BYTES);
    push_number(&mut text, money.fen());
    text
}

const AMOUNT_BYTES: usize = 16;
