//! Suites: an institution that knows several sets of algorithms has one spec, and a link uses one suite of it.
//!
//! What a suite fixes is refused when it comes otherwise: a message never chooses its own algorithm.

use super::names::At;
use super::plan::Field;
use super::text::{EnvelopeText, SuiteText};
use crate::error::SpecError;
use crate::field::Kind;

/// Puts the algorithms of a suite into the envelope.
pub(super) fn choose(at: &At, envelope: &mut EnvelopeText, suite: &SuiteText) -> Result<(), SpecError> {
    if envelope.signature.is_some() || envelope.encoding.is_some() {
        return Err(at.fail("where there are suites, they name signature and encoding, and the envelope does not"));
    }
    envelope.signature = Some(suite.signature.clone());
    envelope.encoding.clone_from(&suite.encoding);
    match (&mut envelope.sealing, &suite.sealing) {
        (Some(sealing), Some(_)) => sealing.scheme.clone_from(&suite.sealing),
        (None, Some(_)) => return Err(at.fail("`sealing` needs the table `envelope.sealing`")),
        (_, None) => {}
    }
    envelope.suffix.push_str(&suite.suffix);
    for part in envelope.parts.values_mut() {
        part.suffix.push_str(&suite.suffix);
    }
    match (&mut envelope.whole, &suite.whole) {
        (Some(whole), Some(_)) => whole.scheme.clone_from(&suite.whole),
        (None, Some(_)) => return Err(at.fail("`whole` needs the table `envelope.whole`")),
        (_, None) => {}
    }
    if !suite.names_key {
        envelope.serial = None;
        envelope.unnamed = Some("one_key".to_owned());
        for part in envelope.parts.values_mut() {
            part.serial = None;
            part.unnamed.clone_from(&envelope.unnamed);
        }
    }
    Ok(())
}

/// Fixes the frame fields that say which suite a message is of.
pub(super) fn fix(at: &At, frame: &mut [Field], suite: &SuiteText) -> Result<(), SpecError> {
    for (path, value) in &suite.values {
        let names: Vec<String> = frame.iter().map(|field| field.path.clone()).collect();
        let found = frame.iter_mut().find(|field| field.path == *path);
        let field = at.known("frame field", path, found, names.iter().map(String::as_str))?;
        let checked = field.rules.check(value);
        checked.map_err(|broken| at.fail(format!("the value of `{path}` breaks its rules: {}", broken.detail)))?;
        field.rules.kind = Kind::Code(vec![value.clone()]);
        field.default = Some(value.clone());
    }
    Ok(())
}
