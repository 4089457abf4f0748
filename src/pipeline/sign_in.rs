//! A terminal's sign-in: fresh working keys for it, under its master key. Beside the steps of a message: nothing of it reaches a
//! payment, and the keys are only offered until a message authenticated with them has come.

use super::{LinkView, Rejection, Step, scheme};
use codecs::envelope::SignatureScheme;
use codecs::sign_in::{HandedKey, SignIn};
use codecs::wire::Wire;
use keys::keyring::NotHanded;
use keys::legacy::master::WrappedKey;
use rand_core::CryptoRng;
use time::OffsetDateTime;

/// The answer to a sign-in; `None` where the message is none. `local` is the moment as the terminal is told it.
pub fn sign_in(
    wire: &Wire,
    link: LinkView<'_>,
    local: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Option<Result<Wire, Box<Rejection>>> {
    let asked = link.spec.sign_in(wire)?;
    let asked = asked.map_err(|error| Rejection::of_parse(Step::Parse, error));
    Some(asked.and_then(|asked| answer(&asked, link, local, rng)))
}

fn answer(
    asked: &SignIn<'_>,
    link: LinkView<'_>,
    local: OffsetDateTime,
    rng: &mut dyn CryptoRng,
) -> Result<Wire, Box<Rejection>> {
    let SignatureScheme::Mac(kind) = link.spec.signature_scheme() else {
        let detail = "messages of this link have no MAC, so there are no keys to hand out";
        return Err(Box::new(Rejection::new(Step::Verify, "sign_in.scheme", detail)));
    };
    let handed = link.keyring.hand_out(link.name, &asked.holder, scheme::mac(kind), local, rng);
    let handed = handed.map_err(|error| match error {
        NotHanded::Master(error) => Rejection::of_key(Step::Verify, &error),
        NotHanded::Crypto(_) | NotHanded::Unfit(_) => Box::new(Rejection::new(Step::Verify, "sign_in.keys", error.to_string())),
    })?;
    let answer = asked.answer(&piece(handed.pin), &piece(handed.mac), local);
    answer.map_err(|error| Box::new(Rejection::new(Step::Translate, "sign_in.answer", error.to_string())))
}

fn piece(key: WrappedKey) -> HandedKey {
    HandedKey {
        wrapped: key.wrapped,
        check: key.check.to_vec(),
    }
}
