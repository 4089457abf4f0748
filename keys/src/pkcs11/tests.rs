use super::{Pkcs11Context, Pkcs11Token};
use crate::algorithm::Algorithm;
use crate::error::CryptoError;
use crate::key::{KeyEntry, Side, Status, Usage};
use crate::keyring::Keyring;
use crate::legacy::mac::HmacSha256;
use crate::legacy::{RsaPadding, RsaPrivate, RsaPublic, RsaScheme};
use crate::provider::{Device, DeviceFault, DevicePassword, Limits, Placed, open_text, seal_for_rsa};
use crate::secret::Secret;
use crate::testing::{NOW, SeededRng, entry};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// `SoftHSM2` reads one variable, which must be set before the process starts: so the test starts itself with it.
#[test]
fn a_token_of_softhsm_signs_opens_wraps_and_authenticates() {
    #[expect(clippy::disallowed_methods, reason = "the variable is how SoftHSM2 is configured")]
    if let Some(config) = std::env::var("SOFTHSM2_CONF")
        .ok()
        .filter(|file| file.contains("hangu-token"))
    {
        return with_token(Path::new(&config).parent().unwrap());
    }
    let folder = tempfile::Builder::new().prefix("hangu-token").tempdir().unwrap();
    let (config, tokens) = (folder.path().join("softhsm2.conf"), folder.path().join("tokens"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&config, text).unwrap();
    let key = RsaPrivate::generate(2048, &mut SeededRng::new(5)).unwrap();
    let (private, public) = (folder.path().join("key.pem"), folder.path().join("key.pub.pem"));
    std::fs::write(&private, key.danger_to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    std::fs::write(public, key.public().to_spki_pem().unwrap()).unwrap();
    let run = |command: &mut Command| {
        let output = command.env("SOFTHSM2_CONF", &config).output();
        let output = output.expect("softhsm2-util is missing: apt-get install softhsm2");
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
    };
    run(Command::new("softhsm2-util").args(["--init-token", "--free", "--label", "hangu", "--so-pin", "8765", "--pin", PIN]));
    let import = ["--token", "hangu", "--label", "rsa", "--id", "01", "--pin", PIN, "--import"];
    run(Command::new("softhsm2-util").args(import).arg(&private));
    let name = "pkcs11::tests::a_token_of_softhsm_signs_opens_wraps_and_authenticates";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child
        .args([name, "--exact", "--nocapture"])
        .env("SOFTHSM2_CONF", &config)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    // SoftHSM2 crashes in the process's exit handlers while a session is in use: a device that is dropped has none.
    assert!(
        output.status.success() && told.contains("1 passed; 0 failed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn with_token(folder: &Path) {
    put_secrets();
    let device = device("hangu", PIN, None);
    let at = |label: &str| Placed {
        device: device.clone(),
        label: label.to_owned(),
    };
    let public = RsaPublic::from_pem(&std::fs::read_to_string(folder.join("key.pub.pem")).unwrap()).unwrap();
    openssl_verifies(folder, &at("rsa"), &public);
    opens_wrapped_secrets(&at("rsa"), &at("aes"), &public);
    authenticates(&at("hmac"));
    faults_are_told_apart(&at("rsa"), &public);
}

/// Every scheme that a link may have, and one of them by openssl too.
fn openssl_verifies(folder: &Path, placed: &Placed, public: &RsaPublic) {
    let key = KeyEntry {
        algorithm: Algorithm::Rsa,
        ..entry("alipay", Side::Ours, Usage::Sign, Status::Primary, "1")
    };
    let keyring = Keyring::builder()
        .add_placed_rsa(key, public, placed.clone())
        .build()
        .unwrap();
    let signer = keyring.signer("alipay", NOW).unwrap();
    for scheme in RsaScheme::ALL {
        let signature = signer.rsa().unwrap().sign(scheme, b"a text", &mut SeededRng::new(1)).unwrap();
        public.verify(scheme, b"a text", &signature).unwrap();
        if scheme == RsaScheme::Pkcs1Sha256 {
            std::fs::write(folder.join("signature"), signature).unwrap();
        }
    }
    std::fs::write(folder.join("text"), "a text").unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify", "key.pub.pem", "-signature", "signature", "text"]);
    let verified = openssl
        .current_dir(folder)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    keyring.placements()[0].probe.probe().unwrap();
}

/// OAEP under the public half, AES-GCM by the token: files that only the token opens.
fn opens_wrapped_secrets(rsa: &Placed, aes: &Placed, public: &RsaPublic) {
    let secret = || Secret::new(b"a journal's key!".to_vec());
    let mut rng = SeededRng::new(2);
    let sealed = seal_for_rsa(public, RsaPadding::OaepSha1, &secret(), &mut rng).unwrap();
    assert_eq!(
        open_text(rsa, &sealed).ok().unwrap().danger_expose(),
        secret().danger_expose()
    );
    let wrapped = aes.device.wrap(&aes.label, secret(), &mut rng).unwrap();
    assert_eq!(
        open_text(aes, &wrapped).ok().unwrap().danger_expose(),
        secret().danger_expose()
    );
    let altered = wrapped.replacen(['0', '1', '2', '3', '4', '5'], "e", 40);
    assert!(altered != wrapped && open_text(aes, &altered).is_err());
}

fn authenticates(placed: &Placed) {
    let mac = KeyEntry {
        algorithm: Algorithm::HmacSha256,
        ..entry("bank", Side::Shared, Usage::Mac, Status::Primary, "1")
    };
    let keyring = Keyring::builder().add_placed_mac(mac, placed.clone()).build().unwrap();
    let mac = keyring.mac("bank", NOW).unwrap();
    let tag = mac.key.tag(&[b"a ", b"text"]).unwrap();
    assert_eq!(tag, HmacSha256::new(HMAC_KEY).unwrap().tag(&[b"a text"]).to_vec());
    assert_eq!(mac.key.check(&[b"a text"], &tag), Ok(()));
    assert_eq!(mac.key.check(&[b"a texT"], &tag), Err(CryptoError::Signature));
}

fn faults_are_told_apart(rsa: &Placed, public: &RsaPublic) {
    let sign = |device: Arc<Device>, label: &'static str| device.call(move |session| session.sign_rsa(label, b"x")).unwrap_err();
    assert_eq!(sign(rsa.device.clone(), "nobody"), DeviceFault::NoKey);
    assert_eq!(sign(device("elsewhere", PIN, None), "rsa"), DeviceFault::Gone);
    // The token is logged in by then for the whole process; so only a call in a process of its own can be denied.
    let sm2 = |number| {
        device("hangu", PIN, number)
            .call(|session| session.sign_sm2("rsa", &[7; 32]))
            .unwrap_err()
    };
    assert_eq!(sm2(None), DeviceFault::Unsupported);
    // SoftHSM2 has no vendor's mechanism, and says so.
    assert_eq!(sm2(Some(0x8000_0107)), DeviceFault::Unsupported);
    // A token that holds another key than the keyring says sends nothing.
    let other = RsaPrivate::generate(2048, &mut SeededRng::new(6)).unwrap();
    assert_ne!(other.public(), public);
    let key = KeyEntry {
        algorithm: Algorithm::Rsa,
        ..entry("alipay", Side::Ours, Usage::Sign, Status::Primary, "1")
    };
    let keyring = Keyring::builder()
        .add_placed_rsa(key, other.public(), rsa.clone())
        .build()
        .unwrap();
    let refused = keyring.placements()[0].probe.probe();
    assert_eq!(refused, Err(CryptoError::Device(DeviceFault::Wrong)));
}

fn device(token: &str, pin: &'static str, sm2_sign: Option<u64>) -> Arc<Device> {
    let limits = Limits {
        sessions: 2,
        call: Duration::from_secs(20),
    };
    let token = Pkcs11Token {
        library: LIBRARY.into(),
        token: token.to_owned(),
        password: DevicePassword::new(move || Some(Zeroizing::new(pin.to_owned()))),
        sm2_sign,
        context: Pkcs11Context::default(),
    };
    Arc::new(Device::new("hsm1", limits, token))
}

/// An AES key and an HMAC key, made as an administrator of a token makes them.
fn put_secrets() {
    let context = Pkcs11::new(LIBRARY).expect("libsofthsm2.so is missing: apt-get install softhsm2");
    context
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slots = context.get_slots_with_token().unwrap();
    let is_ours = |slot: &&_| context.get_token_info(**slot).unwrap().label() == "hangu";
    let session = context.open_rw_session(*slots.iter().find(is_ours).unwrap()).unwrap();
    let wrong = session.login(UserType::User, Some(&AuthPin::new("0000".into())));
    assert!(
        matches!(wrong.as_ref().map_err(super::fault), Err(DeviceFault::Denied)),
        "{wrong:?}"
    );
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    for (label, kind, value, does) in [
        (
            "aes",
            KeyType::AES,
            &[9_u8; 32][..],
            [Attribute::Encrypt(true), Attribute::Decrypt(true)],
        ),
        (
            "hmac",
            KeyType::GENERIC_SECRET,
            HMAC_KEY,
            [Attribute::Sign(true), Attribute::Verify(true)],
        ),
    ] {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(kind),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Value(value.to_vec()),
        ];
        template.extend(does);
        session.create_object(&template).unwrap();
    }
}

const LIBRARY: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "4321";
const HMAC_KEY: &[u8] = b"a key that both sides have agreed";
