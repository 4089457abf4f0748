//! What a rotation prints: stage, both keys with their figures, instances, what is waited for, and what the step changed.

use super::Outcome;
use super::measure::Figures;
use super::officers::Approval;
use crate::cli::output::{self, Form};
use crate::cli::texts::text;
use keys::key::{KeyInfo, Side, Usage};
use keys::rotation::{Plan, Stage, Wait};
use keys::store::{Applied, Change};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) struct Report<'a> {
    pub(super) shelf: (&'a str, Side, Usage),
    pub(super) figures: &'a Figures,
    /// Of the key folder as it was before the step.
    pub(super) version: &'a str,
    pub(super) plan: &'a Plan<'a>,
    pub(super) outcome: &'a Outcome,
    /// Of the proposal that the step is, if it was waited for.
    pub(super) approval: Option<Approval>,
    pub(super) now: OffsetDateTime,
}

impl Report<'_> {
    pub(super) fn print(&self, form: Form) -> String {
        match form {
            Form::Json => output::json(&self.json()),
            Form::Text => self.lines().join("\n"),
        }
    }

    fn json(&self) -> Value {
        let (link, side, usage) = self.shelf;
        let key = |info: Option<&KeyInfo>| info.map(|info| self.key(info));
        let waits: Vec<Value> = self
            .plan
            .waits
            .iter()
            .map(|wait| json!({ "for": name(wait), "detail": detail(wait) }))
            .collect();
        let instances = self.figures.instances.iter();
        let instances: Vec<Value> = instances
            .map(|one| json!({ "name": one.name, "version": one.version }))
            .collect();
        let (done, file) = match self.outcome {
            Outcome::Shown | Outcome::Waits | Outcome::OutOfTurn(_) | Outcome::ProposedKey { .. } | Outcome::Withdrawn(_) => {
                (None, None)
            }
            Outcome::Made(file) => (None, Some(file.display().to_string())),
            Outcome::Changed(change, applied) => (Some((change, applied)), None),
        };
        let public = self.outcome.public();
        let is_approved = self.approval.is_some_and(Approval::is_in_force);
        json!({
            "link": link, "side": side.name(), "usage": usage.name(), "stage": self.plan.stage.name(), "version": self.version,
            "predecessor": key(self.plan.predecessor), "successor": key(self.plan.successor), "instances": instances,
            "waits": waits, "next": self.plan.forward.as_ref().map(changed), "changed": done.map(|(change, _)| changed(change)),
            "in_force": done.map(|(_, applied)| is_approved || matches!(applied, Applied::InForce { .. })), "file": file,
            "public": public, "proposal": self.outcome.proposal(), "approved": self.approval.map(Approval::is_in_force),
            "taken": self.outcome.is_taken(),
        })
    }

    fn key(&self, info: &KeyInfo) -> Value {
        let measured = self.figures.measured(info, self.now);
        json!({
            "id": info.id, "serial": info.serial, "status": info.status.name(), "primary_from": info.primary_from.map(instant),
            "received": measured.received, "sent": measured.sent, "last_seen": measured.last_seen.map(instant),
            "may_resend": measured.open,
        })
    }

    fn lines(&self) -> Vec<String> {
        let (link, side, usage) = self.shelf;
        let stage = self.plan.stage.name();
        let mut lines = vec![format!(
            "{link} {} {}: {} {stage}, {}",
            side.name(),
            usage.name(),
            text("rotate.stage"),
            text(stage_key(self.plan.stage))
        )];
        for (title, info) in [("rotate.old", self.plan.predecessor), ("rotate.new", self.plan.successor)] {
            lines.extend(info.map(|info| format!("{}: {}", text(title), self.key_line(info))));
        }
        for one in &self.figures.instances {
            let is_current = one.version == self.version;
            let says = if is_current { "rotate.current" } else { "rotate.behind" };
            lines.push(format!("{} {}: {}", text("rotate.instance"), one.name, text(says)));
        }
        // What a step waited for that was taken is past.
        for wait in self.plan.waits.iter().filter(|_| !self.outcome.is_taken()) {
            let what = text(wait_key(wait));
            lines.push(
                format!("{}: {what} {}", text("rotate.waits"), detail(wait))
                    .trim_end()
                    .to_owned(),
            );
        }
        lines.extend(self.outcome_lines());
        lines.extend(self.approval.map(|approval| match approval {
            Approval::Ended(ending) => format!("{}: {}", text("key.ended"), ending.name()),
            Approval::Missing => text("rotate.unapproved").to_string(),
        }));
        lines
    }

    fn key_line(&self, info: &KeyInfo) -> String {
        let measured = self.figures.measured(info, self.now);
        let last = measured.last_seen.map_or_else(|| text("rotate.never").to_string(), instant);
        let from = info
            .primary_from
            .map(|from| format!(" {}", instant(from)))
            .unwrap_or_default();
        format!(
            "{} {} {}{from}, {} {}, {} {}, {} {last}, {} {}",
            info.id,
            info.serial,
            info.status.name(),
            text("rotate.received"),
            measured.received,
            text("rotate.sent"),
            measured.sent,
            text("rotate.last"),
            text("rotate.open"),
            measured.open.unwrap_or_default()
        )
    }

    fn outcome_lines(&self) -> Vec<String> {
        let line = |title: &str, change: &Change| {
            let from = change
                .primary_from
                .map(|from| format!(" {}", instant(from)))
                .unwrap_or_default();
            format!("{}: {} -> {}{from}", text(title), change.id, change.status.name())
        };
        match self.outcome {
            Outcome::Shown => self.plan.forward.iter().map(|change| line("rotate.next", change)).collect(),
            Outcome::Waits => vec![text("rotate.not_yet").to_string()],
            Outcome::OutOfTurn(wanted) => vec![format!("{}: {}", text("rotate.out_of_turn"), wanted.name())],
            Outcome::Made(file) => vec![format!("{}: {}", text("rotate.made"), file.display())],
            Outcome::Changed(change, Applied::InForce { .. }) => {
                vec![line("rotate.changed", change), text("rotate.alone").to_string()]
            }
            Outcome::Changed(change, Applied::Proposed { proposal }) => {
                vec![line("rotate.proposed", change), numbered(proposal)]
            }
            Outcome::ProposedKey { told, number, public } => {
                let mut lines = vec![format!("{}: {told}", text("rotate.proposed")), numbered(number)];
                let public = public.as_ref().filter(|_| self.shelf.1 == Side::Ours);
                lines.extend(public.map(|pem| format!("{}:\n{}", text("rotate.public"), pem.trim_end())));
                lines
            }
            Outcome::Withdrawn(number) => vec![format!("{}: {number}", text("rotate.withdrawn"))],
        }
    }
}

fn numbered(number: impl std::fmt::Display) -> String {
    format!("{}: {number}", text("key.proposal"))
}

fn changed(change: &Change) -> Value {
    json!({ "id": change.id, "status": change.status.name(), "primary_from": change.primary_from.map(instant) })
}

/// What a program calls it.
fn name(wait: &Wait) -> &'static str {
    let key = wait_key(wait);
    key.strip_prefix("rotate.wait.").unwrap_or(key)
}

const fn wait_key(wait: &Wait) -> &'static str {
    match wait {
        Wait::Approval(_) => "rotate.wait.approval",
        Wait::NoPrimary => "rotate.wait.no_primary",
        Wait::Successor => "rotate.wait.successor",
        Wait::Several(_) => "rotate.wait.several",
        Wait::NoInstance => "rotate.wait.no_instance",
        Wait::Behind(_) => "rotate.wait.behind",
        Wait::Unnamed => "rotate.wait.unnamed",
        Wait::Unused { .. } => "rotate.wait.unused",
        Wait::Unconfirmed { .. } => "rotate.wait.unconfirmed",
        Wait::Until(_) => "rotate.wait.until",
        Wait::Quiet { .. } => "rotate.wait.quiet",
        Wait::Open { .. } => "rotate.wait.open",
        Wait::Rewrap { .. } => "rotate.wait.rewrap",
        Wait::Uncounted { .. } => "rotate.wait.uncounted",
    }
}

const fn stage_key(stage: Stage) -> &'static str {
    match stage {
        Stage::Prepare => "rotate.stage.prepare",
        Stage::Distribute => "rotate.stage.distribute",
        Stage::Accept => "rotate.stage.accept",
        Stage::Promote => "rotate.stage.promote",
        Stage::Drain => "rotate.stage.drain",
    }
}

/// The figures of a wait: names, serial numbers, instants and counts.
fn detail(wait: &Wait) -> String {
    match wait {
        Wait::NoPrimary | Wait::Successor | Wait::NoInstance | Wait::Unnamed => String::new(),
        Wait::Approval(proposed) => format!("{}, {}", proposed.number, proposed.needed),
        Wait::Several(names) | Wait::Behind(names) => names.join(", "),
        Wait::Unused { serial } | Wait::Unconfirmed { serial } | Wait::Rewrap { serial } | Wait::Uncounted { serial } => {
            serial.clone()
        }
        Wait::Until(at) => instant(*at),
        Wait::Quiet { serial, since, left } => format!("{serial}, {}, {} s", instant(*since), left.whole_seconds().max(1)),
        Wait::Open { serial, count } => format!("{serial}, {count}"),
    }
}

fn instant(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}
