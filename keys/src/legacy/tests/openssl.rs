//! Both ways against the machine's `openssl` command: an implementation we share no code with.

use super::*;
use crate::legacy::aes::{AesCbc, AesEcb};
use crate::legacy::mac::HmacSha256;
use crate::legacy::zero_padded::ZeroPaddedCbc;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub(super) struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs in the folder; gives whether it succeeded.
    fn run(&self, arguments: &str) -> bool {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output();
        let output = output.expect("this test needs OpenSSL 3: apt-get install openssl");
        output.status.success()
    }

    pub(super) fn must(&self, arguments: &str) {
        assert!(
            self.run(arguments),
            "openssl {arguments} failed; OpenSSL 3 is needed: apt-get install openssl"
        );
    }
}

/// How `openssl pkeyutl` names a scheme that hashes once, and what it signs.
const SIGNATURES: [(RsaScheme, &str); 4] = [
    (RsaScheme::Pkcs1Sha256, "-rawin -digest sha256"),
    (RsaScheme::Pkcs1Sha1, "-rawin -digest sha1"),
    (RsaScheme::Pkcs1Md5, "-rawin -digest md5"),
    (RsaScheme::Pkcs1Raw, "-pkeyopt rsa_padding_mode:pkcs1"),
];

const PADDINGS: [(RsaPadding, &str); 3] = [
    (RsaPadding::Pkcs1, "-pkeyopt rsa_padding_mode:pkcs1"),
    (
        RsaPadding::OaepSha1,
        "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1",
    ),
    (
        RsaPadding::OaepSha256,
        "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
    ),
];

fn its_key(openssl: &OpenSsl, bits: u32) -> RsaPrivate {
    openssl.must(&format!(
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out key.pem"
    ));
    openssl.must("pkey -in key.pem -pubout -out pub.pem");
    RsaPrivate::from_pem(&openssl.text("key.pem")).unwrap()
}

#[test]
fn signatures_of_each_are_verified_by_the_other() {
    for bits in [1024, 2048, 2056, 4096] {
        let openssl = OpenSsl::new();
        let key = its_key(&openssl, bits);
        assert_eq!(key.public().bits(), bits);
        for (scheme, options) in SIGNATURES {
            openssl.write("m", scheme.name().as_bytes());
            openssl.must(&format!("pkeyutl -sign {options} -inkey key.pem -in m -out s"));
            let theirs = openssl.read("s");
            assert_eq!(key.public().verify(scheme, scheme.name().as_bytes(), &theirs), Ok(()));
            let ours = key.sign(scheme, scheme.name().as_bytes(), &mut rng(10)).unwrap();
            assert_eq!(ours, theirs, "PKCS #1 v1.5 is deterministic; blinding must not show");
            let verify = format!("pkeyutl -verify {options} -pubin -inkey pub.pem -in m -sigfile s");
            openssl.must(&verify);
            openssl.write("m", b"another");
            assert!(!openssl.run(&verify));
        }
    }
}

#[test]
fn what_each_wraps_is_unwrapped_by_the_other() {
    for bits in [1024, 3072] {
        let openssl = OpenSsl::new();
        let key = its_key(&openssl, bits);
        for (padding, options) in PADDINGS {
            for length in [1, 16, 32, 62] {
                let clear = vec![u8::try_from(length).unwrap(); length];
                openssl.write("m", &clear);
                openssl.must(&format!("pkeyutl -encrypt {options} -pubin -inkey pub.pem -in m -out c"));
                let opened = key.unwrap(padding, &openssl.read("c"), &mut rng(11)).unwrap();
                assert_eq!(opened.danger_expose(), clear);
                let wrapped = key.public().wrap(padding, &clear, &mut rng(12)).unwrap();
                openssl.write("c", &wrapped);
                openssl.must(&format!("pkeyutl -decrypt {options} -inkey key.pem -in c -out m"));
                assert_eq!(openssl.read("m"), clear);
            }
        }
    }
}

#[test]
fn key_files_of_either_are_read_by_the_other() {
    let openssl = OpenSsl::new();
    let key = its_key(&openssl, 2048);
    openssl.must("rsa -in key.pem -traditional -out pkcs1.pem");
    openssl.must("rsa -in key.pem -RSAPublicKey_out -out public1.pem");
    for file in ["key.pem", "pkcs1.pem"] {
        assert_eq!(RsaPrivate::from_pem(&openssl.text(file)).unwrap().public(), key.public());
    }
    for file in ["pub.pem", "public1.pem"] {
        assert_eq!(&RsaPublic::from_pem(&openssl.text(file)).unwrap(), key.public());
    }
    assert_eq!(key.public().to_spki_pem().unwrap(), openssl.text("pub.pem"));
    let made = RsaPrivate::generate(2048, &mut rng(13)).unwrap();
    openssl.write("made.pem", made.danger_to_pkcs8_pem().unwrap().as_bytes());
    openssl.must("pkey -in made.pem -check -noout");
    openssl.must("pkey -in made.pem -pubout -out made.pub.pem");
    assert_eq!(made.public().to_spki_pem().unwrap(), openssl.text("made.pub.pem"));
    openssl.must("pkey -in key.pem -aes256 -passout pass:secret -out encrypted.pem");
    assert!(RsaPrivate::from_pem(&openssl.text("encrypted.pem")).is_err());
}

#[test]
fn block_ciphers_and_hmac() {
    let openssl = OpenSsl::new();
    let (small, large) = ([7; 16], [9; 32]);
    let hex = |bytes: &[u8]| crate::hex::encode(bytes);
    for length in [0, 1, 15, 16, 17, 100] {
        let clear = vec![b'x'; length];
        openssl.write("m", &clear);
        for (name, key) in [("aes-128", small.as_slice()), ("aes-256", &large)] {
            openssl.must(&format!("enc -{name}-cbc -K {} -iv {} -in m -out c", hex(key), hex(&[3; 16])));
            let cipher = AesCbc::new(key).unwrap();
            assert_eq!(openssl.read("c"), cipher.encrypt(&[3; 16], &clear).unwrap());
            assert_eq!(cipher.decrypt(&[3; 16], &openssl.read("c")), Ok(clear.clone()));
            openssl.must(&format!("enc -{name}-ecb -K {} -in m -out c", hex(key)));
            let cipher = AesEcb::new(key).unwrap();
            assert_eq!(openssl.read("c"), cipher.encrypt(&clear).unwrap());
            assert_eq!(cipher.decrypt(&openssl.read("c")), Ok(clear.clone()));
        }
        openssl.must(&format!(
            "dgst -sha256 -mac HMAC -macopt hexkey:{} -binary -out t m",
            hex(&large)
        ));
        assert_eq!(HmacSha256::new(&large).unwrap().check(&[&clear], &openssl.read("t")), Ok(()));
    }
    let key = b"abcdefgh12345678ABCDEFGH";
    openssl.write("m", &[b'y'; 24]);
    openssl.must(&format!(
        "enc -des-ede3-cbc -nopad -K {} -iv {} -in m -out c",
        hex(key),
        hex(&[0; 8])
    ));
    let sealed = ZeroPaddedCbc::triple_des(key).unwrap().encrypt(&[b'y'; 24]).unwrap();
    assert_eq!(openssl.read("c"), sealed);
}
