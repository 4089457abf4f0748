//! A message shown to people: one line per field, masked unless the caller takes the danger upon itself.

use crate::message::Message;
use crate::spec::plan::{Field, FieldId};
use crate::values::{Item, Slot, each_slot};

/// One line of `describe`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedField {
    pub path: String,
    pub name_zh: String,
    pub name_en: String,
    pub value: String,
    pub offset: Option<usize>,
    pub sealed: bool,
}

/// Every field present, in the order of the document.
pub(crate) fn fields(message: &Message<'_>, danger_unmasked: bool) -> Vec<DescribedField> {
    let describe = |item: &Item<'_>| {
        Some(line(
            message.kind.plan.field(item.field)?,
            item,
            shown(message, item, danger_unmasked),
        ))
    };
    message.values.items().iter().filter_map(describe).collect()
}

/// The slots of the signed text in order, masked. A message that cannot be signed shows none.
pub(crate) fn signed(message: &Message<'_>) -> Vec<DescribedField> {
    let mut described = Vec::new();
    let told = each_slot(message.spec, &message.kind.plan, &message.values, &mut |slot| {
        described.extend(described_slot(message, &slot));
    });
    told.map_or(Vec::new(), |()| described)
}

fn described_slot(message: &Message<'_>, slot: &Slot<'_, '_>) -> Option<DescribedField> {
    let field = message.kind.plan.field(slot.field?)?;
    let mut text = Vec::new();
    slot.text.write(&mut text);
    let text = String::from_utf8(text).unwrap_or_default();
    Some(match slot.item {
        Some(item) => line(field, item, masked_slot(message, item, field, &text)),
        None => line(field, &Item::new(0, ""), text),
    })
}

/// A slot keeps its tag or currency; only the value inside is masked.
fn masked_slot(message: &Message<'_>, item: &Item<'_>, field: &Field, text: &str) -> String {
    let clear = item.clear().unwrap_or_default();
    match text.strip_suffix(clear) {
        Some(prefix) if !clear.is_empty() => format!("{prefix}{}", field.mask.apply(clear)),
        Some(_) | None => shown_sealed(message, item.field, text),
    }
}

fn shown(message: &Message<'_>, item: &Item<'_>, danger_unmasked: bool) -> String {
    let mask = message.kind.plan.field(item.field).map(|field| field.mask);
    match (item.clear(), mask) {
        (Some(clear), _) if danger_unmasked => clear.to_owned(),
        (Some(clear), Some(mask)) => mask.apply(clear),
        (Some(_) | None, _) => shown_sealed(message, item.field, &item.sent),
    }
}

/// Sealed text tells nothing without its key, so it may be shown.
fn shown_sealed(_message: &Message<'_>, _field: FieldId, text: &str) -> String {
    text.to_owned()
}

fn line(field: &Field, item: &Item<'_>, value: String) -> DescribedField {
    DescribedField {
        path: field.path.clone(),
        name_zh: field.name_zh.clone(),
        name_en: field.name().to_owned(),
        value,
        offset: item.offset,
        sealed: item.sealed,
    }
}
