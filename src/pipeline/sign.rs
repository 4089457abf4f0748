//! Step 7: the signature, and with it the exact bytes that will be sent and resent.

use super::seal::Sealed;
use super::{Fault, LinkView, Under, capsule, mac, scheme};
use codecs::envelope::SignatureScheme;
use codecs::wire::Wire;
use rand_core::CryptoRng;
use time::OffsetDateTime;

/// Bytes ready to be journalled, then sent. Only this file can build it; a retry sends these bytes and never signs again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    wire: Wire,
    code: String,
    under: Vec<Under>,
}

impl Signed {
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    /// The keys that it was signed and sealed with.
    pub fn under(&self) -> &[Under] {
        &self.under
    }
}

pub(super) fn sign(
    sealed: Sealed<'_>,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Signed, Fault> {
    let (draft, mut under) = sealed.into_parts();
    let code = draft.kind().code.clone();
    let text = draft.signed_text()?;
    let wire = match draft.signature_scheme() {
        SignatureScheme::None => draft.finish_unsigned()?,
        SignatureScheme::Sm2(input) => {
            let signer = link.keyring.signer(link.name, now)?;
            under.push(Under::of(signer.info));
            draft.finish_sm2(&signer.sm2()?.sign(&scheme::sm2_input(input, &text), rng)?)?
        }
        SignatureScheme::Rsa(kind) => {
            let signer = link.keyring.signer(link.name, now)?;
            under.push(Under::of(signer.info));
            draft.finish_bytes(&signer.rsa()?.sign(scheme::rsa(kind), &text, rng)?)?
        }
        SignatureScheme::Mac(kind) => {
            let (tag, key) = mac::tag(kind, draft.named_signer(), &text, link, now)?;
            under.push(key);
            draft.finish_bytes(&tag)?
        }
    };
    let wire = capsule::seal(wire, link, now)?;
    Ok(Signed { wire, code, under })
}
