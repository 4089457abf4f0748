//! The table `envelope.whole`: an object that is sealed whole, what stands around it, and the fields inside. Where it stands at
//! the root of a message, the message's own fields are inside, and a suite says whether anything is sealed at all.

use super::envelope::listed;
use super::field;
use super::message::find;
use super::names::At;
use super::plan::{Field, FieldId, Group, Place, Tree};
use super::text::{FieldText, MessageText};
use super::{MessageSpec, Spec};
use crate::envelope::WholeScheme;
use crate::error::SpecError;
use crate::payment::Role;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct WholeText {
    pub(super) scheme: Option<String>,
    /// Where the ciphertext stands; absent with `at_root`.
    ciphertext: Option<String>,
    /// Where nonce and additional data stand, for schemes that have them.
    nonce: Option<String>,
    additional: Option<String>,
    /// The element around the fields inside, where they are elements.
    root: Option<String>,
    /// In place of what stands under a message's root stands its ciphertext.
    #[serde(default)]
    at_root: bool,
}

/// The fields around an object that is sealed whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WholePlan {
    pub(crate) ciphertext: FieldId,
    pub(crate) bound: Option<BoundPlan>,
    /// The element around the fields inside, where they are elements.
    pub(crate) root: Option<String>,
}

/// Where that stands which a ciphertext is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BoundPlan {
    pub(crate) nonce: FieldId,
    pub(crate) additional: FieldId,
}

/// The scheme; `None` where a suite seals nothing.
pub(super) fn scheme(at: &At, text: &WholeText) -> Result<Option<WholeScheme>, SpecError> {
    let at = at.inside("whole");
    if text.at_root == text.ciphertext.is_some() {
        return Err(at.fail("either `ciphertext` or `at_root`"));
    }
    let Some(name) = &text.scheme else {
        return if text.at_root {
            Ok(None)
        } else {
            Err(at.fail("no `scheme` of what is sealed whole"))
        };
    };
    let scheme = listed(&at, "scheme", name, &WholeScheme::NAMES)?;
    let bound = [&text.nonce, &text.additional].map(Option::is_some);
    if bound != [scheme.is_bound(); 2] {
        return Err(at.fail("`nonce` and `additional` are of the schemes that bind to them, and of no other"));
    }
    Ok(Some(scheme))
}

/// Moves the fields of a message whose root is sealed to what is inside, and puts the ciphertext in their place.
pub(super) fn enclose(
    at: &At,
    text: &MessageText,
    whole: Option<&WholeText>,
    root: Option<&str>,
    fields: &mut Vec<Field>,
    groups: &[Group],
) -> Result<(), SpecError> {
    let is_sealed = whole.is_some_and(|whole| whole.at_root && whole.scheme.is_some()) && !text.in_clear;
    let Some(root) = root.filter(|_| is_sealed) else {
        return Ok(());
    };
    if !groups.is_empty() {
        return Err(at.fail("what is sealed at a message's root holds no repeats"));
    }
    for field in fields.iter_mut() {
        if let Place::Body(steps) = &field.place
            && steps.first().is_some_and(|first| first == root)
        {
            field.place = Place::Whole(steps.iter().skip(1).cloned().collect());
        }
    }
    let ciphertext = FieldText {
        path: Some(root.to_owned()),
        zh: Some(CIPHERTEXT_ZH.to_owned()),
        en: Some("Sealed content".to_owned()),
        kind: Some("base64".to_owned()),
        len: Some("4..262144".to_owned()),
        required: Some(true),
        ..FieldText::default()
    };
    fields.push(field::load(at, &ciphertext, &BTreeMap::new())?.field);
    Ok(())
}

/// The fields around what is sealed whole, in a message that has such an object.
pub(super) fn plan(
    at: &At,
    text: Option<&WholeText>,
    root: Option<&str>,
    fields: &[Field],
) -> Result<Option<WholePlan>, SpecError> {
    if !fields.iter().any(|field| matches!(field.place, Place::Whole(_))) {
        return Ok(None);
    }
    let text = text.ok_or_else(|| at.fail("a field is inside what is sealed whole, but `envelope.whole` is missing"))?;
    let place = text.ciphertext.as_deref().or(root).unwrap_or_default();
    let bound = match (&text.nonce, &text.additional) {
        (Some(nonce), Some(additional)) => Some(BoundPlan {
            nonce: find(at, nonce, fields)?,
            additional: find(at, additional, fields)?,
        }),
        (_, _) => None,
    };
    Ok(Some(WholePlan {
        ciphertext: find(at, place, fields)?,
        bound,
        root: text.root.clone(),
    }))
}

/// What a seal alone vouches for has one; and where that seal lets blocks be exchanged, no outcome comes of it.
pub(super) fn by_seal(at: &At, spec: &Spec, message: &MessageSpec) -> Result<(), SpecError> {
    let plan = &message.plan;
    if !plan.signing.by_seal || plan.literal.is_some() {
        return Ok(());
    }
    if plan.whole.is_none() {
        return Err(at.fail("`by_seal` is for messages with an object that is sealed whole"));
    }
    let is_bound = spec.envelope.whole.is_some_and(WholeScheme::is_bound);
    if is_bound || plan.outcome.is_none() {
        Ok(())
    } else {
        Err(at.fail("its seal lets blocks be exchanged and nothing signs it, so it states no outcome"))
    }
}

/// The tree of what is sealed whole.
pub(super) fn inside(at: &At, role: Role, fields: &[Field]) -> Result<Tree, SpecError> {
    let mut tree = Tree::new();
    for (id, field) in fields.iter().enumerate().filter(|(_, field)| field.belongs_to(role)) {
        let Place::Whole(steps) = &field.place else { continue };
        let node = tree.grow(steps).ok_or_else(|| at.fail("no place in the tree"))?;
        if node.field.replace(id).is_some() {
            return Err(at.fail(format!("field {}: duplicate path", field.path)));
        }
    }
    Ok(tree)
}

/// "Ciphertext" as Chinese pages have it.
const CIPHERTEXT_ZH: &str = "\u{4e1a}\u{52a1}\u{5bc6}\u{6587}";
