//! Steps 4 and 5: the canonical form, from an opened message and to a draft.

use super::open::Opened;
use super::{Fault, LinkView, Received, Rejection, Step};
use codecs::message::Draft;
use codecs::payment::Payment;
use codecs::wire::Wire;

/// A draft with nothing sealed or signed yet.
pub(super) struct Drafted<'a> {
    draft: Draft<'a>,
}

impl<'a> Drafted<'a> {
    pub(super) fn into_draft(self) -> Draft<'a> {
        self.draft
    }
}

pub(super) fn inward(opened: &Opened<'_>) -> Result<Received, Box<Rejection>> {
    let message = opened.message();
    let payment = message
        .payment()
        .map_err(|error| Rejection::of_parse(Step::Translate, error).with_header(Some(message.header())))?;
    Ok(Received {
        payment,
        code: message.kind().code.clone(),
        signed_by: opened.signed_by().to_owned(),
        under: opened.under(),
    })
}

pub(super) fn outward<'a>(payment: &'a Payment, code: &str, link: LinkView<'a>) -> Result<Drafted<'a>, Fault> {
    Ok(Drafted {
        draft: link.spec.draft(code, payment)?,
    })
}

/// The draft of a message of ours that was sent before.
pub(super) fn again<'a>(wire: &Wire, link: LinkView<'a>) -> Result<Drafted<'a>, Fault> {
    Ok(Drafted {
        draft: link.spec.redraft(wire)?,
    })
}
