//! One message of a spec: its fields laid out, its groups, its tree and its signed list.

use super::field::{self, Loaded, attribute};
use super::names::At;
use super::plan::{
    EnvelopePlan, Field, FieldId, Group, OutcomePlan, Over, Place, Plan, Selector, SignItem, Status, Tag, Target, Tree,
};
use super::text::{MessageText, OperationsText, OutcomeText, SpecText};
use super::{Direction, MessageSpec};
use crate::error::SpecError;
use crate::format::Format;
use crate::payment::{Attribute, Operation, Role};
use std::collections::BTreeMap;

/// What every message of a spec is built from.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) format: &'a Format,
    pub(super) frame: &'a [Field],
    pub(super) envelope: &'a EnvelopePlan,
    pub(super) status: &'a BTreeMap<String, Vec<Status>>,
    pub(super) text: &'a SpecText,
}

pub(super) fn load(at: &At, text: &MessageText, parts: &Parts<'_>) -> Result<MessageSpec, SpecError> {
    let (fields, groups) = layout(at, text, parts)?;
    let selector = text.operations.as_ref().map(|text| selector(at, text, &fields)).transpose()?;
    let operations = operations(at, text, selector.as_ref())?;
    let plan = Plan {
        tree: tree(at, parts.format, &fields, &groups, parts.frame.len())?,
        written: written(parts, &fields),
        signed: signed(parts, &fields),
        root: root(at, text, parts.format)?,
        target: target(at, text, &fields)?,
        outcome: text
            .outcome
            .as_ref()
            .map(|text| outcome(at, text, &fields, parts.status))
            .transpose()?,
        derive: derive(at, text)?,
        msg_id: fields.iter().position(|field| field.map == Some(Attribute::MsgId)),
        alternative: text.alternative,
        fields,
        groups,
        selector,
    };
    let roles = Role::ALL.iter().map(|role| role.name());
    Ok(MessageSpec {
        code: text.code.clone(),
        name_zh: text.zh.clone(),
        name_en: text.en.clone(),
        operation: operations.first().copied().ok_or_else(|| at.fail("no operation"))?,
        role: at.known("role", &text.role, Role::parse(&text.role), roles)?,
        reply: text.reply.clone(),
        direction: direction(at, &text.direction)?,
        source: text.source.clone(),
        confidence: text.confidence,
        operations,
        frame_count: parts.frame.len(),
        plan,
    })
}

/// Adds a field to the tree; a leaf is either plain or tagged, and has no children.
pub(super) fn grow(at: &At, tree: &mut Tree, id: FieldId, field: &Field) -> Result<(), SpecError> {
    let Place::Body(steps) = &field.place else { return Ok(()) };
    let at = at.inside(&format!("field {}", field.path));
    let node = tree.grow(steps).ok_or_else(|| at.fail("no place in the tree"))?;
    match &field.tag {
        Tag::None if node.is_leaf() => return Err(at.fail("duplicate path")),
        Tag::None => node.field = Some(id),
        Tag::Named(_) | Tag::Rest if node.field.is_some() => return Err(at.fail("its path is plain and tagged at once")),
        Tag::Named(name) if node.tags.iter().any(|(known, _)| known == name) => return Err(at.fail("duplicate tag")),
        Tag::Named(name) => node.tags.push((name.clone(), id)),
        Tag::Rest if node.rest.is_some() => return Err(at.fail("duplicate tag")),
        Tag::Rest => node.rest = Some(id),
    }
    Ok(())
}

/// All fields in the spec's order, the frame first, with their groups.
fn layout(at: &At, text: &MessageText, parts: &Parts<'_>) -> Result<(Vec<Field>, Vec<Group>), SpecError> {
    let mut fields = parts.frame.to_vec();
    let mut groups: Vec<Group> = Vec::new();
    for group in &text.groups {
        let depth = group.path.split('/').count();
        groups.push(Group {
            path: group.path.clone(),
            depth,
            max: group.max,
            fields: Vec::new(),
        });
    }
    for set in &text.include {
        let texts = at.known(
            "set",
            set,
            parts.text.sets.get(set),
            parts.text.sets.keys().map(String::as_str),
        )?;
        for field_text in texts {
            place(field::load(at, field_text, &parts.text.types)?, &mut fields, &mut groups);
        }
    }
    for field_text in &text.fields {
        place(field::load(at, field_text, &parts.text.types)?, &mut fields, &mut groups);
    }
    for path in &text.required {
        find_mut(at, path, &mut fields)?.required = true;
    }
    Ok((fields, groups))
}

fn place(mut loaded: Loaded, fields: &mut Vec<Field>, groups: &mut Vec<Group>) {
    let id = fields.len();
    if let Some(max) = loaded.max {
        let depth = loaded.field.place.steps().len();
        loaded.field.group = Some(groups.len());
        groups.push(Group {
            path: loaded.field.path.clone(),
            depth,
            max,
            fields: vec![id],
        });
    } else {
        let inside = |group: &Group| {
            loaded
                .field
                .path
                .strip_prefix(group.path.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        loaded.field.group = groups.iter().position(inside);
        if let Some(group) = loaded.field.group.and_then(|group| groups.get_mut(group)) {
            group.fields.push(id);
        }
    }
    fields.push(loaded.field);
}

fn tree(at: &At, format: &Format, fields: &[Field], groups: &[Group], frame: usize) -> Result<Tree, SpecError> {
    let mut tree = Tree::new();
    let skipped = if matches!(format, Format::Xml(_)) { frame } else { 0 };
    for (id, field) in fields.iter().enumerate().skip(skipped) {
        grow(at, &mut tree, id, field)?;
    }
    for (id, group) in groups.iter().enumerate() {
        let first = group.fields.first().and_then(|&field| fields.get(field));
        let first = first.ok_or_else(|| at.fail(format!("group {} has no field", group.path)))?;
        if first.tag == Tag::Rest {
            continue;
        }
        let steps: Vec<String> = first.place.steps().iter().take(group.depth).cloned().collect();
        let node = tree.grow(&steps).ok_or_else(|| at.fail("no place in the tree"))?;
        if node.group.replace(id).is_some() {
            return Err(at.fail(format!("group {} is named twice", group.path)));
        }
    }
    Ok(tree)
}

/// Frame fields before the body, the body, frame fields after it.
fn written(parts: &Parts<'_>, fields: &[Field]) -> Vec<FieldId> {
    let frame = parts.frame.len();
    let top = |id: FieldId| match parts.format {
        Format::Xml(xml) if id >= frame => xml.order.iter().position(|name| *name == xml.body),
        Format::Xml(xml) => fields
            .get(id)
            .and_then(|field| field.place.steps().first())
            .and_then(|top| xml.order.iter().position(|name| name == top)),
        Format::Json(_) => Some(usize::from(id >= frame)),
    };
    let mut ids: Vec<FieldId> = (0..fields.len()).collect();
    ids.sort_by_key(|&id| top(id));
    ids
}

fn signed(parts: &Parts<'_>, fields: &[Field]) -> Vec<SignItem> {
    let mut items: Vec<SignItem> = parts.envelope.first.iter().map(|&id| SignItem::Field(id)).collect();
    if parts.envelope.over == Over::Http {
        return items;
    }
    for (id, field) in fields
        .iter()
        .enumerate()
        .skip(parts.frame.len())
        .filter(|(_, field)| field.signed)
    {
        let item = field.group.map_or(SignItem::Field(id), SignItem::Run);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

fn root(at: &At, text: &MessageText, format: &Format) -> Result<Option<String>, SpecError> {
    match (format, &text.root) {
        (Format::Xml(_), None) => Err(at.fail("an xml message needs `root`")),
        (Format::Json(_), Some(_)) => Err(at.fail("`root` belongs to xml")),
        (Format::Xml(_), Some(_)) | (Format::Json(_), None) => Ok(text.root.clone()),
    }
}

fn target(at: &At, text: &MessageText, fields: &[Field]) -> Result<Option<Target>, SpecError> {
    let (Some(method), Some(target)) = (&text.method, &text.target) else {
        return if text.method.is_none() && text.target.is_none() {
            Ok(None)
        } else {
            Err(at.fail("`method` and `target` go together"))
        };
    };
    let (prefix, parameter) = match target.split_once(':') {
        Some((prefix, name)) => (prefix.to_owned(), Some(find(at, &format!(":{name}"), fields)?)),
        None => (target.clone(), None),
    };
    Ok(Some(Target {
        method: method.clone(),
        prefix,
        parameter,
    }))
}

fn outcome(
    at: &At,
    text: &OutcomeText,
    fields: &[Field],
    tables: &BTreeMap<String, Vec<Status>>,
) -> Result<OutcomePlan, SpecError> {
    let table = at.known(
        "status table",
        &text.table,
        tables.get(&text.table),
        tables.keys().map(String::as_str),
    )?;
    let one = |path: &Option<String>| path.as_ref().map(|path| find(at, path, fields)).transpose();
    Ok(OutcomePlan {
        status: find(at, &text.status, fields)?,
        table: table.clone(),
        code: one(&text.code)?,
        text: one(&text.text)?,
    })
}

fn selector(at: &At, text: &OperationsText, fields: &[Field]) -> Result<Selector, SpecError> {
    let values: Result<Vec<_>, SpecError> = text
        .values
        .iter()
        .map(|row| Ok((row.value.clone(), operation(at, &row.operation)?)))
        .collect();
    Ok(Selector {
        field: find(at, &text.field, fields)?,
        values: values?,
    })
}

fn operations(at: &At, text: &MessageText, selector: Option<&Selector>) -> Result<Vec<Operation>, SpecError> {
    match (&text.operation, selector) {
        (Some(name), None) => Ok(vec![operation(at, name)?]),
        (None, Some(selector)) => {
            let mut operations = Vec::new();
            for (_, operation) in &selector.values {
                if !operations.contains(operation) {
                    operations.push(*operation);
                }
            }
            Ok(operations)
        }
        (Some(_), Some(_)) | (None, None) => Err(at.fail("either `operation` or `operations`")),
    }
}

fn operation(at: &At, name: &str) -> Result<Operation, SpecError> {
    at.known(
        "operation",
        name,
        Operation::parse(name),
        Operation::ALL.iter().map(|operation| operation.name()),
    )
}

fn direction(at: &At, name: &str) -> Result<Direction, SpecError> {
    let found = [Direction::Inbound, Direction::Outbound, Direction::Both]
        .into_iter()
        .find(|direction| direction.name() == name);
    at.known("direction", name, found, ["inbound", "outbound", "both"])
}

fn derive(at: &At, text: &MessageText) -> Result<Vec<(Attribute, Attribute)>, SpecError> {
    let mut pairs = Vec::new();
    for (target, source) in &text.derive {
        let pair = (attribute(at, Some(target))?, attribute(at, Some(source))?);
        let (Some(target), Some(source)) = pair else { continue };
        if target.shape() != source.shape() {
            return Err(at.fail(format!("derive: `{target}` and `{source}` differ in shape")));
        }
        pairs.push((target, source));
    }
    Ok(pairs)
}

fn find(at: &At, path: &str, fields: &[Field]) -> Result<FieldId, SpecError> {
    let found = fields.iter().position(|field| field.path == path);
    at.known("field", path, found, fields.iter().map(|field| field.path.as_str()))
}

fn find_mut<'f>(at: &At, path: &str, fields: &'f mut [Field]) -> Result<&'f mut Field, SpecError> {
    let id = find(at, path, fields)?;
    fields.get_mut(id).ok_or_else(|| at.fail("no such field"))
}
