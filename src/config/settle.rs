//! `[settle]`: how unknown outcomes are settled, and what a link or an institution has otherwise.

use super::{ConfigError, wrong};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How unknown outcomes are settled.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SettleConfig {
    /// Waits before the first, second, ... query; the last one repeats.
    pub query_after_ms: Vec<i64>,
    /// After so many queries an alarm is raised; the queries go on.
    pub queries_max: i64,
    /// The peer's horizon: only this long after the last send does "not found" allow sending the same bytes again.
    pub resend_after_ms: i64,
    /// How long a repeat, or a cancel of an exchange in work, waits for the outcome before "processing".
    pub wait_ms: u64,
}

impl Default for SettleConfig {
    fn default() -> Self {
        Self {
            query_after_ms: vec![1_000, 5_000, 15_000, 60_000],
            queries_max: 10,
            resend_after_ms: 60_000,
            wait_ms: 2_000,
        }
    }
}

/// What one link has otherwise, and what its institutions have otherwise again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettleConfig {
    pub query_after_ms: Option<Vec<i64>>,
    pub queries_max: Option<i64>,
    pub resend_after_ms: Option<i64>,
    pub wait_ms: Option<u64>,
    /// By the institution's number as its messages carry it.
    pub institution: BTreeMap<String, InstitutionSettleConfig>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstitutionSettleConfig {
    pub query_after_ms: Option<Vec<i64>>,
    pub queries_max: Option<i64>,
    pub resend_after_ms: Option<i64>,
    pub wait_ms: Option<u64>,
}

impl SettleConfig {
    /// What holds for an institution's requests over a link: the institution's word first, then the link's, then this.
    #[must_use]
    pub fn over(&self, link: &LinkSettleConfig, institution: Option<&str>) -> Self {
        let none = InstitutionSettleConfig::default();
        let own = institution.and_then(|name| link.institution.get(name)).unwrap_or(&none);
        let waits = own.query_after_ms.as_ref().or(link.query_after_ms.as_ref());
        Self {
            query_after_ms: waits.unwrap_or(&self.query_after_ms).clone(),
            queries_max: own.queries_max.or(link.queries_max).unwrap_or(self.queries_max),
            resend_after_ms: own.resend_after_ms.or(link.resend_after_ms).unwrap_or(self.resend_after_ms),
            wait_ms: own.wait_ms.or(link.wait_ms).unwrap_or(self.wait_ms),
        }
    }

    /// Checks what holds in the end, under the name of where it is written.
    pub(super) fn check(&self, place: &str) -> Result<(), ConfigError> {
        if self.query_after_ms.is_empty() || self.query_after_ms.iter().any(|&wait| wait < 100) {
            return Err(wrong(
                &format!("{place}.query_after_ms"),
                "at least one wait, each 100 or more",
            ));
        }
        if self.queries_max < 1 {
            return Err(wrong(&format!("{place}.queries_max"), "1 or more"));
        }
        if self.resend_after_ms < 0 {
            return Err(wrong(&format!("{place}.resend_after_ms"), "0 or more"));
        }
        Ok(())
    }

    /// Checks what a link and each of its institutions have.
    pub(super) fn check_over(&self, name: &str, link: &LinkSettleConfig) -> Result<(), ConfigError> {
        let place = format!("link.{name}.settle");
        self.over(link, None).check(&place)?;
        for institution in link.institution.keys() {
            let place = format!("{place}.institution.{institution}");
            self.over(link, Some(institution)).check(&place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_counts() {
        let text = "queries_max = 3\nwait_ms = 7\n[institution.Z1]\nwait_ms = 9\nquery_after_ms = [200]";
        let link: LinkSettleConfig = toml::from_str(text).unwrap();
        let settle = SettleConfig::default();
        let (own, other) = (settle.over(&link, Some("Z1")), settle.over(&link, Some("Z2")));
        assert_eq!((own.wait_ms, own.queries_max, &*own.query_after_ms), (9, 3, &[200][..]));
        assert_eq!((other.wait_ms, other.queries_max), (7, 3));
        assert_eq!(other.query_after_ms, settle.query_after_ms);
        assert_eq!(settle.over(&LinkSettleConfig::default(), Some("Z1")), settle);
        let wrong: LinkSettleConfig = toml::from_str("[institution.Z1]\nquery_after_ms = [5]").unwrap();
        let place = settle.check_over("centre", &wrong).unwrap_err().place;
        assert_eq!(place, "link.centre.settle.institution.Z1.query_after_ms");
    }
}
