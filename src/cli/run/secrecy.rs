//! What keeps secrets of a running gateway off the disk and away from other processes: no core dump, no reading of its memory by
//! its own user, and no swapping where the system permits that.

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Done before any secret is read; what the system refuses is said in the log, and does not keep the gateway from running.
pub(super) fn guard() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    match setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)) {
        Ok(()) => tracing::info!("core dumps are off, and other processes of this user cannot read this one's memory"),
        Err(error) => tracing::warn!(%error, "core dumps could not be switched off"),
    }
    match lock() {
        Ok(()) => tracing::info!("memory is locked: nothing of it is swapped"),
        Err(reason) => tracing::warn!(
            reason,
            "memory is not locked: keys may be swapped; permit it (LimitMEMLOCK=infinity) or run without swap"
        ),
    }
}

/// Pages are locked as they come into use. Under a limit that binds, a later allocation would fail and end the gateway: so it is
/// tried only without a limit, or under one so small that success means that it does not bind.
fn lock() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock);
    if let Some(bytes) = limit.current.filter(|bytes| *bytes > SURELY_TOO_SMALL) {
        return Err(format!("the limit of {bytes} bytes could bind later"));
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(all).map_err(|error| match (error, limit.current) {
        (Errno::NOMEM | Errno::PERM | Errno::AGAIN, Some(bytes)) => format!("the limit is {bytes} bytes"),
        _ => error.to_string(),
    })
}

/// A gateway maps more than this before it has started.
const SURELY_TOO_SMALL: u64 = 16 << 20;
