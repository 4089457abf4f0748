//! Lines: each value and then the body, every one ended by a line feed, the last one too.

/// The text over `values` and the body's exact bytes. A value never holds a line end: headers and start lines cannot.
pub(crate) fn text<'v>(values: impl Iterator<Item = &'v str>, body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len() + 256);
    for value in values {
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}
