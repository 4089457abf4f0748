//! Requests as payment institutions send them through the centre: realistic, invented, the same for the same seed.

pub mod direct; // institutions with a link of their own

use crate::ids::{Numbering, stamp, time_digits};
use crate::people::Person;
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use std::sync::OnceLock;
use time::OffsetDateTime;

/// A payment institution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Institution {
    /// Number in the institutions' network.
    pub id: &'static str,
    pub name: &'static str,
    /// Its merchant number at the clearing member.
    pub merchant: &'static str,
    pub reserve_account: &'static str,
}

/// What the centre can be told to send.
pub const BY_CENTRE: [Operation; 9] = [
    Operation::Debit,
    Operation::Credit,
    Operation::Refund,
    Operation::Cancel,
    Operation::Sign,
    Operation::Terminate,
    Operation::Verify,
    Operation::Query,
    Operation::Echo,
];

/// What the bank's platform starts by itself.
pub const BY_PLATFORM: [Operation; 4] = [Operation::Credit, Operation::Terminate, Operation::Query, Operation::Cancel];

/// Invented institutions, by which books are grouped.
pub const INSTITUTIONS: [Institution; 3] = [
    Institution {
        id: "Z2099999000010",
        name: "Example Pay",
        merchant: "1000000001",
        reserve_account: "990000001",
    },
    Institution {
        id: "Z2099998000019",
        name: "Sample Wallet",
        merchant: "1000000002",
        reserve_account: "990000002",
    },
    Institution {
        id: "Z2099997000018",
        name: "\u{793a}\u{4f8b}\u{652f}\u{4ed8}",
        merchant: "1000000003",
        reserve_account: "990000003",
    },
];

impl Institution {
    /// One of many invented institutions, always the same for a number; `INSTITUTIONS` come first.
    pub fn numbered(number: usize) -> Self {
        static MORE: OnceLock<Vec<[String; 4]>> = OnceLock::new();
        let more = || (INSTITUTIONS.len()..INSTITUTIONS_MAX).map(invented).collect();
        if let Some(known) = INSTITUTIONS.get(number) {
            return *known;
        }
        let named = MORE
            .get_or_init(more)
            .get((number - INSTITUTIONS.len()) % (INSTITUTIONS_MAX - INSTITUTIONS.len()));
        named.map_or(INSTITUTIONS[0], |[id, name, merchant, reserve_account]| Self {
            id,
            name,
            merchant,
            reserve_account,
        })
    }
}

fn invented(number: usize) -> [String; 4] {
    [
        format!("Z2{:07}{number:05}", 9_999_000 - number),
        format!("Example Pay {number}"),
        format!("1{number:09}"),
        format!("99{number:07}"),
    ]
}

/// Institutions that can be told apart.
pub const INSTITUTIONS_MAX: usize = 64;

/// Sender, receiver and numbering of the messages of one side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sending {
    pub member: String,
    pub application: String,
    pub counter_member: String,
    pub counter_application: String,
    pub numbering: Numbering,
}

/// What a request is about.
#[derive(Clone)]
pub struct Order {
    pub serial: u64,
    pub institution: Institution,
    pub person: Person,
    pub amount: Money,
}

impl Sending {
    /// A request of the institution, complete as its message type wants it; an original for refund, cancel and query.
    pub fn request(&self, operation: Operation, order: &Order, original: Option<&Payment>, at: OffsetDateTime) -> Payment {
        let mut request = Payment::new(operation, Role::Request);
        self.address(&mut request, order.serial, at);
        match operation {
            Operation::Sign | Operation::Verify => self.contract(&mut request, order, true),
            Operation::Terminate => self.contract(&mut request, order, false),
            Operation::Debit => self.debit(&mut request, order),
            Operation::Credit => self.credit(&mut request, order),
            Operation::Refund => self.refund(&mut request, order, original),
            Operation::Cancel => self.cancel(&mut request, original),
            Operation::Query => self.query(&mut request, original),
            Operation::Notice | Operation::Status | Operation::Certificate | Operation::Ack | Operation::Echo => {}
        }
        request
    }

    /// The other side as a sender.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            member: self.counter_member,
            application: self.counter_application,
            counter_member: self.member,
            counter_application: self.application,
            numbering: self.numbering,
        }
    }

    /// A reply with the request's business content, own ids, the reference and the original's ids.
    pub fn reply(&self, request: &Payment, outcome: Outcome, serial: u64, at: OffsetDateTime) -> Payment {
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(outcome));
        copy_as(&mut reply, request, &REFERENCE);
        if !matches!(request.operation, Operation::Query | Operation::Cancel) {
            copy_as(&mut reply, request, &OWN_AS_ORIGINAL);
        }
        if let Some(date) = request.date(Attribute::SendDate) {
            reply.set_date(Attribute::RefDate, date);
        }
        self.address(&mut reply, serial, at);
        // The request's settlement date stands; nothing in flight is re-dated (design.md 5, rule 7).
        if let Some(date) = request.date(Attribute::SettlementDate) {
            reply.set_date(Attribute::SettlementDate, date);
        }
        reply
    }

    /// Sets the communication fields and the message's own ids.
    pub fn address(&self, message: &mut Payment, serial: u64, at: OffsetDateTime) {
        let msg_id = self.numbering.msg_id(serial);
        // The serial of a cancel is N and the MsgId (facts/clearing.md 1.1).
        let com_serial = if message.operation == Operation::Cancel && message.role == Role::Request {
            format!("N{msg_id}")
        } else {
            self.numbering.serial(serial)
        };
        message
            .set_text(Attribute::Sender, self.member.clone())
            .set_text(Attribute::SenderApp, self.application.clone())
            .set_date(Attribute::SendDate, at.date())
            .set_text(Attribute::SendTime, time_digits(at))
            .set_text(Attribute::Receiver, self.counter_member.clone())
            .set_text(Attribute::ReceiverApp, self.counter_application.clone())
            .set_text(Attribute::Channel, self.numbering.mfe.to_string())
            .set_text(Attribute::Serial, com_serial)
            .set_text(Attribute::MsgId, msg_id)
            .set_text(Attribute::CreatedAt, stamp(at))
            .set_date(Attribute::SettlementDate, self.numbering.settlement_date);
    }

    fn identify(&self, request: &mut Payment, order: &Order) {
        request
            .set_text(Attribute::TxId, self.numbering.msg_id(order.serial))
            .set_text(Attribute::EndToEndId, self.numbering.end_to_end_id(order.serial))
            .set_text(Attribute::Initiator, self.member.clone())
            .set_text(Attribute::Institution, order.institution.id)
            .set_text(Attribute::TradeChannel, "07");
    }

    fn move_money(&self, request: &mut Payment, order: &Order, business_type: &str, business_kind: &str) {
        self.identify(request, order);
        request
            .set_money(Attribute::Amount, order.amount)
            .set_money(Attribute::Fee, Money::ZERO)
            .set_text(Attribute::BusinessType, business_type)
            .set_text(Attribute::BusinessKind, business_kind)
            .set_text(Attribute::ChargeBearer, "CRED")
            .set_text(Attribute::InstitutionAccount, order.institution.reserve_account)
            .set_text(Attribute::InstitutionAccountIssuer, order.institution.id)
            .set_text(Attribute::Batch, self.numbering.batch(order.serial))
            .set_text(Attribute::OrderId, format!("9{:017}", order.serial))
            .set_text(Attribute::Remark, "test");
    }

    /// An agreement payment: the payer is `0`, the bank finds the account through the agreement (facts/clearing.md 1.5).
    fn debit(&self, request: &mut Payment, order: &Order) {
        self.move_money(request, order, "D200", "01602");
        self.payer_is_bank(request, "0", "0", "PT05");
        self.payee_is_institution(request, order);
        request
            .set_text(Attribute::AuthMethod, "AC00")
            .set_text(Attribute::Agreement, order.person.agreement());
    }

    fn credit(&self, request: &mut Payment, order: &Order) {
        self.move_money(request, order, "C102", "03302");
        self.pays_to_customer(request, order);
    }

    /// A refund names its original in tags (design.md 7).
    fn refund(&self, request: &mut Payment, order: &Order, original: Option<&Payment>) {
        self.move_money(request, order, "C105", "03305");
        self.pays_to_customer(request, order);
        if let Some(original) = original {
            copy_as(
                request,
                original,
                &[
                    (Attribute::TxId, Attribute::OriginalTxId),
                    (Attribute::EndToEndId, Attribute::OriginalEndToEndId),
                    (Attribute::MsgId, Attribute::OriginalMsgId),
                ],
            );
        }
    }

    fn contract(&self, request: &mut Payment, order: &Order, identity: bool) {
        self.identify(request, order);
        if request.operation == Operation::Terminate {
            request.set_text(Attribute::Agreement, order.person.agreement());
        }
        if identity {
            request
                .set_text(Attribute::PayerName, order.person.name.clone())
                .set_text(Attribute::PayerAccount, order.person.account.clone())
                .set_text(Attribute::PayerAccountType, "PT01")
                .set_text(Attribute::IdType, "IC01")
                .set_text(Attribute::IdNumber, order.person.id_number.clone())
                .set_text(Attribute::Mobile, order.person.mobile.clone())
                .set_text(Attribute::AuthMethod, "AC00");
        }
        request.set_text(Attribute::PayerBank, self.counter_member.clone());
    }

    /// Completes a cancel or query with what its original says.
    pub fn refer(&self, request: &mut Payment, original: &Payment) {
        if request.operation == Operation::Cancel {
            self.cancel(request, Some(original));
        } else {
            self.query(request, Some(original));
        }
    }

    fn cancel(&self, request: &mut Payment, original: Option<&Payment>) {
        request
            .set_text(Attribute::Initiator, self.member.clone())
            .set_text(Attribute::CancelReason, "TMOT")
            .set_text(Attribute::Remark, "timeout");
        if let Some(original) = original {
            let shared = [
                Attribute::BusinessType,
                Attribute::BusinessKind,
                Attribute::TradeChannel,
                Attribute::Institution,
            ];
            request.copy(original, &shared);
            name_original(request, original);
        }
    }

    fn query(&self, request: &mut Payment, original: Option<&Payment>) {
        request.set_text(Attribute::Initiator, self.member.clone());
        if let Some(original) = original {
            request.copy(original, &[Attribute::BusinessType, Attribute::Institution]);
            name_original(request, original);
        }
    }

    fn payer_is_bank(&self, request: &mut Payment, name: &str, account: &str, kind: &str) {
        request
            .set_text(Attribute::PayerName, name)
            .set_text(Attribute::PayerAccount, account)
            .set_text(Attribute::PayerAccountType, kind)
            .set_text(Attribute::PayerBank, self.counter_member.clone())
            .set_text(Attribute::PayerBranch, self.counter_member.clone());
    }

    fn payee_is_institution(&self, request: &mut Payment, order: &Order) {
        request
            .set_text(Attribute::PayeeName, order.institution.name)
            .set_text(Attribute::PayeeAccount, order.institution.merchant)
            .set_text(Attribute::PayeeAccountType, "PT08")
            .set_text(Attribute::PayeeBank, self.member.clone())
            .set_text(Attribute::PayeeBranch, self.member.clone());
    }

    fn pays_to_customer(&self, request: &mut Payment, order: &Order) {
        request
            .set_text(Attribute::PayerName, order.institution.name)
            .set_text(Attribute::PayerAccount, order.institution.merchant)
            .set_text(Attribute::PayerAccountType, "PT08")
            .set_text(Attribute::PayerBank, self.member.clone())
            .set_text(Attribute::PayerBranch, self.member.clone())
            .set_text(Attribute::PayeeName, order.person.name.clone())
            .set_text(Attribute::PayeeAccount, order.person.account.clone())
            .set_text(Attribute::PayeeAccountType, "PT01")
            .set_text(Attribute::PayeeBank, self.counter_member.clone())
            .set_text(Attribute::PayeeBranch, self.counter_member.clone());
    }
}

/// A reply's reference: the request's communication fields, and the request as the original.
const REFERENCE: [(Attribute, Attribute); 6] = [
    (Attribute::Sender, Attribute::RefSender),
    (Attribute::SenderApp, Attribute::RefSenderApp),
    (Attribute::Serial, Attribute::RefSerial),
    (Attribute::MessageCode, Attribute::RefCode),
    (Attribute::MsgId, Attribute::OriginalMsgId),
    (Attribute::MessageCode, Attribute::OriginalCode),
];

/// In the reply to a payment the payment is the original; a cancel's and a query's reply go on naming theirs.
const OWN_AS_ORIGINAL: [(Attribute, Attribute); 2] = [
    (Attribute::EndToEndId, Attribute::OriginalEndToEndId),
    (Attribute::TxId, Attribute::OriginalTxId),
];

/// The fields by which a cancel or query names its original.
fn name_original(request: &mut Payment, original: &Payment) {
    request.set_text(Attribute::OriginalOperation, original.operation.name());
    copy_as(
        request,
        original,
        &[
            (Attribute::MsgId, Attribute::OriginalMsgId),
            (Attribute::MessageCode, Attribute::OriginalCode),
            (Attribute::TxId, Attribute::OriginalTxId),
            (Attribute::EndToEndId, Attribute::OriginalEndToEndId),
            (Attribute::Sender, Attribute::OriginalInitiator),
        ],
    );
}

/// Copies text attributes under other names.
pub fn copy_as(target: &mut Payment, source: &Payment, names: &[(Attribute, Attribute)]) {
    for &(from, to) in names {
        if let Some(text) = source.text(from) {
            target.set_text(to, text);
        }
    }
}
