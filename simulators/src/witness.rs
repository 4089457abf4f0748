//! What can be seen of a run: each message that a simulated party sends or gets, told to whoever watches.
//!
//! A watcher looks on and changes nothing; runs that nobody watches pay one branch for each message.

use crate::counterparty::Refusal;
use codecs::payment::{Attribute, Payment};
use keys::sm3::sm3;

/// Somebody who watches a run.
pub trait Witness: Send + Sync {
    fn saw(&self, seen: Seen);
}

/// One message at one party, as that party knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// `centre` or `platform`.
    pub party: &'static str,
    pub is_sent: bool,
    /// What was read or written; nothing of bytes that are no message to this party.
    pub message: Option<Payment>,
    /// The communication key of the request that it answers, where the transport and not the message tells.
    pub answers: Option<String>,
    /// What cannot be told from the message: its fault, why it was refused.
    pub remark: String,
    pub digest: [u8; 32],
    /// The body as it was sent or came; empty for a request without one.
    pub body: Vec<u8>,
}

impl Seen {
    pub fn sent(party: &'static str, message: &Payment, body: &[u8]) -> Self {
        Self {
            party,
            is_sent: true,
            message: Some(message.clone()),
            answers: None,
            remark: String::new(),
            digest: sm3(&[body]),
            body: body.to_vec(),
        }
    }

    /// What a party made of bytes that reached it.
    pub fn received(party: &'static str, read: Result<&Payment, &Refusal>, body: &[u8]) -> Self {
        let remark = read.err().map(|refusal| format!("refused at {refusal}"));
        Self {
            party,
            is_sent: false,
            message: read.ok().cloned(),
            answers: None,
            remark: remark.unwrap_or_default(),
            digest: sm3(&[body]),
            body: body.to_vec(),
        }
    }

    #[must_use]
    pub fn remarking(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    #[must_use]
    pub fn answering(mut self, key: impl Into<String>) -> Self {
        self.answers = Some(key.into());
        self
    }

    /// The institution's own name of the message's kind, or nothing where its format has none.
    pub fn code(&self) -> &str {
        let message = self.message.as_ref();
        message
            .and_then(|message| message.text(Attribute::MessageCode))
            .unwrap_or_default()
    }
}
