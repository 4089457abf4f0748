//! `hangu journal rewrap`: what stands under an earlier journal key goes under the primary one, at a bounded rate. It goes on
//! where a gateway or an earlier call left off, and may be ended at any moment.
//!
//! In a database it works beside the gateways. A file is its gateway's alone: there the gateway does it by itself.

use super::{Held, Opened, hold};
use crate::cli::key;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use hangu::clock::Clock;
use hangu::config::Config;
use hangu::exchange::{Rewrapping, Standing};
use hangu::shell::{SystemClock, SystemEntropy};
use keys::keyring::Keyring;
use serde_json::json;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Messages a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    per_s: u32,
    /// Seconds after which it stops; without it when all is done.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    for_s: Option<i64>,
}

/// What a call did.
#[derive(Clone, Copy, Default)]
struct Done {
    read: usize,
    wrapped: usize,
}

pub(super) fn run(args: &Args, config: &Config, form: Form) -> Result<Exit, Failure> {
    let keyring = key::load(&config.keys)?;
    let journal = match hold(config)? {
        Held::ByUs(journal) => journal,
        Held::ByGateway(detail) => {
            let detail = format!("{detail}; the gateway that holds it does this by itself, `journal.rewrap_per_s`");
            return Err(Failure::new(Exit::Unavailable, config.journal.place(), detail));
        }
    };
    let (done, standing) = journal.rewrap(args, &keyring)?;
    output::say(&match form {
        Form::Json => output::json(&json!({ "read": done.read, "wrapped": done.wrapped, "standing": name(standing) })),
        Form::Text => format!(
            "{}: {}\n{}: {}\n{}",
            text("rewrap.read"),
            done.read,
            text("rewrap.wrapped"),
            done.wrapped,
            text(told(standing))
        ),
    });
    Ok(match standing {
        Standing::Done | Standing::OneKey => Exit::Ok,
        Standing::Early | Standing::Page { .. } => Exit::CheckFailed,
    })
}

impl Opened {
    fn rewrap(&self, args: &Args, keyring: &Keyring) -> Result<(Done, Standing), Failure> {
        let (mut done, begun) = (Done::default(), SystemClock.now());
        loop {
            let now = SystemClock.now();
            let rewrapping = Rewrapping {
                journal: &*self.journal,
                keyring,
                entropy: &SystemEntropy,
                now,
            };
            let page = self.runtime.block_on(rewrapping.page());
            let standing = page.map_err(|trouble| Failure::new(Exit::Unavailable, self.place.clone(), trouble))?;
            let Standing::Page { read, wrapped } = standing else {
                return Ok((done, standing));
            };
            done.read += read;
            done.wrapped += wrapped;
            if args.for_s.is_some_and(|seconds| (now - begun).whole_seconds() >= seconds) {
                return Ok((done, standing));
            }
            std::thread::sleep(Rewrapping::pause(read, args.per_s));
        }
    }
}

const fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::OneKey => "one_key",
        Standing::Early => "early",
        Standing::Done => "done",
        Standing::Page { .. } => "under_way",
    }
}

const fn told(standing: Standing) -> &'static str {
    match standing {
        Standing::OneKey => "rewrap.one_key",
        Standing::Early => "rewrap.early",
        Standing::Done => "rewrap.done",
        Standing::Page { .. } => "rewrap.under_way",
    }
}
