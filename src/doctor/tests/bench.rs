//! A sound sample with keys that the tests know, and what can be done wrong with it.

use crate::clock::{Random, SeededEntropy};
use crate::doctor::coding::{Escaping, base64, hex, unhex};
use crate::doctor::proof::{Before, By, Way};
use crate::doctor::{Case, Finding, examine};
use crate::pipeline::{LinkView, announcement, emit, receive};
use codecs::envelope::{SignatureEncoding, SignatureScheme, WholeScheme, signature_to_der};
use codecs::payment::{Attribute, Operation};
use codecs::sample::{Sample, embedded};
use codecs::spec::{Spec, Specs};
use codecs::wire::Wire;
use keys::algorithm::Algorithm;
use keys::key::{KeyEntry, Side, Status, Usage};
use keys::keyring::Keyring;
use keys::legacy::des::TripleDes;
use keys::legacy::mac::{HmacSha256, KeySuffix};
use keys::legacy::{RsaPrivate, RsaPublic};
use keys::secret::Secret;
use keys::sm2::{DEFAULT_USER_ID, Engine, PrivateKey, PublicKey};
use keys::sm3::HmacSm3;
use keys::store::{Held, Material};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use time::OffsetDateTime;
use time::macros::datetime;

pub(super) const LINK: &str = "sample";
pub(super) const NOW: OffsetDateTime = datetime!(2030-01-02 18:30:10 +8);

pub(super) struct Bench {
    pub(super) link: &'static str,
    pub(super) spec: Arc<Spec>,
    pub(super) others: Vec<(String, Arc<Spec>)>,
    pub(super) wire: Wire,
    /// Each with the text of its file; the first verifies the sample.
    pub(super) keys: Vec<(KeyEntry, String)>,
    pub(super) now: OffsetDateTime,
    /// What signs the sample: a private key, or a secret.
    pub(super) signer: String,
    /// What seals all of it, in hex, where it goes in a capsule; `wire` is what is inside.
    pub(super) around: Option<String>,
    seed: u64,
}

/// How a signature is made; what it leaves out is as the spec says.
#[derive(Default)]
pub(super) struct Making<'m> {
    pub(super) way: Option<(Before, By)>,
    pub(super) user_id: Option<&'m [u8]>,
    pub(super) signer: Option<&'m str>,
}

impl Bench {
    pub(super) fn new(codec: &str, file: &str) -> Self {
        let mut all = samples().iter();
        let sample = all.find(|sample| sample.codec == codec && sample.file == file);
        Self::of(sample.unwrap_or_else(|| panic!("{codec}/{file}")))
    }

    pub(super) fn of(sample: &Sample) -> Self {
        static SPECS: OnceLock<Specs> = OnceLock::new();
        let specs = SPECS.get_or_init(|| Specs::embedded().unwrap());
        let spec = sample.suited(specs.spec(&sample.codec).unwrap()).unwrap().clone();
        let mut bench = Self {
            link: LINK,
            others: specs.iter().map(|spec| (spec.codec.clone(), spec.clone())).collect(),
            around: sample.is_capsule(&spec).then(|| read(&format!("{}.mac", sample.opens))),
            wire: inside(sample, &spec).unwrap_or_else(|| sample.wire.clone()),
            keys: Vec::new(),
            now: NOW,
            signer: String::new(),
            seed: 1,
            spec,
        };
        if sample.key.is_empty() {
            bench.emit_sample(sample);
        } else {
            bench.know_keys(sample);
        }
        bench
    }

    pub(super) fn diagnose(&self) -> String {
        Self::code(&self.examine()).to_owned()
    }

    /// Whether the pipeline takes the message.
    pub(super) fn is_taken(&self) -> bool {
        let link = LinkView {
            name: self.link,
            spec: &self.spec,
            keyring: &keyring(&self.keys),
        };
        receive(&self.came(), link, self.now).is_ok()
    }

    /// The bytes that came: what is inside, in its capsule where it has one.
    fn came(&self) -> Wire {
        let Some(secret) = &self.around else {
            return self.wire.clone();
        };
        let ciphertext = capsule_key(secret).encrypt_framed(&self.wire.body).unwrap();
        self.spec.with_sealed_content(self.wire.clone(), &ciphertext).unwrap()
    }

    pub(super) fn code(finding: &Finding) -> &'static str {
        match finding {
            Finding::Sound => "sound",
            Finding::Explained(explanation) => explanation.mistake.code,
            Finding::Unknown(_) => "unknown",
        }
    }

    pub(super) fn examine(&self) -> Finding {
        let (held, keyring) = (held(&self.keys), keyring(&self.keys));
        examine(&Case {
            wire: &self.came(),
            link: self.link,
            spec: &self.spec,
            others: &self.others,
            keyring: &keyring,
            held: &held,
            now: self.now,
        })
    }

    pub(super) fn parses(&self) -> bool {
        self.spec
            .parse(&self.wire)
            .is_ok_and(|message| message.signature_text().is_some())
    }

    /// Values that nobody may be told: accounts, amounts, names, secrets.
    pub(super) fn secrets(&self) -> Vec<String> {
        let message = self.spec.parse(&self.wire).unwrap();
        let (clear, masked) = (message.describe(true), message.describe(false));
        let pairs = clear.into_iter().zip(masked);
        let hidden = pairs
            .filter(|(clear, masked)| clear.value != masked.value)
            .map(|(clear, _)| clear.value);
        hidden
            .chain(["12.34".to_owned(), self.signer.clone()])
            .filter(|value| value.len() > 3)
            .collect()
    }

    /// The text that the spec says is signed of the message as it stands.
    pub(super) fn text(&self) -> String {
        let message = self.spec.parse(&self.wire).unwrap();
        String::from_utf8(message.signed_text().unwrap()).unwrap()
    }

    /// We have the key that verifies the sample under this serial number too.
    pub(super) fn know_as(&mut self, serial: &str) {
        let (of, text) = self.keys[0].clone();
        let (id, serial) = (format!("key-{serial}"), serial.to_owned());
        let entry = KeyEntry {
            id,
            serial,
            status: Status::Accepted,
            ..of
        };
        self.keys.push((entry, text));
    }

    /// The signature as it stands.
    pub(super) fn sent(&self) -> String {
        self.spec.parse(&self.wire).unwrap().signature_text().unwrap().to_owned()
    }

    /// Puts a signature of this text in place, made and written as the spec says.
    pub(super) fn sign(&mut self, text: impl AsRef<[u8]>) {
        self.sign_as(text, &Making::default());
    }

    pub(super) fn sign_as(&mut self, text: impl AsRef<[u8]>, making: &Making<'_>) {
        let written = self.written(&self.made(text.as_ref(), making));
        self.put_signature(&written);
        self.seed += 1;
    }

    pub(super) fn put_signature(&mut self, written: &str) {
        self.put(&self.sent(), written);
    }

    /// Puts one text in another's place, wherever it stands and as it is escaped there.
    pub(super) fn put(&mut self, old: &str, new: &str) {
        let escape = |text: &str| Escaping::FORM.escape(text);
        let raw = put_bytes(&mut self.wire.body, old, new);
        let escaped = !raw && put_bytes(&mut self.wire.body, &escape(old), &escape(new));
        let mut found = raw || escaped;
        for (_, value) in &mut self.wire.headers {
            found |= value.contains(old);
            *value = value.replace(old, new);
        }
        assert!(found, "{old} does not stand in the message");
    }

    /// r and s of the signature, or its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.spec.signature_encoding().read(&self.sent()).unwrap().bytes().to_vec()
    }

    pub(super) fn written(&self, bytes: &[u8]) -> String {
        match self.spec.signature_encoding() {
            SignatureEncoding::Der => base64(&signature_to_der(bytes.try_into().unwrap())),
            SignatureEncoding::Raw | SignatureEncoding::Base64 => base64(bytes),
            SignatureEncoding::Hex => hex(bytes),
            SignatureEncoding::UpperHex => hex(bytes).to_ascii_uppercase(),
        }
    }

    pub(super) fn made(&self, text: &[u8], making: &Making<'_>) -> Vec<u8> {
        let usual = Way::of(self.spec.signature_scheme()).unwrap();
        let (before, by) = making.way.unwrap_or((usual.before, usual.by));
        let text = before.of(text);
        let signer = making.signer.unwrap_or(&self.signer);
        let entropy = SeededEntropy::new(self.seed);
        let mut random = Random(&entropy);
        let own = self.keys[0].0.user_id.as_ref().map_or(DEFAULT_USER_ID, String::as_bytes);
        let secret = signer.as_bytes();
        match by {
            By::Sm2 => {
                let key = PrivateKey::from_pem(signer).unwrap();
                let signer = Engine::Reference.signer(&key, making.user_id.unwrap_or(own)).unwrap();
                signer.sign(&text, &mut random).unwrap().to_vec()
            }
            By::Rsa(scheme) => RsaPrivate::from_pem(signer)
                .unwrap()
                .sign(scheme, &text, &mut random)
                .unwrap(),
            By::Sm2As(_) | By::CupDes | By::CupSm4(_) => panic!("another implementation makes these"),
            By::HmacSm3 => HmacSm3::new(secret).tag(&[&text]).to_vec(),
            By::HmacSha256 => HmacSha256::new(secret).unwrap().tag(&[&text]).to_vec(),
            By::HmacSha256Key => HmacSha256::with_key_behind(secret).unwrap().tag(&[&text]).to_vec(),
            By::Behind(digest) => KeySuffix::new(digest, secret).unwrap().tag(&[&text]),
            By::BehindHashed(digest) => KeySuffix::of_hashed_key(digest, secret).unwrap().tag(&[&text]),
        }
    }

    /// Adds a key; gives its place.
    pub(super) fn know(&mut self, link: &str, side: Side, usage: Usage, serial: &str, text: &str) -> usize {
        let algorithm = Algorithm::default_of(side, usage).unwrap();
        let status = if self
            .keys
            .iter()
            .any(|(known, _)| (known.side, known.usage) == (side, usage) && known.link == link)
        {
            Status::Accepted
        } else {
            Status::Primary
        };
        let mut entry = entry(side, usage, algorithm, serial, self.keys.len());
        (entry.link, entry.status) = (link.to_owned(), status);
        self.keys.push((entry, text.to_owned()));
        self.keys.len() - 1
    }

    fn know_keys(&mut self, sample: &Sample) {
        let wire = self.wire.clone();
        let message = self.spec.parse(&wire).unwrap();
        let serial = message.signer_text().unwrap_or("1").to_owned();
        let scheme = self.spec.signature_scheme();
        if let SignatureScheme::Mac(_) = scheme {
            let algorithm = Algorithm::parse(&scheme.name().replace('_', "-")).unwrap();
            self.signer = read(&format!("{}.mac", sample.key)).trim_end().to_owned();
            self.keys
                .push((entry(Side::Shared, Usage::Mac, algorithm, &serial, 0), self.signer.clone()));
        } else {
            let algorithm = if let SignatureScheme::Rsa(_) = scheme {
                Algorithm::Rsa
            } else {
                Algorithm::Sm2
            };
            let mut entry = entry(Side::Theirs, Usage::Sign, algorithm, &serial, 0);
            entry.user_id.clone_from(&sample.user_id);
            self.keys.push((entry, read(&format!("{}.pub.pem", sample.key))));
            let file = folder().join(format!("{}.key.pem", sample.key));
            self.signer = std::fs::read_to_string(file).unwrap_or_default();
        }
        if sample.opens.is_empty() {
            return;
        }
        if let Some(secret) = &self.around {
            let key = entry(Side::Shared, Usage::Seal, Algorithm::TripleDesEcb, "1", 1);
            self.keys.push((key, secret.clone()));
            return;
        }
        if let Some((serial, _)) = message.wrapped_text() {
            let text = read(&format!("{}.key.pem", sample.opens));
            let algorithm = if sample.opens.starts_with("rsa") {
                Algorithm::Rsa
            } else {
                Algorithm::Sm2
            };
            self.keys.push((entry(Side::Ours, Usage::Seal, algorithm, serial, 1), text));
        }
        if message.sealed_each().is_ok_and(|each| !each.is_empty()) {
            let text = read(&format!("{}.key.pem", sample.opens));
            let algorithm = if sample.opens.starts_with("rsa") {
                Algorithm::Rsa
            } else {
                Algorithm::Sm2
            };
            let serial = message.sealed_for().unwrap_or("1");
            self.keys.push((entry(Side::Ours, Usage::Seal, algorithm, serial, 1), text));
        }
        if let Ok(Some(whole)) = message.sealed_whole() {
            let algorithm = match whole.scheme {
                WholeScheme::Aes256Gcm => Algorithm::Aes256Gcm,
                WholeScheme::Sm4Gcm => Algorithm::Sm4GcmText,
                WholeScheme::AesCbc => Algorithm::AesCbc,
                WholeScheme::AesEcbMd5 => Algorithm::AesEcbMd5,
            };
            let secret = read(&format!("{}.mac", sample.opens)).trim_end().to_owned();
            self.keys.push((entry(Side::Shared, Usage::Seal, algorithm, "1", 1), secret));
        }
    }

    /// Makes the message of a sample that nobody signed: sealed and signed by the pipeline, for the keys of the bench.
    fn emit_sample(&mut self, sample: &Sample) {
        let clear = sample
            .sealing
            .map_or_else(|| self.spec.clone(), |on| Arc::new(self.spec.with_sealing(on)));
        let mut payment = clear.parse(&sample.wire).unwrap().payment().unwrap();
        let code = payment.text(Attribute::MessageCode).unwrap().to_owned();
        let entry = |side, usage, serial: &str, at| {
            let algorithm = Algorithm::default_of(side, usage).unwrap();
            entry(side, usage, algorithm, serial, at)
        };
        let theirs = if let SignatureScheme::Mac(_) = self.spec.signature_scheme() {
            SECRET.clone_into(&mut self.signer);
            self.keys
                .push((entry(Side::Shared, Usage::Mac, "5000000001", 0), self.signer.clone()));
            keyring(&self.keys)
        } else {
            self.signer = read("sm2-sign.key.pem");
            self.keys
                .push((entry(Side::Theirs, Usage::Sign, "5000000001", 0), read("sm2-sign.pub.pem")));
            self.keys
                .push((entry(Side::Ours, Usage::Seal, "5000000002", 1), read("sm2-seal.key.pem")));
            keyring(&[
                (entry(Side::Ours, Usage::Sign, "5000000001", 0), self.signer.clone()),
                (entry(Side::Theirs, Usage::Seal, "5000000002", 1), read("sm2-seal.pub.pem")),
            ])
        };
        let link = LinkView {
            name: LINK,
            spec: &self.spec,
            keyring: &theirs,
        };
        let entropy = SeededEntropy::new(7);
        if payment.operation == Operation::Certificate {
            let signer = theirs.signer(LINK, NOW).unwrap();
            let proof = announcement(&payment).signed(signer.sm2().unwrap(), &mut Random(&entropy));
            payment.set_text(Attribute::KeySignature, proof.unwrap());
        }
        self.wire = emit(&payment, &code, link, NOW, &mut Random(&entropy))
            .unwrap()
            .wire()
            .clone();
    }
}

pub(super) fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| embedded().unwrap())
}

/// What is inside a sample's capsule, if it has one that its key opens.
pub(super) fn inside(sample: &Sample, spec: &Spec) -> Option<Wire> {
    if !sample.is_capsule(spec) {
        return None;
    }
    let ciphertext = spec.sealed_content(&sample.wire).ok()??;
    let clear = capsule_key(&read(&format!("{}.mac", sample.opens)))
        .decrypt_framed(&ciphertext)
        .ok()?;
    spec.opened_content(&sample.wire, clear).ok()
}

fn capsule_key(secret: &str) -> TripleDes {
    TripleDes::new(&unhex(secret.trim_end()).unwrap()).unwrap()
}

fn put_bytes(body: &mut Vec<u8>, old: &str, new: &str) -> bool {
    let mut out = Vec::with_capacity(body.len());
    let (mut rest, mut found) = (body.as_slice(), false);
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(old.as_bytes()) {
            (rest, found) = (after, true);
            out.extend_from_slice(new.as_bytes());
        } else {
            rest = tail;
            out.push(first);
        }
    }
    *body = out;
    found
}

pub(super) fn entry(side: Side, usage: Usage, algorithm: Algorithm, serial: &str, at: usize) -> KeyEntry {
    KeyEntry {
        primary_from: None,
        id: format!("{}-{}-{at}", side.name(), usage.name()),
        link: LINK.to_owned(),
        side,
        usage,
        algorithm,
        status: Status::Primary,
        serial: serial.to_owned(),
        not_before: datetime!(2000-01-01 0:00 UTC),
        not_after: datetime!(2099-01-01 0:00 UTC),
        user_id: None,
    }
}

fn held(keys: &[(KeyEntry, String)]) -> Vec<Held> {
    let material = |(entry, text): &(KeyEntry, String)| match (entry.side, entry.algorithm) {
        (Side::Shared, Algorithm::TripleDesEcb) => Material::Secret(Secret::new(unhex(text.trim_end()).unwrap())),
        (Side::Shared, _) => Material::Secret(Secret::new(text.as_bytes().to_vec())),
        (Side::Ours, Algorithm::Rsa) => Material::RsaPrivate(Box::new(RsaPrivate::from_pem(text).unwrap())),
        (Side::Theirs, Algorithm::Rsa) => Material::RsaPublic(RsaPublic::from_pem(text).unwrap()),
        (Side::Ours, _) => Material::Sm2Private(Box::new(PrivateKey::from_pem(text).unwrap())),
        (Side::Theirs, _) => Material::Sm2Public(PublicKey::from_pem(text).unwrap()),
    };
    let held = |key: &(KeyEntry, String)| Held {
        entry: key.0.clone(),
        material: material(key),
    };
    keys.iter().map(held).collect()
}

fn keyring(keys: &[(KeyEntry, String)]) -> Keyring {
    let add = |builder, held: Held| held.add_to(builder);
    held(keys)
        .into_iter()
        .fold(Keyring::builder().engine(Engine::Reference), add)
        .build()
        .unwrap()
}

/// A private SM2 key that no sample uses, and its public half.
pub(super) fn fresh(number: u8) -> (String, String) {
    let key = PrivateKey::from_bytes(&[number; 32]).unwrap();
    let public = key.public().to_spki_pem().unwrap();
    (key.danger_to_pkcs8_pem().unwrap().to_string(), public)
}

pub(super) fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples")
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";
