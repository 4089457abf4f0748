//! From a file's text to scenarios: every key is looked up in the language's table, every value in its closed list.

use super::check::check;
use super::language::{HEAD, Key, Kind, language, nearest};
use super::section::{Item, Section};
use super::{Flaw, Scenario, Step};
use codecs::payment::{Attribute, Money};
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All scenarios of one file.
pub(super) fn scenarios(file: &str, text: &str) -> Result<Vec<Scenario>, Vec<Flaw>> {
    let mut found = Vec::new();
    for (suffix, text) in expand(file, text)? {
        let mut reader = Reader::new(file, &text);
        let scenario = reader.scenario(&suffix);
        match scenario.filter(|_| reader.flaws.is_empty()) {
            Some(scenario) => found.push(scenario),
            // The instances of one file differ in a word: the flaws of the first one are enough.
            None => return Err(reader.flaws),
        }
    }
    Ok(found)
}

/// The texts of the instances that `each` makes, and what their names end in.
fn expand(file: &str, text: &str) -> Result<Vec<(String, String)>, Vec<Flaw>> {
    let mut reader = Reader::new(file, text);
    let table = reader.table().ok_or_else(|| reader.flaws.clone())?;
    let plain = || vec![(String::new(), text.to_owned())];
    let Some(each) = table.get("each") else { return Ok(plain()) };
    let rows = rows(each.get_ref()).into_iter();
    let instances: Vec<(String, String)> = rows.flat_map(|row| row.iter().fold(plain(), multiplied)).collect();
    Ok(if instances.is_empty() { plain() } else { instances })
}

/// The tables of `each`: one, or several whose instances follow each other.
fn rows<'v, 't>(each: &'v DeValue<'t>) -> Vec<&'v DeTable<'t>> {
    match each {
        DeValue::Table(table) => vec![table],
        DeValue::Array(list) => list.iter().filter_map(|row| row.get_ref().as_table()).collect(),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => Vec::new(),
    }
}

/// Each instance once for every value of one list.
fn multiplied(
    instances: Vec<(String, String)>,
    (name, values): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>),
) -> Vec<(String, String)> {
    let mark = format!("${{{}}}", name.get_ref());
    let values = texts(values.get_ref()).unwrap_or_default();
    let with = |(suffix, text): &(String, String)| -> Vec<(String, String)> {
        let one = |value: &String| (format!("{suffix}-{}", value.replace('_', "-")), text.replace(&mark, value));
        values.iter().map(one).collect()
    };
    instances.iter().flat_map(with).collect()
}

pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) flaws: Vec<Flaw>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            flaws: Vec::new(),
        }
    }

    fn table(&mut self) -> Option<DeTable<'a>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                let line = self.line(error.span().map_or(0, |span| span.start));
                self.flaw(line, error.message().to_owned());
                None
            }
        }
    }

    fn scenario(&mut self, suffix: &str) -> Option<Scenario> {
        let mut table = self.table()?;
        let steps = table.remove("step");
        let head = self.section(HEAD, 1, &table)?;
        let mut scenario = Scenario {
            name: format!("{}{suffix}", head.text("name").unwrap_or_default()),
            file_name: head.text("name").unwrap_or_default(),
            source: self.file.to_owned(),
            about_zh: head.text("about_zh").unwrap_or_default(),
            about_en: head.text("about_en").unwrap_or_default(),
            institution: head.text("institution").unwrap_or_default(),
            operation: head.text("operation").unwrap_or_default(),
            steps: Vec::new(),
        };
        let Some(list) = steps.as_ref().and_then(|steps| steps.get_ref().as_array()) else {
            self.flaw(1, "there is no [[step]]".to_owned());
            return None;
        };
        for step in list {
            let line = self.line(step.span().start);
            match step.get_ref().as_table() {
                Some(table) => scenario.steps.extend(self.step(line, table)),
                None => self.flaw(line, "a step is a table".to_owned()),
            }
        }
        if self.flaws.is_empty() {
            check(&scenario, self);
        }
        Some(scenario)
    }

    fn step(&mut self, line: usize, table: &DeTable<'_>) -> Option<Step> {
        let verbs = language().verbs();
        let given: Vec<&str> = verbs.iter().copied().filter(|verb| table.contains_key(*verb)).collect();
        let verb = match given[..] {
            [verb] => verb,
            [] => return self.no_verb(line, table, &verbs),
            _ => {
                self.flaw(line, format!("a step has one verb, this one has {}", given.join(" and ")));
                return None;
            }
        };
        let section = self.section(verb, line, table)?;
        let act = section.act(verb)?;
        Some(Step {
            line,
            text: described(table),
            act,
        })
    }

    fn no_verb(&mut self, line: usize, table: &DeTable<'_>, verbs: &[&str]) -> Option<Step> {
        let meant = table
            .keys()
            .find_map(|key| Some((key.get_ref(), nearest(key.get_ref(), verbs.iter().copied())?)));
        let text = match meant {
            Some((key, verb)) => format!("no verb in this step: `{key}`, did you mean `{verb}`?"),
            None => format!("no verb in this step: one of {}", verbs.join(", ")),
        };
        self.flaw(line, text);
        None
    }

    fn section(&mut self, name: &str, line: usize, table: &DeTable<'_>) -> Option<Section> {
        let before = self.flaws.len();
        let mut items = BTreeMap::new();
        for (key, value) in table {
            let at = self.line(key.span().start);
            let Some(known) = language().key(name, key.get_ref()) else {
                self.unknown_key(at, name, key.get_ref());
                continue;
            };
            match item(known, value.get_ref()) {
                Ok(item) => drop(items.insert(known.key.clone(), item)),
                Err(text) => self.flaw(at, format!("`{}`: {text}", known.key)),
            }
        }
        for key in language()
            .keys_of(name)
            .filter(|key| key.required && !table.contains_key(key.key.as_str()))
        {
            self.flaw(line, format!("`{}` is missing", key.key));
        }
        (self.flaws.len() == before).then_some(Section { items })
    }

    fn unknown_key(&mut self, line: usize, section: &str, key: &str) {
        let known: Vec<&str> = language().keys_of(section).map(|known| known.key.as_str()).collect();
        let text = match nearest(key, known.iter().copied()) {
            Some(meant) => format!("unknown key `{key}`; did you mean `{meant}`?"),
            None => format!("unknown key `{key}`; `{section}` takes {}", known.join(", ")),
        };
        self.flaw(line, text);
    }

    pub(super) fn flaw(&mut self, line: usize, text: String) {
        let file = self.file.to_owned();
        self.flaws.push(Flaw { file, line, text });
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// A value as its key takes it.
fn item(key: &Key, value: &DeValue<'_>) -> Result<Item, String> {
    let text = value.as_str().map(str::to_owned);
    let wanted = |what: &str| format!("takes {what}, such as {}", key.example);
    let number = || value.as_integer().and_then(|number| number.as_str().parse::<u64>().ok());
    match key.kind {
        Kind::Bool => value.as_bool().map(Item::Bool).ok_or_else(|| wanted("true or false")),
        Kind::Integer | Kind::Milliseconds => number().map(Item::Number).ok_or_else(|| wanted("a whole number")),
        Kind::Texts => texts(value).map(Item::Texts).ok_or_else(|| wanted("a list of texts")),
        Kind::Lists => {
            let rows = rows(value);
            let are_lists = |row: &&DeTable<'_>| row.values().all(|list| texts(list.get_ref()).is_some());
            let are_rows = value.as_array().is_none_or(|list| list.len() == rows.len());
            if !rows.is_empty() && are_rows && rows.iter().all(are_lists) {
                Ok(Item::Bool(true))
            } else {
                Err(wanted("a table of lists, or a list of such tables"))
            }
        }
        Kind::Counts => counts(value).map(Item::Counts).ok_or_else(|| wanted("a table of counts")),
        Kind::Fields => fields(value).ok_or_else(|| wanted("a table of texts"))?.map(Item::Table),
        Kind::Amount => match text {
            Some(text) if text.contains("${") || Money::parse_yuan(&text).is_some() => Ok(Item::Text(text)),
            Some(_) | None => Err(wanted("an amount in yuan with two decimals")),
        },
        Kind::Text
        | Kind::Name
        | Kind::Reference
        | Kind::Operation
        | Kind::Party
        | Kind::Customer
        | Kind::Fault
        | Kind::Field
        | Kind::Outcome
        | Kind::Reason
        | Kind::Role
        | Kind::How
        | Kind::Date
        | Kind::Status
        | Kind::Rotated
        | Kind::Stage
        | Kind::Books => text.ok_or_else(|| wanted("a text")).and_then(|text| listed(key.kind, text)),
    }
}

/// A text of a closed list.
fn listed(kind: Kind, text: String) -> Result<Item, String> {
    let Some(values) = kind.values() else {
        return Ok(Item::Text(text));
    };
    if values.contains(&text.as_str()) {
        return Ok(Item::Text(text));
    }
    Err(match nearest(&text, values.iter().copied()) {
        Some(meant) => format!("no {} `{text}`; did you mean `{meant}`?", kind.name()),
        None => format!("no {} `{text}`; one of {}", kind.name(), values.join(", ")),
    })
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|text| text.get_ref().as_str().map(str::to_owned))
        .collect()
}

fn counts(value: &DeValue<'_>) -> Option<BTreeMap<String, u64>> {
    let count = |value: &DeValue<'_>| value.as_integer().and_then(|number| number.as_str().parse().ok());
    value
        .as_table()?
        .iter()
        .map(|(name, value)| Some((name.get_ref().to_string(), count(value.get_ref())?)))
        .collect()
}

/// A table from fields to texts; `payer.account` may be written with and without quotes. The inner result is about names.
fn fields(value: &DeValue<'_>) -> Option<Result<BTreeMap<String, String>, String>> {
    let mut found = BTreeMap::new();
    flatten("", value.as_table()?, &mut found)?;
    let names = Attribute::ALL.iter().map(|attribute| attribute.name());
    let wrong = found.keys().find(|name| Attribute::parse(name).is_none());
    Some(match wrong {
        None => Ok(found),
        Some(name) => Err(match nearest(name, names) {
            Some(meant) => format!("no field `{name}`; did you mean `{meant}`?"),
            None => format!("no field `{name}` (codecs/src/payment.rs names them)"),
        }),
    })
}

fn flatten(prefix: &str, table: &DeTable<'_>, found: &mut BTreeMap<String, String>) -> Option<()> {
    for (name, value) in table {
        let path = format!("{prefix}{}", name.get_ref());
        if let Some(inner) = value.get_ref().as_table() {
            flatten(&format!("{path}."), inner, found)?;
        } else {
            found.insert(path, value.get_ref().as_str()?.to_owned());
        }
    }
    Some(())
}

/// `send debit, name pay`: the verb first, then the rest as written.
fn described(table: &DeTable<'_>) -> String {
    let verbs = language().verbs();
    let shown = |value: &DeValue<'_>| match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Array(list) => list
            .iter()
            .filter_map(|one| one.get_ref().as_str())
            .collect::<Vec<_>>()
            .join(" "),
        DeValue::Table(table) => table
            .keys()
            .map(|key| key.get_ref().to_string())
            .collect::<Vec<_>>()
            .join(" "),
        DeValue::Float(_) | DeValue::Datetime(_) => String::new(),
    };
    let mut parts: Vec<(bool, String)> = table
        .iter()
        .map(|(key, value)| {
            (
                !verbs.contains(&key.get_ref().as_ref()),
                format!("{} {}", key.get_ref(), shown(value.get_ref())),
            )
        })
        .collect();
    parts.sort_by_key(|(is_detail, _)| *is_detail);
    parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(", ")
}
