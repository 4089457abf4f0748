//! The canonical form that every codec translates to and from: operation, role, outcome and a closed set of attributes.
//!
//! It knows no institution's names and no wire layout.

mod text;

pub use text::Text;
pub use time::Date;

pub(crate) use text::Gathered;

use crate::field::{push_date, push_digits, push_number};
use std::fmt;

/// An amount in fen (1/100 yuan). Arithmetic is checked; there is no float anywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(i64);

impl Money {
    pub const ZERO: Self = Self(0);

    pub const fn from_fen(fen: i64) -> Self {
        Self(fen)
    }

    pub const fn fen(self) -> i64 {
        self.0
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Reads `12.34`: digits, a point, exactly two decimals, no sign, no leading zeros but a single `0`.
    pub fn parse_yuan(text: &str) -> Option<Self> {
        let (yuan, fen) = text.split_once('.')?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let canonical = yuan == "0" || !yuan.starts_with('0');
        if !digits(yuan) || !digits(fen) || fen.len() != 2 || !canonical {
            return None;
        }
        let total = yuan.parse::<i64>().ok()?.checked_mul(100)?;
        total.checked_add(fen.parse().ok()?).map(Self)
    }

    /// Writes `12.34` behind what `text` holds.
    pub(crate) fn push_yuan(self, text: &mut String) {
        if self.0 < 0 {
            text.push('-');
        }
        let fen = self.0.unsigned_abs();
        push_number(text, i64::try_from(fen / 100).unwrap_or_default());
        text.push('.');
        push_digits::<2>(text, u32::try_from(fen % 100).unwrap_or_default());
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

/// Declares an enum whose variants have stable text names, with `ALL`, `name`, `parse` and `Display`.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $kind { $($(#[$vdoc])* $variant,)+ }

        impl $kind {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name that specs, the journal and JSON use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.name() == name)
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named! {
    /// What a message is about.
    Operation {
        Sign = "sign",
        Terminate = "terminate",
        Verify = "verify",
        Debit = "debit",
        Credit = "credit",
        Refund = "refund",
        Cancel = "cancel",
        Query = "query",
        Notice = "notice",
        Status = "status",
        /// A key is announced.
        Certificate = "certificate",
        Ack = "ack",
        Echo = "echo",
    }
}

impl Operation {
    /// Whether the operation moves money between books.
    pub const fn moves_money(self) -> bool {
        matches!(self, Self::Debit | Self::Credit | Self::Refund | Self::Cancel)
    }
}

named! {
    /// Which part a message plays in its exchange.
    Role {
        Request = "request",
        Reply = "reply",
        /// One-way information that at most gets an `ack`.
        Notice = "notice",
        Ack = "ack",
    }
}

named! {
    /// Why something failed: our code, mapped to and from each institution's codes by its spec.
    Reason {
        InsufficientFunds = "insufficient_funds",
        AccountNotFound = "account_not_found",
        AccountFrozen = "account_frozen",
        NameMismatch = "name_mismatch",
        AgreementNotFound = "agreement_not_found",
        AgreementEnded = "agreement_ended",
        IdentityMismatch = "identity_mismatch",
        LimitExceeded = "limit_exceeded",
        Altered = "altered",
        OriginalNotFound = "original_not_found",
        OriginalNotSuccessful = "original_not_successful",
        AlreadyCancelled = "already_cancelled",
        RefundExceedsOriginal = "refund_exceeds_original",
        WrongSettlementDate = "wrong_settlement_date",
        NotSupported = "not_supported",
        InvalidMessage = "invalid_message",
        SignatureInvalid = "signature_invalid",
        SystemStopped = "system_stopped",
        Busy = "busy",
        Other = "other",
    }
}

/// What is known of an operation's effect. `Unknown` is never turned into `Failed` by the passing of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Success,
    Failed { reason: Reason, text: String },
    Unknown,
}

impl Outcome {
    pub fn failed(reason: Reason, text: impl Into<String>) -> Self {
        Self::Failed {
            reason,
            text: text.into(),
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed { .. } => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// The type of an attribute's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Text,
    Money,
    Date,
    /// Several texts in document order, such as supplementary tags that the spec does not name.
    List,
}

/// Declares the closed set of attributes: name, shape, and whether it is business content (in the content digest).
macro_rules! attributes {
    ($($variant:ident = $text:literal $shape:ident $class:ident,)+) => {
        named! {
            /// One named value of a payment.
            Attribute { $($variant = $text,)+ }
        }

        impl Attribute {
            pub const fn shape(self) -> Shape {
                match self { $(Self::$variant => Shape::$shape,)+ }
            }

            /// Whether two requests that differ here are different business (`altered`), not a repeat.
            pub const fn is_business(self) -> bool {
                match self { $(Self::$variant => attributes!(@$class),)+ }
            }
        }
    };
    (@business) => { true };
    (@transit) => { false };
}

attributes! {
    // Communication: who sends which message under which serial (NPS header/msg, HTTP headers).
    Sender = "com.sender" Text transit,
    SenderApp = "com.sender_app" Text transit,
    SendDate = "com.date" Date transit,
    SendTime = "com.time" Text transit,
    Receiver = "com.receiver" Text transit,
    ReceiverApp = "com.receiver_app" Text transit,
    Serial = "com.serial" Text transit,
    MessageCode = "com.code" Text transit,
    Channel = "com.channel" Text transit,
    // Reference of a reply to its request.
    RefSender = "ref.sender" Text transit,
    RefSenderApp = "ref.sender_app" Text transit,
    RefDate = "ref.date" Date transit,
    RefSerial = "ref.serial" Text transit,
    RefCode = "ref.code" Text transit,
    // Identity of the business.
    MsgId = "msg_id" Text transit,
    CreatedAt = "created_at" Text transit,
    // Numbered anew at every submission: the same business may come under another one.
    TxId = "tx_id" Text transit,
    EndToEndId = "end_to_end_id" Text business,
    Initiator = "initiator" Text business,
    Amount = "amount" Money business,
    Fee = "fee" Money business,
    BusinessType = "business_type" Text business,
    BusinessKind = "business_kind" Text business,
    ChargeBearer = "charge_bearer" Text business,
    PayerName = "payer.name" Text business,
    PayerAccount = "payer.account" Text business,
    PayerAccountType = "payer.account_type" Text business,
    PayerBank = "payer.bank" Text business,
    PayerBranch = "payer.branch" Text business,
    PayeeName = "payee.name" Text business,
    PayeeAccount = "payee.account" Text business,
    PayeeAccountType = "payee.account_type" Text business,
    PayeeBank = "payee.bank" Text business,
    PayeeBranch = "payee.branch" Text business,
    Agreement = "agreement" Text business,
    AuthMethod = "auth_method" Text business,
    IdType = "id_type" Text business,
    IdNumber = "id_number" Text business,
    Mobile = "mobile" Text business,
    TradeChannel = "trade_channel" Text business,
    Institution = "institution" Text business,
    InstitutionAccount = "institution.account" Text business,
    InstitutionAccountIssuer = "institution.account_issuer" Text business,
    OrderId = "order.id" Text business,
    OrderText = "order.text" Text business,
    Platform = "order.platform" Text business,
    Batch = "batch" Text business,
    SettlementDate = "settlement_date" Date business,
    Remark = "remark" Text business,
    Postscript = "postscript" Text business,
    Purpose = "purpose" Text business,
    // The original that a cancel, refund, query or reply speaks of.
    OriginalMsgId = "original.msg_id" Text business,
    OriginalCode = "original.code" Text business,
    OriginalTxId = "original.tx_id" Text business,
    OriginalEndToEndId = "original.end_to_end_id" Text business,
    OriginalInitiator = "original.initiator" Text business,
    OriginalOperation = "original.operation" Text business,
    CancelReason = "cancel_reason" Text business,
    // Results.
    BankTxId = "bank_tx_id" Text transit,
    SystemStatus = "system.status" Text business,
    SystemDate = "system.date" Date business,
    // A key that its owner announces, and the signature that stands apart.
    KeyUsage = "key.usage" Text business,
    KeySerial = "key.serial" Text business,
    KeyMaterial = "key.material" Text business,
    KeyFrom = "key.from" Text business,
    KeyTo = "key.to" Text business,
    KeySignature = "key.signature" Text transit,
    Extras = "extras" List business,
}

/// A value of an attribute; its variant always fits the attribute's shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Shared by all payments that were copied from one another.
    Text(Text),
    Money(Money),
    Date(Date),
    List(Vec<String>),
}

impl Value {
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    pub const fn shape(&self) -> Shape {
        match self {
            Self::Text(_) => Shape::Text,
            Self::Money(_) => Shape::Money,
            Self::Date(_) => Shape::Date,
            Self::List(_) => Shape::List,
        }
    }

    /// A stable text of the value: amounts in fen, dates as yyyy-mm-dd, lists joined by a unit separator.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        self.write_canonical(&mut text);
        text
    }

    /// The same behind what `text` holds.
    pub fn write_canonical(&self, text: &mut String) {
        match self {
            Self::Text(own) => text.push_str(own),
            Self::Money(money) => push_number(text, money.fen()),
            Self::Date(date) => push_date(text, *date, "-"),
            Self::List(items) => text.push_str(&items.join("\u{1f}")),
        }
    }
}

/// One message in canonical form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    pub operation: Operation,
    pub role: Role,
    /// Set on replies and notices; `None` on requests.
    pub outcome: Option<Outcome>,
    values: Vec<Option<Value>>,
}

impl Payment {
    pub fn new(operation: Operation, role: Role) -> Self {
        Self {
            operation,
            role,
            outcome: None,
            values: vec![None; Attribute::ALL.len()],
        }
    }

    pub fn value(&self, attribute: Attribute) -> Option<&Value> {
        self.values.get(attribute as usize).and_then(Option::as_ref)
    }

    /// Sets or clears an attribute. A value whose shape does not fit is refused and returned.
    pub fn put(&mut self, attribute: Attribute, value: Value) -> Result<(), Value> {
        if value.shape() != attribute.shape() {
            return Err(value);
        }
        if let Some(slot) = self.values.get_mut(attribute as usize) {
            *slot = Some(value);
        }
        Ok(())
    }

    /// Adds a text behind those of a list.
    pub(crate) fn push_item(&mut self, attribute: Attribute, text: &str) {
        let Some(slot) = self.values.get_mut(attribute as usize) else {
            return;
        };
        match slot {
            Some(Value::List(items)) => items.push(text.to_owned()),
            Some(Value::Text(_) | Value::Money(_) | Value::Date(_)) | None => *slot = Some(Value::List(vec![text.to_owned()])),
        }
    }

    pub fn clear(&mut self, attribute: Attribute) {
        if let Some(slot) = self.values.get_mut(attribute as usize) {
            *slot = None;
        }
    }

    /// Copies the attributes of the business that `source` has.
    pub fn copy_business(&mut self, source: &Self) {
        for (attribute, value) in source.present().filter(|(attribute, _)| attribute.is_business()) {
            if let Some(slot) = self.values.get_mut(attribute as usize) {
                *slot = Some(value.clone());
            }
        }
    }

    /// Copies the named attributes that `source` has.
    pub fn copy(&mut self, source: &Self, attributes: &[Attribute]) {
        for &attribute in attributes {
            if let (Some(slot), Some(value)) = (self.values.get_mut(attribute as usize), source.value(attribute)) {
                *slot = Some(value.clone());
            }
        }
    }

    pub fn text(&self, attribute: Attribute) -> Option<&str> {
        match self.value(attribute)? {
            Value::Text(text) => Some(text),
            Value::Money(_) | Value::Date(_) | Value::List(_) => None,
        }
    }

    pub fn money(&self, attribute: Attribute) -> Option<Money> {
        match self.value(attribute)? {
            Value::Money(money) => Some(*money),
            Value::Text(_) | Value::Date(_) | Value::List(_) => None,
        }
    }

    pub fn date(&self, attribute: Attribute) -> Option<Date> {
        match self.value(attribute)? {
            Value::Date(date) => Some(*date),
            Value::Text(_) | Value::Money(_) | Value::List(_) => None,
        }
    }

    /// Sets a text attribute; on an attribute of another shape it does nothing but fail a debug assertion.
    pub fn set_text(&mut self, attribute: Attribute, text: impl Into<Text>) -> &mut Self {
        let fits = self.put(attribute, Value::text(text)).is_ok();
        debug_assert!(fits, "{attribute} is not text");
        self
    }

    /// Sets text attributes that share one allocation.
    pub fn set_texts<const N: usize>(&mut self, texts: [(Attribute, &str); N]) -> &mut Self {
        let bytes = texts.iter().map(|(_, text)| text.len()).sum();
        let mut gathered = Gathered::with_capacity(N, bytes);
        for (attribute, text) in texts {
            gathered.push(attribute, text);
        }
        gathered.put(self);
        self
    }

    /// Sets an attribute to what another one of `source` says; what that does not say stays as it is.
    pub fn set_from(&mut self, attribute: Attribute, source: &Self, other: Attribute) -> &mut Self {
        if let Some(value) = source.value(other) {
            let fits = self.put(attribute, value.clone()).is_ok();
            debug_assert!(fits, "{other} is not of the shape of {attribute}");
        }
        self
    }

    pub fn set_money(&mut self, attribute: Attribute, money: Money) -> &mut Self {
        let fits = self.put(attribute, Value::Money(money)).is_ok();
        debug_assert!(fits, "{attribute} is not money");
        self
    }

    pub fn set_date(&mut self, attribute: Attribute, date: Date) -> &mut Self {
        let fits = self.put(attribute, Value::Date(date)).is_ok();
        debug_assert!(fits, "{attribute} is not a date");
        self
    }

    /// The attributes that are present, in the order of `Attribute::ALL`.
    pub fn present(&self) -> impl Iterator<Item = (Attribute, &Value)> {
        Attribute::ALL
            .iter()
            .filter_map(|&attribute| Some((attribute, self.value(attribute)?)))
    }

    /// The canonical text over which content equality is decided: operation, then `name=value` of each business
    /// attribute, each ended by a record separator, which no codec lets into a value.
    pub fn business_text(&self) -> String {
        let mut text = String::with_capacity(1024);
        text.push_str(self.operation.name());
        text.push('\u{1e}');
        for (attribute, value) in self.present().filter(|(attribute, _)| attribute.is_business()) {
            text.push_str(attribute.name());
            text.push('=');
            value.write_canonical(&mut text);
            text.push('\u{1e}');
        }
        text
    }
}
