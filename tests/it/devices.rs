//! Private keys of ours in devices: a device of GM/T 0018 made for these tests (`devices/sdf.c`), whose SM2 is openssl's, under
//! whole payments, and under faults.

mod memory;
mod starting;

use crate::stand::{Instance, Stand, debits, payouts, until};
use hangu::config::{Config, ProviderConfig};
use hangu::journal::Read;
use hangu::journal::sqlite::SqliteJournal;
use keys::provider::{Device, DeviceFault};
use keys::sm2::PrivateKey;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_and_signed_payments_run_with_our_keys_in_a_device() {
    let (stand, device) = stand_over_device().await;
    let one = stand.start("one", |config| device.enter(config)).await;
    stand.open_the_day(&[&one]).await;
    for planned in debits(1).take(3) {
        let played = stand.centre.desk().play(&planned).await;
        assert!(played.as_expected, "{played:?}");
    }
    for planned in payouts(1).take(2) {
        let request = stand.bank(one.address, |_| {});
        let played = request.play(&planned).await;
        assert!(played.as_expected, "{played:?}");
    }
    stand.settle_down().await;
    assert!(stand.compare().await >= 3);
    let health = used(&one).health();
    assert!(health.calls >= 8 && health.faults.is_empty(), "{health:?}");
    assert_eq!(stand.centre.figures().bad_signature, 0);
    assert!(one.running.stop(GRACE).await);
}

/// What comes while the device is away waits; nothing is refused, parked or called failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_wait_for_a_device_that_is_away_or_errs_or_hangs() {
    let (stand, device) = stand_over_device().await;
    let one = stand.start("one", |config| device.enter(config)).await;
    stand.open_the_day(&[&one]).await;
    let mut planned = debits(1);
    for (fault, name) in [("gone", "gone"), ("code", "code"), ("hang", "hung")] {
        device.fault(fault);
        let playing = tokio::spawn({
            let (desk, planned) = (stand.centre.desk(), planned.next().unwrap());
            async move { desk.play(&planned).await }
        });
        let noticed = || used(&one).health().faults.get(name).is_some_and(|count| *count >= 2);
        until("the fault is noticed", async || noticed()).await;
        assert!(!playing.is_finished(), "{fault}");
        device.fault("");
        let played = playing.await.unwrap();
        assert!(played.as_expected, "{fault}: {played:?}");
    }
    stand.settle_down().await;
    assert_eq!(stand.compare().await, 3);
    assert_eq!((parked(&stand).await, stand.centre.figures().bad_signature), (0, 0));
    until("the hanging threads are back", async || used(&one).health().stuck == 0).await;
    assert!(one.running.stop(GRACE).await);
}

/// A device counts wrong passwords and locks; so it is asked once, and again when the file says another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_offered_once_and_the_right_one_heals() {
    let (stand, device) = stand_over_device().await;
    secret_file(&device.folder.join("ours"), "wrong");
    let one = stand.start("one", |config| device.enter(config)).await;
    stand.centre.desk().announce("ST01").await.unwrap();
    until("the password is refused", async || {
        let health = used(&one).health();
        health.faults.get("denied").is_some_and(|count| *count >= 3)
    })
    .await;
    assert_eq!(used(&one).health().last, Some(DeviceFault::Denied));
    assert_eq!(
        std::fs::read_to_string(device.folder.join("offers")).unwrap().lines().count(),
        1
    );
    secret_file(&device.folder.join("ours"), PASSWORD);
    let planned = debits(1).next().unwrap();
    let played = stand.centre.desk().play(&planned).await;
    assert!(played.as_expected, "{played:?}");
    assert_eq!(parked(&stand).await, 0);
    assert!(one.running.stop(GRACE).await);
}

async fn parked(stand: &Stand) -> usize {
    let read = Read::Parked {
        id: None,
        status: None,
        limit: 100,
    };
    stand.journal.read(read).await.unwrap().parked().unwrap().len()
}

fn used(instance: &Instance) -> Arc<Device> {
    let gateway = instance.running.gateway();
    gateway.config().keys.devices().get("sdf1").unwrap().clone()
}

async fn stand_over_device() -> (Stand, SdfFolder) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let device = SdfFolder::make(&stand.folder.path().join("device"));
    device.take_keys(&stand.folder.path().join("gateway"));
    (stand, device)
}

/// The device of `sdf.c` with its library, keys and moods in one folder.
pub(crate) struct SdfFolder {
    pub(crate) folder: PathBuf,
}

impl SdfFolder {
    pub(crate) fn make(folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/devices/sdf.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-o"])
            .arg(folder.join("libsdf.so"))
            .arg(source)
            .arg("-ldl");
        let compiled = compiler.status().expect("cc is missing: apt-get install gcc");
        assert!(compiled.success());
        secret_file(&folder.join("password"), PASSWORD);
        secret_file(&folder.join("ours"), PASSWORD);
        let made = Self {
            folder: folder.to_path_buf(),
        };
        made.fault("");
        made
    }

    pub(crate) fn fault(&self, fault: &str) {
        // In one step, so that no call reads half of it.
        let (new, place) = (self.folder.join("fault.new"), self.folder.join("fault"));
        std::fs::write(&new, fault).unwrap();
        std::fs::rename(new, place).unwrap();
    }

    /// Our private keys of the centre's link move from a key folder into the device; their public halves stay.
    pub(crate) fn take_keys(&self, keys: &Path) {
        let list = keys.join("keyring.toml");
        let mut text: toml::Table = std::fs::read_to_string(&list).unwrap().parse().unwrap();
        let mut taken = 0;
        for entry in text["key"].as_array_mut().unwrap() {
            let entry = entry.as_table_mut().unwrap();
            if (entry["link"].as_str(), entry["side"].as_str()) != (Some("centre"), Some("ours")) {
                continue;
            }
            let file = keys.join(entry["file"].as_str().unwrap());
            let kind = if entry["usage"].as_str() == Some("sign") {
                "sign_1"
            } else {
                "enc_1"
            };
            let key = PrivateKey::from_pem(&std::fs::read_to_string(&file).unwrap()).unwrap();
            let half = format!("{kind}.pub.pem");
            std::fs::write(keys.join(&half), key.public().to_spki_pem().unwrap()).unwrap();
            std::fs::rename(file, self.folder.join(format!("{kind}.pem"))).unwrap();
            for (name, value) in [("file", half.as_str()), ("provider", "sdf1"), ("label", "1")] {
                entry.insert(name.to_owned(), value.into());
            }
            taken += 1;
        }
        assert_eq!(taken, 2);
        std::fs::write(list, toml::to_string(&text).unwrap()).unwrap();
    }

    pub(crate) fn provider(&self) -> String {
        let (library, password) = (self.folder.join("libsdf.so"), self.folder.join("ours"));
        format!(
            "kind = \"sdf\"\nlibrary = \"{}\"\npassword_file = \"{}\"\nsessions = 2\ncall_ms = 2000\n",
            library.display(),
            password.display()
        )
    }

    fn enter(&self, config: &mut Config) {
        let provider: ProviderConfig = toml::from_str(&self.provider()).unwrap();
        config.keys.provider.insert("sdf1".to_owned(), provider);
    }
}

pub(crate) fn secret_file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) const PASSWORD: &str = "kQ7-very-seldom-words";
