//! What comes before the first message: a terminal signs in and gets its working keys.

use super::Direct;
use super::request::numbered;
use crate::counterparty::{Refusal, Step};
use codecs::payment::Attribute;
use std::time::Duration;

impl Direct {
    /// Signs in, once; nothing where the spec has no such thing.
    pub(super) async fn open(&self) -> Result<(), Refusal> {
        self.inner.opened.get_or_try_init(|| self.sign_in()).await.map(drop)
    }

    async fn sign_in(&self) -> Result<(), Refusal> {
        let (spec, party, config) = (self.spec()?, &self.inner.party, &self.inner.config);
        let now = self.inner.world.now();
        let Some(holder) = spec.example_signer() else { return Ok(()) };
        let serial = numbered(spec, Attribute::Serial, config.first_serial, now);
        let Some(asked) = party.ask_to_sign_in(&serial)? else {
            return Ok(());
        };
        let answer = self.inner.line.call(&asked, Duration::from_millis(config.attempt_ms)).await?;
        let answer = answer.map_err(|text| Refusal { step: Step::Open, text })?;
        party.take_working_keys(holder, &asked, &answer, now)
    }
}
