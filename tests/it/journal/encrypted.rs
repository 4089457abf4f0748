//! The connection to the database under TLS: encrypted when asked for, and never to a server that cannot prove its name.

use super::data::{accept, fresh};
use crate::database::Database;
use hangu::journal::postgres::{Options, PostgresJournal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_proves_its_name_or_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (authority(folder.path(), "ours"), authority(folder.path(), "other"));
    let (certificate, key) = server_certificate(folder.path(), "ours");
    let settings = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'";
    let server = Database::start_with(settings, &[("server.pem", &certificate), ("server.key", &key)]);
    let trusting = |file: &Path| Options {
        tls_ca_file: Some(file.to_owned()),
        ..server.fresh()
    };
    let good = trusting(&ours);
    let journal = PostgresJournal::open(good.clone()).await.unwrap();
    fresh(&journal, accept("1")).await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hangu' AND NOT ssl";
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hangu' AND ssl";
    assert_eq!(server.sql("postgres", plain), "0");
    assert!(server.sql("postgres", encrypted).parse::<u32>().unwrap() >= 3);
    let by_another_name = Options {
        addresses: vec![good.addresses[0].replace("127.0.0.1", "localhost")],
        ..good.clone()
    };
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let refused = [
        (trusting(&other), "certificate"),
        (by_another_name, "certificate"),
        (trusting(&empty), "no certificate in it"),
        (trusting(&folder.path().join("nowhere")), "tls_ca_file"),
    ];
    for (options, expected) in refused {
        let Err(error) = PostgresJournal::open(options).await else {
            panic!("{expected}: opened")
        };
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    // Nor is a connection made in clear where the server cannot do better.
    let clear = Options {
        tls_ca_file: Some(ours),
        ..crate::database::shared().fresh()
    };
    let Err(error) = PostgresJournal::open(clear).await else {
        panic!("opened in clear")
    };
    assert!(error.to_string().contains("TLS"), "{error}");
}

fn authority(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(format!("{name}.pem"));
    let subject = format!("/CN={name}");
    let key = format!("{name}.key");
    let out = format!("{name}.pem");
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &out,
        ],
    );
    file
}

/// For 127.0.0.1, as the authority says; certificate and key.
fn server_certificate(folder: &Path, authority: &str) -> (Vec<u8>, Vec<u8>) {
    fs::write(folder.join("names"), "subjectAltName = IP:127.0.0.1\n").unwrap();
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=database",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        ],
    );
    let (certificate, key) = (format!("{authority}.pem"), format!("{authority}.key"));
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            &certificate,
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ],
    );
    (
        fs::read(folder.join("server.pem")).unwrap(),
        fs::read(folder.join("server.key")).unwrap(),
    )
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command
        .output()
        .expect("the certificates are made by openssl: apt-get install openssl");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
