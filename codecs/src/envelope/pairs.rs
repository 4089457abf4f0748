//! Sorted pairs: `k=v&k=v` over what a form or a flat document holds, values as they are meant, not as they are escaped.

use crate::error::ParseError;
use crate::format::Format;
use crate::spec::plan::Signing;

/// The text over every pair with a value, but those whose keys are left out, sorted by the bytes of the key, then
/// the envelope's suffix.
pub(crate) fn text(format: &Format, is_answer: bool, body: &[u8], signing: &Signing) -> Result<Vec<u8>, ParseError> {
    let mut pairs = format.pairs(body, is_answer)?;
    pairs.retain(|pair| !pair.value.is_empty() && !signing.excluded.iter().any(|key| *key == pair.key));
    pairs.sort_by(|a, b| a.key.cmp(&b.key));
    let pairs: Vec<String> = pairs.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    Ok((pairs.join("&") + &signing.suffix).into_bytes())
}
