//! The table `envelope.capsule`: a document around the sealed content of every message.

use super::envelope::listed;
use super::names::At;
use crate::envelope::CapsuleScheme;
use crate::error::SpecError;
use serde::Deserialize;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct CapsuleText {
    scheme: String,
    root: String,
    /// The element that holds the sealed content.
    content: String,
    /// Elements of the content that are repeated beside it.
    #[serde(default)]
    beside: Vec<String>,
}

/// A document around the sealed content.
#[derive(Clone, Debug)]
pub(crate) struct CapsulePlan {
    pub(crate) scheme: CapsuleScheme,
    pub(crate) root: String,
    pub(crate) content: String,
    pub(crate) beside: Vec<String>,
}

pub(super) fn load(at: &At, text: &CapsuleText) -> Result<CapsulePlan, SpecError> {
    let at = at.inside("capsule");
    if text.beside.contains(&text.content) {
        return Err(at.fail("what is sealed does not stand beside itself"));
    }
    Ok(CapsulePlan {
        scheme: listed(&at, "scheme", &text.scheme, &CapsuleScheme::NAMES)?,
        root: text.root.clone(),
        content: text.content.clone(),
        beside: text.beside.clone(),
    })
}
