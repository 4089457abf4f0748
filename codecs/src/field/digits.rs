//! Numbers and dates as decimal digits, written without the formatter, which costs more than all else of a short value.

use time::Date;

/// The last so many digits of a number, zeros before them.
pub fn push_digits<const N: usize>(text: &mut String, mut number: u32) {
    let mut digits = ['0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = char::from_digit(number % 10, 10).unwrap_or('0');
        number /= 10;
    }
    text.extend(digits);
}

/// A whole number.
pub fn push_number(text: &mut String, number: i64) {
    if number < 0 {
        text.push('-');
    }
    let mut digits = ['0'; NUMBER_DIGITS_MAX];
    let (mut rest, mut count) = (number.unsigned_abs(), 0);
    for digit in digits.iter_mut().rev() {
        let [last, ..] = (rest % 10).to_le_bytes();
        *digit = char::from(b'0' + last);
        (rest, count) = (rest / 10, count + 1);
        if rest == 0 {
            break;
        }
    }
    text.extend(digits.into_iter().skip(NUMBER_DIGITS_MAX - count));
}

/// `2030-01-02`, with what is to stand between. A year before 0 has a sign, which no reader takes.
pub fn push_date(text: &mut String, day: Date, between: &str) {
    if day.year() < 0 {
        text.push('-');
    }
    push_digits::<4>(text, day.year().unsigned_abs());
    text.push_str(between);
    push_digits::<2>(text, u8::from(day.month()).into());
    text.push_str(between);
    push_digits::<2>(text, day.day().into());
}

/// Of `u64::MAX`.
const NUMBER_DIGITS_MAX: usize = 20;
