//! UnionPay's two families through the whole gateway: forms whose first answer settles nothing, and signed XML with one sealed
//! element.

use super::*;

const MERCHANT: &str = "777290058110048";

/// The platform asks for a debit over the form gateway, which only takes the order; a query settles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_unionpay_took_is_settled_by_a_query() {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let unionpay = keyed_forms(&stand);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve_forms(listener, unionpay));
    let one = stand
        .start("one", |config| {
            let link = link("unionpay-form", MERCHANT, &base_url);
            config.link.insert("unionpay".to_owned(), link);
            config.settle.query_after_ms = vec![50];
            config.route = vec![route("platform", "unionpay")];
        })
        .await;
    let asked = ask(&one, "platform", &stand.emit("platform", "debit", &own_debit())).await;
    assert_eq!(asked.start, Start::Status(202), "{}", text(asked.body));
    until("the debit is settled", async || {
        let all = stand.exchanges().await;
        let outcome = all[0].outcome.as_ref().map(|outcome| outcome.name.as_str());
        outcome == Some("success")
    })
    .await;
    let all = stand.exchanges().await;
    assert!(all.len() == 1 && all[0].queries >= 1, "{} exchanges", all.len());
    assert!(one.running.stop(GRACE).await);
    server.abort();
}

/// What is sealed as one element reaches the platform field by field; a wrong user id or another amount does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_unionpay_sealed_is_signed_up_and_debited() {
    let (stand, unionpay, one) = with_quick().await;
    let person = Person::at(8);
    let mut sign = quick("2030010200000001", Operation::Sign);
    sign.set_text(Attribute::PayerName, person.name.clone())
        .set_text(Attribute::PayerAccount, person.account.clone())
        .set_text(Attribute::IdType, "01")
        .set_text(Attribute::IdNumber, person.id_number.clone())
        .set_text(Attribute::Mobile, person.mobile.clone());
    let request = emit(&unionpay, "sign", &sign);
    let clear = text(request.body.clone());
    assert!(!clear.contains(&person.account) && clear.contains("<SensInf>") && clear.contains("<Trxtyp>0201<"));
    let reply = unionpay.receive(&ask(&one, "quick", &request).await, world().now()).unwrap();
    assert_eq!((reply.operation, &reply.outcome), (Operation::Sign, &Some(Outcome::Success)));

    let mut debit = quick("2030010200000002", Operation::Debit);
    debit
        .set_text(Attribute::Agreement, reply.text(Attribute::Agreement).unwrap())
        .set_money(Attribute::Amount, Money::from_fen(1234))
        .set_date(Attribute::SettlementDate, time::macros::date!(2030 - 01 - 02));
    let request = emit(&unionpay, "pay", &debit);
    let mut altered = request.clone();
    altered.body = text(altered.body).replace("CNY12.34", "CNY99.34").into_bytes();
    assert_eq!(ask(&one, "quick", &altered).await.start, Start::Status(401));
    let reply = unionpay.receive(&ask(&one, "quick", &request).await, world().now()).unwrap();
    assert_eq!((reply.operation, &reply.outcome), (Operation::Debit, &Some(Outcome::Success)));
    assert_eq!(stand.platform.executions("2030010200000002"), 1);
    assert!(one.running.stop(GRACE).await);
}

/// UnionPay with keys of its own; the gateway has the other halves.
fn keyed_forms(stand: &Stand) -> Party {
    let folder = stand.folder.path();
    for (owner, other, name, key, serial) in [
        ("gateway", "unionpay", "union-ours", "rsa-seal", "69903319369"),
        ("unionpay", "gateway", "union-theirs", "rsa-sign", "68759585097"),
    ] {
        for (holder, side, half) in [(owner, "ours", "key"), (other, "theirs", "pub")] {
            let entry = Entry {
                id: name,
                link: "unionpay",
                side,
                usage: "sign",
                algorithm: "rsa",
                serial,
            };
            enter(&folder.join(holder), &entry, &sample_key(key, half));
        }
    }
    party(folder, "unionpay-form", "unionpay")
}

/// The form gateway as it takes an order and, asked for it, says that it was done.
async fn serve_forms(listener: tokio::net::TcpListener, unionpay: Party) {
    let handler = move |wire: Wire| {
        let world = world();
        let request = unionpay.receive(&wire, world.now()).unwrap();
        let is_query = request.operation == Operation::Query;
        let (code, outcome) = if is_query {
            assert!(text(wire.body).contains("txnTime=20300102183005"));
            ("query_answer", Outcome::Success)
        } else {
            ("consume_answer", Outcome::Unknown)
        };
        let mut reply = request.clone();
        (reply.role, reply.outcome) = (Role::Reply, Some(outcome));
        reply.set_text(Attribute::BankTxId, "203001021830050000018");
        let wire = unionpay.emit(code, &reply, world.now(), &mut world.rng()).unwrap();
        Box::pin(std::future::ready(HttpAnswer::Message(wire))) as _
    };
    axum::serve(listener, router(Arc::new(handler))).await.unwrap();
}

/// The link of payments without a card; the user id of each signing key is its serial.
async fn with_quick() -> (Stand, Party, Instance) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let folder = stand.folder.path();
    for (owner, other, name, serials) in [
        ("gateway", "quick", "quick-bank", ["4100000001", "4100000002"]),
        ("quick", "gateway", "quick-centre", ["4200000001", "4200000002"]),
    ] {
        for (usage, serial) in ["sign", "seal"].into_iter().zip(serials) {
            let key = PrivateKey::generate(&mut world().rng()).unwrap();
            let (secret, public) = (key.danger_to_pkcs8_pem().unwrap(), key.public().to_spki_pem().unwrap());
            let id = format!("{name}-{usage}");
            let of = |side| Entry {
                id: &id,
                link: "quick",
                side,
                usage,
                algorithm: "sm2",
                serial,
            };
            enter(&folder.join(owner), &of("ours"), &secret);
            enter(&folder.join(other), &of("theirs"), &public);
            if usage == "sign" {
                identify(&folder.join(owner), serial);
                identify(&folder.join(other), serial);
            }
        }
    }
    let one = stand
        .start("one", |config: &mut Config| {
            let link = link("unionpay-quick", "03080000", "http://127.0.0.1:9");
            config.link.insert("quick".to_owned(), link);
            config.route.push(route("quick", "platform"));
        })
        .await;
    let unionpay = party(stand.folder.path(), "unionpay-quick", "quick");
    (stand, unionpay, one)
}

/// Writes the serial of a key into its entry as its user id.
fn identify(folder: &Path, serial: &str) {
    let list = folder.join("keyring.toml");
    let line = format!("serial = \"{serial}\"\n");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replace(&line, &format!("{line}user_id = \"{serial}\"\n"))).unwrap();
}

fn quick(trx_id: &str, operation: Operation) -> Payment {
    let mut request = Payment::new(operation, Role::Request);
    request
        .set_text(Attribute::Sender, "00010000")
        .set_text(Attribute::EndToEndId, trx_id)
        .set_text(Attribute::CreatedAt, "2030-01-02T18:30:05");
    request
}
