//! `hangu config init`: hangu.toml and throw-away keys in one folder. What is there is kept unless forced; keys always.

use super::sample;
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::text;
use hangu::clock::Random;
use hangu::shell::SystemEntropy;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder to write to; made if it is not there.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Replace a hangu.toml that is there. Key files are never replaced.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::config(path.display().to_string(), error);
    std::fs::create_dir_all(&args.dir).map_err(|error| failed(&args.dir, error))?;
    let config = args.dir.join(CONFIG_FILE);
    if config.exists() && !args.force {
        return Err(Failure::config(
            config.display().to_string(),
            "is there already; --force replaces it (keys are always kept)",
        ));
    }
    let keys = args.dir.join(KEYS_FOLDER);
    // A list is written last, so that a folder with one is whole.
    let kept = PARTIES.iter().all(|party| keys.join(party).join("keyring.toml").exists());
    if !kept {
        let entropy = SystemEntropy;
        keys::store::generate_demo(&keys, &mut Random(&entropy)).map_err(|error| Failure::config(error.file, error.detail))?;
    }
    write(&config, &sample::file(), args.force).map_err(|error| failed(&config, error))?;
    output::say(&report(form, &config, &keys, kept));
    Ok(Exit::Ok)
}

fn write(path: &Path, text: &str, replace: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    let opened = if replace {
        options.create(true).truncate(true).open(path)
    } else {
        options.create_new(true).open(path)
    };
    let mut file = opened?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn report(form: Form, config: &Path, keys: &Path, kept: bool) -> String {
    let commands = [
        format!("hangu check -c {}", config.display()),
        format!("hangu mq declare -c {}", config.display()),
        format!("hangu run -c {}", config.display()),
        format!("hangu sim run platform -c {}", config.display()),
        format!("hangu sim run centre -c {}", config.display()),
    ];
    if form == Form::Json {
        let (config, keys) = (config.display().to_string(), keys.display().to_string());
        return output::json(&serde_json::json!({
            "config": config, "keys": keys, "keys_kept": kept, "warning": text("init.throwaway"), "next": commands,
        }));
    }
    let state = if kept { text("init.kept") } else { text("init.title") };
    let warning = text("init.throwaway");
    [
        format!("{}: {}", text("init.title"), config.display()),
        format!("{state}: {}/{{{}}}", keys.display(), PARTIES.join(",")),
        warning.en,
        warning.zh,
        format!("{}:\n  {}", text("init.next"), commands.join("\n  ")),
    ]
    .join("\n")
}

const CONFIG_FILE: &str = "hangu.toml";
const KEYS_FOLDER: &str = "keys";
const PARTIES: [&str; 3] = ["gateway", "centre", "platform"];
