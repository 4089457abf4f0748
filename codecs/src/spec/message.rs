//! One message of a spec: its fields laid out, its groups, its tree and its signed list.

use super::field::{self, Loaded, attribute};
use super::names::At;
use super::plan::{
    EnvelopePlan, Field, FieldId, Group, Named, OutcomePlan, Over, Piece, Place, Plan, Selector, SignItem, Signing, Status, Tag,
    Target, Tree,
};
use super::text::{MessageText, OperationsText, OutcomeText, SpecText};
use super::{Direction, MessageSpec, whole};
use crate::error::SpecError;
use crate::format::Format;
use crate::payment::{Attribute, Operation, Role};
use std::collections::BTreeMap;

/// What every message of a spec is built from.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) format: &'a Format,
    pub(super) answers: Option<&'a Format>,
    pub(super) frame: &'a [Field],
    pub(super) envelope: &'a EnvelopePlan,
    pub(super) status: &'a BTreeMap<String, Vec<Status>>,
    pub(super) text: &'a SpecText,
}

pub(super) fn load(at: &At, text: &MessageText, parts: &Parts<'_>) -> Result<MessageSpec, SpecError> {
    let roles = Role::ALL.iter().map(|role| role.name());
    let role = at.known("role", &text.role, Role::parse(&text.role), roles)?;
    let is_answer = matches!(role, Role::Reply | Role::Ack);
    let format = parts.answers.filter(|_| is_answer).unwrap_or(parts.format);
    let root = root(at, text, format)?;
    let signing = signing(at, text, parts.envelope)?;
    let (mut fields, mut groups) = layout(at, text, parts)?;
    adapt_frame(&mut fields, parts.frame.len(), role, &signing);
    if let (Some(root), false) = (&root, format.is_framed()) {
        move_under(root, &mut fields, &mut groups, parts.frame.len());
    }
    let sealed = parts.text.envelope.whole.as_ref();
    whole::enclose(at, text, sealed, root.as_deref(), &mut fields, &groups)?;
    let chosen = chosen(at, text, &signing, &mut fields)?;
    let selector = text.operations.as_ref().map(|text| selector(at, text, &fields)).transpose()?;
    let operations = operations(at, text, selector.as_ref())?;
    let plan = Plan {
        tree: tree(at, format, role, &fields, &groups, parts.frame.len())?,
        inside: whole::inside(at, role, &fields)?,
        whole: whole::plan(at, sealed, root.as_deref(), &fields)?,
        written: written(format, parts.frame.len(), &fields),
        signed: chosen.unwrap_or_else(|| signed(&signing, parts.frame.len(), &fields)),
        root,
        literal: text.literal.clone(),
        named: named(at, text, format)?,
        signing,
        target: target(at, text, &fields)?,
        outcome: text
            .outcome
            .as_ref()
            .map(|text| outcome(at, text, &fields, parts.status))
            .transpose()?,
        constants: constants(at, text)?,
        derive: derive(at, text)?,
        msg_id: fields.iter().position(|field| field.map == Some(Attribute::MsgId)),
        alternative: text.alternative,
        fields,
        groups,
        selector,
    };
    Ok(MessageSpec {
        code: text.code.clone(),
        name_zh: text.zh.clone(),
        name_en: text.en.clone(),
        operation: operations.first().copied().ok_or_else(|| at.fail("no operation"))?,
        role,
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
    for (path, value) in &text.defaults {
        let field = find_mut(at, path, &mut fields)?;
        if let Err(broken) = field.rules.check(value) {
            return Err(at.fail(format!("the default of `{path}` breaks its rules: {}", broken.detail)));
        }
        field.default = Some(value.clone());
    }
    Ok((fields, groups))
}

/// What the frame's fields are in this message: those of other roles are nothing here.
fn adapt_frame(fields: &mut [Field], frame: usize, role: Role, signing: &Signing) {
    for (id, field) in fields.iter_mut().enumerate().take(frame) {
        field.signed = signing.first.contains(&id);
        if !field.belongs_to(role) {
            field.required = false;
            (field.map, field.fill, field.fill_else, field.default) = (None, None, None, None);
        }
        if signing.by_seal {
            // Nobody vouches for what stands outside: it is written and never taken.
            let map = field.map.take();
            field.fill = field.fill.or(map);
        }
    }
}

/// Puts the message's own fields under its root; their paths stay as the spec writes them.
fn move_under(root: &str, fields: &mut [Field], groups: &mut [Group], frame: usize) {
    for field in fields.iter_mut().skip(frame) {
        if let Place::Body(steps) = &mut field.place {
            steps.insert(0, root.to_owned());
        }
    }
    for group in groups {
        group.depth += 1;
    }
}

fn signing(at: &At, text: &MessageText, envelope: &EnvelopePlan) -> Result<Signing, SpecError> {
    match &text.signed_as {
        None => Ok(envelope.signing.clone()),
        Some(name) => {
            let names = envelope.parts.keys().map(String::as_str);
            at.known("part of the envelope", name, envelope.parts.get(name).cloned(), names)
        }
    }
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

fn tree(at: &At, format: &Format, role: Role, fields: &[Field], groups: &[Group], frame: usize) -> Result<Tree, SpecError> {
    let mut tree = Tree::new();
    if matches!(format, Format::Iso8583(_)) {
        // Several fields may stand in one element there, so they are no tree.
        return Ok(tree);
    }
    let skipped = if format.is_framed() { frame } else { 0 };
    for (id, field) in fields.iter().enumerate().skip(skipped) {
        if field.belongs_to(role) {
            grow(at, &mut tree, id, field)?;
        }
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
fn written(format: &Format, frame: usize, fields: &[Field]) -> Vec<FieldId> {
    let top = |id: FieldId| match format {
        Format::Xml(xml) if !xml.is_framed() => Some(usize::from(id >= frame)),
        Format::Xml(xml) if id >= frame => xml.order.iter().position(|name| *name == xml.body),
        Format::Xml(xml) => fields
            .get(id)
            .and_then(|field| field.place.steps().first())
            .and_then(|top| xml.order.iter().position(|name| name == top)),
        Format::Json(json) if json.by_member() => Some(usize::from(id < frame)),
        Format::Json(_) | Format::Form(_) | Format::Flat(_) | Format::Iso8583(_) => Some(usize::from(id >= frame)),
    };
    let mut ids: Vec<FieldId> = (0..fields.len()).collect();
    ids.sort_by_key(|&id| top(id));
    ids
}

/// The fields that a message names itself where its signature is over chosen values; no other is signed.
fn chosen(at: &At, text: &MessageText, signing: &Signing, fields: &mut [Field]) -> Result<Option<Vec<SignItem>>, SpecError> {
    if (signing.over == Over::Values) == text.signs.is_empty() {
        return Err(at.fail("`signs` lists the fields of a signature over `values`, and of no other"));
    }
    if text.signs.is_empty() {
        return Ok(None);
    }
    for field in fields.iter_mut() {
        field.signed = false;
    }
    for path in &text.signs {
        find_mut(at, path, fields)?.signed = true;
    }
    let item = |path: &String| Ok(SignItem::Field(find(at, path, fields)?));
    text.signs.iter().map(item).collect::<Result<_, _>>().map(Some)
}

fn signed(signing: &Signing, frame: usize, fields: &[Field]) -> Vec<SignItem> {
    let mut items: Vec<SignItem> = signing.first.iter().map(|&id| SignItem::Field(id)).collect();
    if signing.over != Over::Fields {
        return items;
    }
    for (id, field) in fields.iter().enumerate().skip(frame).filter(|(_, field)| field.signed) {
        let item = field.group.map_or(SignItem::Field(id), SignItem::Run);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

fn named(at: &At, text: &MessageText, format: &Format) -> Result<Option<Named>, SpecError> {
    let Some(text) = &text.named else { return Ok(None) };
    let by_field = matches!(format, Format::Form(_)) || (matches!(format, Format::Xml(_)) && text.with.is_none());
    if !by_field || text.values.is_empty() {
        return Err(at.fail("`named` lists what the field of the code may hold, in forms and XML; `with` is for forms"));
    }
    Ok(Some(Named {
        values: text.values.clone(),
        with: text.with.clone(),
    }))
}

fn root(at: &At, text: &MessageText, format: &Format) -> Result<Option<String>, SpecError> {
    let (needed, allowed) = match format {
        Format::Xml(xml) if !xml.is_framed() => (false, true),
        Format::Xml(xml) => (!xml.bare, !xml.bare),
        Format::Json(json) => (json.by_member(), json.by_member()),
        Format::Form(_) => (false, true),
        Format::Flat(_) | Format::Iso8583(_) => (false, false),
    };
    match &text.root {
        None if needed && text.literal.is_none() => Err(at.fail("a message of this format needs `root`")),
        Some(_) if !allowed => Err(at.fail("messages of this format have no `root`")),
        root => Ok(root.clone()),
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
    let mut pieces = Vec::new();
    let mut rest = target.as_str();
    while let Some((fixed, named)) = rest.split_once(':') {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let (name, after) = named
            .split_at_checked(named.find(ends).unwrap_or(named.len()))
            .unwrap_or((named, ""));
        pieces.push(Piece::Fixed(fixed.to_owned()));
        pieces.push(Piece::Field(find(at, &format!(":{name}"), fields)?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Fixed(rest.to_owned()));
    }
    let method = method.clone();
    Ok(Some(Target { method, pieces }))
}

fn outcome(
    at: &At,
    text: &OutcomeText,
    fields: &[Field],
    tables: &BTreeMap<String, Vec<Status>>,
) -> Result<OutcomePlan, SpecError> {
    let table = |name: &str| {
        let names = tables.keys().map(String::as_str);
        at.known("status table", name, tables.get(name).cloned(), names)
    };
    let otherwise = text
        .otherwise
        .as_ref()
        .map(|text| Ok((find(at, &text.status, fields)?, table(&text.table)?)));
    let one = |path: &Option<String>| path.as_ref().map(|path| find(at, path, fields)).transpose();
    Ok(OutcomePlan {
        status: find(at, &text.status, fields)?,
        table: table(&text.table)?,
        code: one(&text.code)?,
        text: one(&text.text)?,
        otherwise: otherwise.transpose()?,
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

fn constants(at: &At, text: &MessageText) -> Result<Vec<(Attribute, String)>, SpecError> {
    use crate::payment::Shape;
    let constant = |(name, value): (&String, &String)| match attribute(at, Some(name))? {
        Some(attribute) if attribute.shape() == Shape::Text => Ok((attribute, value.clone())),
        Some(_) | None => Err(at.fail(format!("constant `{name}` is not text"))),
    };
    text.constants.iter().map(constant).collect()
}

fn derive(at: &At, text: &MessageText) -> Result<Vec<(Attribute, Attribute)>, SpecError> {
    use crate::payment::Shape;
    let mut pairs = Vec::new();
    for (target, source) in &text.derive {
        let pair = (attribute(at, Some(target))?, attribute(at, Some(source))?);
        let (Some(target), Some(source)) = pair else { continue };
        // A date may be taken from the head of an identifier.
        let from_id = (target.shape(), source.shape()) == (Shape::Date, Shape::Text);
        if target.shape() != source.shape() && !from_id {
            return Err(at.fail(format!("derive: `{target}` and `{source}` differ in shape")));
        }
        pairs.push((target, source));
    }
    Ok(pairs)
}

pub(super) fn find(at: &At, path: &str, fields: &[Field]) -> Result<FieldId, SpecError> {
    let found = fields.iter().position(|field| field.path == path);
    at.known("field", path, found, fields.iter().map(|field| field.path.as_str()))
}

fn find_mut<'f>(at: &At, path: &str, fields: &'f mut [Field]) -> Result<&'f mut Field, SpecError> {
    let id = find(at, path, fields)?;
    fields.get_mut(id).ok_or_else(|| at.fail("no such field"))
}
