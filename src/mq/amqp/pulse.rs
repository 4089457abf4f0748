//! Whether the other side of a connection lives, and when to show that we do.
//!
//! A broker may fall silent in two ways: its heartbeats stop (AMQP 0-9-1, 4.2.7), or they go on while the channel answers
//! nothing any more. For the second there is a probe, one question in some seconds.

use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

const TICK: Duration = Duration::from_millis(500);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Pulse {
    ticks: Interval,
    heartbeat: Duration,
    heard: Instant,
    beaten: Instant,
    probe: Option<Probe>,
}

struct Probe {
    prefetch: u16,
    /// When the last one was asked or answered.
    since: Instant,
    is_asked: bool,
}

/// What is to be sent at this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Due {
    pub(super) heartbeat: bool,
    /// The qos to ask for.
    pub(super) probe: Option<u16>,
}

impl Pulse {
    pub(super) fn new(heartbeat_s: u16) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            heartbeat: Duration::from_secs(u64::from(heartbeat_s)),
            heard: Instant::now(),
            beaten: Instant::now(),
            probe: None,
        }
    }

    pub(super) fn watch(&mut self, prefetch: u16) {
        self.probe = Some(Probe {
            prefetch,
            since: Instant::now(),
            is_asked: false,
        });
    }

    pub(super) async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Whether an answer was the probe's.
    pub(super) fn probe_answered(&mut self) -> bool {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.is_asked) else {
            return false;
        };
        probe.is_asked = false;
        probe.since = Instant::now();
        true
    }

    /// What is due; an error when the other side is gone. Nothing is asked unless it `is_quiet`.
    pub(super) fn beat(&mut self, is_quiet: bool) -> Result<Due, String> {
        let now = Instant::now();
        // Silent for two heartbeats is gone (AMQP 0-9-1, 4.2.7).
        let silence = self.heartbeat * 2;
        if now.duration_since(self.heard) >= silence {
            return Err(format!("nothing heard for {} s, not even a heartbeat", silence.as_secs()));
        }
        let heartbeat = now.duration_since(self.beaten) >= self.heartbeat / 2;
        if heartbeat {
            self.beaten = now;
        }
        let probe = match self.probe.as_mut() {
            Some(probe) => probe.beat(now, is_quiet)?,
            None => None,
        };
        Ok(Due { heartbeat, probe })
    }
}

impl Probe {
    fn beat(&mut self, now: Instant, is_quiet: bool) -> Result<Option<u16>, String> {
        let passed = now.duration_since(self.since);
        match (self.is_asked, is_quiet) {
            // The answer may wait behind what the broker does not read.
            (true, false) => self.since = now,
            (true, true) if passed >= PROBE_PATIENCE => return Err("the probe had no answer".to_owned()),
            (false, true) if passed >= PROBE_INTERVAL => {
                self.is_asked = true;
                self.since = now;
                return Ok(Some(self.prefetch));
            }
            (true | false, _) => {}
        }
        Ok(None)
    }
}
