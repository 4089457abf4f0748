//! `hangu codec`: what is built in, a page about one codec, and its samples.

use super::output::{self, Exit, Failure, Form};
use super::texts::{table, titles};
use codecs::spec::{MessageSpec, Spec, Specs};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod docs;
mod samples;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List codecs and their messages.
    #[command(
        after_help = "Examples:\n  hangu codec list\n  hangu codec list nps\n  hangu codec list -o json\n  hangu codec list --codecs my-codecs"
    )]
    List {
        /// Only this codec.
        name: Option<String>,
        #[command(flatten)]
        further: Further,
    },
    /// Print a codec's page in Markdown.
    #[command(
        after_help = "Examples:\n  hangu codec docs nps\n  hangu codec docs nps --spec codecs/nps/spec.toml > nps.md\n  hangu codec docs platform -o json"
    )]
    Docs {
        /// Name of the codec.
        name: String,
        /// The spec's text: adds every field with kind, length, seal, map and source, and the status tables.
        #[arg(long)]
        spec: Option<PathBuf>,
        #[command(flatten)]
        further: Further,
    },
    /// Read sample files and compare what they expect with what the parser says.
    #[command(
        after_help = "Examples:\n  hangu codec test\n  hangu codec test nps -o json\n  hangu codec test nps --folder my-samples\n  hangu codec test ourbank --codecs my-codecs"
    )]
    Test {
        /// Only this codec.
        name: Option<String>,
        /// Folder with sample files, instead of those built in; needs a codec's name.
        #[arg(long, requires = "name")]
        folder: Option<PathBuf>,
        #[command(flatten)]
        further: Further,
    },
}

/// Codecs that are not in the binary.
#[derive(clap::Args)]
struct Further {
    /// Folder of further codecs, as `codecs.folder` of hangu.toml names it; their samples are `NAME/samples/*.txt`.
    #[arg(long)]
    codecs: Option<PathBuf>,
}

impl Further {
    fn specs(&self) -> Result<Specs, Failure> {
        Ok(hangu::config::specs(self.codecs.as_deref())?)
    }

    /// Where the samples of a codec of that folder lie; none for a codec of the binary.
    fn samples(&self, name: &str) -> Option<PathBuf> {
        let folder = self.codecs.as_ref()?.join(name).join("samples");
        folder.is_dir().then_some(folder)
    }
}

pub(crate) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    match &args.command {
        Command::List { name, further } => list(&further.specs()?, name.as_deref(), form),
        Command::Docs { name, spec, further } => page(further.specs()?, name, spec.as_deref(), form),
        Command::Test { name, folder, further } => {
            let own = name.as_ref().and_then(|name| further.samples(name));
            let folder = folder.clone().or(own);
            samples::run(&further.specs()?, name.as_deref(), folder.as_deref(), form)
        }
    }
}

/// The codec with this name, or what names there are.
fn named<'a>(specs: &'a Specs, name: &str) -> Result<&'a Arc<Spec>, Failure> {
    specs.spec(name).ok_or_else(|| {
        let known = specs.iter().map(|spec| spec.codec.as_str()).collect::<Vec<_>>().join(", ");
        Failure::new(Exit::Usage, name, format!("no codec has this name; codecs are: {known}"))
    })
}

fn list(specs: &Specs, name: Option<&str>, form: Form) -> Result<Exit, Failure> {
    let chosen: Vec<&Arc<Spec>> = match name {
        Some(name) => vec![named(specs, name)?],
        None => specs.iter().collect(),
    };
    output::say(&match form {
        Form::Json => output::json(&json!({ "codecs": chosen.iter().map(|spec| object(spec)).collect::<Vec<_>>() })),
        Form::Text => {
            let rows = chosen
                .iter()
                .flat_map(|spec| spec.messages().map(|message| cells(spec, message)));
            table(&titles(&COLUMNS), &rows.collect::<Vec<_>>())
        }
    });
    Ok(Exit::Ok)
}

fn page(mut specs: Specs, name: &str, file: Option<&Path>, form: Form) -> Result<Exit, Failure> {
    let text = match file {
        None => None,
        Some(file) => {
            let text =
                std::fs::read_to_string(file).map_err(|error| Failure::new(Exit::Usage, file.display().to_string(), error))?;
            specs
                .insert(name, &text)
                .map_err(|error| Failure::config(file.display().to_string(), error))?;
            Some(text)
        }
    };
    let spec = named(&specs, name)?;
    output::say(&match form {
        Form::Json => output::json(&object(spec)),
        Form::Text => docs::page(spec, text.as_deref()),
    });
    Ok(Exit::Ok)
}

fn cells(spec: &Spec, message: &MessageSpec) -> Vec<String> {
    vec![
        spec.codec.clone(),
        message.code.clone(),
        format!("{} ({})", message.name_en, message.name_zh),
        operations(message),
        message.role.name().to_owned(),
        message.direction.name().to_owned(),
        message.reply.clone().unwrap_or_default(),
    ]
}

fn operations(message: &MessageSpec) -> String {
    message
        .operations()
        .iter()
        .map(|operation| operation.name())
        .collect::<Vec<_>>()
        .join(", ")
}

fn object(spec: &Spec) -> Value {
    let message = |message: &MessageSpec| {
        json!({
            "code": message.code, "name_en": message.name_en, "name_zh": message.name_zh, "operations":
            message.operations().iter().map(|operation| operation.name()).collect::<Vec<_>>(), "role": message.role.name(),
            "direction": message.direction.name(), "reply": message.reply, "source": message.source,
            "confidence": docs::confidence(message.confidence),
        })
    };
    let warnings = spec
        .warnings()
        .into_iter()
        .map(|warning| json!({ "place": warning.place, "detail": warning.detail }));
    json!({
        "codec": spec.codec, "name_en": spec.name_en, "name_zh": spec.name_zh, "source": spec.source,
        "confidence": docs::confidence(spec.confidence), "warnings": warnings.collect::<Vec<_>>(),
        "codes": spec.codes().map(|(code, name, reason)| json!({ "code": code, "name_zh": name, "reason": reason.map(codecs::payment::Reason::name) })).collect::<Vec<_>>(),
        "messages": spec.messages().map(message).collect::<Vec<_>>(),
    })
}

const COLUMNS: [&str; 7] = [
    "codec.name",
    "codec.code",
    "codec.title",
    "codec.operations",
    "codec.role",
    "codec.direction",
    "codec.reply",
];
