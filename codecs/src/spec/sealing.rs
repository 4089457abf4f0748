//! The table `envelope.sealing`: how single values are sealed, and where the names of keys and the wrapped key stand.

use super::envelope::{find, listed};
use super::names::At;
use super::plan::{Field, FieldId};
use crate::envelope::SealingScheme;
use crate::error::SpecError;
use crate::payment::Role;
use serde::Deserialize;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct SealingText {
    pub(super) on: bool,
    /// One of the sealing schemes; `sm4_gcm` when absent.
    pub(super) scheme: Option<String>,
    pub(super) serial: String,
    /// Where the wrapped data key stands; absent where each value is sealed by itself.
    pub(super) key: Option<String>,
    /// The roles of the messages that name the key, where not all do.
    #[serde(default)]
    pub(super) named_in: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct SealingPlan {
    pub(crate) on: bool,
    pub(crate) scheme: SealingScheme,
    pub(crate) serial: FieldId,
    /// Where the wrapped data key stands; none travels where each value is sealed by itself.
    pub(crate) key: Option<FieldId>,
    /// The roles of the messages that name the key; all when empty. Any other is sealed under the one key of its receiver.
    pub(crate) named_in: Vec<Role>,
}

impl SealingPlan {
    /// Where a message of a role names the receiver's key.
    pub(crate) fn serial_in(&self, role: Role) -> Option<FieldId> {
        (self.named_in.is_empty() || self.named_in.contains(&role)).then_some(self.serial)
    }
}

pub(super) fn load(at: &At, text: &SealingText, frame: &[Field]) -> Result<SealingPlan, SpecError> {
    let name = text.scheme.as_deref().unwrap_or("sm4_gcm");
    let scheme = listed(at, "scheme", name, &SealingScheme::NAMES)?;
    let is_each = matches!(scheme, SealingScheme::Each(_));
    if is_each == text.key.is_some() || (!is_each && !text.named_in.is_empty()) {
        return Err(
            at.fail("`key` is where a wrapped key stands; values sealed each by itself have none, and `named_in` is theirs")
        );
    }
    let role = |name: &String| at.known("role", name, Role::parse(name), Role::ALL.iter().map(|role| role.name()));
    Ok(SealingPlan {
        on: text.on,
        scheme,
        serial: find(at, &text.serial, frame)?,
        key: text.key.as_ref().map(|path| find(at, path, frame)).transpose()?,
        named_in: text.named_in.iter().map(role).collect::<Result<_, _>>()?,
    })
}
