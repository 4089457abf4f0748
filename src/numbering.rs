//! Serial numbers: reserved durably in blocks per link and date, never reused, also not after a crash.

use crate::exchange::Trouble;
use crate::journal::{SharedJournal, Unexpected, Write};
use crate::limits::{SERIAL_BLOCK, SERIAL_MAX};
use codecs::digits::{push_date, push_digits};
use codecs::payment::Date;
use std::collections::BTreeMap;
use std::ops::Range;
use tokio::sync::Mutex;

/// The blocks in hand, by link and date.
#[derive(Default)]
pub struct Numbering {
    blocks: Mutex<BTreeMap<(String, Date), Range<u64>>>,
    identities: Mutex<Range<u64>>,
}

impl Numbering {
    /// The next MsgId: yyyyMMdd (settlement date), two digits of origin, eight digits of serial (facts/clearing.md 1.1).
    pub async fn next(&self, journal: &SharedJournal, link: &str, origin: &str, date: Date) -> Result<String, Trouble> {
        let serial = self.serial(journal, link, date).await?;
        if serial > SERIAL_MAX {
            return Err(Trouble::Serials(format!("{link} on {date}")));
        }
        let mut number = String::with_capacity(NUMBER_BYTES);
        push_date(&mut number, date, "");
        number.push_str(origin);
        push_digits::<8>(&mut number, u32::try_from(serial).unwrap_or_default());
        Ok(number)
    }

    /// The next number of this journal's own, whatever the date.
    pub async fn identity(&self, journal: &SharedJournal) -> Result<u64, Trouble> {
        let mut block = self.identities.lock().await;
        if block.is_empty() {
            *block = reserved(journal, "journal".to_owned(), "none".to_owned(), "identity").await?;
        }
        block.next().ok_or(Trouble::Confused(Unexpected))
    }

    async fn serial(&self, journal: &SharedJournal, link: &str, date: Date) -> Result<u64, Trouble> {
        let mut blocks = self.blocks.lock().await;
        let key = (link.to_owned(), date);
        if let Some(serial) = blocks.get_mut(&key).and_then(Iterator::next) {
            return Ok(serial);
        }
        let mut block = reserved(journal, link.to_owned(), date.to_string(), "msg_id").await?;
        let serial = block.next().ok_or(Trouble::Confused(Unexpected))?;
        blocks.retain(|(name, _), range| name != link || !range.is_empty());
        blocks.insert(key, block);
        Ok(serial)
    }
}

/// A block that is nobody else's.
async fn reserved(journal: &SharedJournal, instance: String, date: String, kind: &str) -> Result<Range<u64>, Trouble> {
    let reserve = Write::Reserve {
        instance,
        date,
        kind: kind.to_owned(),
        count: SERIAL_BLOCK,
    };
    let first = journal.write(reserve).await?.reserved()?;
    Ok(first..first.saturating_add(u64::from(SERIAL_BLOCK)))
}

/// yyyyMMdd.
pub fn compact(date: Date) -> String {
    let mut text = String::with_capacity(NUMBER_BYTES);
    push_date(&mut text, date, "");
    text
}

/// Of a MsgId.
const NUMBER_BYTES: usize = 18;
