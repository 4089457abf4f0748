//! The binary: what `hangu check` says of certificates, and a running gateway's metrics, SIGHUP and stop.

use super::{curl, put, ran, text};
use crate::certificates::Certificates;
use crate::process::{Process, free, get, hangu, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn the_check_says_how_long_certificates_hold_and_what_is_wrong_with_them() {
    let scene = Scene::new();
    let (code, said) = scene.check(&[]);
    assert_eq!(code, Some(0), "{said}");
    for file in ["listen_cert_file: CN=server serial ", "listen_client_ca_file: CN=ca serial "] {
        assert!(
            said.contains(&format!(
                "certificate (\u{8bc1}\u{4e66}\u{6709}\u{6548}\u{671f}), link.platform.http.{file}"
            )),
            "{said}"
        );
    }
    // The authority holds for two days.
    assert!(
        said.contains("warn") && said.contains(", 1 days left -> have it renewed"),
        "{said}"
    );

    put("expired", &scene.certificates);
    let (code, said) = scene.check(&[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("listen_cert_file: CN=expired serial") && said.contains("ended on 2020-02-01"),
        "{said}"
    );

    put("server", &scene.certificates);
    let key = scene.certificates.key("listener");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = scene.check(&[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("link.platform.http.listen_key_file") && said.contains("chmod 600"),
        "{said}"
    );
    fs::copy(scene.certificates.key("stranger"), &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = scene.check(&[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("link.platform.http.listen_cert_file") && said.contains("KeyMismatch"),
        "{said}"
    );
}

#[test]
fn the_check_counts_file_descriptors() {
    let scene = Scene::new();
    for (limit, is_told) in [(512, true), (4096, false)] {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -n {limit}; exec {} check", env!("CARGO_BIN_EXE_hangu"));
        let checked = ran(shell.args(["-c", &limited]).current_dir(scene.folder.path()), "sh");
        assert_eq!(checked.code, Some(0), "{}", checked.said);
        assert_eq!(
            checked.said.contains("RLIMIT_NOFILE: 512 are allowed here"),
            is_told,
            "{}",
            checked.said
        );
    }
}

#[test]
fn the_check_shakes_hands_with_a_counterparty() {
    let scene = Scene::new();
    for (name, expected) in [
        ("server", "TLSv1_3, CN=server, "),
        ("expired", "certificate expired"),
        ("stranger", "UnknownIssuer"),
    ] {
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(scene.certificates.pem(name));
        let mut peer = super::Piped::start(command.arg("-key").arg(scene.certificates.key(name)));
        let accepting = peer.line_with("ACCEPT ");
        let port = accepting.trim().rsplit_once(':').unwrap().1.to_owned();
        let ca = text(scene.certificates.pem("ca"));
        scene.replace(
            "base_url = \"http://127.0.0.1:8200\"",
            &format!("base_url = \"https://localhost:{port}\"\ntls_ca_file = \"{ca}\""),
        );
        let (code, said) = scene.check(&["--connect"]);
        assert_eq!(code, Some(69), "the broker is away at least: {said}");
        assert!(said.contains(expected), "{name}: {said}");
        scene.write();
    }
}

#[test]
fn a_running_gateway_tells_days_left_and_reads_files_again_on_sighup() {
    let scene = Scene::new();
    let mut gateway = Process::start(scene.folder.path(), "gateway", &["run"]);
    let figure = |name: &str| {
        let page = get(&scene.admin, "/metrics")?;
        let line = page.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned))?;
        line.trim().parse::<i64>().ok()
    };
    let listener = "hangu_tls_days_left{link=\"platform\",file=\"listen_cert_file\"}";
    wait(LIMIT, "metrics", || figure(listener).is_some());
    assert!(figure(listener).unwrap() > 30_000);
    let authority = figure("hangu_tls_days_left{link=\"platform\",file=\"listen_client_ca_file\"}");
    assert!(matches!(authority, Some(1 | 2)), "{authority:?}");

    assert_eq!(scene.curl("client").code, Some(0));
    assert_ne!(scene.curl("stranger").code, Some(0));
    assert_eq!(figure("hangu_tls_handshakes_failed_total{link=\"platform\"}"), Some(1));
    assert!(scene.log().contains("UnknownIssuer"), "{}", scene.log());
    wait(LIMIT, "the pin is told of", || {
        assert_ne!(scene.curl("server").code, Some(0));
        scene.log().contains("certificate of CN=server, serial ") && scene.log().contains(", is not pinned")
    });

    // Nothing changed, and yet the files are read: so it was the signal.
    gateway.signal("HUP");
    wait(LIMIT, "read again", || scene.log().contains("certificates read again"));
    put("expired", &scene.certificates);
    wait(LIMIT, "the changed file counts", || {
        figure(listener).is_some_and(|days| days < 0)
    });
    assert_ne!(scene.curl("client").code, Some(0));
    fs::write(scene.certificates.pem("listener"), "").unwrap();
    let failed = "hangu_tls_renewal_failed{link=\"platform\",side=\"listener\"}";
    wait(LIMIT, "the failure is told", || figure(failed) == Some(1));
    put("server", &scene.certificates);
    wait(LIMIT, "all is well again", || figure(failed) == Some(0));
    assert_eq!(scene.curl("client").code, Some(0));
    gateway.terminate();
}

/// A folder with a configuration whose platform link listens by HTTPS and asks for certificates.
struct Scene {
    folder: TempDir,
    certificates: Certificates,
    admin: String,
    listen: String,
    text: String,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(&folder.path().join("tls"));
        put("server", &certificates);
        let made = Command::new(env!("CARGO_BIN_EXE_hangu"))
            .args(["config", "init", "--dir", "."])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let (admin, listen) = (free(), free());
        let sample = fs::read_to_string(folder.path().join("hangu.toml")).unwrap();
        let text = sample
            .replace("127.0.0.1:9180", &admin)
            .replace("127.0.0.1:8100", &listen)
            .replace("127.0.0.1:5672", "127.0.0.1:1")
            .replace(
                "#listen_cert_file = \"gateway.pem\"",
                "listen_cert_file = \"tls/listener.pem\"",
            )
            .replace("#listen_key_file = \"gateway.key\"", "listen_key_file = \"tls/listener.key\"")
            .replace(
                "#listen_client_ca_file = \"tenpay-client-ca.pem\"",
                "listen_client_ca_file = \"tls/ca.pem\"",
            )
            .replace(
                "#listen_client_subject = \"CN=tenpay,O=Tenpay\"",
                "listen_client_subject = \"CN=client\"",
            );
        let scene = Self {
            folder,
            certificates,
            admin,
            listen,
            text,
        };
        scene.write();
        scene
    }

    fn write(&self) {
        fs::write(self.file(), &self.text).unwrap();
    }

    fn replace(&self, old: &str, new: &str) {
        assert!(self.text.contains(old), "{old}");
        fs::write(self.file(), self.text.replace(old, new)).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("hangu.toml")
    }

    fn check(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = hangu(self.folder.path(), &["check"]);
        let checked = ran(command.args(arguments), "hangu");
        (checked.code, checked.said)
    }

    fn curl(&self, name: &str) -> super::Ran {
        let pem = |name: &str| text(self.certificates.pem(name));
        let port = self.listen.rsplit_once(':').unwrap().1;
        let url = format!("https://localhost:{port}/v1/anything");
        let key = text(self.certificates.key(name));
        curl(&["--cacert", &pem("ca"), "--cert", &pem(name), "--key", &key, &url])
    }

    fn log(&self) -> String {
        read(&self.folder.path().join("gateway.log"))
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

const LIMIT: Duration = Duration::from_mins(1);
