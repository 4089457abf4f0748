//! Writes one line: no white space between elements, no empty element (`facts/clearing.md` 1.1).

use super::{XmlPlan, trailer};
use crate::format::header;
use crate::spec::MessageSpec;
use crate::spec::plan::{Field, Place, Tag};
use crate::values::{Item, Values};

pub(crate) fn write(plan: &XmlPlan, message: &MessageSpec, values: &Values<'_>) -> Vec<u8> {
    let mut out = String::with_capacity(4096);
    if let Some(header) = &plan.header {
        out.push_str(&header::write(header, message, values));
    }
    out.push_str("<?xml version=\"1.0\" encoding=\"");
    out.push_str(plan.charset.declared());
    out.push_str("\"?><");
    out.push_str(&plan.root);
    if !plan.namespace.is_empty() {
        out.push_str(" xmlns=\"");
        escape(&mut out, &plan.namespace_of(&message.code));
        out.push('"');
    }
    out.push('>');
    let mut open: Vec<(&str, usize)> = Vec::with_capacity(DEPTH);
    let mut wanted: Vec<(&str, usize)> = Vec::with_capacity(DEPTH);
    for item in in_order(message, values) {
        let Some(field) = message.plan.field(item.field) else {
            continue;
        };
        let Some((leaf, parents)) = field.place.steps().split_last() else {
            continue;
        };
        wanted.clear();
        if plan.is_framed() && item.field >= message.frame_count {
            wanted.push((&plan.body, 0));
            wanted.extend(message.plan.root.as_deref().map(|root| (root, 0)));
        }
        wanted.extend(
            parents
                .iter()
                .enumerate()
                .map(|(depth, step)| (step.as_str(), repeat(message, field, depth, item))),
        );
        turn(&mut out, &mut open, &wanted);
        element(&mut out, plan, field, leaf, item);
    }
    turn(&mut out, &mut open, &[]);
    out.push_str("</");
    out.push_str(&plan.root);
    out.push('>');
    let is_behind = |item: &&Item<'_>| plan.header.is_none() && is_trailer(message, item);
    let mut trailers = values.items().iter().filter(is_behind);
    if let Some(signature) = trailers.next() {
        trailer::append(&mut out, &signature.sent);
    }
    out.into_bytes()
}

fn is_trailer(message: &MessageSpec, item: &Item<'_>) -> bool {
    message
        .plan
        .field(item.field)
        .is_some_and(|field| field.place == Place::Trailer)
}

/// Values in the order of writing: by field, except that the fields of a repeated element go repeat by repeat.
fn in_order<'v, 'a>(message: &MessageSpec, values: &'v Values<'a>) -> Vec<&'v Item<'a>> {
    let mut items = Vec::with_capacity(values.items().len());
    let mut groups_done = Vec::new();
    for &id in &message.plan.written {
        match message.plan.field(id).and_then(|field| field.group) {
            None => items.extend(values.get(id)),
            Some(group) if groups_done.contains(&group) => {}
            Some(group) => {
                groups_done.push(group);
                let fields = message.plan.groups.get(group).map_or(&[][..], |group| &group.fields);
                let mut run: Vec<&Item<'a>> = fields.iter().flat_map(|&field| values.all(field)).collect();
                run.sort_by_key(|item| (item.occurrence, item.field));
                items.extend(run);
            }
        }
    }
    items
}

/// Number that keeps two repeats of an element apart; 0 for elements that stand once.
fn repeat(message: &MessageSpec, field: &Field, depth: usize, item: &Item<'_>) -> usize {
    let group = field.group.and_then(|group| message.plan.groups.get(group));
    group.filter(|group| group.depth == depth + 1).map_or(0, |_| item.occurrence)
}

/// Closes what is open and not wanted, then opens what is wanted and not open.
fn turn<'s>(out: &mut String, open: &mut Vec<(&'s str, usize)>, wanted: &[(&'s str, usize)]) {
    let shared = open.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    while open.len() > shared {
        if let Some((name, _)) = open.pop() {
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
    }
    for step in wanted.iter().skip(shared) {
        out.push('<');
        out.push_str(step.0);
        out.push('>');
        open.push(*step);
    }
}

fn element(out: &mut String, plan: &XmlPlan, field: &Field, leaf: &str, item: &Item<'_>) {
    out.push('<');
    out.push_str(leaf);
    if field.has_currency() {
        out.push(' ');
        out.push_str(&plan.currency);
        out.push_str("=\"CNY\"");
    }
    out.push('>');
    match &field.tag {
        Tag::Named(name) => {
            for piece in ["/", name, "/"] {
                out.push_str(piece);
            }
            escape(out, &item.sent);
        }
        Tag::None | Tag::Rest => escape(out, &item.sent),
    }
    out.push_str("</");
    out.push_str(leaf);
    out.push('>');
}

pub(super) fn escape(out: &mut String, text: &str) {
    if !text.bytes().any(|b| matches!(b, b'&' | b'<' | b'>' | b'"' | b'\'')) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(c),
        }
    }
}

/// Elements that are open at a time in most documents.
const DEPTH: usize = 16;
