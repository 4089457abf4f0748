//! `hangu key import`: a key from a file, in whichever form it was handed over, as a proposal.

use super::certify::{certificates, find};
use super::create::Description;
use super::propose::{Hand, put_key};
use super::sign::Source;
use super::words::failure;
use crate::cli::output::{Exit, Failure, Form, complain};
use crate::cli::texts::text;
use hangu::clock::Random;
use hangu::config::KeysConfig;
use hangu::secret::{read_public_bytes, read_secret, read_secret_bytes};
use hangu::shell::SystemEntropy;
use keys::guarded::{import, read, with_certificates};
use keys::intake::{Brought, IntakeError, Openers, bring};
use keys::key::Side;
use keys::store::{Encoding, Material};
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    description: Description,
    /// A private key (PEM or DER, PKCS #12, GM/T 0009, CFCA's key file, or for SM2 64 hex digits), a public key or certificate
    /// (PEM or DER), or a secret.
    #[arg(long)]
    file: PathBuf,
    /// File (mode 0600) whose first line is the passphrase of that file; without it, it is asked for if need be.
    #[arg(long, value_name = "FILE")]
    file_passphrase: Option<PathBuf>,
    /// Id of the key pair of ours for which an authority enveloped this one.
    #[arg(long, value_name = "ID")]
    opened_by: Option<String>,
    /// Certificates of the key: its own, then those of the authorities between it and a trust anchor.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// How a secret is written: hex, base64 or text.
    #[arg(long, default_value = "hex", value_parser = encoding)]
    encoding: Encoding,
    #[command(flatten)]
    hand: Hand,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let keys = args.hand.guarded()?;
    let entry = args.description.entry()?;
    let (content, mut chain) = content(args, &keys, entry.side)?;
    if let Some(file) = &args.certificate {
        chain = certificates(file)?;
    }
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    let mut key = import(&state, &master, &entry, &content, args.encoding, &mut Random(&SystemEntropy)).map_err(failed)?;
    let has_anchors = state.anchors().next().is_some();
    if args.certificate.is_some() || (has_anchors && !chain.is_empty()) {
        key = with_certificates(&state, key, &chain).map_err(failed)?;
    } else if entry.side == Side::Ours && !chain.is_empty() {
        complain(&text("key.left_out").to_string());
    }
    put_key(&args.hand, &keys, &key, form)
}

/// What is imported, and the certificates that came with it.
fn content(args: &Args, keys: &KeysConfig, side: Side) -> Result<(Zeroizing<String>, String), Failure> {
    let unread = |detail: String| Failure::new(Exit::Usage, "--file", detail);
    let bytes = match side {
        Side::Shared => return Ok((read_secret(&args.file).map_err(unread)?, String::new())),
        Side::Ours => read_secret_bytes(&args.file).map_err(unread)?,
        Side::Theirs => Zeroizing::new(read_public_bytes(&args.file).map_err(unread)?),
    };
    let brought = brought(args, keys, &bytes)?;
    if brought.is_partial {
        complain(&text("key.partial").to_string());
    }
    let certificates = brought.certificates;
    let own = match side {
        Side::Theirs if !certificates.is_empty() => Some(Zeroizing::new(certificates.clone())),
        Side::Theirs => brought.public.map(Zeroizing::new),
        Side::Ours | Side::Shared => brought.private,
    };
    let missing = || {
        Failure::new(
            Exit::CheckFailed,
            args.file.display().to_string(),
            "holds no key of this side",
        )
    };
    Ok((own.ok_or_else(missing)?, certificates))
}

/// The file opened, by whatever it turns out to need.
fn brought(args: &Args, keys: &KeysConfig, bytes: &[u8]) -> Result<Brought, Failure> {
    let place = args.file.display().to_string();
    let refused = |error| Failure::new(Exit::CheckFailed, place.clone(), error);
    let opener = args.opened_by.as_ref().map(|id| find(keys.held()?, id)).transpose()?;
    let key = match opener.as_ref().map(|held| &held.material) {
        Some(Material::Sm2Private(key)) => Some(&**key),
        Some(_) => return Err(Failure::new(Exit::Usage, "--opened-by", "names no SM2 key pair of ours")),
        None => None,
    };
    let mut openers = Openers { passphrase: None, key };
    match bring(bytes, openers) {
        Err(IntakeError::Passphrase) => {}
        other => return other.map_err(refused),
    }
    let source = args.file_passphrase.as_deref().map_or_else(Source::typed, Source::of_file);
    let passphrase = source.read(&place)?;
    openers.passphrase = Some(&passphrase);
    bring(bytes, openers).map_err(refused)
}

fn encoding(name: &str) -> Result<Encoding, String> {
    let found = Encoding::ALL.into_iter().find(|encoding| encoding.name() == name);
    found.ok_or_else(|| format!("is not one of {}", Encoding::ALL.map(Encoding::name).join(", ")))
}
