//! `hangu message verify`: the gateway's own pipeline over one message. Nothing is stored or sent.

use super::Subject;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use codecs::error::ParseError;
use hangu::pipeline::{LinkView, Received, Rejection, Step, receive};
use keys::keyring::Keyring;
use serde_json::{Value, json};

pub(super) type Verdict = Result<Received, Box<Rejection>>;

pub(super) fn run(subject: &Subject, form: Form) -> Result<Exit, Failure> {
    let Some(keyring) = subject.keyring()? else {
        let detail = format!(
            "{} is no link of a configuration, so there are no keys; give -c and a link's name",
            subject.link.name
        );
        return Err(Failure::config("--link", detail));
    };
    let verdict = judge(subject, &keyring);
    output::say(&match form {
        Form::Json => output::json(&object(&verdict)),
        Form::Text => lines(&verdict).join("\n"),
    });
    Ok(exit(&verdict))
}

pub(super) fn judge(subject: &Subject, keyring: &Keyring) -> Verdict {
    let view = LinkView {
        name: &subject.link.name,
        spec: &subject.link.spec,
        keyring,
    };
    receive(&subject.wire, view, subject.now)
}

/// The verdict on bytes that do not parse.
pub(super) fn unreadable(error: ParseError) -> Verdict {
    let mut rejection = Rejection::new(Step::Parse, error.rule, error.detail);
    (rejection.field, rejection.offset) = (error.field, error.offset);
    Err(Box::new(rejection))
}

pub(super) const fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Ok(_) => Exit::Ok,
        Err(_) => Exit::CheckFailed,
    }
}

pub(super) fn object(verdict: &Verdict) -> Value {
    match verdict {
        Ok(received) => json!({
            "verdict": "accepted", "message": received.code, "operation": received.payment.operation.name(),
            "outcome": received.payment.outcome.as_ref().map(codecs::payment::Outcome::name), "signed_by": received.signed_by,
        }),
        Err(rejection) => json!({
            "verdict": "refused", "step": rejection.step.name(), "code": rejection.code, "field": rejection.field,
            "offset": rejection.offset, "detail": rejection.detail,
        }),
    }
}

pub(super) fn lines(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Ok(received) => accepted(received),
        Err(rejection) => refused(rejection),
    }
}

fn accepted(received: &Received) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", text("message.verdict"), text("message.accepted")),
        format!("{}: {}", text("message.code"), received.code),
        format!("{}: {}", text("message.operation"), received.payment.operation),
    ];
    let outcome = received.payment.outcome.as_ref();
    lines.extend(outcome.map(|outcome| format!("{}: {}", text("message.outcome"), outcome.name())));
    lines.push(format!("{}: {}", text("message.signed_by"), received.signed_by));
    lines
}

fn refused(rejection: &Rejection) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", text("message.verdict"), text("message.refused")),
        format!("{}: {}", text("message.step"), rejection.step.name()),
        format!("{}: {}", text("message.rule"), rejection.code),
    ];
    lines.extend(
        rejection
            .field
            .as_ref()
            .map(|field| format!("{}: {field}", text("message.field"))),
    );
    lines.extend(rejection.offset.map(|offset| format!("{}: {offset}", text("message.offset"))));
    lines.push(format!("{}: {}", text("message.detail"), rejection.detail));
    lines
}
