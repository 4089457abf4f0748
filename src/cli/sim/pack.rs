//! `hangu sim pack`: what a tester hands over for one institution: its cases, their results, every byte, versions, seed.

mod failure; // why a case failed, and the messages to look into

use super::scenario::{Conducting, Played, conduct, embedded, folder, sound};
use super::{Exit, Failure, Form};
use crate::cli::output;
use base64ct::{Base64, Encoding};
use codecs::spec::Specs;
use hangu::clock::{BEIJING, Clock};
use hangu::shell::SystemClock;
use keys::sm3::sm3;
use serde_json::{Value, json};
use simulators::scenario::report::{self, Language};
use simulators::scenario::tape::Event;
use simulators::scenario::{Scenario, Shown, Verdict};
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Whose scenarios: the institution as `hangu sim list` shows it.
    institution: String,
    /// Where the pack goes; a folder that does not exist yet.
    #[arg(long)]
    to: PathBuf,
    /// The same seed gives the same ids, amounts, customers and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many are played at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// A scenario file of one's own, beside the shipped ones; those in it that are about the institution are cases too.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let cases = cases(args)?;
    let mut pack = Pack::begin(&args.to)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(Exit::Unavailable, "runtime", error))?;
    let stages = folder()?;
    let how = Conducting {
        seed: args.seed,
        jobs: args.jobs,
        broker: None,
    };
    let played = runtime.block_on(conduct(&stages, cases.clone(), how, |_| ()))?;
    pack.fill(args, &cases, &played)?;
    pack.close()?;
    let passed = played.iter().filter(|one| one.verdict.passed).count();
    output::say(&match form {
        Form::Json => json!({ "cases": cases.len(), "passed": passed, "folder": args.to }).to_string(),
        Form::Text => format!("{passed} of {} cases passed; {}", cases.len(), args.to.display()),
    });
    Ok(if passed == cases.len() { Exit::Ok } else { Exit::CheckFailed })
}

fn cases(args: &Args) -> Result<Vec<Scenario>, Failure> {
    let institution = args.institution.as_str();
    let mut all = embedded()?;
    for file in &args.with {
        all.extend(sound(file)?);
    }
    let cases: Vec<Scenario> = all.iter().filter(|one| one.institution == institution).cloned().collect();
    if !cases.is_empty() {
        return Ok(cases);
    }
    let mut known: Vec<&str> = all.iter().map(|one| one.institution.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let detail = format!("no scenario is about it; there are some of {}", known.join(", "));
    Err(Failure::new(Exit::Usage, institution, detail))
}

/// A folder being filled, and the sums of what is in it.
struct Pack {
    folder: PathBuf,
    sums: String,
}

impl Pack {
    fn begin(folder: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::new(Exit::Unavailable, folder.display().to_string(), error);
        std::fs::create_dir(folder).map_err(failed)?;
        std::fs::create_dir(folder.join(CAPTURES)).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            sums: String::new(),
        })
    }

    fn fill(&mut self, args: &Args, cases: &[Scenario], played: &[Played]) -> Result<(), Failure> {
        let verdicts: Vec<Verdict> = played.iter().map(|one| one.verdict.clone()).collect();
        self.put("manifest.json", &output::json(&manifest(args, &verdicts)?))?;
        self.put("cases.json", &output::json(&cases.iter().map(case).collect::<Vec<_>>()))?;
        self.put("results.json", &output::json(&report::json(&verdicts)))?;
        self.put("results.xml", &report::junit(&verdicts))?;
        self.put("report.en.html", &report::html(&verdicts, Language::En))?;
        self.put("report.zh-CN.html", &report::html(&verdicts, Language::Zh))?;
        for one in played {
            let lines: String = one.tape.events().iter().map(captured).collect();
            self.put(&format!("{CAPTURES}/{}.jsonl", one.verdict.name), &lines)?;
        }
        for one in played.iter().filter(|one| !one.verdict.passed) {
            self.explain(one)?;
        }
        Ok(())
    }

    /// A folder for a case that failed: why, and each message as a file that `hangu message explain` reads.
    fn explain(&mut self, one: &Played) -> Result<(), Failure> {
        let name = format!("{FAILURES}/{}", one.verdict.name);
        let folder = self.folder.join(&name);
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new(Exit::Unavailable, folder.display().to_string(), error))?;
        let events = one.tape.events();
        self.put(&format!("{name}/why.txt"), &failure::explained(&one.verdict, &events))?;
        for (place, event) in events.iter().enumerate().filter(|(_, event)| !event.seen.body.is_empty()) {
            self.put_bytes(&format!("{name}/{}", failure::file(place, event)), &event.seen.body)?;
        }
        Ok(())
    }

    fn put(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        self.put_bytes(name, text.as_bytes())
    }

    fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| Failure::new(Exit::Unavailable, path.display().to_string(), error))?;
        self.sums
            .push_str(&format!("SM3 ({name}) = {}\n", output::hex(&sm3(&[bytes]))));
        Ok(())
    }

    /// The sums come last: a pack without them is not whole.
    fn close(self) -> Result<(), Failure> {
        let path = self.folder.join("SM3SUMS");
        std::fs::write(&path, self.sums).map_err(|error| Failure::new(Exit::Unavailable, path.display().to_string(), error))
    }
}

fn manifest(args: &Args, verdicts: &[Verdict]) -> Result<Value, Failure> {
    let made_at = SystemClock.now().to_offset(BEIJING).format(&Rfc3339);
    let passed = verdicts.iter().filter(|verdict| verdict.passed).count();
    Ok(json!({
        "institution": args.institution,
        "hangu": env!("CARGO_PKG_VERSION"),
        "codecs": codecs(),
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "made_at": made_at.map_err(|error| Failure::new(Exit::Unavailable, "clock", error))?,
        "seed": args.seed,
        "cases": verdicts.len(),
        "passed": passed,
        "again": format!("hangu sim pack {} --seed {} --to FOLDER", args.institution, args.seed),
    }))
}

/// The message specs that were played by, each with what tells its version.
fn codecs() -> Value {
    let texts = Specs::texts();
    texts
        .map(|(codec, text)| (codec.to_owned(), json!(output::hex(&sm3(&[text.as_bytes()])))))
        .collect()
}

fn case(scenario: &Scenario) -> Value {
    json!({
        "name": scenario.name,
        "operation": scenario.operation,
        "about_zh": scenario.about_zh,
        "about_en": scenario.about_en,
        "steps": scenario.steps.iter().map(|step| &step.text).collect::<Vec<_>>(),
    })
}

/// One message: who, to whom, when, and its very bytes; the people in it are invented.
fn captured(event: &Event) -> String {
    let shown = Shown::of(event);
    let line = json!({
        "at_ms": shown.at_ms, "from": shown.from, "to": shown.to, "what": shown.what, "outcome": shown.outcome, "remark": shown.remark,
        "sm3": output::hex(&event.seen.digest), "body": Base64::encode_string(&event.seen.body),
    });
    format!("{line}\n")
}

const CAPTURES: &str = "captures";
const FAILURES: &str = "failures";
