//! `hangu bench report`: the tables of a page, made from the objects that the other benches printed.
//!
//! A table stands between `<!-- bench:NAME -->` and `<!-- end -->`; what is written around them stays as it is.

mod tables;

#[cfg(test)]
mod tests;

use super::refused;
use crate::cli::output::{self, Exit, Failure, Form};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder with the JSON files; the name of a file without `.json` is the name of its run.
    #[arg(long, default_value = "docs/bench")]
    from: PathBuf,
    /// The page whose tables are made anew.
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
    /// Change nothing; exit 1 if the page is not what the files give.
    #[arg(long)]
    check: bool,
}

/// Objects by the name of their run.
pub(super) type Runs = BTreeMap<String, Value>;

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let runs = read(&args.from)?;
    let place = args.page.display().to_string();
    let page = std::fs::read_to_string(&args.page).map_err(|error| Failure::new(Exit::Usage, place.clone(), error))?;
    let filled = filled(&page, &runs).map_err(|detail| Failure::new(Exit::Usage, place.clone(), detail))?;
    let is_current = filled == page;
    if !args.check && !is_current {
        std::fs::write(&args.page, &filled).map_err(|error| refused("page")(&error))?;
    }
    output::say(&match form {
        Form::Json => output::json(&serde_json::json!({"page": place, "runs": runs.len(), "changed": !is_current})),
        Form::Text => format!(
            "{place}: {} runs, {}",
            runs.len(),
            if is_current { "unchanged" } else { "changed" }
        ),
    });
    Ok(if args.check && !is_current {
        Exit::CheckFailed
    } else {
        Exit::Ok
    })
}

pub(super) fn read(folder: &Path) -> Result<Runs, Failure> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| Failure::new(Exit::Usage, path.display().to_string(), error);
    let mut runs = Runs::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let (Some(name), Some("json")) = (path.file_stem(), path.extension().and_then(|kind| kind.to_str())) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let object = serde_json::from_str(&text).map_err(|error| unreadable(&path, &error))?;
        runs.insert(name.to_string_lossy().into_owned(), object);
    }
    Ok(runs)
}

/// The page with every table made anew.
pub(super) fn filled(page: &str, runs: &Runs) -> Result<String, String> {
    let mut done = String::with_capacity(page.len());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        done += line;
        done.push('\n');
        let Some(name) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let table =
            tables::table(name, runs).ok_or_else(|| format!("no table is named {name}; tables: {}", tables::NAMES.join(", ")))?;
        done += &table;
        if !lines.any(|line| line == END) {
            return Err(format!("the table {name} has no end"));
        }
        done += END;
        done.push('\n');
    }
    Ok(done)
}

const BEGIN: &str = "<!-- bench:";
const END: &str = "<!-- end -->";
