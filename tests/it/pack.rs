//! A certification pack: whole by the system's own tool, and its captures are what was sent.

use base64ct::{Base64, Encoding};
use keys::sm3::sm3;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn a_pack_is_whole_and_a_changed_one_is_not() {
    let folder = TempDir::new().unwrap();
    let pack = folder.path().join("pack");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let made = command
        .args(["sim", "pack", "platform", "--seed", "5", "-o", "json", "--to"])
        .arg(&pack)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let said: Value = serde_json::from_slice(&made.stdout).unwrap();
    let manifest: Value = serde_json::from_slice(&std::fs::read(pack.join("manifest.json")).unwrap()).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(pack.join("cases.json")).unwrap()).unwrap();
    assert!(cases.len() > 5);
    assert_eq!(
        (said["passed"].as_u64(), manifest["passed"].as_u64()),
        (Some(cases.len() as u64), Some(cases.len() as u64))
    );
    assert_eq!(manifest["seed"], 5);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        captured(&pack.join("captures").join(format!("{name}.jsonl")));
    }
    let report = std::fs::read_to_string(pack.join("report.zh-CN.html")).unwrap();
    assert!(report.contains("lang=\"zh-CN\"") && report.contains(cases[0]["name"].as_str().unwrap()));
    assert!(is_whole(&pack));
    std::fs::write(pack.join("results.json"), "{}").unwrap();
    assert!(!is_whole(&pack));
}

/// A tester's own case is one of the institution's; when it fails, the pack says why, and holds its messages.
#[test]
fn a_failed_case_is_explained() {
    let folder = TempDir::new().unwrap();
    let text = "name = \"own\"\nabout_zh = \"\u{81ea}\u{7f16}\"\nabout_en = \"My own\"\ninstitution = \"platform\"\noperation = \"debit\"\n\
                [[step]]\nsend = \"debit\"\nname = \"pay\"\n[[step]]\nexpect = \"reply\"\nto = \"pay\"\noutcome = \"failed\"\nwithin_ms = 1500\n";
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).unwrap();
    let pack = folder.path().join("pack");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let words = ["sim", "pack", "platform", "--jobs", "6", "--to"];
    let made = command.args(words).arg(&pack).arg("--with").arg(&file).output().unwrap();
    assert!(!made.status.success());
    let read = |name: &str| std::fs::read_to_string(pack.join(name)).unwrap();
    let why = read("failures/own/why.txt");
    for part in ["step 2", "its outcome is success", "\u{81ea}\u{7f16}", "-l nps "] {
        assert!(why.contains(part), "{part}: {why}");
    }
    // The last line names a file of the pack.
    let last = why
        .split_whitespace()
        .rfind(|word| word.contains("-gateway-centre."))
        .unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_hangu"));
    let message = pack.join("failures/own").join(last);
    let explained = explain
        .args(["message", "explain", "-l", "nps"])
        .arg(message)
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&explained.stdout).contains("NPS.143.001.01"),
        "{explained:?}"
    );
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert!(manifest["codecs"].as_object().unwrap().len() > 10, "{manifest}");
    assert!(read("report.en.html").contains("its outcome is success") && is_whole(&pack));
    assert!(!pack.join("failures").join("good-path").exists());
}

/// Every message stands there with its bytes, and centre and platform both took part.
fn captured(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 2, "{}", file.display());
    for line in &lines {
        let body = Base64::decode_vec(line["body"].as_str().unwrap()).unwrap();
        let sum = sm3(&[&body])
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(line["sm3"], sum, "{line}");
    }
    for party in ["centre", "platform"] {
        assert!(
            lines.iter().any(|line| line["from"] == party),
            "{party} sent nothing in {}",
            file.display()
        );
    }
}

fn is_whole(pack: &Path) -> bool {
    let mut check = Command::new("cksum");
    check
        .current_dir(pack)
        .args(["-a", "sm3", "--check", "--status", "SM3SUMS"])
        .status()
        .unwrap()
        .success()
}
