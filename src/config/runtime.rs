//! `[runtime]`: the threads that messages are worked on.

use super::{ConfigError, wrong};
use crate::limits;
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeConfig {
    /// Threads that work on messages, cryptography included; 0 takes one for every two processors.
    pub workers: usize,
}

impl RuntimeConfig {
    /// How many threads there are to be on this machine. The journal has its own, and the kernel's share is as large: a
    /// thread more for messages is mostly woken to find that another one has taken them.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2),
            workers => workers,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.workers > limits::WORKERS_MAX {
            return Err(wrong("runtime.workers", &format!("0 to {}", limits::WORKERS_MAX)));
        }
        Ok(())
    }
}
