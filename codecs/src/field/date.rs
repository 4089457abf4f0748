//! Dates and moments. The canonical text of a moment is RFC 3339 in Beijing time, whole seconds.
//!
//! No clock is read here.

use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::{all_consuming, map_res};
use nom::{IResult, Parser};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

pub(super) fn date8(text: &str) -> Option<Date> {
    finish(all_consuming((number(4), number(2), number(2))).parse(text)).and_then(|(year, month, day)| calendar(year, month, day))
}

pub(super) fn date_dash(text: &str) -> Option<Date> {
    let (year, _, month, _, day) = finish(all_consuming((number(4), tag("-"), number(2), tag("-"), number(2))).parse(text))?;
    calendar(year, month, day)
}

pub(super) fn time6(text: &str) -> bool {
    finish(all_consuming((number(2), number(2), number(2))).parse(text))
        .and_then(|(hour, minute, second)| clock(hour, minute, second))
        .is_some()
}

/// Reads `0102`: a day of any year, so that the 29th of February is one.
pub(super) fn day4(text: &str) -> bool {
    finish(all_consuming((number(2), number(2))).parse(text))
        .and_then(|(month, day)| calendar(LEAP_YEAR, month, day))
        .is_some()
}

/// Reads `2030-01-02T18:30:05` as Beijing time.
pub(super) fn local(text: &str) -> Option<OffsetDateTime> {
    let (day, moment) = text.split_once('T')?;
    let (hour, _, minute, _, second) =
        finish(all_consuming((number(2), tag(":"), number(2), tag(":"), number(2))).parse(moment))?;
    Some(PrimitiveDateTime::new(date_dash(day)?, clock(hour, minute, second)?).assume_offset(beijing()?))
}

/// Reads `2030-01-02 18:30:05` as Beijing time.
pub(super) fn local_space(text: &str) -> Option<OffsetDateTime> {
    let (day, moment) = text.split_once(' ')?;
    local(&format!("{day}T{moment}"))
}

/// Reads `20300102183005` as Beijing time.
pub(super) fn local_digits(text: &str) -> Option<OffsetDateTime> {
    let (day, moment) = text.split_at_checked(8)?;
    let (hour, minute, second) = finish(all_consuming((number(2), number(2), number(2))).parse(moment))?;
    Some(PrimitiveDateTime::new(date8(day)?, clock(hour, minute, second)?).assume_offset(beijing()?))
}

/// The date at the head of an identifier, perhaps after a capital letter.
pub(crate) fn dated(text: &str) -> Option<Date> {
    let digits = text.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(text);
    let rest = digits.get(8..)?;
    let alnum = rest.bytes().all(|b| b.is_ascii_alphanumeric());
    date8(digits.get(..8)?).filter(|_| alnum)
}

pub(crate) fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
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
    moment
        .checked_to_offset(beijing()?)?
        .replace_nanosecond(0)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

pub(super) fn write_local(moment: OffsetDateTime) -> Option<String> {
    let moment = moment.checked_to_offset(beijing()?)?;
    let (hour, minute, second) = moment.time().as_hms();
    Some(format!(
        "{}T{hour:02}:{minute:02}:{second:02}",
        write_date_dash(moment.date())
    ))
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
    let (hour, minute, second) = moment.time().as_hms();
    Some(format!("{}{hour:02}{minute:02}{second:02}", write_date8(moment.date())))
}

pub(super) fn write_date8(day: Date) -> String {
    format!("{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}

pub(super) fn write_date_dash(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

/// China keeps one offset and no summer time.
fn beijing() -> Option<UtcOffset> {
    UtcOffset::from_hms(8, 0, 0).ok()
}

fn number<'a>(digits: usize) -> impl Parser<&'a str, Output = u16, Error = nom::error::Error<&'a str>> {
    map_res(take_while_m_n(digits, digits, |c: char| c.is_ascii_digit()), str::parse)
}

fn finish<T>(parsed: IResult<&str, T>) -> Option<T> {
    parsed.ok().map(|(_, value)| value)
}

fn calendar(year: u16, month: u16, day: u16) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

fn clock(hour: u16, minute: u16, second: u16) -> Option<Time> {
    let part = |number: u16| u8::try_from(number).ok();
    Time::from_hms(part(hour)?, part(minute)?, part(second)?).ok()
}

const LEAP_YEAR: u16 = 2028;
