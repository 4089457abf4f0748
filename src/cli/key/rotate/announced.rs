//! A successor that the counterparty announced by message. Its proof is asked for again: the journal is not believed.

use super::Rotation;
use crate::cli::output::{Exit, Failure};
use hangu::exchange::Announced;
use keys::announcement::usage;
use keys::key::Side;
use time::OffsetDateTime;

/// What was announced of a key, proven.
pub(super) struct Given {
    pub(super) serial: String,
    pub(super) pem: String,
    pub(super) valid: (OffsetDateTime, OffsetDateTime),
}

impl Rotation<'_> {
    /// The one that nobody has decided on, or the one of the serial number that is asked for.
    pub(super) fn announced(&self) -> Result<Given, Failure> {
        let refuse = |detail: String| Failure::new(Exit::CheckFailed, "--announced", detail);
        let (link, side, of) = self.shelf();
        if side != Side::Theirs {
            return Err(refuse(
                "only a counterparty's key is announced to us; leave --side away".to_owned(),
            ));
        }
        let is_meant = |one: &&Announced| {
            let serial = &one.announcement.serial;
            let is_open = !one.is_taken(&self.keyring) && usage(&one.announcement.usage) == Some(of);
            one.link == link && is_open && self.args.serial.as_ref().is_none_or(|asked| asked == serial)
        };
        let found: Vec<_> = self.figures.letters.theirs.iter().filter(is_meant).collect();
        let [one] = found[..] else {
            let serials: Vec<_> = found.iter().map(|one| one.announcement.serial.as_str()).collect();
            return Err(refuse(several(&serials)));
        };
        let key = one
            .proven(&self.keyring, self.now)
            .map_err(|disbelief| refuse(disbelief.to_string()))?;
        Ok(Given {
            serial: one.announcement.serial.clone(),
            pem: key.pem,
            valid: (key.not_before, key.not_after),
        })
    }
}

fn several(serials: &[&str]) -> String {
    if serials.is_empty() {
        return "no such key was announced, or it is in the keyring; `hangu key announced` lists what was".to_owned();
    }
    format!("several were announced; --serial says which is meant: {}", serials.join(", "))
}
