//! Both ways against the machine's `openssl` command: an implementation we share no code with.

use crate::sm2::{Ciphertext, DEFAULT_USER_ID, Engine, PrivateKey, PublicKey, Signature};
use crate::testing::SeededRng;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const ROUNDS: u64 = 6;

struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs in the folder; gives whether it succeeded.
    fn run(&self, arguments: &str) -> bool {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output();
        let output = output.expect("this test needs OpenSSL 3 with SM2: apt-get install openssl");
        output.status.success()
    }

    fn must(&self, arguments: &str) {
        assert!(
            self.run(arguments),
            "openssl {arguments} failed; OpenSSL 3 with SM2 is needed: apt-get install openssl"
        );
    }

    fn key(&self, command: &str) -> PrivateKey {
        self.must(command);
        self.must("pkey -in key.pem -pubout -out pub.pem");
        let key = PrivateKey::from_pem(&String::from_utf8(self.read("key.pem")).unwrap()).unwrap();
        let public = PublicKey::from_pem(&String::from_utf8(self.read("pub.pem")).unwrap()).unwrap();
        assert_eq!(key.public(), &public);
        key
    }
}

const KEY_COMMANDS: [&str; 2] = [
    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 -out key.pem",
    "genpkey -algorithm SM2 -out key.pem",
];

/// Either engine, one test each.
macro_rules! with_either_engine {
    ($($name:ident),+) => {
        mod native {
            $(#[test] fn $name() { super::$name(super::Engine::Native); })+
        }
        mod reference {
            $(#[test] fn $name() { super::$name(super::Engine::Reference); })+
        }
    };
}

with_either_engine!(
    it_signs_and_we_verify,
    we_sign_and_it_verifies,
    it_seals_and_we_open,
    we_seal_and_it_opens,
    its_published_ciphertext_opens
);

const SIGNING: &str = "-rawin -digest sm3 -pkeyopt distid:1234567812345678";

fn it_signs_and_we_verify(engine: Engine) {
    for command in KEY_COMMANDS {
        let openssl = OpenSsl::new();
        let key = openssl.key(command);
        let verifier = engine.verifier(key.public(), DEFAULT_USER_ID).unwrap();
        for round in 0..ROUNDS {
            openssl.write("m", &round.to_be_bytes());
            openssl.must(&format!("pkeyutl -sign {SIGNING} -inkey key.pem -in m -out s"));
            let signature = signature_from_der(&openssl.read("s"));
            assert_eq!(verifier.verify(&round.to_be_bytes(), &signature), Ok(()));
            assert!(verifier.verify(b"other", &signature).is_err());
        }
    }
}

fn we_sign_and_it_verifies(engine: Engine) {
    let openssl = OpenSsl::new();
    let mut rng = SeededRng::new(20);
    for round in 0..ROUNDS {
        let key = PrivateKey::generate(&mut rng).unwrap();
        openssl.write("pub.pem", key.public().to_spki_pem().unwrap().as_bytes());
        let mut signature = engine
            .signer(&key, DEFAULT_USER_ID)
            .unwrap()
            .sign(&round.to_be_bytes(), &mut rng)
            .unwrap();
        openssl.write("m", &round.to_be_bytes());
        openssl.write("s", &signature_to_der(&signature));
        let verify = format!("pkeyutl -verify {SIGNING} -pubin -inkey pub.pem -in m -sigfile s");
        openssl.must(&verify);
        signature[40] ^= 1;
        openssl.write("s", &signature_to_der(&signature));
        assert!(!openssl.run(&verify), "it refuses what we corrupted");
    }
}

fn it_seals_and_we_open(engine: Engine) {
    let openssl = OpenSsl::new();
    let key = openssl.key(KEY_COMMANDS[0]);
    let unwrapper = engine.unwrapper(&key);
    for round in 0..ROUNDS {
        let clear = vec![7; 16 + usize::try_from(round).unwrap() * 13];
        openssl.write("m", &clear);
        openssl.must("pkeyutl -encrypt -pubin -inkey pub.pem -in m -out c");
        let ciphertext = ciphertext_from_der(&openssl.read("c"));
        assert_eq!(
            unwrapper.unwrap(&ciphertext).map(|secret| secret.danger_expose().to_vec()),
            Ok(clear)
        );
    }
}

fn we_seal_and_it_opens(engine: Engine) {
    let openssl = OpenSsl::new();
    let mut rng = SeededRng::new(21);
    for round in 0..ROUNDS {
        let key = PrivateKey::generate(&mut rng).unwrap();
        openssl.write("key.pem", key.danger_to_pkcs8_pem().unwrap().as_bytes());
        let clear = vec![9; 1 + usize::try_from(round).unwrap() * 13];
        let ciphertext = engine.wrapper(key.public()).wrap(&clear, &mut rng).unwrap();
        openssl.write("c", &ciphertext_to_der(&ciphertext));
        openssl.must("pkeyutl -decrypt -inkey key.pem -in c -out m");
        assert_eq!(openssl.read("m"), clear);
    }
}

/// The vector of OpenSSL's `evppkey_sm2.txt`.
fn its_published_ciphertext_opens(engine: Engine) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/openssl-suite.key.pem");
    let key = PrivateKey::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap();
    let der = crate::testing::bytes(concat!(
        "30818A0220466BE2EF5C11782EC77864A0055417F407A5AFC11D653C6BCE69E417BB1D05B6",
        "022062B572E21FF0DDF5C726BD3F9FF2EAE56E6294713A607E9B9525628965F62CC8",
        "04203C1B5713B5DB2728EB7BF775E44F4689FC32668BDC564F52EA45B09E8DF2A5F4",
        "0422084A9D0CC2997092B7D3C404FCE95956EB604D732B2307A8E5B8900ED6608CA5B197"
    ));
    let opened = engine.unwrapper(&key).unwrap(&ciphertext_from_der(&der));
    let opened = opened.map(|secret| secret.danger_expose().to_vec());
    assert_eq!(opened, Ok(b"The floofy bunnies hop at midnight".to_vec()));
}

fn signature_to_der(signature: &Signature) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    value(0x30, &[integer(r), integer(s)].concat())
}

fn signature_from_der(der: &[u8]) -> Signature {
    let values = sequence(der);
    [fixed(values[0]), fixed(values[1])].concat().try_into().unwrap()
}

fn ciphertext_to_der(ciphertext: &Ciphertext) -> Vec<u8> {
    let (x, y) = ciphertext.c1.split_at(32);
    value(
        0x30,
        &[integer(x), integer(y), value(4, &ciphertext.c3), value(4, &ciphertext.c2)].concat(),
    )
}

fn ciphertext_from_der(der: &[u8]) -> Ciphertext {
    let values = sequence(der);
    let c1 = [fixed(values[0]), fixed(values[1])].concat().try_into().unwrap();
    Ciphertext {
        c1,
        c3: values[2].try_into().unwrap(),
        c2: values[3].to_vec(),
    }
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
    value(2, &[sign, bytes].concat())
}

fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let header = if length < 0x80 {
        vec![tag, length]
    } else {
        vec![tag, 0x81, length]
    };
    [header, content.to_vec()].concat()
}

/// The contents of the values inside an outer sequence.
fn sequence(der: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut values) = (split(der).0, Vec::new());
    while !rest.is_empty() {
        let (content, after) = split(rest);
        values.push(content);
        rest = after;
    }
    values
}

fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = if der[1] == 0x81 { (der[2], 3) } else { (der[1], 2) };
    der[start..].split_at(usize::from(length))
}

fn fixed(integer: &[u8]) -> [u8; 32] {
    let digits = &integer[integer.len().saturating_sub(32)..];
    let mut bytes = [0; 32];
    bytes[32 - digits.len()..].copy_from_slice(digits);
    bytes
}
