//! Step 6: sensitive fields under a fresh SM4 key, wrapped for the receiver.
//!
//! The draft keeps the clear values beside the sealed ones, for specs whose signature covers clear values.

use super::translate::Drafted;
use super::{Fault, LinkView};
use codecs::envelope::RawCiphertext;
use codecs::message::Draft;
use keys::sm4::Sm4Gcm;
use rand_core::CryptoRng;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// A draft whose sensitive fields are sealed, or whose spec seals nothing. Only this file can build it.
pub struct Sealed<'a> {
    draft: Draft<'a>,
}

impl<'a> Sealed<'a> {
    pub(super) fn into_draft(self) -> Draft<'a> {
        self.draft
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
    let targets = draft.seal_targets();
    if targets.is_empty() {
        return Ok(Sealed { draft });
    }
    let wrapper = link.keyring.wrapper(link.name, now)?;
    let mut key = Zeroizing::new([0_u8; 16]);
    rng.fill_bytes(key.as_mut());
    let wrapped = wrapper.sm2()?.wrap(key.as_ref(), rng)?;
    draft.set_envelope(
        &wrapper.info.serial,
        &RawCiphertext {
            c1: wrapped.c1,
            c3: wrapped.c3,
            c2: wrapped.c2,
        },
    );
    let cipher = Sm4Gcm::new(&key);
    for target in targets {
        let mut nonce = [0_u8; 12];
        rng.fill_bytes(&mut nonce);
        let (ciphertext, tag) = cipher.seal(&nonce, &target.additional, target.clear.as_bytes());
        draft.set_sealed(target.slot, &nonce, &ciphertext, &tag);
    }
    Ok(Sealed { draft })
}

/// The signer's serial is part of the signed text, so it is set before that text can be asked for.
fn name_signer(draft: &mut Draft<'_>, link: LinkView<'_>, now: OffsetDateTime) -> Result<(), Fault> {
    use codecs::envelope::SignatureScheme;
    match draft.signature_scheme() {
        SignatureScheme::None => {}
        SignatureScheme::Sm2Sm3 => draft.set_signer(&link.keyring.signer(link.name, now)?.info.serial, now),
        SignatureScheme::HmacSm3 => draft.set_signer(&link.keyring.mac(link.name, now)?.info.serial, now),
    }
    Ok(())
}
