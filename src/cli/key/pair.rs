//! `hangu key pair`: both halves of a double certificate as one proposal, from the files that the authority handed out.

use super::certify::{bag, forms};
use super::import::{opened, signer_counts};
use super::propose::{Hand, show};
use super::words::{failure, told};
use crate::cli::output::{Exit, Failure, Form};
use hangu::clock::Random;
use hangu::secret::read_secret_bytes;
use hangu::shell::SystemEntropy;
use keys::certificate::SerialForm;
use keys::guarded::{Change, FileDisk, Handed, Kept, Writer, paired, read};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Id of the signing key, as it asked for a certificate.
    sign_id: String,
    /// Id that the key pair for opening is to have; link and algorithm are the signing key's.
    seal_id: String,
    /// The key pair that the authority made, sealed for the signing key: GM/T 0010 (`SignedAndEnvelopedData`, `EnvelopedData`)
    /// or GM/T 0009 (PEM, DER or base64; mode 0600).
    #[arg(long)]
    file: PathBuf,
    /// Both certificates, and those of authorities below the trust anchor: PEM or .p7b.
    #[arg(long, value_name = "FILE")]
    certificates: PathBuf,
    /// How messages write serial numbers of certificates: hex, hex-lower, decimal, issuer-md5.
    #[arg(long, value_parser = forms())]
    serial_form: SerialForm,
    #[command(flatten)]
    hand: Hand,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let keys = args.hand.guarded()?;
    let bytes = read_secret_bytes(&args.file).map_err(|detail| Failure::new(Exit::Usage, "--file", detail))?;
    let brought = opened(&args.file, &bytes, &keys, Some(&args.sign_id), None)?;
    let mut certificates = bag(&args.certificates)?;
    certificates.push_str(&brought.certificates);
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    signer_counts(&args.file, &state, &brought, &certificates)?;
    let kept = Kept {
        folder: &keys.folder,
        state: &state,
        master: &master,
    };
    let handed = Handed {
        sign_id: &args.sign_id,
        seal_id: &args.seal_id,
        brought: &brought,
        certificates: &certificates,
        form: args.serial_form,
    };
    let mut random = Random(&SystemEntropy);
    let pair = paired(kept, &handed, &mut random).map_err(failed)?;
    let officer = args.hand.officer(&told(&Change::Pair(Box::new(pair.change()))))?;
    let mut writer = Writer::open(&keys.folder, &FileDisk).map_err(failed)?;
    let number = writer.propose_pair(&officer, &pair, args.hand.terms(), &mut random);
    show(&writer, number.map_err(failed)?, form)
}
