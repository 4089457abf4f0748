//! `hangu codec test`: samples of a codec against its parser. More than half of them are wrong on purpose.

use super::named;
use crate::cli::output::{self, Exit, Failure, Form};
use codecs::sample::{Sample, embedded};
use codecs::spec::Specs;
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn run(specs: &Specs, name: Option<&str>, folder: Option<&Path>, form: Form) -> Result<Exit, Failure> {
    let chosen = match (name, folder) {
        (Some(name), Some(folder)) => of_folder(name, folder)?,
        (name, _) => of_binary(specs, name)?,
    };
    let mut results = Vec::new();
    for sample in &chosen {
        results.push((sample, sample.check(named(specs, &sample.codec)?)));
    }
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    output::say(&match form {
        Form::Json => output::json(&json!({
            "samples": results.len(), "wrong_on_purpose": chosen.iter().filter(|sample| sample.is_wrong()).count(),
            "failed": failed, "results": results.iter().map(|(sample, result)| object(sample, result)).collect::<Vec<_>>(),
        })),
        Form::Text => page(&results, failed),
    });
    Ok(if failed == 0 { Exit::Ok } else { Exit::CheckFailed })
}

fn of_binary(specs: &Specs, name: Option<&str>) -> Result<Vec<Sample>, Failure> {
    if let Some(name) = name {
        named(specs, name)?;
    }
    let samples = embedded().map_err(|error| Failure::config("samples", error))?;
    Ok(samples
        .into_iter()
        .filter(|sample| name.is_none_or(|name| sample.codec == name))
        .collect())
}

fn of_folder(name: &str, folder: &Path) -> Result<Vec<Sample>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Usage, folder.display().to_string(), error);
    let entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(failed)?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "txt"));
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            folder.display().to_string(),
            "holds no sample file (*.txt)",
        ));
    }
    files.iter().map(|file| of_file(name, file)).collect()
}

fn of_file(name: &str, file: &Path) -> Result<Sample, Failure> {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::new(Exit::Usage, &place, error))?;
    let base = file
        .file_name()
        .map(|base| base.to_string_lossy().into_owned())
        .unwrap_or_default();
    Sample::parse(name, &base, &text).map_err(|error| Failure::new(Exit::Usage, &place, error))
}

fn page(results: &[(&Sample, Result<(), String>)], failed: usize) -> String {
    let line = |(sample, result): &(&Sample, Result<(), String>)| match result {
        Ok(()) => format!("ok    {}/{}: {}", sample.codec, sample.file, sample.expect),
        Err(reason) => format!("FAIL  {reason}"),
    };
    let lines = results
        .iter()
        .map(line)
        .chain([format!("{} samples, {failed} FAIL", results.len())]);
    lines.collect::<Vec<_>>().join("\n")
}

fn object(sample: &Sample, result: &Result<(), String>) -> Value {
    json!({
        "codec": sample.codec, "file": sample.file, "expect": sample.expect, "source": sample.source, "ok": result.is_ok(),
        "reason": result.as_ref().err(),
    })
}
