//! A checking visitor: keeps order, refuses duplicate keys, bounds depth and count, never makes a float of a number.

use crate::spec::plan::Limits;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

/// A JSON value as it stands.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::format) enum Json<'a> {
    Object(Vec<(Cow<'a, str>, Self)>),
    Array(Vec<Self>),
    Text(Cow<'a, str>),
    Whole(u64),
    /// Literals and numbers that no field takes: null, booleans, negative numbers, fractions.
    Other(&'static str),
}

impl Json<'_> {
    /// The same value, apart from the text that it was read from.
    pub(in crate::format) fn owned(self) -> Json<'static> {
        match self {
            Self::Object(pairs) => Json::Object(
                pairs
                    .into_iter()
                    .map(|(key, json)| (Cow::Owned(key.into_owned()), json.owned()))
                    .collect(),
            ),
            Self::Array(items) => Json::Array(items.into_iter().map(Json::owned).collect()),
            Self::Text(text) => Json::Text(Cow::Owned(text.into_owned())),
            Self::Whole(number) => Json::Whole(number),
            Self::Other(what) => Json::Other(what),
        }
    }
}

/// Why a text was refused: the rule, and a sentence.
pub(in crate::format) type Broken = (&'static str, String, Option<usize>);

pub(in crate::format) fn parse<'a>(text: &'a str, limits: &Limits) -> Result<Json<'a>, Broken> {
    let budget = Budget {
        nodes: Cell::new(limits.nodes_max),
        rule: Cell::new("json.syntax"),
        detail: RefCell::default(),
    };
    let mut source = serde_json::Deserializer::from_str(text);
    let seed = Seed {
        budget: &budget,
        depth: limits.depth_max,
        is_root: true,
    };
    let parsed = seed.deserialize(&mut source).and_then(|json| source.end().map(|()| json));
    parsed.map_err(|error| {
        // serde_json may quote the text in its own sentence; ours never does.
        let detail = if budget.rule.get() == "json.syntax" {
            "malformed JSON".to_owned()
        } else {
            budget.detail.take()
        };
        (budget.rule.get(), detail, offset(text, error.line(), error.column()))
    })
}

/// Line and column, both from 1, as an offset.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    Some((before + column.saturating_sub(1)).min(text.len()))
}

struct Budget {
    nodes: Cell<usize>,
    rule: Cell<&'static str>,
    detail: RefCell<String>,
}

impl Budget {
    fn fail<E: Error>(&self, rule: &'static str, detail: &str) -> E {
        self.rule.set(rule);
        self.detail.replace(detail.to_owned());
        E::custom(rule)
    }
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Budget,
    depth: usize,
    /// Of the whole message.
    is_root: bool,
}

impl Seed<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self {
                depth,
                is_root: false,
                ..self
            }),
            None => Err(self.budget.fail("limit.depth", "nested too deep")),
        }
    }

    fn count<E: Error>(self) -> Result<(), E> {
        match self.budget.nodes.get().checked_sub(1) {
            Some(left) => {
                self.budget.nodes.set(left);
                Ok(())
            }
            None => Err(self.budget.fail("limit.nodes", "too many values")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Json<'de>, D::Error> {
        self.count()?;
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inside = self.inside()?;
        let mut keys = Keys::default();
        // Only the message itself is sure to have members: thousands of empty objects must not reserve anything.
        let room = if self.is_root { PAIRS } else { 0 };
        let mut pairs = Vec::with_capacity(room);
        while let Some(key) = map.next_key()? {
            if !keys.is_new(&key, &pairs) {
                return Err(self.budget.fail("field.duplicate", "a key stands twice in one object"));
            }
            pairs.push((key.0, map.next_value_seed(inside)?));
        }
        Ok(Json::Object(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Other("a negative number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Other("a number with a fraction or exponent"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Other("a boolean"))
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Other("null"))
    }
}

/// The keys of an object so far, by a mark of each: only keys of one mark are compared, and from some on a set is kept.
#[derive(Default)]
struct Keys<'a> {
    marks: u64,
    many: BTreeSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Notes a key that comes behind `pairs`; false if it is among them.
    fn is_new(&mut self, Key(key): &Key<'a>, pairs: &[(Cow<'a, str>, Json<'a>)]) -> bool {
        if pairs.len() >= COMPARED_MAX {
            if self.many.is_empty() {
                self.many.extend(pairs.iter().map(|(key, _)| key.clone()));
            }
            return self.many.insert(key.clone());
        }
        let mark = mark(key);
        let is_seen = self.marks & mark != 0;
        self.marks |= mark;
        !is_seen || pairs.iter().all(|(known, _)| known != key)
    }
}

/// One bit of 64, by length and outer characters.
fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let outer = [bytes.first(), bytes.last()].map(|b| b.copied().unwrap_or_default());
    let [first, last] = outer.map(usize::from);
    1 << ((first * 7 + last * 3 + key.len() * 11) % 64)
}

/// So many keys are compared with each other; more would take too long in what somebody made up.
const COMPARED_MAX: usize = 32;
/// Room for the members of most objects.
const PAIRS: usize = 16;

/// A key, borrowed where it holds no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        source.deserialize_str(Text).map(Key)
    }
}
