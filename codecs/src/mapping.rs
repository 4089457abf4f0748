//! Between a message's values and the payment: attributes, operation, outcome. Both directions stand side by side.

use crate::error::{BuildError, ParseError};
use crate::field::Broken;
use crate::payment::{Attribute, Gathered, Operation, Outcome, Payment, Reason, Shape, Value};
use crate::spec::plan::{Field, FieldId, Http, OutcomePlan, Place, Plan, Status, Tag, Verdict};
use crate::spec::{MessageSpec, Spec};
use crate::values::{Item, Values};
use std::borrow::Cow;

/// The canonical form of what was read. Every sealed value must have been opened.
pub(crate) fn payment(spec: &Spec, message: &MessageSpec, values: &Values<'_>) -> Result<Payment, ParseError> {
    let plan = &message.plan;
    let mut payment = Payment::new(operation(message, values)?, message.role);
    let mut texts = Gathered::with_capacity(values.items().len() + plan.constants.len() + 1, TEXT_BYTES);
    for item in values.items() {
        let Some(field) = plan.field(item.field) else { continue };
        if let Some(attribute) = field.map {
            let taken = take(&mut payment, &mut texts, attribute, field, item);
            taken.map_err(|broken| broken.read(&field.path, item.offset))?;
        }
    }
    texts.push(Attribute::MessageCode, &message.code);
    for (attribute, text) in &plan.constants {
        texts.push(*attribute, text);
    }
    texts.put(&mut payment);
    for &(target, source) in &plan.derive {
        if let (None, Some(value)) = (payment.value(target), derived(&payment, target, source)?) {
            // Shapes were compared when the spec was loaded.
            payment
                .put(target, value)
                .map_err(|_| Broken::new("field.kind", "shape").read(target.name(), None))?;
        }
    }
    payment.outcome = outcome(spec, message, values);
    Ok(payment)
}

/// What one attribute takes from another: the same value, or the date at the head of an identifier.
fn derived(payment: &Payment, target: Attribute, source: Attribute) -> Result<Option<Value>, ParseError> {
    match (target.shape(), payment.value(source)) {
        (Shape::Date, Some(Value::Text(id))) => {
            let date = crate::field::dated(id);
            let no_date = || Broken::new("field.kind", "it does not begin with a date").read(source.name(), None);
            date.map(|date| Some(Value::Date(date))).ok_or_else(no_date)
        }
        (_, value) => Ok(value.cloned()),
    }
}

/// The attribute by which an answer is matched to its request, as far as clear values tell.
pub(crate) fn serial(message: &MessageSpec, values: &Values<'_>) -> Option<String> {
    let plan = &message.plan;
    let text = |attribute: Attribute| {
        let id = plan.fields.iter().position(|field| field.map == Some(attribute))?;
        values.get(id)?.clear().map(ToOwned::to_owned)
    };
    let derived = || {
        plan.derive
            .iter()
            .find(|(target, _)| *target == Attribute::Serial)
            .and_then(|(_, source)| text(*source))
    };
    text(Attribute::Serial).or_else(derived)
}

/// What a message states of the outcome. Its status and code are never sealed.
pub(crate) fn outcome(spec: &Spec, message: &MessageSpec, values: &Values<'_>) -> Option<Outcome> {
    let plan = message.plan.outcome.as_ref()?;
    Some(outcome_of(spec, plan, values))
}

/// The operation of a message: its own, or the one that its selecting field names.
pub(crate) fn operation(message: &MessageSpec, values: &Values<'_>) -> Result<Operation, ParseError> {
    let Some(selector) = &message.plan.selector else {
        return Ok(message.operation);
    };
    let path = message
        .plan
        .field(selector.field)
        .map(|field| field.path.as_str())
        .unwrap_or_default();
    let item = values.get(selector.field);
    let found = item.and_then(|item| selector.values.iter().find(|(value, _)| *value == item.sent));
    let offset = item.and_then(|item| item.offset);
    found
        .map(|(_, operation)| *operation)
        .ok_or_else(|| Broken::new("field.operation", "its value selects no operation of this message").read(path, offset))
}

pub(crate) fn value(field: &Field, item: &Item<'_>) -> Result<Value, Broken> {
    let value = field.rules.kind.value(clear(item)?);
    value.ok_or_else(|| Broken::new("field.kind", "its text is not of its kind"))
}

fn clear<'v>(item: &'v Item<'_>) -> Result<&'v str, Broken> {
    item.clear()
        .ok_or_else(|| Broken::new("seal.unopened", "a sealed value has not been opened"))
}

/// Takes a value into an attribute: texts are gathered, those of one list follow each other.
fn take(payment: &mut Payment, texts: &mut Gathered, attribute: Attribute, field: &Field, item: &Item<'_>) -> Result<(), Broken> {
    let kind = &field.rules.kind;
    let text = || {
        let text = kind.canonical(clear(item)?);
        text.ok_or_else(|| Broken::new("field.kind", "its text is not of its kind"))
    };
    match (attribute.shape(), kind.shape()) {
        (Shape::Text, Shape::Text) => texts.push(attribute, &text()?),
        (Shape::List, Shape::Text) => payment.push_item(attribute, &text()?),
        (Shape::Text | Shape::Money | Shape::Date | Shape::List, _) => payment
            .put(attribute, value(field, item)?)
            .map_err(|_| Broken::new("field.kind", "its shape is not the attribute's"))?,
    }
    Ok(())
}

/// A status that the table does not know settles nothing: it is `Unknown`, like its absence.
fn outcome_of(spec: &Spec, plan: &OutcomePlan, values: &Values<'_>) -> Outcome {
    let clear = |field: FieldId| values.get(field).and_then(Item::clear);
    let (status, table) = match (clear(plan.status), &plan.otherwise) {
        (None, Some((field, table))) => (clear(*field), table),
        (status, _) => (status, &plan.table),
    };
    // A row without a code is that of an absent status.
    let Some(row) = table.iter().find(|row| row.code == status.unwrap_or_default()) else {
        return Outcome::Unknown;
    };
    match row.verdict {
        Verdict::Success => Outcome::Success,
        Verdict::Unknown => Outcome::Unknown,
        Verdict::Failed => failure(spec, plan, row, values),
    }
}

/// The HTTP status that fits an answer's outcome.
pub(crate) fn status(spec: &Spec, message: &MessageSpec, values: &Values<'_>, http: &Http) -> u16 {
    if outcome(spec, message, values).is_none_or(|outcome| outcome.is_final()) {
        http.status_final
    } else {
        http.status_unknown
    }
}

fn failure(spec: &Spec, plan: &OutcomePlan, row: &Status, values: &Values<'_>) -> Outcome {
    let clear = |field: Option<FieldId>| field.and_then(|field| values.get(field)).and_then(Item::clear);
    let code = clear(plan.code);
    let known = spec
        .codes
        .iter()
        .find(|row| Some(row.code.as_str()) == code)
        .map(|row| row.reason);
    if known == Some(None) {
        return Outcome::Unknown;
    }
    let known = known.flatten();
    if row.code_says.is_some() && row.code_says != known {
        return Outcome::Unknown;
    }
    let reason = row.reason.or(known).unwrap_or(Reason::Other);
    let text = match (clear(plan.text), code) {
        (Some(text), _) => text.to_owned(),
        (None, Some(code)) if known.is_none() => code.to_owned(),
        (None, _) => String::new(),
    };
    Outcome::Failed { reason, text }
}

/// The values of a message that is to be written, all in the clear; envelope fields stay empty.
pub(crate) fn values<'v>(spec: &'v Spec, message: &'v MessageSpec, payment: &'v Payment) -> Result<Values<'v>, BuildError> {
    let plan = &message.plan;
    let mut values = Values::new();
    let reserved = reserved(spec, message);
    for (id, field) in plan.fields.iter().enumerate() {
        if !field.belongs_to(message.role)
            || reserved.contains(&Some(id))
            || (message.is_bodyless() && id < spec.frame_count && matches!(field.place, Place::Body(_)))
        {
            continue;
        }
        let texts = texts(spec, message, payment, id, field).map_err(|broken| broken.built(&field.path))?;
        let is_empty = matches!(&texts, Texts::One(None)) || matches!(&texts, Texts::Several(several) if several.is_empty());
        if is_empty && field.required && plan.inside(id).next().is_none() {
            let source = field.map.or(field.fill).map_or("nothing", Attribute::name);
            return Err(Broken::new("field.missing", format!("required, and the payment has no {source}")).built(&field.path));
        }
        let (one, several) = match texts {
            Texts::One(one) => (one, &[][..]),
            Texts::Several(several) => (None, several),
        };
        let several = several.iter().map(|text| Cow::Borrowed(text.as_str()));
        for (occurrence, text) in one.into_iter().chain(several).enumerate() {
            field.rules.check(&text).map_err(|broken| broken.built(&field.path))?;
            push(spec, &mut values, id, field, occurrence, text);
        }
    }
    runs(plan, &values)?;
    plan.enclosing().try_for_each(|id| enclose(spec, plan, &mut values, id))?;
    Ok(values)
}

/// Puts the fields that a sealed field encloses into its clear text.
fn enclose(spec: &Spec, plan: &Plan, values: &mut Values<'_>, outer: FieldId) -> Result<(), BuildError> {
    let Some(field) = plan.field(outer) else { return Ok(()) };
    let inside = plan
        .inside(outer)
        .filter_map(|(id, name)| Some((name, values.get(id)?.sent.as_ref())));
    let clear = crate::format::xml_elements(inside);
    if clear.is_empty() && field.required {
        return Err(Broken::new("field.missing", "required, and the payment has nothing to stand in it").built(&field.path));
    }
    if !clear.is_empty() {
        field.rules.check(&clear).map_err(|broken| broken.built(&field.path))?;
        push(spec, values, outer, field, 0, clear.into());
    }
    Ok(())
}

/// Fields that sealing and signing fill in.
fn reserved(spec: &Spec, message: &MessageSpec) -> [Option<FieldId>; 8] {
    let (signing, whole) = (&message.plan.signing, message.plan.whole.as_ref());
    let sealing = spec.envelope.sealing.as_ref();
    [
        signing.signature,
        signing.serial.filter(|_| !signing.is_shared),
        signing.made_at,
        signing.nonce,
        sealing.map(|sealing| sealing.serial),
        sealing.and_then(|sealing| sealing.key),
        whole.map(|whole| whole.ciphertext),
        whole.and_then(|whole| whole.bound).map(|bound| bound.nonce),
    ]
}

fn push<'v>(spec: &Spec, values: &mut Values<'v>, id: FieldId, field: &Field, occurrence: usize, text: Cow<'v, str>) {
    let item = if field.seal && spec.seals() {
        Item {
            occurrence,
            sealed: true,
            clear: Some(text.into_owned()),
            ..Item::new(id, String::new())
        }
    } else {
        Item {
            occurrence,
            ..Item::new(id, text)
        }
    };
    values.push(item);
}

/// What a field is written with, in order; a field that repeats has several.
enum Texts<'v> {
    One(Option<Cow<'v, str>>),
    Several(&'v [String]),
}

impl<'v> Texts<'v> {
    fn one(text: impl Into<Cow<'v, str>>) -> Self {
        Self::One(Some(text.into()))
    }

    fn optional(text: Option<&'v String>) -> Self {
        Self::One(text.map(|text| Cow::Borrowed(text.as_str())))
    }
}

/// What a field is written with: the code, the selecting value, a part of the outcome, its attribute, its default.
fn texts<'v>(
    spec: &'v Spec,
    message: &'v MessageSpec,
    payment: &'v Payment,
    id: FieldId,
    field: &'v Field,
) -> Result<Texts<'v>, Broken> {
    let plan = &message.plan;
    if id == spec.code_field {
        return Ok(Texts::one(message.said()));
    }
    if let Some(selector) = plan.selector.as_ref().filter(|selector| selector.field == id) {
        let own = field.map.and_then(|attribute| payment.text(attribute));
        let fitting = || {
            selector
                .values
                .iter()
                .filter(|(_, operation)| *operation == payment.operation)
        };
        let value = fitting()
            .find(|(value, _)| Some(value.as_str()) == own)
            .or_else(|| fitting().next());
        let (value, _) = value.ok_or_else(|| Broken::new("field.operation", format!("no value for {}", payment.operation)))?;
        return Ok(Texts::one(value.as_str()));
    }
    if let Some(outcome) = plan.outcome.as_ref().filter(|plan| plan.fields().contains(&Some(id))) {
        return outcome_text(spec, outcome, payment, id, field);
    }
    let own = field.map.or(field.fill).and_then(|attribute| payment.value(attribute));
    match own.or_else(|| payment.value(field.fill_else?)) {
        Some(Value::List(items)) => list(plan, field, items),
        Some(value) => {
            let text = field.rules.kind.text(value);
            text.map(Texts::one)
                .ok_or_else(|| Broken::new("field.kind", "the attribute cannot be written as this kind"))
        }
        None => Ok(Texts::optional(field.default.as_ref())),
    }
}

/// Items of a list; the rest of tagged texts may not name a tag that is a field of its own.
fn list<'v>(plan: &Plan, field: &Field, items: &'v [String]) -> Result<Texts<'v>, Broken> {
    let max = field
        .group
        .and_then(|group| plan.groups.get(group))
        .map_or(1, |group| group.max);
    if items.len() > max {
        return Err(Broken::new("limit.repeats", format!("{} items, allowed {max}", items.len())));
    }
    if field.tag != Tag::Rest {
        return Ok(Texts::Several(items));
    }
    let taken = |name: &str| {
        plan.fields
            .iter()
            .any(|other| other.place == field.place && other.tag == Tag::Named(name.to_owned()))
    };
    let clash = items
        .iter()
        .filter_map(|item| crate::field::tag::split(item))
        .find(|(name, _)| taken(name));
    match clash {
        Some((name, _)) => Err(Broken::new("field.duplicate", format!("tag {name} is a field of its own"))),
        None => Ok(Texts::Several(items)),
    }
}

fn outcome_text<'v>(
    spec: &'v Spec,
    plan: &'v OutcomePlan,
    payment: &Payment,
    id: FieldId,
    field: &'v Field,
) -> Result<Texts<'v>, Broken> {
    let Some(outcome) = &payment.outcome else {
        let optional = id != plan.status || field.default.is_some();
        return if optional {
            Ok(Texts::optional(field.default.as_ref()))
        } else {
            Err(Broken::new("outcome.missing", "a reply states an outcome"))
        };
    };
    let otherwise = plan.otherwise.as_ref();
    let row = status_row(&plan.table, outcome);
    if id == plan.status {
        let elsewhere = otherwise.is_some_and(|(_, table)| status_row(table, outcome).is_some());
        return match row {
            Some(row) if row.code.is_empty() => Ok(Texts::One(None)),
            Some(row) => Ok(Texts::one(row.code.as_str())),
            None if elsewhere => Ok(Texts::One(None)),
            None => Err(Broken::new("outcome.unmapped", format!("no status for {}", outcome.name()))),
        };
    }
    if let Some((_, table)) = otherwise.filter(|(field, _)| *field == id && row.is_none()) {
        let code = status_row(table, outcome).map(|row| &row.code);
        return Ok(Texts::optional(code.filter(|code| !code.is_empty())));
    }
    if otherwise.is_some_and(|(field, _)| *field == id) && plan.code != Some(id) {
        return Ok(Texts::optional(field.default.as_ref()));
    }
    let Outcome::Failed { reason, text } = outcome else {
        return Ok(Texts::optional(field.default.as_ref()));
    };
    if plan.code == Some(id) {
        let code = |reason: Reason| spec.codes.iter().find(|row| row.reason == Some(reason));
        let row = code(*reason).or_else(|| code(Reason::Other));
        return Ok(Texts::optional(row.map(|row| &row.code)));
    }
    // A text for people must not stop a reply: it is made to fit.
    let text = field.rules.fit(text);
    Ok(Texts::One((!text.trim().is_empty()).then_some(text.into())))
}

/// The first row of this outcome; one that names the very reason goes before one that names none.
fn status_row<'p>(table: &'p [Status], outcome: &Outcome) -> Option<&'p Status> {
    let (verdict, reason) = match outcome {
        Outcome::Success => (Verdict::Success, None),
        Outcome::Unknown => (Verdict::Unknown, None),
        Outcome::Failed { reason, .. } => (Verdict::Failed, Some(*reason)),
    };
    let fitting = || table.iter().filter(|row| row.verdict == verdict);
    fitting()
        .find(|row| reason.is_some() && (row.reason == reason || row.code_says == reason))
        .or_else(|| fitting().find(|row| row.reason.is_none() && row.code_says.is_none()))
}

/// The fields of a repeated element have equally many values.
fn runs(plan: &Plan, values: &Values<'_>) -> Result<(), BuildError> {
    for group in &plan.groups {
        let counts: Vec<usize> = group.fields.iter().map(|&field| values.all(field).count()).collect();
        if counts.windows(2).any(|pair| matches!(pair, [a, b] if a != b)) {
            return Err(Broken::new("field.repeats", "the lists of a repeated element differ in length").built(&group.path));
        }
    }
    Ok(())
}

/// What the texts of most payments take.
const TEXT_BYTES: usize = 1024;
