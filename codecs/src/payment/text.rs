//! Texts of a payment: parts of one allocation that everything copied from it shares. No text is changed in place.

use super::{Attribute, Payment, Value};
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A text, or a part of one that others share.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    part: (usize, usize),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        let (from, to) = self.part;
        self.whole.get(from..to).unwrap_or_default()
    }
}

impl<T: Into<Arc<str>>> From<T> for Text {
    fn from(text: T) -> Self {
        let whole = text.into();
        let part = (0, whole.len());
        Self { whole, part }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Text attributes that a payment is about to get, gathered so that they share one allocation.
pub(crate) struct Gathered {
    whole: String,
    parts: Vec<(Attribute, Range<usize>)>,
}

impl Gathered {
    /// For about so many attributes and bytes.
    pub(crate) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self {
            whole: String::with_capacity(bytes),
            parts: Vec::with_capacity(count),
        }
    }

    /// A text attribute; of two of one name the later counts.
    pub(crate) fn push(&mut self, attribute: Attribute, text: &str) {
        let from = self.whole.len();
        self.whole.push_str(text);
        self.parts.push((attribute, from..self.whole.len()));
    }

    /// Sets them all.
    pub(crate) fn put(self, payment: &mut Payment) {
        let whole: Arc<str> = self.whole.into();
        for (attribute, part) in self.parts {
            let text = Text {
                whole: Arc::clone(&whole),
                part: (part.start, part.end),
            };
            let fits = payment.put(attribute, Value::Text(text)).is_ok();
            debug_assert!(fits, "{attribute} is not text");
        }
    }
}
