//! Vectors and random sources that several tests share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use crate::algorithm::Algorithm;
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::sm2::{PrivateKey, PublicKey};
use crate::sm3::sm3;
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use time::OffsetDateTime;
use time::macros::datetime;

/// Key of GM/T 0003.5 (`facts/institutions.md` 9).
pub(crate) const GMT_D: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
pub(crate) const GMT_K: &str = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21";

/// n and p of the recommended curve (GB/T 32918.5).
pub(crate) const N: &str = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
pub(crate) const P: &str = "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff";

pub(crate) fn hex<const BYTES: usize>(digits: &str) -> [u8; BYTES] {
    bytes(digits).try_into().unwrap()
}

pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    crate::hex::decode(digits).unwrap().to_vec()
}

pub(crate) fn joined(left: &str, right: &str) -> [u8; 64] {
    hex(&[left, right].concat())
}

pub(crate) fn gmt_key() -> PrivateKey {
    PrivateKey::from_bytes(&hex(GMT_D)).unwrap()
}

pub(crate) fn gmt_public() -> PublicKey {
    gmt_key().public().clone()
}

/// SM3 in counter mode: the same seed gives the same bytes.
pub(crate) struct SeededRng {
    seed: u64,
    count: u64,
}

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for part in target.chunks_mut(32) {
            self.count += 1;
            let block = sm3(&[&self.seed.to_be_bytes(), &self.count.to_be_bytes()]);
            part.copy_from_slice(&block[..part.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

/// A random source that is broken: always zero.
pub(crate) struct ZeroRng;

impl TryRng for ZeroRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for ZeroRng {}

/// An instant within the validity of `entry`.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 00:00 UTC);

pub(crate) fn entry(link: &str, side: Side, usage: Usage, status: Status, serial: &str) -> KeyEntry {
    KeyEntry {
        id: format!("{link}-{}-{}-{serial}", side.name(), usage.name()),
        link: link.to_owned(),
        side,
        usage,
        // What nothing serves is refused whatever is said here.
        algorithm: Algorithm::default_of(side, usage).unwrap_or(Algorithm::Sm2),
        status,
        serial: serial.to_owned(),
        primary_from: None,
        not_before: datetime!(2026-01-01 00:00 UTC),
        not_after: datetime!(2026-12-31 00:00 UTC),
        user_id: None,
    }
}

/// The machine's `openssl` command in a folder of its own: an implementation we share no code with.
pub(crate) struct OpenSsl {
    folder: tempfile::TempDir,
}

impl OpenSsl {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub(crate) fn must(&self, arguments: &str) {
        let mut command = std::process::Command::new("openssl");
        let output = command.args(arguments.split(' ')).current_dir(self.folder.path()).output();
        let output = output.expect("this test needs OpenSSL 3: apt-get install openssl");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {told}");
    }

    /// An authority, or a certificate that another issued; `extensions` as in openssl's own files, one a line.
    pub(crate) fn certificate(&self, name: &str, issuer: Option<&str>, algorithm: &str, extensions: &str) {
        self.write(&format!("{name}.kind"), algorithm.as_bytes());
        match algorithm {
            "rsa" => self.must(&format!("genrsa -out {name}.key 2048")),
            _ => self.must(&format!("ecparam -name SM2 -genkey -noout -out {name}.key")),
        }
        let sign = self.signing(name);
        self.must(&format!(
            "req -new -key {name}.key {sign} -subj /C=CN/O=Test/CN={name} -out {name}.csr"
        ));
        self.issue(name, issuer, extensions, "-days 365");
    }

    /// Another certificate for a request that is there.
    pub(crate) fn issue(&self, name: &str, issuer: Option<&str>, extensions: &str, options: &str) {
        self.write("extensions", extensions.as_bytes());
        let by = issuer.map_or_else(
            || format!("-signkey {name}.key"),
            |issuer| format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
        );
        let sign = self.signing(issuer.unwrap_or(name));
        let verify = if self.text(&format!("{name}.kind")) == "rsa" {
            ""
        } else {
            " -vfyopt distid:1234567812345678"
        };
        self.must(&format!(
            "x509 -req -in {name}.csr {by} {sign}{verify} {options} -extfile extensions -out {name}.pem"
        ));
    }

    fn signing(&self, name: &str) -> &'static str {
        match self.text(&format!("{name}.kind")).as_str() {
            "rsa" => "-sha256",
            _ => "-sm3 -sigopt distid:1234567812345678",
        }
    }
}

/// Copies of some bytes, each with one to three bytes altered, cut or doubled, from a seed.
pub(crate) fn altered(bytes: &[u8], seed: u64, count: usize) -> impl Iterator<Item = Vec<u8>> {
    use rand_core::Rng;
    let mut rng = SeededRng::new(seed);
    let bytes = bytes.to_vec();
    std::iter::repeat_with(move || {
        let mut copy = bytes.clone();
        for _ in 0..=rng.next_u32() % 3 {
            let at = rng.next_u32() as usize % copy.len().max(1);
            match rng.next_u32() % 4 {
                0 => copy.truncate(at.max(1)),
                1 => copy.insert(at, rng.next_u32().to_be_bytes()[0]),
                _ => copy[at] ^= 1 << (rng.next_u32() % 8),
            }
        }
        copy
    })
    .take(count)
}

/// An authority with two certificates, of which the first is revoked, and its list.
pub(crate) fn revoking(algorithm: &str) -> OpenSsl {
    let openssl = OpenSsl::new();
    openssl.certificate("root", None, algorithm, AUTHORITY);
    openssl.certificate("bad", Some("root"), algorithm, "basicConstraints=CA:FALSE\n");
    openssl.certificate("good", Some("root"), algorithm, "basicConstraints=CA:FALSE\n");
    openssl.write("index", b"");
    openssl.write("number", b"01\n");
    let digest = if algorithm == "rsa" { "sha256" } else { "sm3" };
    let settings =
        format!("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md={digest}\ndefault_crl_days=9\n");
    openssl.write("ca.cnf", settings.as_bytes());
    let sign = if algorithm == "rsa" {
        ""
    } else {
        " -sigopt distid:1234567812345678"
    };
    openssl.must("ca -config ca.cnf -keyfile root.key -cert root.pem -revoke bad.pem -crl_reason keyCompromise");
    openssl.must(&format!(
        "ca -config ca.cnf -keyfile root.key -cert root.pem -gencrl -out root.crl{sign}"
    ));
    openssl
}

/// Extensions of an authority's certificate.
pub(crate) const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
