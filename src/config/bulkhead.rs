//! `[link.*.bulkhead]`: which share of a link one institution or operation may hold.

use super::{ConfigError, LinkConfig, wrong};
use crate::limits;
use serde::Deserialize;

/// Shares of what is under way to the link's counterparty.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkheadConfig {
    /// Requests of one institution under way at a time; a quarter of `in_flight_max` when absent.
    pub institution_max: Option<usize>,
    /// Requests of one operation under way at a time; half of `in_flight_max` when absent.
    pub operation_max: Option<usize>,
    /// Accepted requests of one institution and operation that wait in line.
    pub line_max: usize,
}

/// Most places that one institution, and one operation, may hold at a time; most ids that wait in one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    pub institution_max: usize,
    pub operation_max: usize,
    pub line_max: usize,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self {
            institution_max: None,
            operation_max: None,
            line_max: limits::LINE_DEFAULT,
        }
    }
}

impl LinkConfig {
    /// The shares of this link, defaults worked out.
    pub fn shares(&self) -> Shares {
        let share = |set: Option<usize>, part: usize| set.unwrap_or(self.in_flight_max / part).max(1);
        Shares {
            institution_max: share(self.bulkhead.institution_max, 4),
            operation_max: share(self.bulkhead.operation_max, 2),
            line_max: self.bulkhead.line_max,
        }
    }
}

/// Shares within the link's bound.
pub(super) fn check(name: &str, link: &LinkConfig) -> Result<(), ConfigError> {
    let place = |key: &str| format!("link.{name}.bulkhead.{key}");
    let BulkheadConfig {
        institution_max,
        operation_max,
        line_max,
    } = link.bulkhead;
    for (key, share) in [("institution_max", institution_max), ("operation_max", operation_max)] {
        if share.is_some_and(|share| share == 0 || share > link.in_flight_max) {
            return Err(wrong(
                &place(key),
                &format!("1 to in_flight_max, which is {}", link.in_flight_max),
            ));
        }
    }
    if line_max == 0 || line_max > limits::LINE_MAX {
        return Err(wrong(&place("line_max"), &format!("1 to {}", limits::LINE_MAX)));
    }
    Ok(())
}
