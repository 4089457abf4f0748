//! Step 1: bytes to `Parsed`, which borrows them and keeps the exact signed range.

use super::{LinkView, Rejection, Step};
use codecs::message::Message;
use codecs::wire::Wire;

/// A message whose layout is right; nothing in it is believed yet.
pub struct Parsed<'a> {
    pub(super) message: Message<'a>,
}

impl Parsed<'_> {
    pub(super) fn signs_clear_values(&self) -> bool {
        self.message.signs_clear_values()
    }
}

pub(super) fn parse<'a>(wire: &'a Wire, link: LinkView<'a>) -> Result<Parsed<'a>, Box<Rejection>> {
    match link.spec.parse(wire) {
        Ok(message) => Ok(Parsed { message }),
        Err(error) => Err(Rejection::of_parse(Step::Parse, error).with_header(link.spec.peek(wire))),
    }
}
