//! The `/Tag/value` grammar of supplementary data (`facts/clearing.md` 1.1).

/// Splits `/SttlmDt/2030-01-02` into tag and value; `None` when the text does not begin with a tag.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('/')?.split_once('/')?;
    let is_tag = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    is_tag.then_some((name, value))
}
