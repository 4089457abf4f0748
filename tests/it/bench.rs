//! `hangu bench gateway` over a private broker and database: it starts them, runs gateways as processes and accounts for all.

use serde_json::Value;
use std::process::Command;

#[test]
fn two_gateways_share_a_broker_and_a_database() {
    let arguments =
        "bench gateway --transport rabbitmq --journal postgres --gateways 2 --rate 40 --payments 80 --warm-up 1s -o json";
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hangu"))
        .args(arguments.split(' '))
        .arg("--folder")
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&object["succeeded"], &object["transport"], &object["journal"]),
        (&80.into(), &"rabbitmq".into(), &"postgres".into())
    );
    let processes = object["processes_cpu_us_per_payment"].as_object().unwrap();
    let names: Vec<&str> = processes.keys().map(String::as_str).collect();
    assert_eq!(names, ["gateway-1", "gateway-2", "postgres", "rabbitmq", "simulators"]);
    assert!(object["inside_ms"]["mean"].as_f64().unwrap() > 0.0, "{object}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the run's folder is gone");
}
