//! Errors of this package. Each names the rule and, where there is one, the field and the byte offset.

use std::fmt;

/// Why received bytes were refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Stable rule name, such as `xml.doctype`, `field.length`, `field.missing`, `field.duplicate`.
    pub rule: &'static str,
    /// Path of the field as the spec writes it, `None` when the message as a whole is at fault.
    pub field: Option<String>,
    /// Byte offset into the body, where there is one.
    pub offset: Option<usize>,
    /// A sentence for people. It never contains the value of a masked field.
    pub detail: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        if let Some(field) = &self.field {
            write!(f, " at {field}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " (byte {offset})")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for ParseError {}

/// Why a payment could not be written in a codec's form.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{rule} at {field}: {detail}")]
pub struct BuildError {
    pub rule: &'static str,
    pub field: String,
    pub detail: String,
}

/// Why a spec was refused at load.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("spec {codec}, {place}: {detail}")]
pub struct SpecError {
    pub codec: String,
    /// Line or table of the spec, such as `message NPS.142.001.01, field GrpHdr/MsgId`.
    pub place: String,
    pub detail: String,
}
