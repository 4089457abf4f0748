//! What hangs on one exchange, gathered from what was read for many at once.

use super::{Effect, ExchangeId, MessageRecord, RequestRecord};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    pub exchange: ExchangeId,
    pub effect: Option<Effect>,
    /// In their order.
    pub messages: Vec<MessageRecord>,
    pub requests: Vec<RequestRecord>,
}

/// Sorts rows by the exchange that they hang on.
#[derive(Default)]
pub(super) struct Gathering(BTreeMap<ExchangeId, Kept>);

impl Gathering {
    pub(super) fn of(&mut self, exchange: ExchangeId) -> &mut Kept {
        let kept = self.0.entry(exchange).or_default();
        kept.exchange = exchange;
        kept
    }

    pub(super) fn into_all(self) -> Vec<Kept> {
        self.0.into_values().collect()
    }
}
