//! Objects that are sealed whole under a key that both sides hold, such as what a notice is about.

use super::Twist;
use super::text_key::misfit;
use codecs::message::{Draft, Message};
use keys::keyring::Keyring;
use time::OffsetDateTime;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A keyring and the link whose keys are meant.
type Keys<'k> = (&'k Keyring, &'k str);

pub(super) fn open(message: &mut Message<'_>, (keyring, link): Keys<'_>, now: OffsetDateTime) -> Outcome {
    let Some(sealed) = message.sealed_whole()? else {
        return Ok(());
    };
    let key = keyring.one_sealer(link, now)?.key;
    let clear = match &sealed.bound {
        Some(bound) => key.open_authenticated(&bound.nonce, &bound.additional, &sealed.ciphertext, &bound.tag),
        None => key.open_blocks(&sealed.ciphertext),
    };
    Ok(message.set_whole(&clear?)?)
}

/// Under a nonce of its own for every clear text, which is enough for a party that sends no secrets.
pub(super) fn seal(draft: &mut Draft<'_>, (keyring, link): Keys<'_>, now: OffsetDateTime, twist: Twist) -> Outcome {
    let Some(target) = draft.whole_target() else { return Ok(()) };
    if !target.scheme.is_bound() {
        let mut sealed = keyring.sealer(link, now)?.key.seal_blocks(&target.clear)?;
        misfit(&mut sealed, twist);
        draft.set_whole_blocks(&sealed);
        return Ok(());
    }
    let digest = keys::sm3::sm3(&[&target.clear]);
    let text: String = digest.iter().take(12).map(|byte| char::from(b'A' + byte % 26)).collect();
    let nonce: [u8; 12] = text.as_bytes().try_into()?;
    let key = keyring.sealer(link, now)?.key;
    let sealed = key.seal_authenticated(&nonce, &target.additional, &target.clear);
    let (mut ciphertext, tag) = sealed?;
    misfit(&mut ciphertext, twist);
    draft.set_whole(&text, &ciphertext, &tag);
    Ok(())
}
