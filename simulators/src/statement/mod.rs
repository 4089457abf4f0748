//! Statement files: what a party says it settled in a day or an hour, from its own book, in the layout of its kind.
//!
//! A file may be wrong on purpose; then it is told what is wrong with it, so that a reconciliation can be held to it.

mod alipay; // two CSV files in GBK
mod breaks; // what is wrong on purpose
mod lines; // from a book to what moved
mod neutral; // pipes, totals and a digest
mod texts; // headings and widths, in layouts.toml
mod wechat; // CSV with back ticks
mod zip; // several files as one
mod zlib; // and as an answer carries them
mod zm; // fixed widths in GBK

#[cfg(test)]
mod tests;

pub use breaks::{Break, BreakKind, Breaks, Effect};
pub use lines::{Line, Period, Side, Totals};
pub use zip::zip;
pub use zlib::zlib;

use crate::report::Book;

/// How a file is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// UTF-8 between pipes, in fen, with totals and a digest of the details.
    Neutral,
    /// UTF-8 with a byte order mark, in yuan, each cell behind a back tick.
    Wechat,
    /// GBK, in yuan, control totals in lines that begin with `#`.
    Alipay,
    /// GBK in fixed widths, in fen, without totals.
    Zm,
}

/// One file of a statement. Its bytes are in the layout's charset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatementFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The bank's member number, under which it is settled.
    pub member: String,
    pub period: Period,
    pub lines: Vec<Line>,
    /// What a file of adjustments tells.
    pub adjusted: Vec<Line>,
    /// What is wrong with it.
    pub broken: Vec<Break>,
}

impl Layout {
    pub const ALL: [Self; 4] = [Self::Neutral, Self::Wechat, Self::Alipay, Self::Zm];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Neutral => "nps",
            Self::Wechat => "wechat",
            Self::Alipay => "alipay",
            Self::Zm => "zm",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// The layout of a party, a codec or a link that is named after one.
    pub fn of_party(party: &str) -> Self {
        let kinds = [("tenpay", Self::Wechat), ("alipay", Self::Alipay), ("unionpay", Self::Zm)];
        let found = kinds.into_iter().find(|(prefix, _)| party.starts_with(prefix));
        found.map_or(Self::Neutral, |(_, layout)| layout)
    }
}

impl Statement {
    /// What a book says of a period, with so many breaks drawn by a seed.
    pub fn of(book: &Book, member: &str, period: Period, breaks: Breaks, seed: u64) -> Self {
        let mut lines = lines::of(book, member, period);
        let (broken, adjusted) = breaks.apply(&mut lines, seed);
        Self {
            member: member.to_owned(),
            period,
            lines,
            adjusted,
            broken,
        }
    }

    pub fn totals(&self) -> Totals {
        Totals::of(&self.lines)
    }

    /// The files in a layout, the one with the details first.
    pub fn files(&self, layout: Layout) -> Result<Vec<StatementFile>, String> {
        match layout {
            Layout::Neutral => Ok(neutral::files(self)),
            Layout::Wechat => wechat::files(self),
            Layout::Alipay => alipay::files(self),
            Layout::Zm => zm::files(self),
        }
    }
}
