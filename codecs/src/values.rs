//! The values of one message, read or about to be written: the same structure for both, so that both sign alike.

use crate::field::{Broken, tag};
use crate::spec::Spec;
use crate::spec::plan::{FieldId, Over, Plan, SignItem, Tag};
use std::borrow::Cow;

/// One value of one field.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(crate) field: FieldId,
    /// 0-based number within the field's repeats.
    pub(crate) occurrence: usize,
    /// As it stands on the wire, without its tag. Of a sealed field: the base64 text.
    pub(crate) sent: Cow<'a, str>,
    pub(crate) sealed: bool,
    /// Clear value of a sealed field, once opened or before it is sealed.
    pub(crate) clear: Option<String>,
    pub(crate) offset: Option<usize>,
}

impl<'a> Item<'a> {
    pub(crate) fn new(field: FieldId, sent: impl Into<Cow<'a, str>>) -> Self {
        Self {
            field,
            occurrence: 0,
            sent: sent.into(),
            sealed: false,
            clear: None,
            offset: None,
        }
    }

    /// The clear value; `None` while it is sealed.
    pub(crate) fn clear(&self) -> Option<&str> {
        if self.sealed {
            self.clear.as_deref()
        } else {
            Some(&self.sent)
        }
    }
}

/// Values of one message in the order of the document.
#[derive(Clone, Default)]
pub(crate) struct Values<'a> {
    items: Vec<Item<'a>>,
    /// First item of each field, or `NONE`.
    first: Vec<u32>,
}

impl<'a> Values<'a> {
    pub(crate) fn new() -> Self {
        Self {
            items: Vec::with_capacity(64),
            first: vec![NONE; 96],
        }
    }

    /// The same, borrowed from nothing.
    pub(crate) fn into_owned(self) -> Values<'static> {
        let owned = |item: Item<'a>| Item {
            sent: Cow::Owned(item.sent.into_owned()),
            field: item.field,
            occurrence: item.occurrence,
            sealed: item.sealed,
            clear: item.clear,
            offset: item.offset,
        };
        Values {
            items: self.items.into_iter().map(owned).collect(),
            first: self.first,
        }
    }

    pub(crate) fn push(&mut self, item: Item<'a>) {
        let field = item.field;
        if self.first.len() <= field {
            self.first.resize(field + 1, NONE);
        }
        if let Some(first) = self.first.get_mut(field).filter(|first| **first == NONE) {
            // A message has far fewer values than bytes, and these are bounded.
            *first = u32::try_from(self.items.len()).unwrap_or(NONE);
        }
        self.items.push(item);
    }

    /// Puts a single value in place of what the field held.
    pub(crate) fn set(&mut self, field: FieldId, sent: String) {
        match self.slot(field).and_then(|slot| self.items.get_mut(slot)) {
            Some(item) => item.sent = Cow::Owned(sent),
            None => self.push(Item::new(field, sent)),
        }
    }

    /// The first value of a field, which holds nothing after that.
    pub(crate) fn take(&mut self, field: FieldId) -> Option<String> {
        let item = self.slot(field).and_then(|slot| self.items.get_mut(slot))?;
        Some(std::mem::take(&mut item.sent).into_owned())
    }

    /// Counts the places of the items from `first` on from a byte that stands so far before.
    pub(crate) fn shift(&mut self, first: usize, bytes: usize) {
        for item in self.items.iter_mut().skip(first) {
            item.offset = item.offset.map(|offset| offset + bytes);
        }
    }

    /// The same values, apart from the bytes they were read from.
    pub(crate) fn to_owned_values(&self) -> Values<'static> {
        let owned = |item: &Item<'_>| Item {
            sent: Cow::Owned(item.sent.to_string()),
            clear: item.clear.clone(),
            ..*item
        };
        Values {
            items: self.items.iter().map(owned).collect(),
            first: self.first.clone(),
        }
    }

    pub(crate) fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    pub(crate) fn item_mut(&mut self, slot: usize) -> Option<&mut Item<'a>> {
        self.items.get_mut(slot)
    }

    pub(crate) fn slot(&self, field: FieldId) -> Option<usize> {
        let first = self.first.get(field).copied().filter(|&first| first != NONE);
        first.map(|first| first as usize)
    }

    pub(crate) fn get(&self, field: FieldId) -> Option<&Item<'a>> {
        self.slot(field).and_then(|slot| self.items.get(slot))
    }

    /// Every value of a field that repeats.
    pub(crate) fn all(&self, field: FieldId) -> impl Iterator<Item = &Item<'a>> {
        let from = self.slot(field).unwrap_or(self.items.len());
        self.items.iter().skip(from).filter(move |item| item.field == field)
    }
}

const NONE: u32 = u32::MAX;

/// One part of the signed text: the value's item, if it stands in the message, and the text of its slot.
pub(crate) struct Slot<'v, 'a> {
    pub(crate) field: Option<FieldId>,
    pub(crate) item: Option<&'v Item<'a>>,
    pub(crate) text: SlotText<'v>,
}

/// The text of a slot, in the pieces that it is written of.
pub(crate) enum SlotText<'v> {
    /// The number of a run's repeats.
    Count(usize),
    Value {
        /// Its length stands before it.
        counted: bool,
        /// Tag or currency, then the value.
        pieces: [&'v str; 4],
    },
}

impl SlotText<'_> {
    const EMPTY: Self = Self::Value {
        counted: false,
        pieces: [""; 4],
    };

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Count(count) => out.extend_from_slice(count.to_string().as_bytes()),
            Self::Value { counted, pieces } => {
                if *counted {
                    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
                    out.extend_from_slice(format!("{length}:").as_bytes());
                }
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
        }
    }
}

/// Visits the slots of the signed text in their order (design 7: frame fields first, then mapped body fields; a run is
/// preceded by its count).
pub(crate) fn each_slot<'v, 'a>(
    spec: &Spec,
    plan: &'v Plan,
    values: &'v Values<'a>,
    visit: &mut impl FnMut(Slot<'v, 'a>),
) -> Result<(), (FieldId, Broken)> {
    for item in &plan.signed {
        match *item {
            SignItem::Field(field) => single(spec, plan, values, field, visit)?,
            SignItem::Run(group) => run(spec, plan, values, group, visit)?,
        }
    }
    Ok(())
}

fn single<'v, 'a>(
    spec: &Spec,
    plan: &'v Plan,
    values: &'v Values<'a>,
    field: FieldId,
    visit: &mut impl FnMut(Slot<'v, 'a>),
) -> Result<(), (FieldId, Broken)> {
    match values.get(field) {
        Some(item) => visit(Slot {
            field: Some(field),
            item: Some(item),
            text: slot_text(spec, plan, item)?,
        }),
        None if spec.habits.skip_absent => {}
        None => visit(Slot {
            field: Some(field),
            item: None,
            text: SlotText::EMPTY,
        }),
    }
    Ok(())
}

fn run<'v, 'a>(
    spec: &Spec,
    plan: &'v Plan,
    values: &'v Values<'a>,
    group: usize,
    visit: &mut impl FnMut(Slot<'v, 'a>),
) -> Result<(), (FieldId, Broken)> {
    let Some(group) = plan.groups.get(group) else { return Ok(()) };
    let mut items: Vec<&Item<'a>> = group.fields.iter().flat_map(|&field| values.all(field)).collect();
    items.sort_by_key(|item| (item.occurrence, item.field));
    let count = items.last().map_or(0, |item| item.occurrence + 1);
    if count > 0 || !spec.habits.skip_absent {
        visit(Slot {
            field: group.fields.first().copied(),
            item: None,
            text: SlotText::Count(count),
        });
    }
    for item in items {
        visit(Slot {
            field: Some(item.field),
            item: Some(item),
            text: slot_text(spec, plan, item)?,
        });
    }
    Ok(())
}

/// The text of a slot: currency before an amount, the tag kept, the value as sent; never with a separator inside.
fn slot_text<'v>(spec: &Spec, plan: &'v Plan, item: &'v Item<'_>) -> Result<SlotText<'v>, (FieldId, Broken)> {
    use crate::spec::plan::Covers;
    let Some(field) = plan.field(item.field) else {
        return Ok(SlotText::EMPTY);
    };
    let value = match spec.envelope.covers {
        Covers::Sealed => item.sent.as_ref(),
        Covers::Clear => item.clear().ok_or_else(|| {
            (
                item.field,
                Broken::new("seal.unopened", "the signature covers its clear value"),
            )
        })?,
    };
    if item.sealed && value.is_empty() {
        return Err((item.field, Broken::new("seal.missing", "it has not been sealed yet")));
    }
    let is_separated = matches!(plan.signing.over, Over::Fields | Over::Values);
    if is_separated && !field.counted && value.as_bytes().contains(&b'|') {
        return Err((
            item.field,
            Broken::new("signed.separator", "a signed value holds the separator `|`"),
        ));
    }
    let pieces = match &field.tag {
        Tag::None if field.has_currency() => ["CNY", value, "", ""],
        Tag::Named(name) if !spec.habits.strip_tags => ["/", name, "/", value],
        Tag::Rest if spec.habits.strip_tags => [tag::split(value).map_or(value, |(_, value)| value), "", "", ""],
        Tag::None | Tag::Named(_) | Tag::Rest => [value, "", "", ""],
    };
    Ok(SlotText::Value {
        counted: field.counted,
        pieces,
    })
}
