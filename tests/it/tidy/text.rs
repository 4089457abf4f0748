//! Words, lines and braces of a text; a Rust text without its comments and literals. It is no parser.

/// Offsets of a word that is not part of a longer one.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let whole = move |at: &usize| {
        let (before, after) = (&text[..*at], &text[at + word.len()..]);
        let longer =
            (word.starts_with(in_word) && before.ends_with(in_word)) || (word.ends_with(in_word) && after.starts_with(in_word));
        !longer
    };
    text.match_indices(word).map(|(at, _)| at).filter(whole)
}

pub(super) fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where the body of the function opens, if it has one.
pub(super) fn body(code: &str, function: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(function) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Just behind the brace that closes the one at `open`.
pub(super) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

pub(super) fn code(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut code = String::with_capacity(rest.len());
    while let Some(first) = rest.first() {
        let blank = blank_bytes(rest).min(rest.len());
        match blank {
            0 => code.push(if first.is_ascii() { char::from(*first) } else { '?' }),
            _ => code.extend(rest[..blank].iter().map(|byte| if *byte == b'\n' { '\n' } else { ' ' })),
        }
        rest = &rest[blank.max(1)..];
    }
    code
}

/// How many bytes the comment or literal takes that starts here; 0 if none does.
fn blank_bytes(rest: &[u8]) -> usize {
    let upto = |from: usize, end: &[u8]| {
        let found = rest[from.min(rest.len())..]
            .windows(end.len())
            .position(|window| window == end);
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    match rest {
        [b'/', b'/', ..] => upto(2, b"\n"),
        [b'/', b'*', ..] => block_comment_bytes(rest),
        [b'"', ..] => string_bytes(rest),
        [b'r', b'"' | b'#', ..] => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let quoted = rest.get(1 + hashes) == Some(&b'"');
            if quoted {
                upto(2 + hashes, &[b"\"", &rest[1..=hashes]].concat())
            } else {
                0
            }
        }
        [b'\'', b'\\', _, ..] => upto(3, b"'"),
        [b'\'', first, b'\'', ..] if first.is_ascii() => 3,
        [b'\'', first, ..] if !first.is_ascii() => upto(1, b"'"),
        _ => 0,
    }
}

fn block_comment_bytes(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string_bytes(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}
