//! A message of another suite, another link or another codec, or with sealing where the link has none.

use super::Refused;
use crate::pipeline::Step;

/// Another suite of the same institution: the pipeline takes it there.
pub(super) fn suite(refused: &Refused<'_>) -> Option<String> {
    let case = refused.case;
    let same = case.others.iter().filter(|(_, spec)| spec.codec == case.spec.codec);
    let others = same
        .flat_map(|(_, spec)| spec.suites())
        .filter(|spec| spec.suite != case.spec.suite);
    let mut fits = others.filter(|spec| case.receive_as(case.wire, case.link, spec, case.now).is_ok());
    fits.next()
        .map(|spec| format!("suite {} in place of {}", spec.suite, case.spec.suite))
}

/// Another link, whose keys it verifies under too.
pub(super) fn link(refused: &Refused<'_>) -> Option<String> {
    let case = refused.case;
    let others = case.others.iter().filter(|(name, _)| name != case.link);
    let mut fits = others.filter(|(name, spec)| case.receive_as(case.wire, name, spec, case.now).is_ok());
    fits.next().map(|(name, spec)| format!("link {name}, codec {}", spec.codec))
}

/// Another codec reads it, ours does not; no key says anything about it.
pub(super) fn codec(refused: &Refused<'_>) -> Option<String> {
    let case = refused.case;
    if refused.rejection.step != Step::Parse {
        return None;
    }
    let others = case.others.iter().filter(|(_, spec)| spec.codec != case.spec.codec);
    let mut fits = others.filter_map(|(_, spec)| spec.suites().find_map(|suite| Some((suite, suite.parse(case.wire).ok()?))));
    let reading = |(spec, message): (&std::sync::Arc<codecs::spec::Spec>, codecs::message::Message<'_>)| {
        format!("codec {}, message {}", spec.codec, message.kind().code)
    };
    fits.next().map(reading)
}

/// Clear values where sealed ones are due.
pub(super) fn unsealed(refused: &Refused<'_>) -> Option<String> {
    with_sealing(refused, false).then(|| "sealing off for this link".to_owned())
}

/// Sealed values where clear ones are due.
pub(super) fn sealed(refused: &Refused<'_>) -> Option<String> {
    with_sealing(refused, true).then(|| "sealing on for this link".to_owned())
}

fn with_sealing(refused: &Refused<'_>, on: bool) -> bool {
    let case = refused.case;
    case.receive_as(case.wire, case.link, &case.spec.with_sealing(on), case.now)
        .is_ok()
}
