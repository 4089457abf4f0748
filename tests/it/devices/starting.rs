//! The start and the end of a whole gateway over devices: what a wrong password or a wrong file of it ends in, what `/ready` and
//! the metrics tell, and that no exit handler of a vendor's library crashes the process.

use super::{PASSWORD, SdfFolder, secret_file};
use crate::process::{Process, get, hangu, wait};
use crate::processes::configure;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_mins(1);
const WRONG: &str = "Wk3-none-of-those-words";

#[test]
fn a_start_with_a_wrong_password_or_file_of_it_ends_with_78_and_shows_no_secret() {
    let (folder, device, admin) = over_sdf();
    let (root, password) = (folder.path(), device.folder.join("ours"));
    secret_file(&password, WRONG);
    let told = refused(root, &[]);
    assert!(
        told.contains("keys.provider.sdf1.password_file: the device refuses this password"),
        "{told}"
    );
    assert!(
        told.contains("\u{5bc6}\u{7801}\u{8bbe}\u{5907}\u{62d2}\u{7edd}"),
        "in Chinese too: {told}"
    );
    let offers = std::fs::read_to_string(device.folder.join("offers")).unwrap();
    assert_eq!(offers.lines().count(), 1, "devices count and lock");
    std::fs::set_permissions(&password, Permissions::from_mode(0o644)).unwrap();
    let open = refused(root, &[]);
    secret_file(&password, "");
    let empty = refused(root, &[]);
    std::fs::remove_file(&password).unwrap();
    for (told, reason) in [
        (open, "chmod 600"),
        (empty, "is empty"),
        (refused(root, &[]), "cannot be read"),
    ] {
        assert!(
            told.contains("keys.provider.sdf1.password_file") && told.contains(reason),
            "{told}"
        );
        assert!(
            told.contains("\u{5bc6}\u{7801}\u{8bbe}\u{5907}\u{53e3}\u{4ee4}"),
            "in Chinese too: {told}"
        );
    }
    secret_file(&password, PASSWORD);
    let mut gateway = Process::start(root, "gateway", &["run"]);
    wait(LIMIT, "the gateway runs", || get(&admin, "/live").is_some());
    gateway.terminate();
    no_secret(&std::fs::read_to_string(root.join("gateway.log")).unwrap());
}

#[test]
fn a_device_that_is_gone_is_told_by_ready_and_metrics_until_it_is_back() {
    let (folder, device, admin) = over_sdf();
    let mut gateway = Process::start(folder.path(), "gateway", &["run"]);
    let ready = |text: &str| get(&admin, "/ready").is_some_and(|page| page.contains(text));
    let up = |value: u8| {
        let line = format!("hangu_device_up{{device=\"sdf1\"}} {value}\n");
        get(&admin, "/metrics").is_some_and(|page| page.contains(&line))
    };
    // No broker is there, which `/ready` tells at any time.
    wait(LIMIT, "the device is up", || {
        up(1) && ready("link centre") && !ready("device")
    });
    for (fault, told) in [("gone", "cannot be reached"), ("hang", "did not answer in time")] {
        device.fault(fault);
        wait(LIMIT, "the device is away", || {
            up(0) && ready(&format!("device sdf1: {told}\n"))
        });
        device.fault("");
        wait(LIMIT, "the device is back", || {
            up(1) && ready("link centre") && !ready("device")
        });
    }
    gateway.terminate();
    let log = std::fs::read_to_string(folder.path().join("gateway.log")).unwrap();
    assert!(
        log.contains("a device is away") && log.contains("the device is back"),
        "{log}"
    );
}

/// The journal's key lies under a key of the token, whose sessions are open until the end.
#[test]
fn a_gateway_over_softhsm_starts_and_ends_well_and_refuses_a_wrong_pin() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let admin = configure(root, "127.0.0.1:1");
    let config = token(root);
    let kek = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples/rsa-seal.pub.pem");
    let mut wrap = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let wrapped = wrap
        .current_dir(root)
        .args(["key", "wrap", "--oaep", "rsa-oaep-sha1", "--to"]);
    let wrapped = wrapped.args([
        "keys/gateway/journal.wrapped",
        "--secret",
        "keys/gateway/journal.hex",
        "--for",
    ]);
    assert!(wrapped.arg(kek).status().unwrap().success());
    let secret = std::fs::read_to_string(root.join("keys/gateway/journal.hex")).unwrap();
    edit(&root.join("keys/gateway/keyring.toml"), |text| {
        let place = "file = \"journal.wrapped\"\nprovider = \"hsm1\"\nlabel = \"kek\"";
        text.replace("file = \"journal.hex\"", place)
    });
    let variables = [("SOFTHSM2_CONF", config.as_path())];
    for _ in 0..3 {
        let checked = hangu(root, &["check"]).envs(variables).output().unwrap();
        let told = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(checked.status.code(), Some(0), "{told}");
        let mut run = hangu(root, &["run"]);
        run.envs(variables);
        let mut gateway = Process::of(run, root, "gateway");
        wait(LIMIT, "the token was used", || {
            get(&admin, "/metrics").is_some_and(|page| page.contains("hangu_device_up{device=\"hsm1\"} 1"))
        });
        gateway.terminate();
    }
    secret_file(&root.join("pin"), WRONG);
    let told = refused(root, &variables);
    assert!(told.contains("device hsm1 refuses the password"), "{told}");
    assert!(told.contains("\u{5bc6}\u{94a5}\u{76ee}\u{5f55}"), "in Chinese too: {told}");
    let log = std::fs::read_to_string(root.join("gateway.log")).unwrap();
    assert!(!format!("{told}{log}").contains(secret.trim()), "the wrapped secret");
}

/// A gateway's folder without a broker, the keys of the centre's link in the device.
fn over_sdf() -> (TempDir, SdfFolder, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let admin = configure(root, "127.0.0.1:1");
    let device = SdfFolder::make(&root.join("device"));
    device.take_keys(&root.join("keys/gateway"));
    let provider = device.provider().replace("call_ms = 2000", "call_ms = 5000");
    edit(&root.join("hangu.toml"), |text| {
        format!("{text}\n[keys.provider.sdf1]\n{provider}")
    });
    (folder, device, admin)
}

/// A token with one RSA key under the label `kek`; gives the file that names it.
fn token(root: &Path) -> PathBuf {
    let (config, tokens) = (root.join("softhsm2.conf"), root.join("tokens"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&config, text).unwrap();
    let run = |line: &str| {
        let mut command = Command::new("softhsm2-util");
        let output = command.args(line.split(' ')).env("SOFTHSM2_CONF", &config).output();
        let output = output.expect("softhsm2-util is missing: apt-get install softhsm2");
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
    };
    run("--init-token --free --label hangu --so-pin 8765 --pin 4321");
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples/rsa-seal.key.pem");
    run(&format!(
        "--token hangu --label kek --id 01 --pin 4321 --import {}",
        key.display()
    ));
    secret_file(&root.join("pin"), "4321\n");
    let provider =
        "kind = \"pkcs11\"\nlibrary = \"/usr/lib/softhsm/libsofthsm2.so\"\ntoken = \"hangu\"\npassword_file = \"pin\"\n";
    edit(&root.join("hangu.toml"), |text| {
        format!("{text}\n[keys.provider.hsm1]\n{provider}")
    });
    config
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, change(text)).unwrap();
}

/// What a start says that must not succeed.
fn refused(root: &Path, variables: &[(&str, &Path)]) -> String {
    let output = hangu(root, &["run"]).envs(variables.iter().copied()).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{told}");
    no_secret(&told);
    told
}

fn no_secret(text: &str) {
    assert!(!text.contains(WRONG) && !text.contains(PASSWORD), "{text}");
}
