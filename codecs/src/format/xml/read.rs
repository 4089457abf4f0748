//! From elements to fields in one pass: the frame's tree first, then, once the message's code is known, its own.

use super::XmlPlan;
use super::attributes::white;
use super::scan::{Scanner, Token};
use super::trailer;
use crate::error::ParseError;
use crate::field::tag;
use crate::format::{Found, HeaderPlan, fault, header, http, utf8};
use crate::spec::plan::{Node, Place, Tree};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use crate::wire::{Start, Wire};
use std::borrow::Cow;

/// Reads a whole document, with what the transport and the trailer say where the spec has them.
pub(crate) fn read<'a>(plan: &XmlPlan, spec: &'a Spec, wire: &'a Wire) -> Result<Found<'a>, ParseError> {
    let mut reading = Reading::new(plan, spec);
    reading.is_answer = matches!(wire.start, Start::Status(_));
    let place = match &spec.http {
        Some(_) => Some(http::place(spec, wire, &mut reading.values)?),
        None => None,
    };
    if let (false, Some(place)) = (plan.is_framed(), &place) {
        let message = http::named(spec, place, &reading.values)?;
        reading.enter(message);
    }
    let text = utf8::text(&wire.body)?;
    if let Some(header) = &plan.header {
        return reading.behind(header, text);
    }
    let text = document(spec, text, &mut reading.values)?;
    reading.whole(text)?;
    let message = reading.message.ok_or_else(|| fault("message.body", None, "no body"))?;
    if let Some(place) = place {
        place.check(message)?;
    }
    Ok((message, reading.values))
}

/// The document without its trailer, which is the signature.
fn document<'a>(spec: &Spec, text: &'a str, values: &mut Values<'a>) -> Result<&'a str, ParseError> {
    let Some(any) = spec.messages().next() else { return Ok(text) };
    let fields = &any.plan.fields;
    let Some(field) = fields.iter().position(|field| field.place == Place::Trailer) else {
        return Ok(text);
    };
    let missing = || fault("signature.trailer", Some(text.len()), "no `{S:...}` after the document");
    let (document, signature, offset) = trailer::split(text).ok_or_else(missing)?;
    values.push(Item {
        offset: Some(offset),
        ..Item::new(field, signature)
    });
    Ok(document)
}

/// Reads up to the end of the frame's first part (the header), whatever comes after it.
pub(crate) fn peek<'a>(plan: &XmlPlan, spec: &'a Spec, body: &'a [u8]) -> Option<Values<'a>> {
    let valid = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(body.get(..valid)?).ok()?;
    let mut reading = Reading::new(plan, spec);
    let mut scanner = Scanner::new(text, &spec.limits);
    loop {
        let token = scanner.next().ok()?;
        let closing = matches!(token, Token::Close) && reading.stack.len() == 2;
        if !reading.take(token).ok()? {
            return None;
        }
        if closing {
            return Some(reading.values);
        }
    }
}

/// Where an element stands in the spec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spot {
    Root,
    Frame(usize),
    /// The element that holds the message's own root.
    Mount,
    Body(usize),
    Unknown,
}

/// An element that is open.
struct Element<'a> {
    name: &'a str,
    spot: Spot,
    leaf: bool,
    text: Cow<'a, str>,
    text_offset: Option<usize>,
    has_children: bool,
    /// Repeat of the group that the element stands in.
    occurrence: usize,
}

struct Reading<'p, 'a> {
    plan: &'p XmlPlan,
    spec: &'a Spec,
    is_answer: bool,
    message: Option<&'a MessageSpec>,
    values: Values<'a>,
    stack: Vec<Element<'a>>,
    /// Position in the order of the root's children that comes next.
    order: usize,
    /// Per node of a tree, 1 + the repeat in which it was last seen.
    seen_frame: Vec<usize>,
    seen_body: Vec<usize>,
    /// Per group, how often it has stood.
    repeats: Vec<usize>,
}

impl<'p, 'a> Reading<'p, 'a> {
    fn new(plan: &'p XmlPlan, spec: &'a Spec) -> Self {
        Self {
            plan,
            spec,
            is_answer: false,
            message: None,
            values: Values::new(),
            stack: Vec::with_capacity(16),
            order: 0,
            seen_frame: vec![0; spec.frame.len()],
            seen_body: Vec::new(),
            repeats: Vec::new(),
        }
    }

    fn whole(&mut self, text: &'a str) -> Result<(), ParseError> {
        let mut scanner = Scanner::new(text, &self.spec.limits);
        while self.take(scanner.next()?)? {}
        Ok(())
    }

    /// Header and line, then the document, with its places counted from the first byte of the header.
    fn behind(mut self, header: &HeaderPlan, text: &'a str) -> Result<Found<'a>, ParseError> {
        let at = header::read(header, self.spec, text, &mut self.values)?;
        let before = self.values.items().len();
        self.begin(at)?;
        let document = text.get(at..).unwrap_or_default();
        self.whole(document).map_err(|error| ParseError {
            offset: error.offset.map(|offset| offset + at),
            ..error
        })?;
        self.values.shift(before, at);
        let message = self.message.ok_or_else(|| fault("message.body", None, "no body"))?;
        header::agree(message, &self.values)?;
        Ok((message, self.values))
    }

    /// Takes one token; false at the end.
    fn take(&mut self, token: Token<'a>) -> Result<bool, ParseError> {
        match token {
            Token::Open {
                name,
                attributes,
                offset,
            } => self.open(name, &attributes, offset)?,
            Token::Text { text, offset } => self.text(text, offset)?,
            Token::Close => self.close()?,
            Token::End => return Ok(false),
        }
        Ok(true)
    }

    fn open(&mut self, name: &'a str, attributes: &[(&str, &str)], offset: usize) -> Result<(), ParseError> {
        let parent = self.stack.last_mut();
        if let Some(parent) = parent {
            parent.has_children = true;
            if parent.leaf || !parent.text.is_empty() {
                return Err(fault("xml.mixed", Some(offset), format!("element {name} where text stands")));
            }
        }
        let spot = self.spot(name, offset)?;
        let occurrence = self.first_time(spot, name, offset)?;
        let leaf = self.node(spot).is_some_and(Node::is_leaf);
        self.attributes(spot, attributes, offset)?;
        self.stack.push(Element {
            name,
            spot,
            leaf,
            text: Cow::Borrowed(""),
            text_offset: None,
            has_children: false,
            occurrence,
        });
        Ok(())
    }

    /// The place of a child element of the innermost open one.
    fn spot(&mut self, name: &str, offset: usize) -> Result<Spot, ParseError> {
        let Some(parent) = self.stack.last() else {
            let fits = name == self.plan.root;
            return if fits {
                Ok(Spot::Root)
            } else {
                Err(fault("xml.root", Some(offset), format!("the root is {}", self.plan.root)))
            };
        };
        let found = match parent.spot {
            Spot::Root if !self.plan.is_framed() => self
                .message
                .and_then(|message| message.plan.tree.child(Tree::ROOT, name))
                .map(Spot::Body),
            Spot::Root => return self.top(name, offset),
            Spot::Mount => return self.mount(name, offset),
            Spot::Frame(node) => self.spec.frame.child(node, name).map(Spot::Frame),
            Spot::Body(node) => self
                .message
                .and_then(|message| message.plan.tree.child(node, name))
                .map(Spot::Body),
            Spot::Unknown => None,
        };
        match found {
            Some(spot) => Ok(spot),
            None if self.plan.reject_unknown => Err(fault("xml.unknown", Some(offset), format!("unknown element {name}"))),
            None => Ok(Spot::Unknown),
        }
    }

    /// Children of the root come in one order, each once; nothing else stands there.
    fn top(&mut self, name: &str, offset: usize) -> Result<Spot, ParseError> {
        let at = self.plan.order.iter().position(|known| known == name);
        let at = at.filter(|&at| at >= self.order);
        let Some(at) = at else {
            return Err(fault(
                "xml.order",
                Some(offset),
                format!("element {name} is not expected here: {}", self.plan.order.join(", ")),
            ));
        };
        self.order = at + 1;
        if name == self.plan.body && self.plan.bare {
            self.begin(offset)?;
            return Ok(Spot::Body(Tree::ROOT));
        }
        if name == self.plan.body {
            return Ok(Spot::Mount);
        }
        Ok(self.spec.frame.child(Tree::ROOT, name).map_or(Spot::Unknown, Spot::Frame))
    }

    /// The message's own root: its code must be known by then.
    fn mount(&mut self, name: &str, offset: usize) -> Result<Spot, ParseError> {
        if self.message.is_some() {
            return Err(fault("xml.body", Some(offset), "the body holds one element"));
        }
        let message = self.begin(offset)?;
        if message.plan.root.as_deref() != Some(name) {
            return Err(fault(
                "xml.body",
                Some(offset),
                format!("the body of {} is not {name}", message.code),
            ));
        }
        Ok(Spot::Body(Tree::ROOT))
    }

    /// Goes over to the tree of the message, whose code must be known by now.
    fn begin(&mut self, offset: usize) -> Result<&'a MessageSpec, ParseError> {
        let code = self.values.get(self.spec.code_field).map(|item| item.sent.as_ref());
        let code = code.ok_or_else(|| fault("message.code", Some(offset), "no message code before the body"))?;
        let message = self.spec.message_said(code, self.is_answer);
        let message = message.ok_or_else(|| fault("message.unknown", Some(offset), "the spec has no message of this code"))?;
        self.enter(message);
        Ok(message)
    }

    fn enter(&mut self, message: &'a MessageSpec) {
        self.message = Some(message);
        self.seen_body = vec![0; message.plan.tree.len()];
        self.repeats = vec![0; message.plan.groups.len()];
    }

    fn node(&self, spot: Spot) -> Option<&'a Node> {
        match spot {
            Spot::Frame(node) => self.spec.frame.node(node),
            Spot::Body(node) => self.message?.plan.tree.node(node),
            Spot::Root | Spot::Mount | Spot::Unknown => None,
        }
    }

    /// Refuses a second occurrence of what stands once; gives the repeat that the element belongs to.
    fn first_time(&mut self, spot: Spot, name: &str, offset: usize) -> Result<usize, ParseError> {
        let inherited = self.stack.last().map_or(0, |parent| parent.occurrence);
        let Some(node) = self.node(spot) else { return Ok(inherited) };
        if let Some(group) = node.group {
            return self.repeat(group, name, offset);
        }
        if node.is_tagged() {
            return Ok(inherited);
        }
        let seen = match spot {
            Spot::Frame(node) => self.seen_frame.get_mut(node),
            Spot::Body(node) => self.seen_body.get_mut(node),
            Spot::Root | Spot::Mount | Spot::Unknown => None,
        };
        if let Some(seen) = seen
            && std::mem::replace(seen, inherited + 1) == inherited + 1
        {
            return Err(fault("field.duplicate", Some(offset), format!("element {name} stands twice")));
        }
        Ok(inherited)
    }

    fn repeat(&mut self, group: usize, name: &str, offset: usize) -> Result<usize, ParseError> {
        let max = self
            .message
            .and_then(|message| message.plan.groups.get(group))
            .map_or(0, |group| group.max);
        let Some(count) = self.repeats.get_mut(group).filter(|count| **count < max) else {
            return Err(fault(
                "limit.repeats",
                Some(offset),
                format!("element {name} stands more than {max} times"),
            ));
        };
        *count += 1;
        Ok(*count - 1)
    }

    /// A field's element carries no attribute but an amount's currency; elsewhere attributes mean nothing to us.
    fn attributes(&self, spot: Spot, attributes: &[(&str, &str)], offset: usize) -> Result<(), ParseError> {
        if spot == Spot::Root && self.plan.header.is_some() {
            return self.namespace(attributes, offset);
        }
        let Some(node) = self.node(spot).filter(|node| node.is_leaf()) else {
            let unknown = self.plan.reject_unknown && spot != Spot::Root && !attributes.is_empty();
            return if unknown {
                Err(fault("xml.unknown", Some(offset), "an unknown attribute"))
            } else {
                Ok(())
            };
        };
        let field = node.field.and_then(|id| match spot {
            Spot::Body(_) => self.message?.plan.field(id),
            Spot::Root | Spot::Frame(_) | Spot::Mount | Spot::Unknown => None,
        });
        let currency = field.filter(|field| field.has_currency());
        match (currency, attributes) {
            (None, []) => Ok(()),
            (Some(_), [(name, "CNY")]) if *name == self.plan.currency => Ok(()),
            (Some(field), _) => {
                let detail = format!("an amount carries {}=\"CNY\" and nothing else", self.plan.currency);
                Err(ParseError {
                    field: Some(field.path.clone()),
                    ..fault("field.currency", Some(offset), detail)
                })
            }
            (None, _) => Err(fault("xml.attribute", Some(offset), "an attribute on a field")),
        }
    }

    /// The header names the message, the namespace names it again.
    fn namespace(&self, attributes: &[(&str, &str)], offset: usize) -> Result<(), ParseError> {
        let expected = self.message.map(|message| self.plan.namespace_of(&message.code));
        match attributes {
            [("xmlns", found)] if expected.as_deref() == Some(*found) => Ok(()),
            _ => Err(fault(
                "message.mismatch",
                Some(offset),
                "the root has the namespace of the header's message and no more",
            )),
        }
    }

    fn text(&mut self, text: &'a str, offset: usize) -> Result<(), ParseError> {
        let Some(element) = self.stack.last_mut() else { return Ok(()) };
        if !element.leaf && text.chars().all(white) {
            return Ok(());
        }
        if !element.leaf && (element.has_children || element.spot != Spot::Unknown) {
            return Err(fault(
                "xml.mixed",
                Some(offset),
                format!("text in {}, which holds elements", element.name),
            ));
        }
        element.text_offset.get_or_insert(offset);
        if element.text.is_empty() {
            element.text = Cow::Borrowed(text);
        } else {
            element.text.to_mut().push_str(text);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(element) = self.stack.pop() else { return Ok(()) };
        let Some(node) = self.node(element.spot).filter(|node| node.is_leaf()) else {
            return Ok(());
        };
        if element.text.is_empty() && self.plan.empty_is_absent {
            return Ok(());
        }
        match node.field {
            Some(field) => {
                let item = Item {
                    occurrence: element.occurrence,
                    offset: element.text_offset,
                    ..Item::new(field, element.text)
                };
                self.values.push(item);
                Ok(())
            }
            None => self.tagged(node, element),
        }
    }

    /// `/Tag/value`: a known tag is a field of its own, any other belongs to the rest, in order.
    fn tagged(&mut self, node: &Node, element: Element<'a>) -> Result<(), ParseError> {
        let name = tag::split(&element.text).map(|(name, _)| name);
        let known = name.and_then(|name| node.tags.iter().find(|(known, _)| known == name));
        let offset = element.text_offset;
        let Some((name, field)) = known else {
            return self.rest(node, element);
        };
        if self.values.get(*field).is_some() {
            return Err(fault("field.duplicate", offset, format!("tag {name} stands twice")));
        }
        let skipped = name.len() + 2;
        let value = match element.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(skipped..).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(skipped..).unwrap_or_default().to_owned()),
        };
        self.values.push(Item {
            offset: offset.map(|offset| offset + skipped),
            ..Item::new(*field, value)
        });
        Ok(())
    }

    fn rest(&mut self, node: &Node, element: Element<'a>) -> Result<(), ParseError> {
        let offset = element.text_offset;
        let Some(field) = node.rest else {
            return if self.plan.reject_unknown {
                Err(fault("xml.unknown", offset, "an unknown tag"))
            } else {
                Ok(())
            };
        };
        let group = self.message.and_then(|message| message.plan.field(field)?.group);
        let occurrence = group.map_or(Ok(0), |group| self.repeat(group, element.name, offset.unwrap_or_default()))?;
        self.values.push(Item {
            occurrence,
            offset,
            ..Item::new(field, element.text)
        });
        Ok(())
    }
}
