//! What checks found: a stable name, what it is about, ok, warn or FAIL, and what to do.

use crate::cli::output::{self, Exit, Form};
use crate::cli::texts::text;
use serde_json::{Value, json};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One check and its result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Check {
    pub(crate) level: Level,
    /// Key of its name among the texts.
    pub(crate) name: &'static str,
    /// The link, key, route or queue that it is about.
    pub(crate) subject: String,
    pub(crate) detail: String,
    /// Key of what to do among the texts.
    pub(crate) advice: Option<&'static str>,
    /// Whether a failure is a service that is away rather than a wrong configuration.
    pub(crate) is_service: bool,
}

impl Check {
    pub(crate) fn ok(name: &'static str, subject: &str, detail: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            name,
            subject: subject.to_owned(),
            detail: detail.into(),
            advice: None,
            is_service: false,
        }
    }

    /// A failure that is no reason not to start.
    pub(crate) fn softened(self) -> Self {
        let level = if self.level == Level::Fail { Level::Warn } else { self.level };
        Self { level, ..self }
    }

    pub(crate) fn warn(name: &'static str, subject: &str, detail: impl Into<String>, advice: &'static str) -> Self {
        Self {
            level: Level::Warn,
            advice: Some(advice),
            ..Self::ok(name, subject, detail)
        }
    }

    pub(crate) fn fail(name: &'static str, subject: &str, detail: impl Into<String>, advice: &'static str) -> Self {
        Self {
            level: Level::Fail,
            advice: Some(advice),
            ..Self::ok(name, subject, detail)
        }
    }

    pub(crate) fn of_service(self) -> Self {
        Self {
            is_service: true,
            ..self
        }
    }

    fn line(&self) -> String {
        let advice = self.advice.map(|key| format!(" -> {}", text(key))).unwrap_or_default();
        let Self {
            level, subject, detail, ..
        } = self;
        format!("{:<4}  {}, {subject}: {detail}{advice}", level.name(), text(self.name))
    }

    fn json(&self) -> Value {
        let name = self.name.strip_prefix("check.").unwrap_or(self.name);
        json!({
            "name": name, "subject": self.subject, "result": self.level.name().to_lowercase(), "detail": self.detail,
            "advice": self.advice.map(text),
        })
    }
}

/// All checks of one run.
#[derive(Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
}

impl Report {
    pub(crate) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    pub(crate) fn extend(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// A wrong configuration outweighs a service that is away.
    pub(crate) fn exit(&self) -> Exit {
        let failed = |is_service| {
            self.checks
                .iter()
                .any(|check| check.level == Level::Fail && check.is_service == is_service)
        };
        if failed(false) {
            Exit::Config
        } else if failed(true) {
            Exit::Unavailable
        } else {
            Exit::Ok
        }
    }

    /// What forbids a start, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.level == Level::Fail && !check.is_service);
        failed.map(Check::line).collect()
    }

    pub(crate) fn print(&self, form: Form) {
        let count = |level| self.checks.iter().filter(|check| check.level == level).count();
        let (good, warned, failed) = (count(Level::Ok), count(Level::Warn), count(Level::Fail));
        output::say(&match form {
            Form::Text => {
                let lines = self.checks.iter().map(Check::line).collect::<Vec<_>>().join("\n");
                format!("{lines}\n{}: {good} ok, {warned} warn, {failed} FAIL", text("check.title"))
            }
            Form::Json => {
                let checks: Vec<Value> = self.checks.iter().map(Check::json).collect();
                output::json(&json!({ "ok": failed == 0, "warnings": warned, "failures": failed, "checks": checks }))
            }
        });
    }
}
