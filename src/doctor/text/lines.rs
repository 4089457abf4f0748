//! Headers and body, each ended by a line feed.

use crate::doctor::proof::Attempt;
use crate::doctor::seen::Seen;
use codecs::examined::SignedAs;

/// No line feed behind the body.
pub(in crate::doctor) fn last_line_feed<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "no line feed behind the body", |head, body| {
        (head.to_owned(), body.to_vec())
    })
}

/// CR LF in place of LF.
pub(in crate::doctor) fn carriage_returns<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "CR LF behind each line", |head, body| {
        (head.replace('\n', "\r\n"), [body, b"\r\n"].concat())
    })
}

/// The query string left out of the target.
pub(in crate::doctor) fn no_query<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    if seen.message.signed_as() != (SignedAs::Lines { call: true }) {
        return Vec::new();
    }
    changed(seen, "the target without its query string", |head, body| {
        let path = |(at, line): (usize, &str)| match line.split_once('?') {
            Some((path, _)) if at == 1 => format!("{path}\n"),
            Some(_) | None => format!("{line}\n"),
        };
        (head.lines().enumerate().map(path).collect(), [body, b"\n"].concat())
    })
}

/// Moment and nonce the other way round.
pub(in crate::doctor) fn order<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "the nonce before the moment", |head, body| {
        let mut lines: Vec<&str> = head.lines().collect();
        let last = lines.len();
        if last >= 2 {
            lines.swap(last - 2, last - 1);
        }
        (lines.join("\n") + "\n", [body, b"\n"].concat())
    })
}

/// An empty line where the body is due.
pub(in crate::doctor) fn no_body<'a>(seen: &Seen<'a>) -> Vec<Attempt<'a>> {
    changed(seen, "an empty line in place of the body", |head, _| {
        (head.to_owned(), b"\n".to_vec())
    })
}

/// The text of changed lines before the body and a changed end.
fn changed<'a>(seen: &Seen<'a>, what: &str, change: impl Fn(&str, &[u8]) -> (String, Vec<u8>)) -> Vec<Attempt<'a>> {
    let lines = matches!(seen.message.signed_as(), SignedAs::Lines { .. });
    let end = [seen.wire.body.as_slice(), b"\n"].concat();
    let head = seen.text.strip_suffix(end.as_slice()).filter(|_| lines);
    let Some(head) = head.and_then(|head| std::str::from_utf8(head).ok()) else {
        return Vec::new();
    };
    let (head, end) = change(head, &seen.wire.body);
    let text = [head.as_bytes(), &end].concat();
    if text == seen.text {
        Vec::new()
    } else {
        vec![Attempt::text(what, text)]
    }
}
