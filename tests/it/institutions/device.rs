//! An institution whose payments are signed by a token of `SoftHSM2`: PKCS #11 as an HSM speaks it.

use super::{GRACE, ask, emit, keyed_alipay, link, notice, own_debit, route, serve};
use crate::stand::{Stand, until};
use codecs::wire::Start;
use hangu::config::ProviderConfig;
use hangu::journal::sqlite::SqliteJournal;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// `SoftHSM2` reads one variable, which must be set before the process starts: so the test starts itself with it.
#[test]
fn a_debit_over_alipay_is_signed_by_a_token() {
    const NAME: &str = "institutions::device::a_debit_over_alipay_is_signed_by_a_token";
    #[expect(clippy::disallowed_methods, reason = "the variable is how SoftHSM2 is configured")]
    if std::env::var("SOFTHSM2_CONF").is_ok_and(|file| file.contains("hangu-token")) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.unwrap().block_on(pay());
    }
    let folder = tempfile::Builder::new().prefix("hangu-token").tempdir().unwrap();
    let config = folder.path().join("softhsm2.conf");
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&config, text).unwrap();
    let run = |command: &mut Command| {
        let output = command.env("SOFTHSM2_CONF", &config).output();
        let output = output.expect("softhsm2-util is missing: apt-get install softhsm2");
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
    };
    run(Command::new("softhsm2-util").args([
        "--init-token",
        "--free",
        "--label",
        "hangu",
        "--so-pin",
        "8765",
        "--pin",
        "4321",
    ]));
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples/rsa-seal.key.pem");
    let import = [
        "--token",
        "hangu",
        "--label",
        "alipay-sign",
        "--id",
        "01",
        "--pin",
        "4321",
        "--import",
    ];
    run(Command::new("softhsm2-util").args(import).arg(key));
    run(Command::new(std::env::current_exe().unwrap()).args([NAME, "--exact", "--nocapture"]));
}

async fn pay() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let alipay = keyed_alipay(&stand);
    let provider = move_into_token(stand.folder.path());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    // It takes nothing whose signature does not verify under the public half.
    let server = tokio::spawn(serve(listener, alipay.clone()));
    let one = stand
        .start("one", |config| {
            config
                .link
                .insert("alipay".to_owned(), link("alipay", "2021000122671080", &base_url));
            config.keys.provider.insert("hsm1".to_owned(), provider);
            config.settle.query_after_ms = vec![60_000];
            config.route = vec![route("platform", "alipay")];
        })
        .await;
    let asked = ask(&one, "platform", &stand.emit("platform", "debit", &own_debit())).await;
    assert_eq!(asked.start, Start::Status(202), "{}", String::from_utf8_lossy(&asked.body));
    assert_eq!(
        ask(&one, "alipay", &emit(&alipay, "trade_status_sync", &notice(1234)))
            .await
            .body,
        b"success"
    );
    until("the debit is settled", async || {
        let all = stand.exchanges().await;
        let outcome = all[0].outcome.as_ref().map(|outcome| outcome.name.as_str());
        outcome == Some("success")
    })
    .await;
    let gateway = one.running.gateway();
    let health = gateway.config().keys.devices().get("hsm1").unwrap().health();
    assert!(health.calls >= 1 && health.faults.is_empty(), "{health:?}");
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

/// The private key goes; in its place stand its public half and where it lies.
fn move_into_token(root: &Path) -> ProviderConfig {
    let folder = root.join("gateway");
    let list = folder.join("keyring.toml");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(folder.join("ali-ours-ours.pem"), super::sample_key("rsa-seal", "pub")).unwrap();
    let place = "file = \"ali-ours-ours.pem\"\nprovider = \"hsm1\"\nlabel = \"alipay-sign\"";
    assert!(text.contains("file = \"ali-ours-ours.pem\""));
    std::fs::write(&list, text.replace("file = \"ali-ours-ours.pem\"", place)).unwrap();
    let pin = root.join("pin");
    crate::devices::secret_file(&pin, "4321\n");
    let config = format!(
        "kind = \"pkcs11\"\nlibrary = \"/usr/lib/softhsm/libsofthsm2.so\"\ntoken = \"hangu\"\npassword_file = \"{}\"\nsessions = 2\n",
        pin.display()
    );
    toml::from_str(&config).unwrap()
}
