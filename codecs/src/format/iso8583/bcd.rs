//! Digits, two a byte.

/// Digits of `bytes`, of which `count` count: the odd one's filler stands behind it (`is_left`) or before it. The error says in
/// which byte the fault lies, and whether a digit or the filler is at fault.
pub(super) fn decode(bytes: &[u8], count: usize, is_left: bool, separator: Option<u8>) -> Result<String, (usize, Fault)> {
    let mut text = String::with_capacity(count);
    let filler = (count % 2 == 1).then_some(if is_left { count } else { 0 });
    for (at, nibble) in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).enumerate() {
        if filler == Some(at) {
            if nibble != 0 {
                return Err((at / 2, Fault::Filler));
            }
            continue;
        }
        match nibble {
            0..=9 => text.push(char::from(b'0' + nibble)),
            0xd if separator.is_some() => text.extend(separator.map(char::from)),
            _ => return Err((at / 2, Fault::Digit)),
        }
    }
    Ok(text)
}

/// `None` when a character is no digit and not the separator.
pub(super) fn encode(text: &str, is_left: bool, separator: Option<u8>) -> Option<Vec<u8>> {
    let nibble = |character: u8| match character {
        b'0'..=b'9' => Some(character - b'0'),
        _ if Some(character) == separator => Some(0xd),
        _ => None,
    };
    let mut nibbles = text.bytes().map(nibble).collect::<Option<Vec<u8>>>()?;
    if nibbles.len() % 2 == 1 {
        let at = if is_left { nibbles.len() } else { 0 };
        nibbles.insert(at, 0);
    }
    let (pairs, _) = nibbles.as_chunks::<2>();
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    Digit,
    Filler,
}
