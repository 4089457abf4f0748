//! Names in specs: picking one from a closed list, and saying which was probably meant.

use crate::error::SpecError;

/// Where in a spec something stands, for errors.
#[derive(Clone, Debug)]
pub(super) struct At {
    codec: String,
    place: String,
}

impl At {
    pub(super) fn new(codec: &str, place: impl Into<String>) -> Self {
        Self {
            codec: codec.to_owned(),
            place: place.into(),
        }
    }

    pub(super) fn inside(&self, place: &str) -> Self {
        let joined = if self.place.is_empty() {
            place.to_owned()
        } else {
            format!("{}, {place}", self.place)
        };
        Self {
            codec: self.codec.clone(),
            place: joined,
        }
    }

    pub(super) fn fail(&self, detail: impl Into<String>) -> SpecError {
        SpecError {
            codec: self.codec.clone(),
            place: self.place.clone(),
            detail: detail.into(),
        }
    }

    /// `found` when it holds a value, else an error that lists what is allowed and suggests the nearest.
    pub(super) fn known<'n, T>(
        &self,
        what: &str,
        name: &str,
        found: Option<T>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<T, SpecError> {
        found.ok_or_else(|| {
            let names: Vec<&str> = names.into_iter().collect();
            self.fail(format!("unknown {what} `{name}`{}", suggestion(name, &names)))
        })
    }
}

/// `; did you mean ...?`, or the whole list when nothing is near.
pub(super) fn suggestion(name: &str, names: &[&str]) -> String {
    let nearest = names.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((far, known)) if far <= 1 + name.len() / 3 => format!("; did you mean `{known}`?"),
        Some(_) => format!("; known: {}", names.join(", ")),
        None => String::new(),
    }
}

/// Levenshtein distance over bytes; names in specs are short.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((y, &up_left), &up) in b.bytes().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            next.push((up + 1).min(left + 1).min(up_left + usize::from(x != y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Turns a TOML error into ours: line, key, and what the key was probably meant to be.
pub(super) fn toml_error(codec: &str, text: &str, error: &toml::de::Error) -> SpecError {
    let line = error
        .span()
        .map_or(0, |span| 1 + text.bytes().take(span.start).filter(|&b| b == b'\n').count());
    let message = error.message();
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let hint = match names.split_first() {
        Some((name, known)) if message.starts_with("unknown ") && !known.is_empty() => suggestion(name, known),
        Some(_) | None => String::new(),
    };
    At::new(codec, format!("line {line}{}", table(text, line))).fail(format!("{message}{hint}"))
}

/// The message or table that a line belongs to.
fn table(text: &str, line: usize) -> String {
    let before = || text.lines().take(line);
    let table = before().filter(|line| line.starts_with('[')).last().unwrap_or_default();
    let code = before().filter_map(|line| line.strip_prefix("code = ")).last();
    match (table.starts_with("[[message") || table.starts_with("[message"), code) {
        (true, Some(code)) => format!(", message {}", code.trim_matches('"')),
        _ if table.is_empty() => String::new(),
        _ => format!(", table {table}"),
    }
}
