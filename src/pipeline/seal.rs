//! Step 6: sensitive fields under an SM4 key that is wrapped for the receiver; a fresh one, unless the link reuses envelopes.
//!
//! The draft keeps the clear values beside the sealed ones, for specs whose signature covers clear values.

use super::translate::Drafted;
use super::{Fault, LinkView, Under, each, session, text_key, whole};
use codecs::envelope::{RawCiphertext, SealingScheme};
use codecs::message::Draft;
use keys::sm2::Ciphertext;
use rand_core::CryptoRng;
use time::OffsetDateTime;

/// A draft whose sensitive fields are sealed, or whose spec seals nothing. Only this file can build it.
pub struct Sealed<'a> {
    draft: Draft<'a>,
    sealed_for: Vec<Under>,
}

impl<'a> Sealed<'a> {
    pub(super) fn into_parts(self) -> (Draft<'a>, Vec<Under>) {
        (self.draft, self.sealed_for)
    }
}

pub(super) fn seal<'a>(
    drafted: Drafted<'a>,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Sealed<'a>, Fault> {
    let mut draft = drafted.into_draft();
    name_signer(&mut draft, link, now)?;
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    draft.set_nonce(&random);
    let mut sealed_for: Vec<Under> = whole::seal(&mut draft, link, now, rng)?.into_iter().collect();
    let targets = draft.seal_targets();
    if targets.is_empty() {
        return Ok(Sealed { draft, sealed_for });
    }
    let receiver = link.keyring.wrapper(link.name, now)?;
    sealed_for.push(Under::of(receiver.info));
    match draft.sealing_scheme() {
        Some(SealingScheme::TextKey(cipher)) => {
            text_key::seal(&mut draft, targets, cipher, link, now, rng)?;
            return Ok(Sealed { draft, sealed_for });
        }
        Some(SealingScheme::Session(cipher)) => {
            session::seal(&mut draft, targets, cipher, link, now, rng)?;
            return Ok(Sealed { draft, sealed_for });
        }
        Some(SealingScheme::Each(cipher)) => {
            each::seal(&mut draft, targets, cipher, &receiver, rng)?;
            return Ok(Sealed { draft, sealed_for });
        }
        Some(SealingScheme::Sm4Gcm) | None => {}
    }
    let wrapper = receiver.as_sm2()?;
    let envelope = link.keyring.envelopes(link.name).outbound(&wrapper, now, rng)?;
    let Ciphertext { c1, c3, c2 } = envelope.wrapped().clone();
    draft.set_envelope(&wrapper.info.serial, &RawCiphertext { c1, c3, c2 });
    for target in targets {
        let sealed = envelope.seal(&target.additional, target.clear.as_bytes(), rng)?;
        draft.set_sealed(target.slot, &sealed.nonce, &sealed.ciphertext, &sealed.tag);
    }
    Ok(Sealed { draft, sealed_for })
}

/// The signer's serial is part of the signed text, so it is set before that text can be asked for.
fn name_signer(draft: &mut Draft<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<(), Fault> {
    use codecs::envelope::SignatureScheme;
    match draft.signature_scheme() {
        SignatureScheme::None => {}
        SignatureScheme::Mac(_) if draft.named_signer().is_some() => {}
        SignatureScheme::Sm2(_) | SignatureScheme::Rsa(_) => {
            draft.set_signer(&link.keyring.signer(link.name, now)?.info.serial, now);
        }
        SignatureScheme::Mac(_) => draft.set_signer(&link.keyring.mac(link.name, now)?.info.serial, now),
    }
    Ok(())
}
