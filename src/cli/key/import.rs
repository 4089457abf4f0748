//! `hangu key import`: a key from a file, in whichever form it was handed over, as a proposal.

use super::certify::{bag, find};
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
use keys::guarded::{State, import, is_authority, read, with_certificates};
use keys::intake::{Brought, IntakeError, Openers, bring, certificates_for, certificates_of, public_key};
use keys::key::{KeyEntry, Side};
use keys::store::{Encoding, Material};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    description: Description,
    /// A private key (PEM or DER, PKCS #12, GM/T 0009 or 0010, CFCA's key file, or for SM2 64 hex digits), a public key or
    /// certificate (PEM, DER or .p7b), or a secret.
    #[arg(long)]
    file: PathBuf,
    /// File (mode 0600) whose first line is the passphrase of that file; without it, it is asked for if need be.
    #[arg(long, value_name = "FILE")]
    file_passphrase: Option<PathBuf>,
    /// Id of the key pair of ours for which an authority enveloped this one.
    #[arg(long, value_name = "ID")]
    opened_by: Option<String>,
    /// Certificates of the key: its own and those of the authorities between it and a trust anchor (PEM or .p7b).
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
    let (content, brought) = content(args, &keys, &entry)?;
    let chain = chain(args, &entry, &content, &brought)?;
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    signer_counts(&args.file, &state, &brought, &chain)?;
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
fn content(args: &Args, keys: &KeysConfig, entry: &KeyEntry) -> Result<(Zeroizing<String>, Brought), Failure> {
    let unread = |detail: String| Failure::new(Exit::Usage, "--file", detail);
    let bytes = match entry.side {
        Side::Shared => return Ok((read_secret(&args.file).map_err(unread)?, Brought::default())),
        Side::Ours => read_secret_bytes(&args.file).map_err(unread)?,
        Side::Theirs => Zeroizing::new(read_public_bytes(&args.file).map_err(unread)?),
    };
    let mut brought = opened(
        &args.file,
        &bytes,
        keys,
        args.opened_by.as_deref(),
        args.file_passphrase.as_deref(),
    )?;
    if brought.is_partial {
        complain(&text("key.partial").to_string());
    }
    let own = match entry.side {
        Side::Theirs if !brought.certificates.is_empty() => {
            let fitting = certificates_for(&brought.certificates, entry.usage);
            let fitting = fitting.map_err(|error| Failure::new(Exit::CheckFailed, args.file.display().to_string(), error))?;
            Some(Zeroizing::new(fitting))
        }
        Side::Theirs => brought.public.take().map(Zeroizing::new),
        Side::Ours | Side::Shared => brought.private.clone(),
    };
    let missing = || {
        Failure::new(
            Exit::CheckFailed,
            args.file.display().to_string(),
            "holds no key of this side",
        )
    };
    Ok((own.ok_or_else(missing)?, brought))
}

/// The certificates of the key, its own first; empty where there are none, or only an authority's.
fn chain(args: &Args, entry: &KeyEntry, content: &str, brought: &Brought) -> Result<String, Failure> {
    let Some(file) = &args.certificate else {
        return Ok(match entry.side {
            Side::Theirs if brought.certificates.is_empty() => String::new(),
            Side::Theirs => content.to_owned(),
            Side::Ours | Side::Shared => brought.own_certificates().unwrap_or_default().to_owned(),
        });
    };
    let certificates = format!("{}{}", bag(file)?, brought.certificates);
    let own = match entry.side {
        Side::Ours => brought.public_half(),
        Side::Theirs | Side::Shared => public_key(content),
    };
    let ordered = own.map_or(Err(IntakeError::Certificate), |own| certificates_of(&certificates, &own));
    ordered.map_err(|error| Failure::new(Exit::CheckFailed, file.display().to_string(), error))
}

/// A key pair that somebody signed is taken from an authority of the store, and from nobody else.
pub(super) fn signer_counts(file: &Path, state: &State, brought: &Brought, certificates: &str) -> Result<(), Failure> {
    let others = format!("{certificates}{}", brought.certificates);
    match &brought.signer {
        Some(signer) if !is_authority(state, signer, &others) => {
            let detail = "is signed by somebody who leads to no trust anchor of this store";
            Err(Failure::new(Exit::CheckFailed, file.display().to_string(), detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// The file opened, by whatever it turns out to need.
pub(super) fn opened(
    file: &Path,
    bytes: &[u8],
    keys: &KeysConfig,
    opened_by: Option<&str>,
    passphrase: Option<&Path>,
) -> Result<Brought, Failure> {
    let place = file.display().to_string();
    let refused = |error| Failure::new(Exit::CheckFailed, place.clone(), error);
    let opener = opened_by.map(|id| find(keys.held()?, id)).transpose()?;
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
    let source = passphrase.map_or_else(Source::typed, Source::of_file);
    let passphrase = source.read(&place)?;
    openers.passphrase = Some(&passphrase);
    bring(bytes, openers).map_err(refused)
}

pub(super) fn encoding(name: &str) -> Result<Encoding, String> {
    let found = Encoding::ALL.into_iter().find(|encoding| encoding.name() == name);
    found.ok_or_else(|| format!("is not one of {}", Encoding::ALL.map(Encoding::name).join(", ")))
}
