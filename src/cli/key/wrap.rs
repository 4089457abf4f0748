//! `hangu key wrap`: a secret under a device's key, as keyring.toml takes it (docs/hsm.md).

use super::files::write_new;
use super::import::encoding;
use super::words::page;
use crate::cli::output::{self, Exit, Failure, Form};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hangu::clock::Random;
use hangu::config::Config;
use hangu::secret::{read_public, read_secret};
use hangu::shell::SystemEntropy;
use keys::certificate::CertificateKey;
use keys::error::CryptoError;
use keys::intake::public_key;
use keys::legacy::RsaPadding;
use keys::provider::{WrapScheme, seal_for, seal_for_rsa};
use keys::secret::Secret;
use keys::store::Encoding;
use rand_core::Rng;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Public half of the device's key, or its certificate (PEM). Needs no device.
    #[arg(long = "for", value_name = "FILE", required_unless_present = "device")]
    public: Option<PathBuf>,
    /// Device by its name in hangu.toml, whose AES key wraps (PKCS #11).
    #[arg(long, value_name = "NAME", conflicts_with = "public", requires = "label")]
    device: Option<String>,
    /// Label of that AES key.
    #[arg(long, requires = "device")]
    label: Option<String>,
    /// How an RSA key wraps: rsa-oaep-sha256, or rsa-oaep-sha1 where the device knows no other.
    #[arg(long, value_parser = schemes(), default_value = WrapScheme::OaepSha256.name())]
    oaep: WrapScheme,
    /// File (mode 0600) with the secret.
    #[arg(long, value_name = "FILE", required_unless_present = "random")]
    secret: Option<PathBuf>,
    /// How that file writes it: hex, base64 or text.
    #[arg(long, default_value = "hex", value_parser = encoding)]
    encoding: Encoding,
    /// Make a secret of so many random bytes, which nobody sees.
    #[arg(long, value_name = "BYTES", conflicts_with = "secret", value_parser = clap::value_parser!(u16).range(8..=64))]
    random: Option<u16>,
    /// New file for the wrapped secret.
    #[arg(long)]
    to: PathBuf,
    /// Configuration file that names the device.
    #[arg(short, long, default_value = "hangu.toml")]
    config: PathBuf,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let secret = secret(args)?;
    let bytes = secret.danger_expose().len();
    let text = match (&args.public, &args.device) {
        (Some(file), _) => for_public(file, args.oaep, &secret)?,
        (None, device) => by_device(args, device.as_deref().unwrap_or_default(), secret)?,
    };
    write_new(&args.to, &text)?;
    let scheme = text.split_ascii_whitespace().nth(2).unwrap_or_default().to_owned();
    let file = args.to.display().to_string();
    let value = json!({ "file": file, "scheme": scheme, "secret_bytes": bytes });
    let rows = [("key.scheme", scheme), ("key.bytes", bytes.to_string()), ("key.file", file)];
    output::say(&page(form, &value, &rows));
    Ok(Exit::Ok)
}

fn secret(args: &Args) -> Result<Secret, Failure> {
    let Some(file) = &args.secret else {
        let mut bytes = vec![0; usize::from(args.random.unwrap_or_default())];
        Random(&SystemEntropy).fill_bytes(&mut bytes);
        return Ok(Secret::new(bytes));
    };
    let text = read_secret(file).map_err(|detail| Failure::new(Exit::Usage, "--secret", detail))?;
    let bytes = args.encoding.decode(&text);
    let mut bytes = bytes.map_err(|rule| Failure::new(Exit::CheckFailed, file.display().to_string(), rule))?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn for_public(file: &Path, oaep: WrapScheme, secret: &Secret) -> Result<String, Failure> {
    let place = file.display().to_string();
    let pem = read_public(file).map_err(|detail| Failure::new(Exit::Usage, "--for", detail))?;
    let mut random = Random(&SystemEntropy);
    let made = match public_key(&pem) {
        Some(CertificateKey::Sm2(key)) => seal_for(&key, secret, &mut random),
        Some(CertificateKey::Rsa(key)) => seal_for_rsa(&key, padding(oaep), secret, &mut random),
        None => Err(CryptoError::Key),
    };
    made.map_err(|error| Failure::new(Exit::CheckFailed, place, error))
}

fn by_device(args: &Args, name: &str, secret: Secret) -> Result<String, Failure> {
    let config = Config::load(&args.config)?;
    let device = config.keys.devices().get(name).cloned();
    let unknown = || Failure::new(Exit::Usage, "--device", "no [keys.provider] of hangu.toml has this name");
    let device = device.ok_or_else(unknown)?;
    let label = args.label.as_deref().unwrap_or_default();
    let made = device.wrap(label, secret, &mut Random(&SystemEntropy));
    made.map_err(|error| Failure::new(Exit::Unavailable, format!("keys.provider.{name}"), error))
}

const fn padding(scheme: WrapScheme) -> RsaPadding {
    match scheme {
        WrapScheme::OaepSha1 => RsaPadding::OaepSha1,
        WrapScheme::Aes256Gcm | WrapScheme::OaepSha256 | WrapScheme::Sm2 => RsaPadding::OaepSha256,
    }
}

fn schemes() -> impl TypedValueParser<Value = WrapScheme> {
    let all = [WrapScheme::OaepSha256, WrapScheme::OaepSha1];
    let named = move |name: String| all.into_iter().find(|scheme| scheme.name() == name).ok_or("not known");
    PossibleValuesParser::new(all.map(WrapScheme::name)).try_map(named)
}
