//! The signature over another text than the spec's: one small change at a time.

pub(super) mod document; // an XML document signed as bytes
pub(super) mod fields; // values with a separator behind each
pub(super) mod json; // a JSON body or member signed as bytes
pub(super) mod lines; // headers and body, a line each
pub(super) mod pairs; // sorted pairs

use super::coding::to_gbk;
use super::proof::Attempt;
use super::seen::Seen;

/// The same text in GBK.
pub(super) fn gbk<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    let text = std::str::from_utf8(&seen.text).ok().and_then(to_gbk);
    text.map(|text| Attempt::text("the signed text in GBK", text))
        .into_iter()
        .collect()
}
