//! `hangu message doctor`: which known mistake explains that a message is refused. Nothing is stored, sent or let through.

use super::Subject;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use codecs::spec::Spec;
use hangu::doctor::{Case, Explanation, Finding, MISTAKES, Mistake, Proof, examine};
use hangu::pipeline::Rejection;
use hangu::start::spec_of;
use serde_json::{Value, json};
use std::sync::Arc;

mod causes; // the texts of each mistake

#[cfg(test)]
mod tests;

use causes::texts;

pub(super) fn run(subject: &Subject, form: Form) -> Result<Exit, Failure> {
    let (Some(keyring), Some(config)) = (subject.keyring()?, subject.known_config()) else {
        let detail = format!(
            "{} is no link of a configuration, so there are no keys; give -c and a link's name",
            subject.link.name
        );
        return Err(Failure::config("--link", detail));
    };
    let held = config.keys.held()?;
    let finding = examine(&Case {
        wire: &subject.wire,
        link: &subject.link.name,
        spec: &subject.link.spec,
        others: &others(config)?,
        keyring: &keyring,
        held: &held,
        now: subject.now,
    });
    output::say(&match form {
        Form::Json => output::json(&object(&finding)),
        Form::Text => lines(&finding).join("\n"),
    });
    Ok(exit(&finding))
}

/// Every link of the configuration, then every codec.
fn others(config: &hangu::config::Config) -> Result<Vec<(String, Arc<Spec>)>, Failure> {
    let specs = config.specs()?;
    let links = config
        .link
        .iter()
        .map(|(name, link)| Ok((name.clone(), spec_of(&specs, name, link)?)));
    let mut others = links.collect::<Result<Vec<_>, Failure>>()?;
    others.extend(specs.iter().map(|spec| (spec.codec.clone(), spec.clone())));
    Ok(others)
}

const fn exit(finding: &Finding) -> Exit {
    match finding {
        Finding::Sound => Exit::Ok,
        Finding::Explained(_) | Finding::Unknown(_) => Exit::CheckFailed,
    }
}

fn lines(finding: &Finding) -> Vec<String> {
    match finding {
        Finding::Sound => vec![row("message.verdict", text("doctor.sound"))],
        Finding::Explained(explanation) => explained(explanation),
        Finding::Unknown(rejection) => vec![
            row("message.verdict", text("doctor.unknown")),
            row("doctor.refused", rejection),
            row("doctor.checked", format!("{}: {}", MISTAKES.len(), families().join(", "))),
        ],
    }
}

fn explained(explanation: &Explanation) -> Vec<String> {
    let Explanation {
        mistake,
        variant,
        also,
        rejection,
    } = explanation;
    let (meaning, advice) = texts(mistake);
    let mut lines = vec![
        row("message.verdict", text("doctor.explained")),
        row("doctor.cause", mistake.code),
        row("message.detail", meaning),
        row("doctor.evidence", format!("{}: {variant}", text(proof(mistake.proof)))),
        row("doctor.mend", advice),
        row("doctor.refused", rejection),
    ];
    if !also.is_empty() {
        lines.push(row("doctor.also", codes(also).join(", ")));
    }
    lines
}

fn row(key: &str, value: impl std::fmt::Display) -> String {
    format!("{}: {value}", text(key))
}

fn object(finding: &Finding) -> Value {
    match finding {
        Finding::Sound => json!({ "verdict": "sound", "cause": null }),
        Finding::Explained(explanation) => {
            let (meaning, advice) = texts(explanation.mistake);
            let proof = proof(explanation.mistake.proof);
            json!({
                "verdict": "explained", "cause": explanation.mistake.code, "meaning": meaning, "advice": advice,
                "proof": proof.strip_prefix("doctor."), "variant": explanation.variant, "also": codes(&explanation.also),
                "refused": refused(&explanation.rejection),
            })
        }
        Finding::Unknown(rejection) => json!({
            "verdict": "unknown", "cause": null, "refused": refused(rejection),
            "checked": MISTAKES.iter().map(|mistake| mistake.code).collect::<Vec<_>>(),
        }),
    }
}

fn refused(rejection: &Rejection) -> Value {
    json!({
        "step": rejection.step.name(), "code": rejection.code, "field": rejection.field, "offset": rejection.offset,
        "detail": rejection.detail,
    })
}

fn codes(mistakes: &[&'static Mistake]) -> Vec<&'static str> {
    mistakes.iter().map(|mistake| mistake.code).collect()
}

/// The first words of the codes, each once.
fn families() -> Vec<&'static str> {
    let first = |mistake: &'static Mistake| mistake.code.split('.').next();
    let mut families: Vec<&str> = MISTAKES.iter().filter_map(first).collect();
    families.sort_unstable();
    families.dedup();
    families
}

const fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Taken => "doctor.taken",
        Proof::Signature => "doctor.signature",
        Proof::Seal => "doctor.seal",
        Proof::Read => "doctor.read",
    }
}
