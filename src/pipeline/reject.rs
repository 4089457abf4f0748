//! What a refused message and a message that cannot be sent look like.

use codecs::error::{BuildError, ParseError};
use codecs::payment::Payment;
use keys::error::{CryptoError, KeyError};
use std::fmt;

/// Where a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    Parse,
    Verify,
    Open,
    Translate,
    Route,
    Duplicate,
    Match,
}

impl Step {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Verify => "verify",
            Self::Open => "open",
            Self::Translate => "translate",
            Self::Route => "route",
            Self::Duplicate => "duplicate",
            Self::Match => "match",
        }
    }
}

/// A message that we refuse: step, code, field. It is answered or parked, never dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    pub step: Step,
    /// Stable code, such as `xml.doctype`, `signature.invalid`, `key.unknown_serial`.
    pub code: String,
    pub field: Option<String>,
    pub offset: Option<usize>,
    /// A sentence for people, without values of masked fields.
    pub detail: String,
    /// The communication header, when it can be read; nothing in it is verified.
    pub header: Option<Payment>,
}

impl Rejection {
    pub fn new(step: Step, code: &str, detail: impl Into<String>) -> Self {
        Self {
            step,
            code: code.to_owned(),
            field: None,
            offset: None,
            detail: detail.into(),
            header: None,
        }
    }

    pub(super) fn of_parse(step: Step, error: ParseError) -> Box<Self> {
        let ParseError {
            rule,
            field,
            offset,
            detail,
        } = error;
        Box::new(Self {
            step,
            code: rule.to_owned(),
            field,
            offset,
            detail,
            header: None,
        })
    }

    pub(super) fn of_key(step: Step, error: &KeyError) -> Box<Self> {
        let code = match error {
            KeyError::UnknownSerial { .. } => "key.unknown_serial",
            KeyError::Unusable { .. } => "key.unusable",
            KeyError::Expired { .. } => "key.expired",
            KeyError::NoPrimary { .. } => "key.none",
            KeyError::Algorithm { .. } => "key.algorithm",
        };
        Box::new(Self::new(step, code, error.to_string()))
    }

    pub(super) fn of_crypto(step: Step, code: &str, field: &str, error: CryptoError) -> Box<Self> {
        if let CryptoError::Device(_) = error {
            return Box::new(Self::new(step, DEVICE, error.to_string()));
        }
        let mut rejection = Self::new(step, code, error.to_string());
        rejection.field = Some(field.to_owned());
        Box::new(rejection)
    }

    /// Whether it says nothing of the message: a device of ours did not do its part, and may do it later.
    pub fn is_of_device(&self) -> bool {
        self.code == DEVICE
    }

    pub(super) fn with_header(mut self: Box<Self>, header: Option<Payment>) -> Box<Self> {
        self.header = header;
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.name(), self.code)?;
        if let Some(field) = &self.field {
            write!(f, " at {field}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " (byte {offset})")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for Rejection {}

/// No word of the message: what `is_of_device` goes by.
const DEVICE: &str = "key.device";

/// Why a payment could not be turned into bytes: our own side is at fault, never the counterparty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
