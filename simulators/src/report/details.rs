//! What a statement tells of a payment beyond what books are compared by. No account, no name.

use crate::ids::digits;
use codecs::payment::{Attribute, Money, Payment};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    pub message_code: String,
    pub sender: String,
    pub receiver: String,
    pub tx_id: String,
    pub order_id: String,
    pub original_tx_id: String,
    pub batch: String,
    /// yyyyMMdd.
    pub settlement_date: String,
    /// yyyy-MM-ddTHH:mm:ss, as the request says.
    pub created_at: String,
    pub fee_fen: i64,
}

impl Details {
    pub fn of(request: &Payment) -> Self {
        let text = |attribute| request.text(attribute).unwrap_or_default().to_owned();
        Self {
            message_code: text(Attribute::MessageCode),
            sender: text(Attribute::Sender),
            receiver: text(Attribute::Receiver),
            tx_id: text(Attribute::TxId),
            order_id: text(Attribute::OrderId),
            original_tx_id: text(Attribute::OriginalTxId),
            batch: text(Attribute::Batch),
            settlement_date: request.date(Attribute::SettlementDate).map(digits).unwrap_or_default(),
            // Some formats name the zone behind it, which is always that of Beijing.
            created_at: text(Attribute::CreatedAt).chars().take(STAMP_CHARS).collect(),
            fee_fen: request.money(Attribute::Fee).map_or(0, Money::fen),
        }
    }
}

/// Of yyyy-MM-ddTHH:mm:ss.
const STAMP_CHARS: usize = 19;
