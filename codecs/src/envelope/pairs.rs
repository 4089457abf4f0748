//! Sorted pairs: `k=v&k=v` over what a form holds, values as they are meant, not as they are escaped.

use crate::error::ParseError;
use crate::format::form_pairs;

/// The text over every pair with a value, but those whose keys are left out, sorted by the bytes of the key.
pub(crate) fn text(body: &[u8], excluded: &[String]) -> Result<Vec<u8>, ParseError> {
    let mut pairs = form_pairs(body)?;
    pairs.retain(|pair| !pair.value.is_empty() && !excluded.iter().any(|key| *key == pair.key));
    pairs.sort_by(|a, b| a.key.cmp(&b.key));
    let pairs: Vec<String> = pairs.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    Ok(pairs.join("&").into_bytes())
}
