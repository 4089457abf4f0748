//! `hangu key request` and `hangu key certificate`: what an authority gets to know of a key of ours, and what it answers.

use super::Place;
use super::files::write_new;
use super::propose::{Hand, show};
use super::words::{failure, page, told};
use crate::cli::output::{self, Exit, Failure, Form};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hangu::clock::Random;
use hangu::secret::read_public_bytes;
use hangu::shell::SystemEntropy;
use keys::certificate::SerialForm;
use keys::error::CryptoError;
use keys::guarded::{Change, FileDisk, Kept, Writer, certify, read};
use keys::intake::{IntakeError, Openers, bring, certificates_of, public_key};
use keys::key::Side;
use keys::request::Request;
use keys::store::Held;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct RequestArgs {
    /// Id of a key pair of ours.
    id: String,
    /// Name that the certificate is to have (RFC 4514), the most specific part first: `CN=pay,O=Bank,C=CN`.
    #[arg(long)]
    subject: String,
    /// New file for the request (PKCS #10, PEM).
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(super) struct CertificateArgs {
    /// Id of the key.
    id: String,
    /// Its certificate and those of the authorities between it and a trust anchor, in any order (PEM, .p7b; one alone also DER).
    #[arg(long)]
    file: PathBuf,
    /// How messages write the certificate's serial number, if the key is to have it: hex, hex-lower, decimal, issuer-md5.
    #[arg(long, value_parser = forms())]
    serial_form: Option<SerialForm>,
    #[command(flatten)]
    hand: Hand,
}

pub(super) fn request(args: &RequestArgs, form: Form) -> Result<Exit, Failure> {
    let held = find(args.place.keys()?.held()?, &args.id)?;
    if held.entry.side != Side::Ours {
        return Err(Failure::new(
            Exit::Usage,
            args.id.clone(),
            "a certificate is asked for a key pair of ours",
        ));
    }
    let made = Request::made(&args.subject, &held.material, &mut Random(&SystemEntropy));
    let refused = |_: CryptoError| {
        let detail = "no request can be made: is it a name as RFC 4514 has it, such as CN=pay,O=Bank,C=CN?";
        Failure::new(Exit::Usage, "--subject", detail)
    };
    let request = made.map_err(refused)?;
    write_new(&args.to, &request.to_pem())?;
    let (file, subject) = (args.to.display().to_string(), request.subject());
    let value = json!({ "id": args.id, "subject": subject, "file": file });
    let rows = [("key.id", args.id.clone()), ("key.subject", subject), ("key.file", file)];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

pub(super) fn certificate(args: &CertificateArgs, form: Form) -> Result<Exit, Failure> {
    let keys = args.hand.place.guarded()?;
    let brought = bag(&args.file)?;
    let master = keys.master()?;
    let failed = |error| failure(&keys.folder, error);
    let (_, state) = read(&keys.folder).map_err(failed)?;
    let kept = Kept {
        folder: &keys.folder,
        state: &state,
        master: &master,
    };
    let certificates = of_key(&args.file, &brought, state.key(&args.id))?;
    let mut random = Random(&SystemEntropy);
    let certified = certify(kept, &args.id, &certificates, args.serial_form, &mut random).map_err(failed)?;
    let officer = args
        .hand
        .officer(&told(&Change::Certificate(Box::new(certified.change.clone()))))?;
    let mut writer = Writer::open(&keys.folder, &FileDisk).map_err(failed)?;
    let number = writer.propose_certificate(&officer, &certified, args.hand.terms(), &mut random);
    show(&writer, number.map_err(failed)?, form)
}

/// That of the key first.
fn of_key(file: &Path, certificates: &str, held: Option<&keys::guarded::Held>) -> Result<String, Failure> {
    let Some(public) = held.and_then(|held| held.material.public.as_deref()) else {
        return Ok(certificates.to_owned());
    };
    let found = public_key(public).map_or(Err(IntakeError::Certificate), |public| certificates_of(certificates, &public));
    found.map_err(|error| Failure::new(Exit::CheckFailed, file.display().to_string(), error))
}

/// The certificates of a file, in PEM.
pub(super) fn bag(file: &Path) -> Result<String, Failure> {
    let place = file.display().to_string();
    let bytes = read_public_bytes(file).map_err(|detail| Failure::new(Exit::Usage, place.clone(), detail))?;
    let brought = bring(&bytes, Openers::default());
    let brought = brought.map_err(|error| Failure::new(Exit::CheckFailed, place.clone(), error))?;
    if brought.certificates.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, place, "holds no certificate"));
    }
    Ok(brought.certificates)
}

/// The key with this id.
pub(super) fn find(all: Vec<Held>, id: &str) -> Result<Held, Failure> {
    let found = all.into_iter().find(|held| held.entry.id == id);
    found.ok_or_else(|| Failure::new(Exit::CheckFailed, id, "no key has this id, or it does not open"))
}

pub(super) fn forms() -> impl TypedValueParser<Value = SerialForm> {
    PossibleValuesParser::new(SerialForm::ALL.map(SerialForm::name)).try_map(|name| SerialForm::parse(&name).ok_or("not known"))
}
