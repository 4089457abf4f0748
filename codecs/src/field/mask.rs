//! How a value is shown to people: enough to recognise it, too little to use it.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mask {
    None,
    /// First 6 and last 4; shorter ones show their last 2.
    Account,
    /// First character.
    Name,
    /// First 3 and last 2.
    Id,
    /// First 3 and last 4.
    Mobile,
    /// Nothing but the length.
    Text,
}

impl Mask {
    pub(crate) const NAMES: &'static [&'static str] = &["none", "account", "name", "id", "mobile", "text"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "account" => Self::Account,
            "name" => Self::Name,
            "id" => Self::Id,
            "mobile" => Self::Mobile,
            "text" => Self::Text,
            _ => return None,
        })
    }

    pub(crate) fn apply(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Account if text.chars().count() > 12 => ends(text, 6, 4),
            Self::Account => ends(text, 0, 2),
            Self::Name => ends(text, 1, 0),
            Self::Id => ends(text, 3, 2),
            Self::Mobile => ends(text, 3, 4),
            Self::Text => format!("({} characters)", text.chars().count()),
        }
    }
}

/// Keeps `first` and `last` characters; a text that would be shown whole, or nearly, is hidden whole.
fn ends(text: &str, first: usize, last: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= first + last {
        return "*".repeat(chars.len());
    }
    let hidden = chars.len() - first - last;
    let shown = |(at, c): (usize, &char)| if at < first || at >= first + hidden { *c } else { '*' };
    chars.iter().enumerate().map(shown).collect()
}
