//! The mix of a run: which payments, in which flow, with which expected end, decided by a seed.

#[cfg(test)]
mod tests;

use crate::fault::{Fault, When};
use crate::institution::{INSTITUTIONS, Institution};
use crate::people::{Kind, Person};
use crate::platform::{PlatformFault, PlatformRule};
use crate::world::Dice;
use codecs::payment::{Money, Operation, Reason};
use serde::Serialize;

/// Who starts the payment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Flow A: an institution through the centre.
    CentreToPlatform,
    /// Flow C: the bank's platform.
    PlatformToCentre,
}

/// The course of one planned payment: one request, or two that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Plain(Operation),
    /// A debit, then a refund of a part of it.
    Refund,
    /// A payment, then its cancel.
    Cancel,
    /// A cancel, then the debit that it cancels, which must be refused.
    CancelFirst,
    /// A payment, then a query for it.
    Query,
    /// A debit on which the platform does not answer in time.
    PlatformTimeout,
    /// A debit, then the same business under new communication ids: one effect, the same outcome.
    Again,
    /// A request with a fault; `Repeat` and `AlteredRepeat` follow a good one with the same ids.
    Faulty(Operation, Fault),
}

impl Shape {
    /// The operation under which the payment is counted.
    pub const fn operation(self) -> Operation {
        match self {
            Self::Plain(operation) | Self::Faulty(operation, _) => operation,
            Self::Refund => Operation::Refund,
            Self::Cancel | Self::CancelFirst => Operation::Cancel,
            Self::Query => Operation::Query,
            Self::PlatformTimeout | Self::Again => Operation::Debit,
        }
    }

    pub fn name(self) -> String {
        match self {
            Self::Plain(operation) => operation.name().to_owned(),
            Self::Refund => "refund".to_owned(),
            Self::Cancel => "cancel".to_owned(),
            Self::CancelFirst => "cancel_before_original".to_owned(),
            Self::Query => "query".to_owned(),
            Self::PlatformTimeout => "platform_timeout".to_owned(),
            Self::Again => "debit_again".to_owned(),
            Self::Faulty(operation, fault) => format!("{operation}_{}", fault.name()),
        }
    }
}

/// One payment of a run.
#[derive(Clone)]
pub struct Planned {
    pub n: u64,
    pub flow: Flow,
    pub shape: Shape,
    pub institution: Institution,
    pub person: Person,
    pub amount: Money,
    /// The business reason for which its (last) request must be refused; `None`: it must succeed.
    pub refusal: Option<Reason>,
}

/// Serials that a planned payment may use: `n * SERIALS_EACH` and following.
pub const SERIALS_EACH: u64 = 4;

/// The amount by which the platform knows the debits that it does not answer; no other payment has it.
pub const TIMEOUT_AMOUNT_FEN: i64 = 77_777;

/// Customers who are debited and credited; those after them end their agreements.
const ACTIVE_PEOPLE: u64 = 100_000;

/// The smallest and the largest amount drawn.
pub(crate) const AMOUNT_FEN: (i64, i64) = (2, 9_999);

/// Weights of the ordinary courses, in percent.
const WEIGHTS: [(u64, Flow, Shape); 12] = [
    (44, Flow::CentreToPlatform, Shape::Plain(Operation::Debit)),
    (12, Flow::CentreToPlatform, Shape::Plain(Operation::Credit)),
    (5, Flow::CentreToPlatform, Shape::Refund),
    (8, Flow::CentreToPlatform, Shape::Plain(Operation::Sign)),
    (5, Flow::CentreToPlatform, Shape::Plain(Operation::Verify)),
    (3, Flow::CentreToPlatform, Shape::Plain(Operation::Terminate)),
    (3, Flow::CentreToPlatform, Shape::Cancel),
    (3, Flow::CentreToPlatform, Shape::Query),
    (12, Flow::PlatformToCentre, Shape::Plain(Operation::Credit)),
    (2, Flow::PlatformToCentre, Shape::Query),
    (2, Flow::PlatformToCentre, Shape::Plain(Operation::Terminate)),
    (1, Flow::PlatformToCentre, Shape::Cancel),
];

/// What every run has at least once, and a large one once in two hundred payments.
const SPECIAL: [Shape; 6] = [
    Shape::Faulty(Operation::Debit, Fault::Repeat),
    Shape::Faulty(Operation::Debit, Fault::AlteredRepeat),
    Shape::Faulty(Operation::Debit, Fault::BadSignature),
    Shape::PlatformTimeout,
    Shape::CancelFirst,
    Shape::Again,
];

/// Plans a run: the same seed and number give the same payments.
pub fn plan(seed: u64, payments: u64) -> Vec<Planned> {
    (0..payments).map(|n| planned(seed, n, payments)).collect()
}

/// The payments of one flow without an end: with those of the other flow, the plan of a large run.
pub fn endless(seed: u64, flow: Flow) -> impl Iterator<Item = Planned> + Send {
    (0..)
        .map(move |n| planned(seed, n, u64::MAX))
        .filter(move |planned| planned.flow == flow)
}

/// What the platform must do for a plan's time-outs to happen.
pub fn platform_rules() -> Vec<PlatformRule> {
    let when = When {
        operation: Some(Operation::Debit),
        amount_fen: Some(TIMEOUT_AMOUNT_FEN),
        nth: None,
    };
    vec![PlatformRule {
        fault: PlatformFault::Never,
        when,
    }]
}

/// One chosen message, for a tester.
pub fn chosen(seed: u64, n: u64, operation: Operation, fault: Option<Fault>) -> Planned {
    let shape = shape_of(operation, fault);
    build(&mut Dice::new(seed, n), n, Flow::CentreToPlatform, shape)
}

/// What is drawn for one payment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub(crate) flow: Flow,
    pub(crate) shape: Shape,
    /// Customers who are debited and credited; those after them end their agreements.
    pub(crate) people: u64,
    /// Any of them when absent.
    pub(crate) institution: Option<Institution>,
    pub(crate) amount_fen: (i64, i64),
}

/// The course of one message: what speaks of an original has one before it.
pub(crate) const fn shape_of(operation: Operation, fault: Option<Fault>) -> Shape {
    match (operation, fault) {
        (Operation::Refund, None) => Shape::Refund,
        (Operation::Cancel, None) => Shape::Cancel,
        (Operation::Query, None) => Shape::Query,
        (operation, None) => Shape::Plain(operation),
        (operation, Some(fault)) => Shape::Faulty(operation, fault),
    }
}

/// The ordinary courses with their weights, each by its operation.
pub(crate) fn weights() -> impl Iterator<Item = (u64, Flow, Operation)> {
    WEIGHTS
        .into_iter()
        .map(|(weight, flow, shape)| (weight, flow, shape.operation()))
}

fn planned(seed: u64, n: u64, payments: u64) -> Planned {
    let mut dice = Dice::new(seed, n);
    let period = payments.clamp(SPECIAL.len() as u64, 200);
    // Spread over the period, so that they meet payments of every kind.
    let place = n % period;
    let step = period / SPECIAL.len() as u64;
    let special = if place.is_multiple_of(step) {
        usize::try_from(place / step).ok().and_then(|at| SPECIAL.get(at))
    } else {
        None
    };
    if let Some(shape) = special {
        return build(&mut dice, n, Flow::CentreToPlatform, *shape);
    }
    let (flow, shape) = weighted(dice.below(WEIGHTS.iter().map(|(weight, _, _)| weight).sum()));
    build(&mut dice, n, flow, shape)
}

fn weighted(mut drawn: u64) -> (Flow, Shape) {
    for (weight, flow, shape) in WEIGHTS {
        if drawn < weight {
            return (flow, shape);
        }
        drawn -= weight;
    }
    (Flow::CentreToPlatform, Shape::Plain(Operation::Debit))
}

fn build(dice: &mut Dice, n: u64, flow: Flow, shape: Shape) -> Planned {
    let draw = Draw {
        flow,
        shape,
        people: ACTIVE_PEOPLE,
        institution: None,
        amount_fen: AMOUNT_FEN,
    };
    drawn(dice, n, draw)
}

/// Draws one payment.
pub(crate) fn drawn(dice: &mut Dice, n: u64, draw: Draw) -> Planned {
    let Draw { flow, shape, .. } = draw;
    let index = usize::try_from(dice.below(INSTITUTIONS.len() as u64)).unwrap_or(0);
    let institution = INSTITUTIONS.get(index).copied().unwrap_or(INSTITUTIONS[0]);
    let person = person(dice, n, shape, draw.people);
    let drawn = Money::from_fen(dice.between(draw.amount_fen.0, draw.amount_fen.1));
    let amount = if shape == Shape::PlatformTimeout {
        Money::from_fen(TIMEOUT_AMOUNT_FEN)
    } else {
        drawn
    };
    Planned {
        n,
        flow,
        shape,
        institution: draw.institution.unwrap_or(institution),
        refusal: refusal(flow, shape, person.kind),
        person,
        amount,
    }
}

/// One agreement ends once in a run. A frozen or poor customer is drawn only where the refusal can be foretold.
fn person(dice: &mut Dice, n: u64, shape: Shape, people: u64) -> Person {
    if shape.operation() == Operation::Terminate {
        return Person::at(people + n);
    }
    // Whole hundreds, so that no customer behind the last one is drawn.
    let drawn = dice.below(people - people % 200);
    let (hundreds, place) = (drawn - drawn % 200, drawn % 200);
    match shape {
        Shape::Plain(Operation::Debit) => Person::at(drawn),
        // Never a poor one: what is credited to it would let a later debit succeed.
        Shape::Plain(Operation::Sign | Operation::Verify | Operation::Credit) if place != 198 => Person::at(drawn),
        Shape::Plain(_)
        | Shape::Refund
        | Shape::Cancel
        | Shape::CancelFirst
        | Shape::Query
        | Shape::PlatformTimeout
        | Shape::Again
        | Shape::Faulty(..) => Person::at(hundreds + place % 198),
    }
}

/// The business refusal that a customer's account makes due.
fn refusal(flow: Flow, shape: Shape, kind: Kind) -> Option<Reason> {
    let debits = matches!(
        (flow, shape),
        (_, Shape::Plain(Operation::Debit)) | (Flow::PlatformToCentre, Shape::Plain(Operation::Credit))
    );
    let touches = !matches!(shape, Shape::Plain(Operation::Terminate));
    match (kind, shape) {
        (_, Shape::CancelFirst) => Some(Reason::AlreadyCancelled),
        (Kind::Poor, _) if debits => Some(Reason::InsufficientFunds),
        (Kind::Frozen, _) if touches => Some(Reason::AccountFrozen),
        (Kind::Plain | Kind::Poor | Kind::Frozen, _) => None,
    }
}
