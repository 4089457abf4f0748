//! The columns that every database of the journal reads, in the order in which its rows become records.

/// The columns of `exchange`, in the order of the record.
macro_rules! exchange_columns {
    () => {
        "id, state, outcome, reason, outcome_text, operation, institution, amount_fen, link_in, link_out, communication_key, \
         business_key, initiator, msg_id, msg_code, end_to_end_id, settlement_date, batch, out_key, owner, epoch, lease_until, \
         deadline, due, attempts, queries, accepted_at, sent_at, attempted_at, answered_at, delivered_at"
    };
}

/// The columns of `exchange` that its record in the chain stands for, in the order of the facts.
macro_rules! facts_columns {
    () => {
        "id, outcome, reason, operation, institution, amount_fen, link_in, link_out, communication_key, business_key, initiator, \
         msg_id, msg_code, end_to_end_id, settlement_date, batch, out_key, accepted_at"
    };
}

/// A SELECT of whole exchanges, with what follows the table's name.
macro_rules! select_exchange {
    ($($tail:literal),+) => {
        concat!("SELECT ", crate::journal::columns::exchange_columns!(), " FROM exchange ", $($tail),+)
    };
}

/// The columns of `message`, in the order of the record.
macro_rules! message_columns {
    () => {
        "link, direction, part, code, key_serial, sealed, at"
    };
}

/// The columns of `parked`, in the order of the record.
macro_rules! parked_columns {
    () => {
        "id, CASE WHEN status = 'parked' AND asked_at IS NOT NULL THEN 'releasing' ELSE status END, note, exchange_id, link, source, \
         step, code, field, reason, key_serial, sealed, digest, at"
    };
}

/// The columns of `effect`, in the order of the record.
macro_rules! effect_columns {
    () => {
        "chain, date, seq, exchange_id, reply, facts, digest, at, pruned"
    };
}

pub(super) use {effect_columns, exchange_columns, facts_columns, message_columns, parked_columns, select_exchange};
