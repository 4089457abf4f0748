//! How bytes go to the gateway and come back. Another transport is another variant here and another listener beside `server`.

use crate::counterparty::Refusal;
use crate::frames::{self, Shape};
use crate::http::{HttpClient, request_of};
use codecs::wire::{Start, Wire};
use std::time::Duration;

pub(super) enum Line {
    Http {
        client: HttpClient,
        base_url: String,
    },
    /// Frames over TCP, on a connection for each call.
    Frames {
        address: String,
    },
}

impl Line {
    /// By the scheme of the gateway's address: `tcp://`, or HTTP.
    pub(super) fn to(gateway: &str) -> Self {
        match gateway.strip_prefix("tcp://") {
            Some(address) => Self::Frames {
                address: address.to_owned(),
            },
            None => Self::Http {
                client: HttpClient::new(),
                base_url: gateway.trim_end_matches('/').to_owned(),
            },
        }
    }

    pub(super) const fn is_http(&self) -> bool {
        matches!(self, Self::Http { .. })
    }

    /// Sends a message and waits so long for its answer. `Ok(Err)` is no answer, whose reason is for people.
    pub(super) async fn call(&self, wire: &Wire, limit: Duration) -> Result<Result<Wire, String>, Refusal> {
        let answered = match self {
            Self::Http { client, base_url } => {
                let request = request_of(wire, base_url)?;
                tokio::time::timeout(limit, client.round_trip(request)).await
            }
            Self::Frames { address } => tokio::time::timeout(limit, frames::round_trip(address, &wire.body)).await,
        };
        Ok(answered.unwrap_or_else(|_| Err("no answer in time".to_owned())))
    }

    /// Sends messages over one connection of frames in this shape, and waits so long for all answers.
    pub(super) async fn call_in(&self, shape: Shape, messages: &[&[u8]], limit: Duration) -> Result<Vec<Wire>, String> {
        match self {
            Self::Http { .. } => Err("HTTP has no frames".to_owned()),
            Self::Frames { address } => {
                let answered = tokio::time::timeout(limit, frames::round_trips(address, messages, shape)).await;
                answered.unwrap_or_else(|_| Err("no answer in time".to_owned()))
            }
        }
    }

    /// Sends a message that must be refused, and says whether it was. Over HTTP a status says so; a frame gets no answer.
    pub(super) async fn is_refused(&self, wire: &Wire, limit: Duration) -> Result<bool, Refusal> {
        match self {
            Self::Http { .. } => {
                let answer = self.call(wire, limit).await?;
                Ok(answer.is_ok_and(|answer| matches!(answer.start, Start::Status(status) if status >= 400)))
            }
            Self::Frames { .. } => Ok(self.call(wire, limit.min(SILENCE)).await?.is_err()),
        }
    }
}

/// An answer would have come within this.
const SILENCE: Duration = Duration::from_millis(1_500);
