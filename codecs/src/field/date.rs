//! Dates and moments. The canonical text of a moment is RFC 3339 in Beijing time, whole seconds.
//!
//! No clock is read here.

use super::{push_date, push_digits};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

pub(super) fn date8(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, m1, m2, d1, d2] = text.as_bytes() else {
        return None;
    };
    calendar(number([y1, y2, y3, y4])?, number([m1, m2])?, number([d1, d2])?)
}

pub(super) fn date_dash(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    calendar(number([y1, y2, y3, y4])?, number([m1, m2])?, number([d1, d2])?)
}

pub(super) fn time6(text: &str) -> bool {
    clock6(text).is_some()
}

fn clock6(text: &str) -> Option<Time> {
    let &[h1, h2, m1, m2, s1, s2] = text.as_bytes() else {
        return None;
    };
    clock([h1, h2], [m1, m2], [s1, s2])
}

/// Reads `0102`: a day of any year, so that the 29th of February is one.
pub(super) fn day4(text: &str) -> bool {
    let &[m1, m2, d1, d2] = text.as_bytes() else {
        return false;
    };
    let day = number([m1, m2]).zip(number([d1, d2]));
    day.and_then(|(month, day)| calendar(LEAP_YEAR, month, day)).is_some()
}

/// Reads `2030-01-02T18:30:05` as Beijing time.
pub(super) fn local(text: &str) -> Option<OffsetDateTime> {
    apart(text, b'T')
}

/// Reads `2030-01-02 18:30:05` as Beijing time.
pub(super) fn local_space(text: &str) -> Option<OffsetDateTime> {
    apart(text, b' ')
}

/// Day and clock with one byte between them.
fn apart(text: &str, between: u8) -> Option<OffsetDateTime> {
    let (day, moment) = text.split_at_checked(DAY_BYTES)?;
    let &[mark, h1, h2, b':', m1, m2, b':', s1, s2] = moment.as_bytes() else {
        return None;
    };
    let clock = clock([h1, h2], [m1, m2], [s1, s2]).filter(|_| mark == between)?;
    Some(PrimitiveDateTime::new(date_dash(day)?, clock).assume_offset(beijing()?))
}

/// Reads `20300102183005` as Beijing time.
pub(super) fn local_digits(text: &str) -> Option<OffsetDateTime> {
    let (day, moment) = text.split_at_checked(8)?;
    Some(PrimitiveDateTime::new(date8(day)?, clock6(moment)?).assume_offset(beijing()?))
}

/// The date at the head of an identifier, perhaps after a capital letter.
pub(crate) fn dated(text: &str) -> Option<Date> {
    let digits = text.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(text);
    let rest = digits.get(8..)?;
    let alnum = rest.bytes().all(|b| b.is_ascii_alphanumeric());
    date8(digits.get(..8)?).filter(|_| alnum)
}

pub(crate) fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    // Nearly every moment is written as `canonical` writes it.
    let canonical = text.strip_suffix(BEIJING).and_then(local);
    canonical.or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok())
}

/// Reads whole seconds since 1970, as many digits as this century needs.
pub(super) fn unix_seconds(text: &str) -> Option<OffsetDateTime> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
    OffsetDateTime::from_unix_timestamp(text.parse().ok().filter(|_| plain)?).ok()
}

/// A moment as a payment may hold it: with or without its offset.
pub(super) fn moment(text: &str) -> Option<OffsetDateTime> {
    rfc3339(text).or_else(|| local(text))
}

pub(crate) fn canonical(moment: OffsetDateTime) -> Option<String> {
    let moment = moment.checked_to_offset(beijing()?)?;
    let mut text = String::with_capacity(CANONICAL_BYTES);
    write_apart(&mut text, moment)?;
    text.push_str(BEIJING);
    Some(text)
}

pub(super) fn write_local(moment: OffsetDateTime) -> Option<String> {
    let moment = moment.checked_to_offset(beijing()?)?;
    let mut text = String::with_capacity(CANONICAL_BYTES);
    write_apart(&mut text, moment)?;
    Some(text)
}

/// Day and clock with a `T` between them; RFC 3339 knows no years before 0.
fn write_apart(text: &mut String, moment: OffsetDateTime) -> Option<()> {
    u32::try_from(moment.year()).ok()?;
    push_date(text, moment.date(), "-");
    let (hour, minute, second) = moment.time().as_hms();
    for (mark, number) in [('T', hour), (':', minute), (':', second)] {
        text.push(mark);
        push_digits::<2>(text, number.into());
    }
    Some(())
}

/// A moment as `20300102183005`, or that moment at the head of an identifier.
pub(super) fn write_digits(text: &str) -> Option<String> {
    write_moment(text).or_else(|| {
        let head = text.get(..14).filter(|head| local_digits(head).is_some());
        head.map(ToOwned::to_owned)
    })
}

/// A moment as `20300102183005`.
pub(super) fn write_moment(text: &str) -> Option<String> {
    let moment = moment(text)?;
    let moment = moment.checked_to_offset(beijing()?)?;
    let mut written = write_date8(moment.date());
    let (hour, minute, second) = moment.time().as_hms();
    for number in [hour, minute, second] {
        push_digits::<2>(&mut written, number.into());
    }
    Some(written)
}

pub(super) fn write_date8(day: Date) -> String {
    let mut text = String::with_capacity(MOMENT_BYTES);
    push_date(&mut text, day, "");
    text
}

pub(super) fn write_date_dash(day: Date) -> String {
    let mut text = String::with_capacity(DAY_BYTES);
    push_date(&mut text, day, "-");
    text
}

/// China keeps one offset and no summer time.
fn beijing() -> Option<UtcOffset> {
    UtcOffset::from_hms(8, 0, 0).ok()
}

fn number<const N: usize>(digits: [u8; N]) -> Option<u16> {
    digits.iter().try_fold(0, |number: u16, &b| {
        let digit = u16::from(b.wrapping_sub(b'0'));
        (digit < 10).then(|| number * 10 + digit)
    })
}

fn calendar(year: u16, month: u16, day: u16) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

fn clock(hour: [u8; 2], minute: [u8; 2], second: [u8; 2]) -> Option<Time> {
    let part = |digits| u8::try_from(number(digits)?).ok();
    Time::from_hms(part(hour)?, part(minute)?, part(second)?).ok()
}

const LEAP_YEAR: u16 = 2028;
const DAY_BYTES: usize = 10;
const MOMENT_BYTES: usize = 14;
const CANONICAL_BYTES: usize = 25;
const BEIJING: &str = "+08:00";
