//! Messages whose whole content is sealed under a key that both sides hold.

use super::Twist;
use super::text_key::misfit;
use codecs::spec::Spec;
use codecs::wire::Wire;
use keys::keyring::Keyring;
use std::borrow::Cow;
use time::OffsetDateTime;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A keyring and the link whose keys are meant.
type Keys<'k> = (&'k Keyring, &'k str);

/// The message inside; one that is not sealed whole as it is.
pub(super) fn open<'w>(spec: &Spec, wire: &'w Wire, (keyring, link): Keys<'_>, now: OffsetDateTime) -> Outcome<Cow<'w, Wire>> {
    let Some(ciphertext) = spec.sealed_content(wire)? else {
        return Ok(Cow::Borrowed(wire));
    };
    let clear = keyring.one_sealer(link, now)?.key.open_framed(&ciphertext)?;
    Ok(Cow::Owned(spec.opened_content(wire, clear)?))
}

pub(super) fn seal(spec: &Spec, wire: Wire, (keyring, link): Keys<'_>, now: OffsetDateTime, twist: Twist) -> Outcome<Wire> {
    if !spec.seals_content(&wire) {
        return Ok(wire);
    }
    let mut ciphertext = keyring.sealer(link, now)?.key.seal_framed(&wire.body)?;
    misfit(&mut ciphertext, twist);
    Ok(spec.with_sealed_content(wire, &ciphertext)?)
}
