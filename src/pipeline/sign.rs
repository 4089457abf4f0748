//! Step 7: the signature, and with it the exact bytes that will be sent and resent.

use super::seal::Sealed;
use super::{Fault, LinkView};
use codecs::envelope::SignatureScheme;
use codecs::wire::Wire;
use rand_core::CryptoRng;
use time::OffsetDateTime;

/// Bytes ready to be journalled, then sent. Only this file can build it; a retry sends these bytes and never signs again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    wire: Wire,
    code: String,
}

impl Signed {
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    pub fn code(&self) -> &str {
        &self.code
    }
}

pub(super) fn sign(
    sealed: Sealed<'_>,
    link: LinkView<'_>,
    now: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Signed, Fault> {
    let draft = sealed.into_draft();
    let code = draft.kind().code.clone();
    let text = draft.signed_text()?;
    let wire = match draft.signature_scheme() {
        SignatureScheme::None => draft.finish_unsigned()?,
        SignatureScheme::Sm2Sm3 => {
            let signature = link.keyring.signer(link.name, now)?.sm2()?.sign(&text, rng)?;
            draft.finish_sm2(&signature)?
        }
        SignatureScheme::HmacSm3 => {
            let tag = link.keyring.mac(link.name, now)?.hmac_sm3()?.tag(&[&text]);
            draft.finish_mac(&tag)?
        }
    };
    Ok(Signed { wire, code })
}
