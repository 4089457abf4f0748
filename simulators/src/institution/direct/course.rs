//! What is played with one institution: which requests follow each other, and how each must end.

use super::script::{Conduct, DirectFault};
use crate::fault::Fault;
use crate::frames::Shape;
use codecs::payment::{Operation, Reason, Role};
use codecs::spec::{MessageSpec, Spec};
use std::collections::BTreeSet;

/// A course that the institution begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    Plain(Operation),
    /// A debit, then this about it: refund, cancel or query.
    After(Operation),
    /// A debit that the bank must refuse.
    Refused,
    /// A debit sent twice with the same bytes, whose answer is the same.
    Repeat,
    /// A request, or a notice, whose signature does not fit.
    Forged,
    /// A debit in a frame of an odd shape.
    Framed(Shape),
}

/// How an institution that the bank calls treats a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Manner {
    Executes,
    Refuses,
    /// Takes it, and tells by a notice how it ended; where there is no such notice, when it is asked.
    TellsLater,
    /// Executes it and says nothing; tells when it is asked.
    Silent,
    /// Executes it and signs its answer wrongly; tells when it is asked.
    SignsWrongly,
}

impl Manner {
    /// What it comes to for one request.
    pub(super) fn conduct(self) -> Conduct {
        let plain = Conduct::default();
        match self {
            Self::Executes => plain,
            Self::Refuses => Conduct {
                refusal: Some(Reason::InsufficientFunds),
                ..plain
            },
            Self::TellsLater => Conduct {
                fault: Some(DirectFault::Processing),
                tells: true,
                ..plain
            },
            Self::Silent => Conduct {
                fault: Some(DirectFault::Never),
                ..plain
            },
            Self::SignsWrongly => Conduct {
                fault: Some(DirectFault::Answer(Fault::BadSignature)),
                ..plain
            },
        }
    }
}

/// The courses of an institution that calls the bank.
pub(super) fn calling(spec: &Spec) -> Vec<Course> {
    let operations = operations(spec.requests_to_us());
    let debits = operations.contains(&Operation::Debit);
    let course = |operation: &Operation| {
        let is_about = matches!(operation, Operation::Refund | Operation::Cancel | Operation::Query);
        if is_about {
            debits.then_some(Course::After(*operation))
        } else {
            Some(Course::Plain(*operation))
        }
    };
    let mut courses: Vec<Course> = operations.iter().filter_map(course).collect();
    if debits {
        courses.extend([
            Course::Refused,
            Course::Repeat,
            Course::Plain(Operation::Debit),
            Course::Forged,
        ]);
    }
    courses
}

/// What goes wrong with frames, where there are any.
pub(super) fn framed(spec: &Spec) -> Vec<Course> {
    let debits = spec.speaks_frames() && operations(spec.requests_to_us()).contains(&Operation::Debit);
    let shapes = Shape::ODD.into_iter().filter(|_| debits);
    shapes.map(Course::Framed).collect()
}

/// The courses of an institution that the bank calls, begun by the bank's platform.
pub(super) fn called(spec: &Spec) -> Vec<(Course, Manner)> {
    let operations = operations(spec.requests_of_ours());
    let debits = operations.contains(&Operation::Debit);
    let course = |operation: &Operation| {
        if matches!(operation, Operation::Refund | Operation::Cancel) {
            debits.then_some(Course::After(*operation))
        } else {
            Some(Course::Plain(*operation))
        }
    };
    // A query is what the gateway itself asks when an outcome is unknown.
    let begun = operations.iter().filter(|operation| **operation != Operation::Query);
    let plain = begun.filter_map(course);
    let mut courses: Vec<_> = plain.map(|course| (course, Manner::Executes)).collect();
    let asks = spec.message_for(Operation::Query, Role::Request).is_some();
    if debits && asks {
        let manners = [
            Manner::Refuses,
            Manner::TellsLater,
            Manner::SignsWrongly,
            Manner::Silent,
            Manner::Executes,
        ];
        courses.extend(manners.map(|manner| (Course::Plain(Operation::Debit), manner)));
    }
    if debits && spec.notice_of(Operation::Debit).is_some() {
        courses.push((Course::Forged, Manner::Executes));
    }
    courses
}

/// What the bank asks of it. One that is asked for outcomes alone is not called.
pub fn asked(spec: &Spec) -> Vec<Operation> {
    let asked: BTreeSet<Operation> = spec.requests_of_ours().flat_map(MessageSpec::operations).copied().collect();
    if asked.iter().all(|operation| *operation == Operation::Query) {
        return Vec::new();
    }
    asked.into_iter().collect()
}

/// Operations in an order in which they make sense; what has no effect and is no business is left out.
fn operations<'s>(messages: impl Iterator<Item = &'s MessageSpec>) -> Vec<Operation> {
    let carried: Vec<Operation> = messages.flat_map(|message| message.operations().iter().copied()).collect();
    ORDER.into_iter().filter(|operation| carried.contains(operation)).collect()
}

const ORDER: [Operation; 8] = [
    Operation::Sign,
    Operation::Verify,
    Operation::Debit,
    Operation::Credit,
    Operation::Refund,
    Operation::Cancel,
    Operation::Query,
    Operation::Terminate,
];
