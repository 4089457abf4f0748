//! What commands print and how they end: exit codes are an interface (docs/errors.md).

use clap::ValueEnum;
pub(crate) use keys::hex::encode as hex;
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Form {
    Text,
    Json,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Ok,
    /// A check failed.
    CheckFailed,
    /// The command line is wrong.
    Usage,
    /// A service is unavailable.
    Unavailable,
    /// The configuration is wrong.
    Config,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::CheckFailed => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Config => 78,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) exit: Exit,
    /// What it is about: a file, a key of the configuration, a service.
    pub(crate) place: String,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, place: impl Into<String>, detail: impl ToString) -> Self {
        Self {
            exit,
            place: place.into(),
            detail: detail.to_string(),
        }
    }

    pub(crate) fn config(place: impl Into<String>, detail: impl ToString) -> Self {
        Self::new(Exit::Config, place, detail)
    }
}

impl From<hangu::config::ConfigError> for Failure {
    fn from(error: hangu::config::ConfigError) -> Self {
        Self::new(Exit::Config, error.place, error.detail)
    }
}

/// Ends a command.
pub(crate) fn finish(result: Result<Exit, Failure>, form: Form) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            match form {
                Form::Text => complain(&format!("{}: {}", failure.place, failure.detail)),
                Form::Json => complain(&json(&serde_json::json!({ "error": failure }))),
            }
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

/// Prints clap's word; help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _printed = error.print().is_ok();
    ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { 0 })
}

/// One line or page on standard output. A reader who goes away (`| head`) is no fault of ours and ends nothing.
pub(crate) fn say(text: &str) {
    print_to(&mut std::io::stdout().lock(), text);
}

/// One line on standard error.
pub(crate) fn complain(text: &str) {
    print_to(&mut std::io::stderr().lock(), text);
}

fn print_to(stream: &mut impl Write, text: &str) {
    if let Err(error) = writeln!(stream, "{text}").and_then(|()| stream.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        // Where nothing can be printed, only the exit code is left to say so.
        std::process::exit(i32::from(Exit::Unavailable.code()));
    }
}

/// Pretty JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
}
