//! Taking the one kind of answer that a write or read of one kind gives.

use super::rewrap::Placed;
use super::{Accepted, Effect, Exchange, ExchangeId, Figures, Found, Kept, MessageRecord, Parked, RequestRecord, Tip, Written};

/// The journal answered with another kind than the one asked for: a defect of the implementation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal answered with something else than was asked")]
pub struct Unexpected;

impl Written {
    pub fn accepted(self) -> Result<Accepted, Unexpected> {
        if let Self::Accepted(accepted) = self {
            Ok(*accepted)
        } else {
            Err(Unexpected)
        }
    }

    /// `Ok(false)` when the compare-and-set did not match.
    pub fn moved(&self) -> Result<bool, Unexpected> {
        match self {
            Self::Moved => Ok(true),
            Self::Stale(_) => Ok(false),
            Self::Accepted(_)
            | Self::Stored
            | Self::Parked { .. }
            | Self::Reserved(_)
            | Self::Conflict(_)
            | Self::Taken(_)
            | Self::Pruned(_) => Err(Unexpected),
        }
    }

    /// `Ok(false)` when what was to be changed was not as expected.
    pub fn stored(&self) -> Result<bool, Unexpected> {
        match self {
            Self::Stored => Ok(true),
            Self::Conflict(_) => Ok(false),
            Self::Accepted(_)
            | Self::Moved
            | Self::Stale(_)
            | Self::Parked { .. }
            | Self::Reserved(_)
            | Self::Taken(_)
            | Self::Pruned(_) => Err(Unexpected),
        }
    }

    pub fn parked(&self) -> Result<i64, Unexpected> {
        if let Self::Parked { id, .. } = self {
            Ok(*id)
        } else {
            Err(Unexpected)
        }
    }

    pub fn reserved(&self) -> Result<u64, Unexpected> {
        if let Self::Reserved(first) = self {
            Ok(*first)
        } else {
            Err(Unexpected)
        }
    }

    pub fn taken(self) -> Result<Vec<Exchange>, Unexpected> {
        if let Self::Taken(taken) = self {
            Ok(taken)
        } else {
            Err(Unexpected)
        }
    }
}

impl Found {
    pub fn exchange(self) -> Result<Option<Exchange>, Unexpected> {
        if let Self::Exchange(found) = self {
            Ok(found.map(|exchange| *exchange))
        } else {
            Err(Unexpected)
        }
    }

    pub fn exchanges(self) -> Result<Vec<Exchange>, Unexpected> {
        if let Self::Exchanges(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn messages(self) -> Result<Vec<MessageRecord>, Unexpected> {
        if let Self::Messages(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn requests(self) -> Result<Vec<RequestRecord>, Unexpected> {
        if let Self::Requests(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn parked(self) -> Result<Vec<Parked>, Unexpected> {
        if let Self::Parked(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn placed(self) -> Result<Vec<Placed>, Unexpected> {
        if let Self::Placed(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn settings(self) -> Result<Vec<(String, String)>, Unexpected> {
        if let Self::Settings(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn setting(self) -> Result<Option<String>, Unexpected> {
        if let Self::Setting(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn effects(self) -> Result<Vec<Effect>, Unexpected> {
        if let Self::Effects(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn tips(self) -> Result<Vec<Tip>, Unexpected> {
        if let Self::Tips(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn kept(self) -> Result<Vec<Kept>, Unexpected> {
        if let Self::Kept(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn pairs(self) -> Result<Vec<(ExchangeId, ExchangeId)>, Unexpected> {
        if let Self::Pairs(found) = self {
            Ok(found)
        } else {
            Err(Unexpected)
        }
    }

    pub fn figures(self) -> Result<Figures, Unexpected> {
        if let Self::Figures(found) = self {
            Ok(*found)
        } else {
            Err(Unexpected)
        }
    }
}
