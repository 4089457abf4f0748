//! An object that is sealed whole under a key that both sides hold (`codecs::whole`): no serial names the key, so a link has one.

use super::{Fault, LinkView, Rejection, Step, Under};
use codecs::envelope::WholeScheme;
use codecs::message::{Draft, Message, SealedWhole};
use keys::algorithm::Algorithm;
use keys::error::CryptoError;
use keys::keyring::SealKey;
use rand_core::CryptoRng;
use time::OffsetDateTime;

/// Opens it under the one key that may be used now, and names that.
pub(super) fn open(message: &mut Message<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<Option<Under>, Box<Rejection>> {
    let Some(sealed) = sealed(message)? else {
        return Ok(None);
    };
    let of_key = |error| Rejection::of_key(Step::Open, &error);
    let ours = link.keyring.one_sealer(link.name, now).map_err(of_key)?;
    let key = ours.of(algorithm(sealed.scheme)).map_err(of_key)?;
    let clear = opened(key, &sealed).map_err(invalid)?;
    message.set_whole(&clear).map_err(refused)?;
    Ok(Some(Under::of(ours.info)))
}

/// Opens what the journal vouches for under any key that we still hold: tag or content tells which it was.
pub(super) fn open_stored(message: &mut Message<'_>, link: LinkView<'_>) -> Result<(), Box<Rejection>> {
    let Some(sealed) = sealed(message)? else { return Ok(()) };
    let mut held = link.keyring.held_sealers(link.name);
    // Without a tag only the fields tell which it was: another key leaves no object that holds them.
    let fits = held.any(|held| {
        let clear = held
            .of(algorithm(sealed.scheme))
            .ok()
            .and_then(|key| opened(key, &sealed).ok());
        clear.is_some_and(|clear| message.set_whole(&clear).is_ok())
    });
    if fits { Ok(()) } else { Err(invalid(CryptoError::Ciphertext)) }
}

/// Seals it, where the spec says so, and names the key.
pub(super) fn seal(
    draft: &mut Draft<'_>,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Option<Under>, Fault> {
    let Some(target) = draft.whole_target() else {
        return Ok(None);
    };
    let sealer = link.keyring.sealer(link.name, now)?;
    let key = sealer.of(algorithm(target.scheme))?;
    if !target.scheme.is_bound() {
        draft.set_whole_blocks(&key.seal_blocks(&target.clear)?);
        return Ok(Some(Under::of(sealer.info)));
    }
    let nonce = nonce(rng);
    let (ciphertext, tag) = key.seal_authenticated(&nonce, &target.additional, &target.clear)?;
    let nonce: String = nonce.iter().map(|&byte| char::from(byte)).collect();
    draft.set_whole(&nonce, &ciphertext, &tag);
    Ok(Some(Under::of(sealer.info)))
}

fn sealed(message: &Message<'_>) -> Result<Option<SealedWhole>, Box<Rejection>> {
    message.sealed_whole().map_err(refused)
}

fn opened(key: &SealKey, sealed: &SealedWhole) -> Result<Vec<u8>, CryptoError> {
    match &sealed.bound {
        Some(bound) => key.open_authenticated(&bound.nonce, &bound.additional, &sealed.ciphertext, &bound.tag),
        None => key.open_blocks(&sealed.ciphertext),
    }
}

const fn algorithm(scheme: WholeScheme) -> Algorithm {
    match scheme {
        WholeScheme::Aes256Gcm => Algorithm::Aes256Gcm,
        WholeScheme::Sm4Gcm => Algorithm::Sm4GcmText,
        WholeScheme::AesCbc => Algorithm::AesCbc,
        WholeScheme::AesEcbMd5 => Algorithm::AesEcbMd5,
    }
}

/// Twelve characters of 64, since it travels as text: 72 random bits.
fn nonce(rng: &mut dyn CryptoRng) -> [u8; 12] {
    let mut nonce = [0; 12];
    rng.fill_bytes(&mut nonce);
    nonce.map(|byte| CHARACTERS[usize::from(byte % 64)])
}

fn refused(error: codecs::error::ParseError) -> Box<Rejection> {
    Rejection::of_parse(Step::Open, error)
}

fn invalid(error: CryptoError) -> Box<Rejection> {
    Rejection::of_crypto(Step::Open, "seal.invalid", "envelope", error)
}

const CHARACTERS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
