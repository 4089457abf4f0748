//! `hangu sim statement`: what a party says it settled, from its book, right or wrong on purpose.

use super::{Exit, Failure, Form};
use crate::cli::output;
use crate::cli::parties::read_book;
use crate::cli::texts::text;
use base64ct::{Base64, Encoding};
use serde_json::json;
use simulators::statement::{Break, BreakKind, Breaks, Layout, Period, Statement, StatementFile, zip, zlib};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// centre, platform, or a link whose name begins like its codec: it decides the layout.
    party: String,
    /// The party's book (`--books`, `--keep`); PARTY.json when absent.
    #[arg(long)]
    books: Option<PathBuf>,
    /// Settlement date.
    #[arg(long, value_parser = super::date)]
    date: time::Date,
    /// One hour of it, by the time of the requests; the whole day when absent.
    #[arg(long, value_parser = clap::value_parser!(u8).range(..24))]
    hour: Option<u8>,
    /// The file with the details; what belongs to it is written beside it. One that ends in .zip gets all in an archive, one that
    /// ends in .content the same as `UnionPay`'s file transfer carries it (`fileContent`).
    #[arg(long)]
    out: PathBuf,
    /// nps, wechat, alipay or zm, in place of the party's own.
    #[arg(long, value_parser = layout)]
    layout: Option<Layout>,
    /// The bank's member number: what it sends leaves it.
    #[arg(long, default_value = "402100088888")]
    member: String,
    /// Leave so many payments out.
    #[arg(long, default_value_t = 0)]
    missing: u64,
    /// Add so many that nobody knows.
    #[arg(long, default_value_t = 0)]
    surplus: u64,
    /// Give so many another amount.
    #[arg(long, default_value_t = 0)]
    amount: u64,
    /// Let so many have been given back after a dispute: they stand in the file of adjustments, which only zm has.
    #[arg(long, default_value_t = 0)]
    adjusted: u64,
    /// The same seed breaks the same payments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let book = match &args.books {
        Some(file) => read_book(file)?,
        None => read_book(Path::new(&format!("{}.json", args.party)))?,
    };
    let period = Period {
        date: args.date,
        hour: args.hour,
    };
    let breaks = Breaks {
        missing: args.missing,
        surplus: args.surplus,
        amount: args.amount,
        adjusted: args.adjusted,
    };
    let layout = args.layout.unwrap_or_else(|| Layout::of_party(&args.party));
    if args.adjusted > 0 && layout != Layout::Zm {
        let detail = format!("the layout {} has no file of adjustments; zm has", layout.name());
        return Err(Failure::new(Exit::Usage, "--adjusted", detail));
    }
    let statement = Statement::of(&book, &args.member, period, breaks, args.seed);
    let files = statement
        .files(layout)
        .map_err(|error| Failure::config(layout.name(), error))?;
    let written = write(&args.out, &files)?;
    output::say(&match form {
        Form::Json => output::json(&json!({
            "layout": layout.name(), "files": written, "totals": statement.totals(), "broken": statement.broken,
        })),
        Form::Text => page(&statement, &written),
    });
    Ok(Exit::Ok)
}

/// The first file bears the name asked for, the others that of their layout, unless they stand for themselves in an archive.
fn write(out: &Path, files: &[StatementFile]) -> Result<Vec<String>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Unavailable, out.display().to_string(), error);
    let kind = out.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    if [ARCHIVE, CONTENT].contains(&kind) {
        let archive = zip(files).map_err(|error| failed(&error))?;
        let bytes = if kind == CONTENT {
            Base64::encode_string(&zlib(&archive)).into_bytes()
        } else {
            archive
        };
        std::fs::write(out, bytes).map_err(|error| failed(&error))?;
        return Ok(vec![out.display().to_string()]);
    }
    let mut written = Vec::new();
    for (place, file) in files.iter().enumerate() {
        let path = match (place, file.name.ends_with(FLAG)) {
            (0, _) => out.to_owned(),
            // A flag belongs to the file beside it, whatever that is called.
            (_, true) => PathBuf::from(format!("{}{FLAG}", out.display())),
            (_, false) => out.with_file_name(&file.name),
        };
        std::fs::write(&path, &file.bytes).map_err(|error| failed(&error))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

fn page(statement: &Statement, written: &[String]) -> String {
    let totals = statement.totals();
    let head = format!(
        "{} {}, D {} C {} {}",
        totals.count,
        text("drive.payments"),
        totals.debit_fen,
        totals.credit_fen,
        text("statement.fen"),
    );
    let broken = statement.broken.iter().map(row);
    [head]
        .into_iter()
        .chain(broken)
        .chain(written.iter().cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn row(broken: &Break) -> String {
    let kind = match broken.kind {
        BreakKind::Missing => text("statement.missing"),
        BreakKind::Surplus => text("statement.surplus"),
        BreakKind::Amount => text("statement.amount"),
        BreakKind::Adjusted => text("statement.adjusted"),
    };
    let fen = |fen: Option<i64>| fen.map_or_else(|| "-".to_owned(), |fen| fen.to_string());
    format!(
        "{kind} {}: {} -> {} {}",
        broken.end_to_end_id,
        fen(broken.book_fen),
        fen(broken.fen),
        broken.effect.zh(),
    )
}

fn layout(name: &str) -> Result<Layout, String> {
    Layout::parse(name).ok_or_else(|| format!("one of: {}", Layout::ALL.map(Layout::name).join(", ")))
}

const FLAG: &str = ".ok";
const ARCHIVE: &str = "zip";
const CONTENT: &str = "content";
