//! What goes wrong, and with which messages: the file that a tester writes.

use codecs::payment::{Attribute, Money, Operation};
use serde::{Deserialize, Serialize};

/// The rules of a proxy, in order: the first whose conditions hold is taken.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    pub rule: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub fault: Mishap,
    #[serde(default)]
    pub on: Direction,
    /// Every n-th message that fits.
    pub nth: Option<u64>,
    /// Of those that fit, by the seed.
    pub chance_percent: Option<u64>,
    /// These bytes stand in the message.
    pub contains: Option<String>,
    #[serde(default, with = "crate::fault::operation_name")]
    pub operation: Option<Operation>,
    pub institution: Option<String>,
    /// In yuan.
    pub amount: Option<String>,
    /// Of payer or payee.
    pub account: Option<String>,
    /// Not more often than this.
    pub times: Option<u64>,
    /// Of a delay, between two pieces of a drip, of a death; how long at most a message is held for others.
    #[serde(default = "wait_ms")]
    pub ms: u64,
    /// How many overtake, how many more copies, how often it is put back.
    pub count: Option<u64>,
    /// Of a piece of a drip; what is left of a message; by how much a length lies.
    pub bytes: Option<usize>,
    /// The length says less than there is.
    #[serde(default)]
    pub fewer: bool,
    /// Which field is corrupted, by its canonical name.
    pub field: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mishap {
    /// Swallowed, and the connection is cut.
    Drop,
    /// Swallowed, and the connection stays open.
    Never,
    Delay,
    /// Passed on again: of HTTP a request, whose second answer nobody gets.
    Repeat,
    /// The next ones go before it.
    Reorder,
    /// Its beginning, then the connection is cut.
    Truncate,
    /// Its beginning, then nothing more; the connection stays open.
    Stall,
    /// One byte of the content is another one.
    CorruptByte,
    /// The last character of a field is another one.
    CorruptField,
    /// The length before the content is wrong.
    WrongLength,
    /// Held, and written at once with the next one.
    Join,
    /// So many bytes at a time.
    Drip,
    /// Passed on; then every connection is cut, and none taken for a while.
    Die,
    /// A delivery is put back though it was acknowledged; a publication is refused though it was taken.
    NackStorm,
}

/// What carries the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    Http,
    /// Frames over TCP.
    Counted,
    /// Between a gateway and its broker.
    Amqp,
    /// From one queue to another.
    Queues,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From whoever connects.
    #[default]
    Request,
    Reply,
}

/// A mishap that happened; nothing of the message is in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Told {
    pub direction: Direction,
    /// Its number among the messages of its direction, from 1.
    pub message: u64,
    /// The rule's place in the file, from 1.
    pub rule: usize,
    pub fault: Mishap,
    pub bytes: usize,
}

impl Rules {
    /// Reads a file of `[[rule]]` tables.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        rules.each(|rule| {
            let is_percent = rule.chance_percent.is_none_or(|chance| chance <= 100);
            if rule.nth == Some(0) {
                Err("nth counts from 1".to_owned())
            } else if rule.bytes == Some(0) || rule.count == Some(0) {
                Err("bytes and count begin with 1".to_owned())
            } else if rule.contains.as_deref() == Some("") {
                Err("contains nothing".to_owned())
            } else if !is_percent {
                Err("chance_percent is at most 100".to_owned())
            } else {
                rule.named()
            }
        })?;
        Ok(rules)
    }

    /// Refuses what cannot happen on a carrier, and conditions on fields that nobody can read.
    pub fn fit(&self, carrier: Carrier, can_read: bool) -> Result<(), String> {
        self.each(|rule| match rule.fault.impossible(carrier, rule.on) {
            Some(reason) => Err(format!("{}: {reason}", rule.fault.name())),
            None if rule.reads() && !can_read => Err("fields are read by the spec of a link: which one?".to_owned()),
            None => Ok(()),
        })
    }

    fn each(&self, check: impl Fn(&Rule) -> Result<(), String>) -> Result<(), String> {
        let mut numbered = (1..).zip(&self.rule);
        numbered.try_for_each(|(number, rule): (u32, _)| check(rule).map_err(|flaw| format!("rule {number}: {flaw}")))
    }
}

impl Rule {
    pub(super) fn amount(&self) -> Option<Money> {
        self.amount.as_deref().and_then(Money::parse_yuan)
    }

    pub(super) fn field(&self) -> Option<Attribute> {
        self.field.as_deref().and_then(Attribute::parse)
    }

    pub(super) fn count(&self) -> u64 {
        let usual = if self.fault == Mishap::NackStorm { PUT_BACKS } else { 1 };
        self.count.unwrap_or(usual)
    }

    fn named(&self) -> Result<(), String> {
        if self.amount.is_some() && self.amount().is_none() {
            return Err("amount is in yuan, such as \"12.34\"".to_owned());
        }
        match (&self.field, self.field()) {
            (Some(name), None) => Err(format!("no field `{name}`")),
            (None, _) if self.fault == Mishap::CorruptField => Err("corrupt_field says which with field".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether it looks into the message.
    fn reads(&self) -> bool {
        let texts = [&self.institution, &self.amount, &self.account, &self.field];
        self.operation.is_some() || texts.into_iter().any(Option::is_some)
    }
}

impl Mishap {
    pub const ALL: [Self; 14] = [
        Self::Drop,
        Self::Never,
        Self::Delay,
        Self::Repeat,
        Self::Reorder,
        Self::Truncate,
        Self::Stall,
        Self::CorruptByte,
        Self::CorruptField,
        Self::WrongLength,
        Self::Join,
        Self::Drip,
        Self::Die,
        Self::NackStorm,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Never => "never",
            Self::Delay => "delay",
            Self::Repeat => "repeat",
            Self::Reorder => "reorder",
            Self::Truncate => "truncate",
            Self::Stall => "stall",
            Self::CorruptByte => "corrupt_byte",
            Self::CorruptField => "corrupt_field",
            Self::WrongLength => "wrong_length",
            Self::Join => "join",
            Self::Drip => "drip",
            Self::Die => "die",
            Self::NackStorm => "nack_storm",
        }
    }

    /// Why it cannot happen there.
    pub const fn impossible(self, carrier: Carrier, on: Direction) -> Option<&'static str> {
        match (carrier, self, on) {
            (Carrier::Queues, _, Direction::Reply) => Some("between two queues there is one direction"),
            (Carrier::Http | Carrier::Counted, Self::NackStorm, _) => Some("only a broker puts back or refuses to confirm"),
            (Carrier::Queues, Self::NackStorm, _) => Some("what its receiver acknowledges is seen only by `--frames amqp`"),
            (Carrier::Http, Self::Repeat, Direction::Reply) => Some("a request over HTTP has one answer"),
            (Carrier::Http, Self::Join, _) => Some("the next message on a connection waits for the answer to this one"),
            (Carrier::Amqp, Self::Repeat, _) => Some("a delivery and a confirm have one number; `--queues` repeats"),
            (Carrier::Amqp, Self::Reorder, Direction::Request) => Some("confirms are numbered in the order of publications"),
            (Carrier::Queues, Self::Stall | Self::WrongLength | Self::Join | Self::Drip, _) => {
                Some("a queue hands over whole messages; `--frames amqp` sees their bytes")
            }
            _ => None,
        }
    }
}

const fn wait_ms() -> u64 {
    1_000
}

const PUT_BACKS: u64 = 3;
