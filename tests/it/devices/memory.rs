//! What lies about of a gateway's secrets: in its logs, its journal, its store's files, and in the memory of the stopped process.
//!
//! A card number is in memory while its message is, and after that until the memory is used again: messages are not wiped, keys
//! are. So memory is searched for keys and passwords, files and logs for card numbers too.

use super::{PASSWORD, SdfFolder};
use crate::broker::Broker;
use crate::process::{Process, exchanges, get, hangu, wait, wait_ready};
use crate::processes::configure;
use keys::sm2::PrivateKey;
use simulators::people::Person;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

#[test]
fn no_key_of_a_device_no_password_and_no_dropped_key_is_in_memory_and_no_card_number_in_any_file() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let admin = configure(root, &broker.address());
    let device = SdfFolder::make(&root.join("device"));
    let keys = root.join("keys/gateway");
    device.take_keys(&keys);
    let config = root.join("hangu.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[keys.provider.sdf1]\n{}", device.provider())).unwrap();
    let (passing, entry) = passing_key(&keys);
    let list = keys.join("keyring.toml");
    let before = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, format!("{before}{entry}")).unwrap();
    assert!(hangu(root, &["mq", "declare"]).status().unwrap().success());

    let mut gateway = Process::start(root, "gateway", &["run"]);
    wait_ready(&admin);
    let checked = hangu(root, &["check", "--connect"]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(told.matches("used once, result verified").count(), 2, "{told}");
    play(root, &admin);
    let page = get(&admin, "/metrics").unwrap();
    assert!(page.contains("hangu_device_up{device=\"sdf1\"} 1"), "{page}");

    let secrets = of_device(&device);
    let found = look(&gateway, &[&secrets[..], &passing[..]].concat());
    let (held, dropped) = found.split_at(secrets.len());
    assert_eq!(held, vec![0; held.len()], "a key or password of the device");
    assert!(
        dropped.iter().sum::<usize>() >= 1,
        "a software key in use is in memory, or this search finds nothing"
    );

    std::fs::write(&list, before).unwrap();
    wait(Duration::from_secs(30), "the key is gone from the keyring", || {
        get(&admin, "/keys").is_some_and(|page| !page.contains("passing-seal"))
    });
    assert_eq!(look(&gateway, &passing), vec![0; passing.len()], "a dropped key");
    gateway.terminate();
    let log = std::fs::read_to_string(root.join("gateway.log")).unwrap();
    assert!(log.contains("core dumps are off"), "{log}");
    no_card_number_and_no_secret_in_files(root, &device, &secrets);
}

/// A software key that opens envelopes, and that nobody sends any for: its forms in memory, and its entry.
fn passing_key(keys: &Path) -> (Vec<Vec<u8>>, String) {
    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from((at * 53 + 17) % 251).unwrap());
    let key = PrivateKey::from_bytes(&bytes).unwrap();
    super::secret_file(&keys.join("passing.pem"), &key.danger_to_pkcs8_pem().unwrap());
    let entry = "\n[[key]]\nid = \"passing-seal\"\nlink = \"centre\"\nside = \"ours\"\nusage = \"seal\"\nserial = \"77\"\n\
                 status = \"accepted\"\nnot_before = \"2020-01-01T00:00:00Z\"\nnot_after = \"2049-12-31T23:59:59Z\"\n\
                 file = \"passing.pem\"\n";
    (forms(&bytes), entry.to_owned())
}

/// As bytes, and as the limbs of a number on this machine.
fn forms(key: &[u8; 32]) -> Vec<Vec<u8>> {
    let reversed = key.iter().rev().copied().collect();
    vec![key.to_vec(), reversed]
}

/// What must not be in the gateway's memory: the device's keys in every form, and its password.
fn of_device(device: &SdfFolder) -> Vec<Vec<u8>> {
    let mut all = vec![PASSWORD.as_bytes().to_vec()];
    for name in ["sign_1.pem", "enc_1.pem"] {
        let pem = std::fs::read_to_string(device.folder.join(name)).unwrap();
        all.push(pem.lines().nth(1).unwrap().as_bytes().to_vec());
        // PKCS #8 of an SM2 key has the private key behind the only octet string of 32 bytes.
        let der = openssl_der(&device.folder.join(name));
        let at = der.windows(2).position(|pair| pair == [0x04, 0x20]).unwrap() + 2;
        all.extend(forms(der[at..at + 32].try_into().unwrap()));
    }
    all
}

fn openssl_der(pem: &Path) -> Vec<u8> {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["pkey", "-outform", "DER", "-in"]).arg(pem);
    let output = openssl.output().expect("openssl is missing: apt-get install openssl");
    assert!(output.status.success());
    output.stdout
}

fn play(root: &Path, admin: &str) {
    let run = |name: &str| Process::start(root, name, &["sim", "run", name, "--payments", "60", "--rate", "30"]);
    let mut centre = run("centre");
    let mut platform = run("platform");
    wait(Duration::from_mins(2), "payments are delivered", || {
        exchanges(admin, "delivered") >= Some(40)
    });
    centre.terminate();
    platform.terminate();
}

/// How often each needle is in the writable memory of the process, which is stopped for the time.
fn look(process: &Process, needles: &[Vec<u8>]) -> Vec<usize> {
    process.signal("STOP");
    let place = format!("/proc/{}", process.id());
    let maps = std::fs::read_to_string(format!("{place}/maps"));
    let opened = maps.and_then(|maps| Ok((maps, File::open(format!("{place}/mem"))?)));
    let (maps, memory) = match opened {
        Ok(opened) => opened,
        // Not even its own user may read the memory of a process that is not dumpable; where the test is not privileged,
        // that is all that can be seen, and it is what keeps others out.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            process.signal("CONT");
            return vec![0; needles.len()];
        }
    };
    let mut counts = vec![0; needles.len()];
    for range in maps.lines().filter(|line| line.contains(" rw")) {
        let ends = range.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [ends.0, ends.1].map(|digits| u64::from_str_radix(digits, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // What is mapped but cannot be read, such as a device's page, is no memory of ours.
        let Ok(read) = memory.read_at(&mut bytes, from) else {
            continue;
        };
        count(&bytes[..read], needles, &mut counts);
    }
    process.signal("CONT");
    counts
}

fn count(bytes: &[u8], needles: &[Vec<u8>], counts: &mut [usize]) {
    let mut starts = [false; 256];
    for needle in needles {
        starts[usize::from(needle[0])] = true;
    }
    for (at, byte) in bytes.iter().enumerate() {
        if starts[usize::from(*byte)] {
            for (needle, count) in needles.iter().zip(counts.iter_mut()) {
                *count += usize::from(bytes[at..].starts_with(needle));
            }
        }
    }
}

fn no_card_number_and_no_secret_in_files(root: &Path, device: &SdfFolder, secrets: &[Vec<u8>]) {
    let accounts: BTreeSet<String> = (0..20_000).map(|at| Person::at(at).account).collect();
    let mut searched = 0;
    for folder in [root.to_path_buf(), root.join("keys/gateway")] {
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !file.is_file()
                || !(name.starts_with("gateway") || name.contains("hangu.db") || file.starts_with(root.join("keys")))
            {
                continue;
            }
            let bytes = std::fs::read(&file).unwrap();
            let mut counts = vec![0; secrets.len()];
            count(&bytes, secrets, &mut counts);
            assert_eq!(
                counts,
                vec![0; secrets.len()],
                "{name} holds a secret of {}",
                device.folder.display()
            );
            let digits = bytes.split(|byte| !byte.is_ascii_digit()).filter(|run| run.len() >= 12);
            let mut runs = digits.map(|run| String::from_utf8_lossy(run).into_owned());
            assert!(!runs.any(|run| accounts.contains(&run)), "{name} holds a card number");
            searched += 1;
        }
    }
    assert!(searched >= 4, "{searched} files were searched");
}
