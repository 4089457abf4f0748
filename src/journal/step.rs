//! A step of an exchange from one state to the next.

use super::{ExchangeId, MessageRecord, Millis, State, StoredOutcome};

/// A move of an exchange. Each is a compare-and-set on (id, epoch, state in `from`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub id: ExchangeId,
    pub epoch: i64,
    pub from: Vec<State>,
    pub to: State,
    pub at: Millis,
    pub due: Millis,
    /// Written when given; never overwrites a final outcome with another one (then the move is `Stale`).
    pub outcome: Option<StoredOutcome>,
    pub link_out: Option<String>,
    /// Communication key of what goes out with this move. A query's key joins the exchange's keys, by which replies are
    /// matched; a request's key also stands in the exchange itself.
    pub out_key: Option<String>,
    /// Messages that become durable with the move, in order.
    pub messages: Vec<MessageRecord>,
    /// Communication key of the request that the last `sent` message with part `reply` or `interim` answers;
    /// it becomes that request's newest reply.
    pub answers: Option<String>,
    /// Adds one to `attempts`.
    pub attempt: bool,
    /// Adds one to `queries`.
    pub query: bool,
}

impl Move {
    /// One that changes nothing but the state, due when it is made.
    pub const fn bare(id: ExchangeId, epoch: i64, from: Vec<State>, to: State, at: Millis) -> Self {
        Self {
            id,
            epoch,
            from,
            to,
            at,
            due: at,
            outcome: None,
            link_out: None,
            out_key: None,
            messages: Vec::new(),
            answers: None,
            attempt: false,
            query: false,
        }
    }
}
