//! The exact bytes of a document around one element of it: what is left when the element of the signature is taken out of the
//! document that it stands in. Nothing is parsed and written again.

/// The body without `<name>value</name>`, whose value stands at `offset`; `None` where it does not stand there so.
pub(crate) fn text(body: &[u8], name: &str, value: &str, offset: usize) -> Option<Vec<u8>> {
    let open = format!("<{name}>");
    let element = format!("{open}{value}</{name}>");
    let (before, rest) = body.split_at_checked(offset.checked_sub(open.len())?)?;
    let after = rest.strip_prefix(element.as_bytes())?;
    Some([before, after].concat())
}
