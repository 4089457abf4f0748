//! Entry points for fuzzing, each also run by a plain test with a fixed seed. They must return, whatever the bytes.

use crate::envelope::{SealingScheme, SignatureEncoding, TextCipher, ciphertext_from_der, session, signature_from_der, text_key};
use crate::error::ParseError;
use crate::format;
use crate::spec::{Spec, Specs};
use crate::wire::{Start, Wire};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// One entry point: `format/strict-xml`, `format/NAME` (every spec of that container), `spec/CODEC` or `spec/CODEC.SUITE`,
/// `envelope/NAME`.
pub struct Target {
    pub name: String,
    reads: Reads,
}

enum Reads {
    Specs(Vec<Arc<Spec>>),
    Bytes(fn(&[u8])),
}

impl Target {
    /// Reads bytes of whatever kind, and asks for everything that they can say. Refusals are the expected result here; only
    /// panics, endless loops and memory without bounds are of interest.
    pub fn run(&self, bytes: &[u8]) {
        match &self.reads {
            Reads::Specs(specs) => specs.iter().for_each(|spec| as_message(spec, bytes)),
            Reads::Bytes(read) => read(bytes),
        }
    }
}

/// Every entry point there is.
pub fn targets() -> &'static [Target] {
    static TARGETS: OnceLock<Vec<Target>> = OnceLock::new();
    TARGETS.get_or_init(|| {
        let bytes = ENVELOPES.map(|(name, read)| target(name, Reads::Bytes(read)));
        bytes.into_iter().chain(of_specs()).collect()
    })
}

/// The strict XML layer alone: well-formed, within the limits, and nothing that could give one document two readings.
pub fn strict_xml(body: &[u8]) -> Result<(), ParseError> {
    format::strict_xml(body)
}

/// A name, and what reads the bytes.
type Reader = (&'static str, fn(&[u8]));

const ENVELOPES: [Reader; 7] = [
    ("format/strict-xml", |bytes| drop(strict_xml(bytes))),
    ("envelope/signature-der", |bytes| drop(signature_from_der(bytes))),
    ("envelope/signature-text", |bytes| {
        for encoding in SignatureEncoding::ALL {
            drop(encoding.read(&String::from_utf8_lossy(bytes)));
        }
    }),
    ("envelope/ciphertext-der", |bytes| drop(ciphertext_from_der(bytes))),
    ("envelope/ciphertext-raw", |bytes| drop(session::ciphertext_from_raw(bytes))),
    ("envelope/text-key", |bytes| {
        let _known = [TextCipher::Sm4, TextCipher::Aes256].map(|cipher| text_key::key_of(cipher, bytes).is_some());
        drop(text_key::ciphertext(&String::from_utf8_lossy(bytes), 4096, 16));
    }),
    ("envelope/gcm-fields", |bytes| {
        drop(crate::envelope::gcm_fields::parts(&String::from_utf8_lossy(bytes), 4096));
    }),
];

fn target(name: impl Into<String>, reads: Reads) -> Target {
    Target {
        name: name.into(),
        reads,
    }
}

/// Every embedded spec in each of its suites, sealed and not; and all of one container together.
fn of_specs() -> Vec<Target> {
    let embedded = Specs::embedded().unwrap_or_default();
    let (mut targets, mut formats) = (Vec::new(), BTreeMap::<&str, Vec<Arc<Spec>>>::new());
    for spec in embedded.iter().flat_map(Spec::suites) {
        let dot = if spec.suite.is_empty() { "" } else { "." };
        let both = [true, false].map(|on| Arc::new(spec.with_sealing(on)));
        let of_format = formats.entry(spec.format.name()).or_default();
        of_format.extend(both.iter().cloned());
        let name = format!("spec/{}{dot}{}", spec.codec, spec.suite);
        targets.push(target(name, Reads::Specs(both.into())));
    }
    let formats = formats
        .into_iter()
        .map(|(name, specs)| target(format!("format/{name}"), Reads::Specs(specs)));
    targets.extend(formats);
    targets
}

/// Reads bytes as a message over a queue and over HTTP.
fn as_message(spec: &Spec, bytes: &[u8]) {
    let mut wire = Wire {
        start: Start::Queue,
        headers: headers(),
        body: bytes.to_vec(),
    };
    for start in [Start::Queue, Start::Status(200)].into_iter().chain(spec.targets()) {
        wire.start = start;
        drop(everything(spec, &wire));
    }
}

fn headers() -> Vec<(String, String)> {
    let pairs = [
        ("idempotency-key", "K1"),
        ("hangu-key", "k1"),
        ("hangu-timestamp", "2030-01-02T18:30:05+08:00"),
        ("hangu-signature", "00"),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn everything(spec: &Spec, wire: &Wire) -> Result<(), ParseError> {
    drop((
        spec.peek(wire),
        spec.sealed_content(wire),
        spec.opened_content(wire, wire.body.clone()),
    ));
    let mut message = spec.parse(wire)?;
    drop((
        message.describe(false),
        message.signed_fields(),
        message.signature(),
        message.envelope(),
        message.wrapped_key(),
        message.signed_text(),
        message.sealed_whole(),
    ));
    if message.sealed_whole()?.is_some() {
        drop(message.set_whole(&wire.body));
    }
    match message.sealing_scheme() {
        Some(SealingScheme::TextKey(_) | SealingScheme::Session(_)) => {
            for sealed in message.sealed_blocks()? {
                drop(message.set_opened(sealed.slot, &sealed.ciphertext));
            }
        }
        Some(SealingScheme::Each(_)) => {
            for sealed in message.sealed_each()? {
                drop(message.set_opened(sealed.slot, &wire.body));
            }
        }
        Some(SealingScheme::Sm4Gcm) | None => {
            for sealed in message.sealed_fields()? {
                drop(message.set_opened(sealed.slot, &sealed.ciphertext));
            }
        }
    }
    message.payment().map(drop)
}
