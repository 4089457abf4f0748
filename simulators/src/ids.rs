//! Identifiers as the clearing network writes them (facts/clearing.md 1.1).

#[cfg(test)]
mod tests;

use codecs::payment::{Attribute, Payment};
use time::{Date, OffsetDateTime};

/// The letter of the front end, and the settlement date, under which serials are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbering {
    pub mfe: char,
    pub settlement_date: Date,
}

impl Numbering {
    /// 18 digits: settlement date, the letter's ASCII code, serial.
    pub fn msg_id(&self, serial: u64) -> String {
        format!(
            "{}{:02}{:08}",
            digits(self.settlement_date),
            u32::from(self.mfe) % 100,
            serial % 100_000_000
        )
    }

    /// 11 characters: the letter, two more letters, 8 digits.
    pub fn serial(&self, serial: u64) -> String {
        format!("{}BE{:08}", self.mfe, serial % 100_000_000)
    }

    /// 31 digits, as the payment institutions' network numbers its transactions.
    pub fn end_to_end_id(&self, serial: u64) -> String {
        format!("{}{:018}{:05}", digits(self.settlement_date), serial, 10_900 + serial % 90)
    }

    /// `B`, the date, four digits: a new batch for each thousand serials.
    pub fn batch(&self, serial: u64) -> String {
        format!("B{}{:04}", digits(self.settlement_date), 1 + serial / 1000 % 24)
    }
}

/// `yyyyMMdd`.
pub fn digits(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

/// `HHmmss`.
pub fn time_digits(at: OffsetDateTime) -> String {
    format!("{:02}{:02}{:02}", at.hour(), at.minute(), at.second())
}

/// yyyy-MM-ddTHH:mm:ss.
pub fn stamp(at: OffsetDateTime) -> String {
    format!("{}T{:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second())
}

/// The five-part key of a message as its sender named it: sender, application, date, serial, message code.
pub fn communication_key(message: &Payment) -> String {
    key(
        message,
        [
            Attribute::Sender,
            Attribute::SenderApp,
            Attribute::Serial,
            Attribute::MessageCode,
        ],
        Attribute::SendDate,
    )
}

/// The key of the request that a reply refers to; `None` when it refers to none.
pub fn reference_key(message: &Payment) -> Option<String> {
    message.text(Attribute::RefSerial)?;
    let parts = [
        Attribute::RefSender,
        Attribute::RefSenderApp,
        Attribute::RefSerial,
        Attribute::RefCode,
    ];
    Some(key(message, parts, Attribute::RefDate))
}

fn key(message: &Payment, [sender, application, serial, code]: [Attribute; 4], date: Attribute) -> String {
    let text = |attribute| message.text(attribute).unwrap_or_default();
    let date = message.date(date).map(digits).unwrap_or_default();
    format!(
        "{}|{}|{date}|{}|{}",
        text(sender),
        text(application),
        text(serial),
        text(code)
    )
}
