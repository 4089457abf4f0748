//! How bytes go to the gateway and come back. Another transport is another variant here and another listener beside `server`.

use crate::counterparty::Refusal;
use crate::http::{HttpClient, request_of};
use codecs::wire::Wire;
use std::time::Duration;

pub(super) enum Line {
    Http { client: HttpClient, base_url: String },
}

impl Line {
    pub(super) fn http(base_url: &str) -> Self {
        Self::Http {
            client: HttpClient::new(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Sends a message and waits so long for its answer. `Ok(Err)` is no answer, whose reason is for people.
    pub(super) async fn call(&self, wire: &Wire, limit: Duration) -> Result<Result<Wire, String>, Refusal> {
        match self {
            Self::Http { client, base_url } => {
                let request = request_of(wire, base_url)?;
                let answered = tokio::time::timeout(limit, client.round_trip(request)).await;
                Ok(answered.unwrap_or_else(|_| Err("no answer in time".to_owned())))
            }
        }
    }
}
