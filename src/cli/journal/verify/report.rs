//! What a proof of the journal shows: what was looked at, with counts, and what is wrong, in both languages.

use crate::cli::texts::{Text, table, text, titles};
use hangu::journal::verify::{Finding, Flaw, Report};
use serde_json::{Value, json};
use simulators::report::{Comparison, Difference};
use std::path::Path;

pub(super) struct Shown<'a> {
    pub(super) proof: &'a Report,
    pub(super) books: Option<&'a Comparison>,
    /// Where the tips were written to.
    pub(super) exported: Option<&'a Path>,
    pub(super) holds: bool,
}

impl Shown<'_> {
    pub(super) fn object(&self) -> Value {
        let differences = self.books.into_iter().flat_map(|books| &books.differences);
        let findings = self.proof.findings.iter().map(object).chain(differences.map(difference));
        json!({
            "ok": self.holds,
            "checked": self.proof.checked,
            "payments_compared": self.books.map(|books| books.payments),
            "finding_count": self.count(),
            "findings": findings.collect::<Vec<_>>(),
            "tips_exported": self.exported.map(|file| file.display().to_string()),
        })
    }

    pub(super) fn page(&self) -> String {
        let mut lines = vec![table(&titles(&["verify.checked", "verify.count"]), &self.rows())];
        lines.extend(self.proof.findings.iter().map(line));
        let unlisted = self.proof.finding_count - self.proof.findings.len() as u64;
        if unlisted > 0 {
            lines.push(format!("{}: {unlisted}", text("verify.unlisted")));
        }
        let differences = self.books.into_iter().flat_map(|books| &books.differences);
        lines.extend(differences.map(|found| format!("{}: {} ({})", found.key, found.en, found.zh)));
        if let Some(file) = self.exported {
            lines.push(format!("{}: {}", text("verify.exported"), file.display()));
        }
        lines.push(if self.holds {
            text("verify.holds").to_string()
        } else {
            format!("{}: {}", text("verify.fails"), self.count())
        });
        lines.join("\n")
    }

    fn count(&self) -> u64 {
        let differences = self.books.map_or(0, |books| books.differences.len() as u64);
        self.proof.finding_count + differences
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let checked = &self.proof.checked;
        let states = checked.by_state.iter().map(|(state, count)| format!("{state} {count}"));
        let exchanges = format!("{}: {}", checked.exchanges, states.collect::<Vec<_>>().join(", "));
        let records = format!("{}: {} chains, {} pruned", checked.records, checked.chains, checked.pruned);
        let mut rows = vec![
            ("verify.exchanges", exchanges),
            ("verify.final", checked.final_outcomes.to_string()),
            ("verify.messages", checked.messages.to_string()),
            ("verify.replies", checked.replies.to_string()),
            ("verify.businesses", checked.businesses.to_string()),
            ("verify.records", records),
            ("verify.tips", checked.tips.to_string()),
        ];
        rows.extend(self.books.map(|books| ("verify.books", books.payments.to_string())));
        rows.into_iter()
            .map(|(key, count)| vec![text(key).to_string(), count])
            .collect()
    }
}

fn line(finding: &Finding) -> String {
    let exchange = finding.exchange.map(|id| format!(" exchange {id}")).unwrap_or_default();
    let (name, meaning) = (finding.flaw.name(), meaning(finding.flaw));
    format!("{name}:{exchange} [{}]: {meaning}: {}", finding.place, finding.detail)
}

fn object(finding: &Finding) -> Value {
    let Text { en, zh } = meaning(finding.flaw);
    json!({
        "name": finding.flaw.name(), "exchange": finding.exchange, "place": finding.place, "en": en, "zh": zh,
        "detail": finding.detail,
    })
}

fn difference(found: &Difference) -> Value {
    json!({ "name": found.kind, "exchange": null, "place": found.key, "en": found.en, "zh": found.zh, "detail": "" })
}

fn meaning(flaw: Flaw) -> Text {
    text(match flaw {
        Flaw::Gap => "verify.gap",
        Flaw::Digest => "verify.digest",
        Flaw::Orphan => "verify.orphan",
        Flaw::PrunedYoung => "verify.pruned_young",
        Flaw::PrunedStands => "verify.pruned_stands",
        Flaw::Unchained => "verify.unchained",
        Flaw::NoRequest => "verify.no_request",
        Flaw::NoReply => "verify.no_reply",
        Flaw::ReplyDigest => "verify.reply_digest",
        Flaw::Contradiction => "verify.contradiction",
        Flaw::ForeignMessage => "verify.foreign_message",
        Flaw::Unreadable => "verify.unreadable",
        Flaw::DoubleEffect => "verify.double_effect",
        Flaw::CutTail => "verify.cut_tail",
        Flaw::Fork => "verify.fork",
        Flaw::MovedStart => "verify.moved_start",
    })
}
