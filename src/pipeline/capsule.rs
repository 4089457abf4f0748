//! A message whose whole content is sealed under a key that both sides hold (`codecs::capsule`): opened before anything of it
//! is read, and sealed after everything of it is signed. No serial names the key, so a link has one.
//!
//! What is opened here is not verified: it goes on to `parse` like any bytes from outside.

use super::{Fault, LinkView, Rejection, Step};
use codecs::envelope::CapsuleScheme;
use codecs::wire::Wire;
use keys::algorithm::Algorithm;
use keys::error::CryptoError;
use std::borrow::Cow;
use time::OffsetDateTime;

/// The message inside, under the one key that may be used now; the message itself where nothing is sealed whole.
pub(super) fn open<'w>(wire: &'w Wire, link: LinkView<'_>, now: OffsetDateTime) -> Result<Cow<'w, Wire>, Box<Rejection>> {
    let Some((scheme, ciphertext)) = sealed(wire, link)? else {
        return Ok(Cow::Borrowed(wire));
    };
    let of_key = |error| Rejection::of_key(Step::Open, &error);
    let ours = link.keyring.one_sealer(link.name, now).map_err(of_key)?;
    let clear = ours.of(algorithm(scheme)).map_err(of_key)?.open_framed(&ciphertext);
    opened(wire, link, clear.map_err(invalid)?).map(Cow::Owned)
}

/// What the journal vouches for, under any key that we still hold: the length and the filling around the content, and what
/// stands beside it, tell which it was.
pub(super) fn open_stored<'w>(wire: &'w Wire, link: LinkView<'_>) -> Result<Cow<'w, Wire>, Box<Rejection>> {
    let Some((scheme, ciphertext)) = sealed(wire, link)? else {
        return Ok(Cow::Borrowed(wire));
    };
    let mut held = link.keyring.held_sealers(link.name);
    let inside = held.find_map(|held| {
        let clear = held.of(algorithm(scheme)).ok()?.open_framed(&ciphertext).ok()?;
        opened(wire, link, clear).ok()
    });
    inside.map(Cow::Owned).ok_or_else(|| invalid(CryptoError::Ciphertext))
}

/// The bytes that go out, with their content sealed.
pub(super) fn seal(wire: Wire, link: LinkView<'_>, now: OffsetDateTime) -> Result<Wire, Fault> {
    let Some(scheme) = link.spec.capsule().filter(|_| link.spec.seals_content(&wire)) else {
        return Ok(wire);
    };
    let key = link.keyring.sealer(link.name, now)?.of(algorithm(scheme))?;
    let ciphertext = key.seal_framed(&wire.body)?;
    Ok(link.spec.with_sealed_content(wire, &ciphertext)?)
}

fn sealed(wire: &Wire, link: LinkView<'_>) -> Result<Option<(CapsuleScheme, Vec<u8>)>, Box<Rejection>> {
    let Some(scheme) = link.spec.capsule() else { return Ok(None) };
    let ciphertext = link.spec.sealed_content(wire);
    let ciphertext = ciphertext.map_err(|error| Rejection::of_parse(Step::Parse, error).with_header(link.spec.peek(wire)))?;
    Ok(ciphertext.map(|ciphertext| (scheme, ciphertext)))
}

fn opened(wire: &Wire, link: LinkView<'_>, clear: Vec<u8>) -> Result<Wire, Box<Rejection>> {
    let inside = link.spec.opened_content(wire, clear);
    inside.map_err(|error| Rejection::of_parse(Step::Open, error))
}

const fn algorithm(scheme: CapsuleScheme) -> Algorithm {
    match scheme {
        CapsuleScheme::TripleDesFramed => Algorithm::TripleDesEcb,
    }
}

fn invalid(error: CryptoError) -> Box<Rejection> {
    Rejection::of_crypto(Step::Open, "seal.invalid", "content", error)
}
