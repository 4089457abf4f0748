//! Directly connected institutions through the whole gateway: their own format, signature and sealing on one side, the platform
//! on the other, each played by a party that shares no code with the pipeline.

mod alone;
mod centres; // CNAPS2 and DCEP over queues
mod device;
mod jdpay;
mod tenpay;
mod terminals;

use crate::stand::{Instance, Stand, party, until, world};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Reason, Role};
use codecs::wire::{Start, Wire};
use hangu::config::{Config, LinkConfig, RouteConfig};
use hangu::exchange::{Caller, HttpAnswer};
use hangu::journal::State;
use hangu::journal::sqlite::SqliteJournal;
use hangu::link::http::{HttpCaller, router};
use keys::sm2::PrivateKey;
use simulators::counterparty::{Party, Twist};
use simulators::people::Person;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod unionpay;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debit_of_netsunion_reaches_the_platform_and_its_signed_answer_comes_back() {
    let (stand, epcc, one) = with_epcc().await;
    let debit = debit("2030010200000000000000000000001", 1234);
    let request = emit(&epcc, "epcc.201.001.01", &debit);
    let answer = ask(&one, "epcc", &request).await;
    let reply = epcc.receive(&answer, world().now()).unwrap();
    assert_eq!(
        (reply.role, reply.operation, &reply.outcome),
        (Role::Reply, Operation::Debit, &Some(Outcome::Success))
    );
    for attribute in [Attribute::EndToEndId, Attribute::Amount, Attribute::Batch] {
        assert_eq!(reply.value(attribute), debit.value(attribute), "{attribute}");
    }
    assert_eq!(reply.text(Attribute::Sender), Some("C1099999000051"));
    assert!(reply.text(Attribute::BankTxId).is_some());

    // The same bytes get the same answer, the same business signed anew the same outcome, and nothing happens twice.
    assert_eq!(ask(&one, "epcc", &request).await.body, answer.body);
    let again = ask(&one, "epcc", &emit(&epcc, "epcc.201.001.01", &debit)).await;
    assert_eq!(epcc.receive(&again, world().now()).unwrap().outcome, Some(Outcome::Success));
    let books = stand.platform.books();
    let booked: Vec<_> = books.entries.values().map(|entry| entry.executions).collect();
    assert_eq!(booked, [1]);
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_netsunion_did_not_sign_so_is_refused_and_never_reaches_the_platform() {
    let (stand, epcc, one) = with_epcc().await;
    let first = debit("2030010200000000000000000000002", 500);
    for twist in [Twist::BadSignature, Twist::UnknownSerial] {
        let world = world();
        let twisted = epcc
            .emit_twisted("epcc.201.001.01", &first, world.now(), &mut world.rng(), twist)
            .unwrap();
        assert_eq!(ask(&one, "epcc", &twisted).await.start, Start::Status(401), "{twist:?}");
    }
    let mut altered = emit(&epcc, "epcc.201.001.01", &first);
    altered.body = String::from_utf8(altered.body)
        .unwrap()
        .replace("CNY5.00", "CNY9.00")
        .into_bytes();
    assert_eq!(ask(&one, "epcc", &altered).await.start, Start::Status(401));
    assert!(stand.platform.books().entries.is_empty());

    // Well signed, but under the number of another payment.
    let answer = ask(&one, "epcc", &emit(&epcc, "epcc.201.001.01", &first)).await;
    assert_eq!(epcc.receive(&answer, world().now()).unwrap().outcome, Some(Outcome::Success));
    let other = debit("2030010200000000000000000000002", 501);
    assert_eq!(
        ask(&one, "epcc", &emit(&epcc, "epcc.201.001.01", &other)).await.start,
        Start::Status(409)
    );
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_identities_of_netsunion_are_opened_and_the_answer_is_sealed_for_it() {
    let (_stand, epcc, one) = with_epcc().await;
    let person = Person::at(8);
    let mut sign = about("2030010200000000000000000000003", Operation::Sign);
    sign.set_text(Attribute::PayerName, person.name.clone())
        .set_text(Attribute::PayerAccount, person.account.clone())
        .set_text(Attribute::PayerAccountType, "00")
        .set_text(Attribute::IdType, "01")
        .set_text(Attribute::IdNumber, person.id_number.clone())
        .set_text(Attribute::Mobile, person.mobile.clone());
    let request = emit(&epcc, "epcc.101.001.01", &sign);
    let clear = String::from_utf8(request.body.clone()).unwrap();
    assert!(!clear.contains(&person.account) && !clear.contains(&person.name) && clear.contains("DgtlEnvlp"));
    let answer = ask(&one, "epcc", &request).await;
    let reply = epcc.receive(&answer, world().now()).unwrap();
    assert_eq!(reply.outcome, Some(Outcome::Success));
    assert!(reply.text(Attribute::Agreement).is_some());
    assert_eq!(reply.text(Attribute::PayerAccount), Some(person.account.as_str()));
    assert!(!String::from_utf8(answer.body).unwrap().contains(&person.account));

    let mut stranger = sign.clone();
    stranger
        .set_text(Attribute::EndToEndId, "2030010200000000000000000000004")
        .set_text(Attribute::IdNumber, "110101199001011237");
    let refused = ask(&one, "epcc", &emit(&epcc, "epcc.101.001.01", &stranger)).await;
    let reply = epcc.receive(&refused, world().now()).unwrap();
    assert!(matches!(reply.outcome, Some(Outcome::Failed { .. })), "{:?}", reply.outcome);
    assert!(one.running.stop(GRACE).await);
}

/// The platform asks for a debit that Alipay does not settle at once; its notice does. Forms, the raw answer, RSA2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debit_over_alipay_is_settled_by_its_notice() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let alipay = keyed_alipay(&stand);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, alipay.clone()));
    let one = stand
        .start("one", |config| {
            let link = link("alipay", "2021000122671080", &base_url);
            config.link.insert("alipay".to_owned(), link);
            config.settle.query_after_ms = vec![60_000];
            config.route = vec![route("platform", "alipay")];
        })
        .await;
    let asked = ask(&one, "platform", &stand.emit("platform", "debit", &own_debit())).await;
    assert_eq!(asked.start, Start::Status(202), "{}", String::from_utf8_lossy(&asked.body));

    // About other money, or altered: it settles nothing.
    let notice = |fen| emit(&alipay, "trade_status_sync", &notice(fen));
    assert_eq!(ask(&one, "alipay", &notice(1)).await.body, b"success");
    let mut forged = notice(1234);
    forged.body = text(forged.body).replace("TRADE_SUCCESS", "TRADE_FINISHED").into_bytes();
    let refused = ask(&one, "alipay", &forged).await;
    assert_eq!((refused.start, text(refused.body)), (Start::Status(401), "fail".to_owned()));
    assert_eq!(stand.exchanges().await[0].state, State::Unknown);

    assert_eq!(ask(&one, "alipay", &notice(1234)).await.body, b"success");
    until("the debit is settled", async || {
        let all = stand.exchanges().await;
        let outcome = all[0].outcome.as_ref().map(|outcome| outcome.name.as_str());
        outcome == Some("success")
    })
    .await;
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

/// Alipay with keys of its own; the gateway has the other halves.
fn keyed_alipay(stand: &Stand) -> Party {
    let folder = stand.folder.path();
    for (owner, other, name, key, serial) in [
        (
            "gateway",
            "alipay",
            "ali-ours",
            "rsa-seal",
            "866efef280dec9137a87d047ac446315",
        ),
        (
            "alipay",
            "gateway",
            "ali-theirs",
            "rsa-sign",
            "7513daaaa48aa3ba2e4018d84402479c",
        ),
    ] {
        for (holder, side, half) in [(owner, "ours", "key"), (other, "theirs", "pub")] {
            let entry = Entry {
                id: name,
                link: "alipay",
                side,
                usage: "sign",
                algorithm: "rsa",
                serial,
            };
            enter(&folder.join(holder), &entry, &sample_key(key, half));
        }
    }
    party(folder, "alipay", "alipay").in_suite("rsa2")
}

fn own_debit() -> Payment {
    let mut debit = Payment::new(Operation::Debit, Role::Request);
    debit
        .set_text(Attribute::Sender, "platform")
        .set_text(Attribute::Serial, "ask-1")
        .set_text(Attribute::EndToEndId, "20300102183005000001")
        .set_text(Attribute::Agreement, "90000000000000000001")
        .set_money(Attribute::Amount, Money::from_fen(1234))
        .set_date(Attribute::SettlementDate, time::macros::date!(2030 - 01 - 02));
    debit
}

fn notice(fen: i64) -> Payment {
    success_notice("2021000122671080", "notice", "2030010222001400000000000001", fen)
}

/// That `own_debit` succeeded, with this amount.
fn success_notice(sender: &str, serial: &str, bank_tx_id: &str, fen: i64) -> Payment {
    let mut notice = Payment::new(Operation::Notice, Role::Notice);
    notice
        .set_text(Attribute::Sender, sender)
        .set_text(Attribute::Serial, format!("{serial}-{fen}"))
        .set_text(Attribute::OriginalEndToEndId, "20300102183005000001")
        .set_text(Attribute::BankTxId, bank_tx_id)
        .set_money(Attribute::Amount, Money::from_fen(fen));
    notice.outcome = Some(Outcome::Success);
    notice
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

async fn with_epcc() -> (Stand, Party, Instance) {
    with_epcc_where(|_, _| {}).await
}

/// `change` has the last word on the configuration, and a folder for files.
pub(crate) async fn with_epcc_where(change: impl FnOnce(&mut Config, &Path)) -> (Stand, Party, Instance) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    for (owner, other, name, serial) in [
        ("gateway", "epcc", "epcc-bank", "4100000001"),
        ("epcc", "gateway", "epcc-centre", "4200000001"),
    ] {
        for usage in ["sign", "seal"] {
            let world = world();
            let key = PrivateKey::generate(&mut world.rng()).unwrap();
            let (secret, public) = (key.danger_to_pkcs8_pem().unwrap(), key.public().to_spki_pem().unwrap());
            let id = format!("{name}-{usage}");
            let of = |side| Entry {
                id: &id,
                link: "epcc",
                side,
                usage,
                algorithm: "sm2",
                serial,
            };
            enter(&stand.folder.path().join(owner), &of("ours"), &secret);
            enter(&stand.folder.path().join(other), &of("theirs"), &public);
        }
    }
    let one = stand
        .start("one", |config: &mut Config| {
            config
                .link
                .insert("epcc".to_owned(), link("epcc", "C1099999000051", "http://127.0.0.1:9"));
            config.route.push(route("epcc", "platform"));
            change(config, stand.folder.path());
        })
        .await;
    let epcc = party(stand.folder.path(), "epcc", "epcc");
    (stand, epcc, one)
}

/// Alipay as it answers a debit that the user has yet to confirm.
async fn serve(listener: tokio::net::TcpListener, alipay: Party) {
    let handler = move |wire: Wire| {
        let world = world();
        let request = alipay.receive(&wire, world.now()).unwrap();
        assert_eq!(
            (request.operation, request.text(Attribute::Agreement)),
            (Operation::Debit, Some("90000000000000000001"))
        );
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(Outcome::Unknown));
        let wire = alipay
            .emit("alipay_trade_pay_response", &reply, world.now(), &mut world.rng())
            .unwrap();
        Box::pin(std::future::ready(HttpAnswer::Message(wire))) as _
    };
    axum::serve(listener, router(Arc::new(handler))).await.unwrap();
}

pub(crate) fn debit(trx_id: &str, fen: i64) -> Payment {
    let mut debit = about(trx_id, Operation::Debit);
    debit
        .set_text(Attribute::Agreement, Person::at(8).agreement())
        .set_text(Attribute::BusinessType, "0110")
        .set_text(Attribute::Batch, "B203001020019")
        .set_money(Attribute::Amount, Money::from_fen(fen));
    debit
}

fn about(trx_id: &str, operation: Operation) -> Payment {
    let mut request = Payment::new(operation, Role::Request);
    request
        .set_text(Attribute::Sender, "G4000311000018")
        .set_text(Attribute::EndToEndId, trx_id)
        .set_text(Attribute::Institution, "Z2099999000010")
        .set_text(Attribute::CreatedAt, "2030-01-02T18:30:05");
    request
}

pub(crate) fn emit(party: &Party, code: &str, payment: &Payment) -> Wire {
    let (world, mut payment) = (world(), payment.clone());
    payment.set_text(Attribute::MessageCode, code);
    if payment.text(Attribute::CreatedAt).is_none() {
        payment.set_text(Attribute::CreatedAt, "2030-01-02T18:30:05");
    }
    party.emit(code, &payment, world.now(), &mut world.rng()).unwrap()
}

async fn ask(instance: &Instance, link: &str, wire: &Wire) -> Wire {
    let caller = HttpCaller::new(&format!("http://{}", instance.addresses[link]));
    caller.call(wire, Duration::from_secs(10)).await.unwrap()
}

fn link(codec: &str, member: &str, base_url: &str) -> LinkConfig {
    let text = format!(
        "codec = \"{codec}\"\nmember = \"{member}\"\nanswer_ms = 3000\n\
         http = {{ base_url = \"{base_url}\", listen = \"127.0.0.1:0\" }}\n"
    );
    toml::from_str(&text).unwrap()
}

fn route(from: &str, to: &str) -> RouteConfig {
    RouteConfig {
        from: from.to_owned(),
        to: to.to_owned(),
        operations: None,
    }
}

struct Entry<'a> {
    id: &'a str,
    link: &'a str,
    side: &'a str,
    usage: &'a str,
    algorithm: &'a str,
    serial: &'a str,
}

/// Puts a key into a key folder, which is made where it is missing.
fn enter(folder: &Path, entry: &Entry<'_>, pem: &str) {
    let only_us = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    only_us(folder, 0o700);
    let file = folder.join(format!("{}-{}.pem", entry.id, entry.side));
    std::fs::write(&file, pem).unwrap();
    only_us(&file, 0o600);
    let list = folder.join("keyring.toml");
    let mut text = std::fs::read_to_string(&list).unwrap_or_default();
    text.push_str(
        "\n[[key]]\nstatus = \"primary\"\nnot_before = \"2020-01-01T00:00:00Z\"\nnot_after = \"2049-12-31T23:59:59Z\"\n",
    );
    let name = file.file_name().unwrap().to_str().unwrap();
    for (key, value) in [
        ("id", entry.id),
        ("link", entry.link),
        ("side", entry.side),
        ("usage", entry.usage),
        ("algorithm", entry.algorithm),
        ("serial", entry.serial),
        ("file", name),
    ] {
        writeln!(text, "{key} = \"{value}\"").unwrap();
    }
    // Institutions give characters; a terminal's master key is bytes.
    if entry.side == "shared" && !entry.algorithm.starts_with("terminal-") {
        text.push_str("encoding = \"text\"\n");
    }
    std::fs::write(&list, text).unwrap();
    only_us(&list, 0o600);
}

fn sample_key(name: &str, half: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/testdata/samples");
    std::fs::read_to_string(folder.join(format!("{name}.{half}.pem"))).unwrap()
}

/// The reasons above are the platform's own; this one names what must not come of them.
#[test]
fn an_unknown_code_of_netsunion_is_no_failure() {
    let specs = codecs::spec::Specs::embedded().unwrap();
    let spec = specs.spec("epcc").unwrap();
    let unknown: Vec<_> = spec
        .codes()
        .filter(|(_, _, reason)| reason.is_none())
        .map(|(code, _, _)| code)
        .collect();
    assert_eq!(unknown, ["PS500030"]);
    assert!(
        spec.codes()
            .any(|(code, _, reason)| code == "PB520011" && reason == Some(Reason::InsufficientFunds))
    );
}
