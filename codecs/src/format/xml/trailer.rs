//! A signature that stands after the document: `<root>...</root>{S:...}`.

/// The document, the text of the signature and where that begins. The last `{S:` counts: base64 holds no brace, and whatever
/// stands before it must be one XML document.
pub(super) fn split(text: &str) -> Option<(&str, &str, usize)> {
    let (document, rest) = text.rsplit_once(OPEN)?;
    let signature = rest.trim_end_matches(['\r', '\n']).strip_suffix('}')?;
    Some((document, signature, document.len() + OPEN.len()))
}

/// The exact bytes of the document: from the root's first byte to its last, without declaration and trailer.
pub(crate) fn document(body: &[u8]) -> &[u8] {
    let text = body.windows(OPEN.len()).rposition(|window| window == OPEN.as_bytes());
    let text = text.and_then(|at| body.get(..at)).unwrap_or(body);
    let declaration = text.windows(2).position(|window| window == b"?>").map_or(0, |at| at + 2);
    let skipped = if text.starts_with(b"<?xml") { declaration } else { 0 };
    text.get(skipped..).unwrap_or_default().trim_ascii()
}

pub(super) fn append(out: &mut String, signature: &str) {
    out.push_str(OPEN);
    out.push_str(signature);
    out.push('}');
}

const OPEN: &str = "{S:";
