//! `hangu bench crypto`: single operations, the keyring's engine beside the reference.

use super::measure::{Call, Cost, measure};
use super::{build, refused};
use crate::cli::output::{self, Exit, Failure, Form};
use crate::cli::texts::table;
use hangu::clock::{Entropy, Random};
use hangu::shell::SystemEntropy;
use keys::error::CryptoError;
use keys::sm2::{Ciphertext, DEFAULT_USER_ID, Engine, PrivateKey, Sign, Signature, Unwrap, Verify, Wrap};
use keys::sm3::{HmacSm3, sm3};
use keys::sm4::{Sm4Cbc, Sm4Gcm};
use serde_json::{Value, json};
use std::hint::black_box;

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many rounds each operation is timed; median and best are over rounds.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

/// The SM2 operations of a message, named as the output names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Sm2 {
    Sign,
    Verify,
    Wrap,
    Unwrap,
}

impl Sm2 {
    const ALL: [Self; 4] = [Self::Sign, Self::Verify, Self::Wrap, Self::Unwrap];

    const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
        }
    }
}

/// One operation, measured.
pub(super) struct Row {
    pub(super) name: &'static str,
    engine: Cost,
    reference: Cost,
    input_bytes: usize,
}

pub(super) fn run(args: &Args, form: Form) -> Result<Exit, Failure> {
    let rounds = usize::try_from(args.rounds).unwrap_or(usize::MAX);
    let mut rows = sm2_rows(rounds)?;
    rows.extend(symmetric_rows(rounds)?);
    output::say(&match form {
        Form::Json => output::json(&object(&rows)),
        Form::Text => page(&rows),
    });
    Ok(Exit::Ok)
}

/// Name of the engine that keyrings are built with.
pub(super) fn engine_name() -> &'static str {
    Engine::default().name()
}

pub(super) fn sm2_rows(rounds: usize) -> Result<Vec<Row>, Failure> {
    let key = PrivateKey::generate(&mut Random(&SystemEntropy)).map_err(|error| refused("sm2")(&error))?;
    let prepare = |engine| Prepared::new(engine, &key).map_err(|error| refused("sm2")(&error));
    let (engine, reference) = (prepare(Engine::default())?, prepare(Engine::Reference)?);
    let mut rows = Vec::new();
    for operation in Sm2::ALL {
        let costs = measure(rounds, &mut [engine.call(operation), reference.call(operation)])?;
        let [engine, reference] = pair(&costs)?;
        let input_bytes = match operation {
            Sm2::Sign | Sm2::Verify => TEXT_BYTES,
            Sm2::Wrap | Sm2::Unwrap => DATA_KEY.len(),
        };
        rows.push(Row {
            name: operation.name(),
            engine,
            reference,
            input_bytes,
        });
    }
    Ok(rows)
}

/// SM3 and SM4 have one implementation, which is its own reference: one measurement stands in both columns.
pub(super) fn symmetric_rows(rounds: usize) -> Result<Vec<Row>, Failure> {
    let text = text();
    let (hmac, gcm, cbc) = (HmacSm3::new(&text), Sm4Gcm::new(&DATA_KEY), Sm4Cbc::new(&DATA_KEY));
    let (nonce, iv) = ([7; 12], [7; 16]);
    let (sealed, tag) = gcm.seal(&nonce, ADDITIONAL, &text);
    let encrypted = cbc.encrypt(&iv, &text);
    let named: Vec<(&'static str, Call<'_>)> = vec![
        ("sm3", infallible(|| sm3(&[black_box(&text)]))),
        ("hmac_sm3", infallible(|| hmac.tag(&[black_box(&text)]))),
        ("sm4_gcm_seal", infallible(|| gcm.seal(&nonce, ADDITIONAL, black_box(&text)))),
        (
            "sm4_gcm_open",
            fallible(|| gcm.open(&nonce, ADDITIONAL, black_box(&sealed), &tag)),
        ),
        ("sm4_cbc_encrypt", infallible(|| cbc.encrypt(&iv, black_box(&text)))),
        ("sm4_cbc_decrypt", fallible(|| cbc.decrypt(&iv, black_box(&encrypted)))),
    ];
    let (names, mut calls): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let costs = measure(rounds, &mut calls)?;
    let row = |(name, cost)| Row {
        name,
        engine: cost,
        reference: cost,
        input_bytes: TEXT_BYTES,
    };
    Ok(names.into_iter().zip(costs).map(row).collect())
}

/// One engine's prepared keys, and what they work on.
struct Prepared {
    signer: Box<dyn Sign>,
    verifier: Box<dyn Verify>,
    wrapper: Box<dyn Wrap>,
    unwrapper: Box<dyn Unwrap>,
    text: Vec<u8>,
    signature: Signature,
    wrapped: Ciphertext,
}

impl Prepared {
    fn new(engine: Engine, key: &PrivateKey) -> Result<Self, CryptoError> {
        let (signer, wrapper) = (engine.signer(key, DEFAULT_USER_ID)?, engine.wrapper(key.public()));
        let text = text();
        Ok(Self {
            signature: signer.sign(&text, &mut Random(&SystemEntropy))?,
            wrapped: wrapper.wrap(&DATA_KEY, &mut Random(&SystemEntropy))?,
            signer,
            verifier: engine.verifier(key.public(), DEFAULT_USER_ID)?,
            wrapper,
            unwrapper: engine.unwrapper(key),
            text,
        })
    }

    /// The random bytes come from the operating system, as in the gateway, and are part of the cost.
    fn call(&self, operation: Sm2) -> Call<'_> {
        let Self { text, wrapped, .. } = self;
        match operation {
            Sm2::Sign => fallible(|| self.signer.sign(black_box(text), &mut Random(&SystemEntropy))),
            Sm2::Verify => fallible(|| self.verifier.verify(black_box(text), &self.signature)),
            Sm2::Wrap => fallible(|| self.wrapper.wrap(black_box(&DATA_KEY), &mut Random(&SystemEntropy))),
            Sm2::Unwrap => fallible(|| self.unwrapper.unwrap(black_box(wrapped)).map(drop)),
        }
    }
}

fn fallible<'a, T>(call: impl Fn() -> Result<T, CryptoError> + 'a) -> Call<'a> {
    Box::new(move || {
        let result = black_box(call());
        result.map(drop).map_err(|error| refused("crypto")(&error))
    })
}

fn infallible<'a, T>(call: impl Fn() -> T + 'a) -> Call<'a> {
    Box::new(move || {
        drop(black_box(call()));
        Ok(())
    })
}

fn pair(costs: &[Cost]) -> Result<[Cost; 2], Failure> {
    <[Cost; 2]>::try_from(costs).map_err(|error| refused("bench")(&error))
}

fn text() -> Vec<u8> {
    let mut text = vec![0; TEXT_BYTES];
    SystemEntropy.fill(&mut text);
    text
}

impl Row {
    /// How many times faster the engine is than the reference.
    fn ratio(&self) -> f64 {
        self.reference.median_us / self.engine.median_us
    }
}

pub(super) fn object(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name, "input_bytes": row.input_bytes,
            "engine_us": row.engine.median_us, "reference_us": row.reference.median_us, "ratio": row.ratio(),
            "engine_best_us": row.engine.best_us, "reference_best_us": row.reference.best_us,
        })
    };
    json!({
        "engine": engine_name(), "build": build(), "note": NOTE,
        "operations": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn page(rows: &[Row]) -> String {
    let titles = [
        "operation",
        "bytes",
        "engine us",
        "best us",
        "reference us",
        "ratio",
        "engine per s",
    ];
    let titles = titles
        .iter()
        .enumerate()
        .map(|(at, title)| cell(at, title))
        .collect::<Vec<_>>();
    let line = |row: &Row| {
        let cells = [
            row.name.to_owned(),
            row.input_bytes.to_string(),
            format!("{:.2}", row.engine.median_us),
            format!("{:.2}", row.engine.best_us),
            format!("{:.2}", row.reference.median_us),
            format!("{:.2}", row.ratio()),
            format!("{:.0}", 1e6 / row.engine.median_us),
        ];
        cells.iter().enumerate().map(|(at, text)| cell(at, text)).collect()
    };
    let rows = rows.iter().map(line).collect::<Vec<Vec<String>>>();
    format!(
        "engine: {}; build: {}; medians over rounds\n\n{}\n\n{NOTE}",
        engine_name(),
        build(),
        table(&titles, &rows)
    )
}

/// Names to the left, numbers to the right.
fn cell(at: usize, text: &str) -> String {
    if at == 0 { text.to_owned() } else { format!("{text:>12}") }
}

const TEXT_BYTES: usize = 1024;
const DATA_KEY: [u8; 16] = *b"0123456789abcdef";
const ADDITIONAL: &[u8] = b"bench";
const NOTE: &str = "ratio: reference_us / engine_us. SM2 is measured through both; SM3 and SM4 have one implementation, \
whose figure stands in both columns.";
