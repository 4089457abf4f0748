//! CNAPS2 and DCEP over queues, as the clearing centre's messages go: taken, verified, opened, answered and signed, both ways.

use super::{GRACE, route};
use crate::mq_conformance::next;
use crate::stand::{Instance, Stand, party, until, world};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use codecs::spec::Specs;
use codecs::wire::Wire;
use hangu::clock::Random;
use hangu::config::LinkConfig;
use hangu::journal::Read;
use hangu::journal::sqlite::SqliteJournal;
use hangu::mq::Consumer;
use hangu::shell::SystemEntropy;
use keys::store::{DemoKeys, DemoLink};
use simulators::counterparty::{Party, Twist};
use simulators::institution::direct::{self, Order};
use simulators::people::Person;
use std::sync::Arc;

const BANK: &str = "402100088888";
const CENTRE: &str = "900584099999";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_dcep_comes_by_a_queue_sealed_and_its_answer_goes_back_signed() {
    let (stand, dcep, one) = with_centre("dcep", [route("dcep", "platform")]).await;
    let mut from_bank = (stand.connect)().consume("dcep.out", 16);
    let person = Person::at(8);
    let request = request("dcep", Operation::Debit, 1);
    let wire = emitted(&dcep, "dcep.225.001.01", &request, Twist::None);
    let text = String::from_utf8_lossy(&wire).into_owned();
    assert!(text.starts_with("{H:04") && text.contains(":DSG:") && !text.contains(&person.account));

    // What is not signed so is parked, and nothing of it is booked.
    stand
        .put("dcep.req", emitted(&dcep, "dcep.225.001.01", &request, Twist::BadSignature))
        .await;
    stand.put("dcep.req", wire.clone()).await;
    let first = answer(&dcep, &mut from_bank).await;
    let reply = read(&dcep, &first);
    assert_eq!((reply.operation, &reply.outcome), (Operation::Debit, &Some(Outcome::Success)));
    assert_eq!(reply.text(Attribute::RefSerial), request.text(Attribute::MsgId));
    assert_eq!(stand.platform.executions(request.text(Attribute::EndToEndId).unwrap()), 1);

    // The same bytes again: the same bytes back.
    stand.put("dcep.req", wire).await;
    assert_eq!(answer(&dcep, &mut from_bank).await, first);
    assert_eq!(stand.platform.books().entries.len(), 1);
    until("the forged one is parked", async || parked(&stand).await == 1).await;
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_the_bank_goes_to_cnaps2_by_a_queue_and_its_confirmation_settles_it() {
    let (stand, cnaps2, one) = with_centre("cnaps2", [route("platform", "cnaps2")]).await;
    let mut from_bank = (stand.connect)().consume("cnaps2.out", 16);
    let bank = stand.bank(one.address, |config| config.final_ms = 60_000);
    let mut request = request("cnaps2", Operation::Credit, 1);
    request
        .set_text(Attribute::Sender, "platform")
        .set_text(Attribute::EndToEndId, "2030010200000007");
    let asked = request.clone();
    let asking = tokio::spawn(async move { bank.send(&asked).await.unwrap().outcome });

    let sent = read(&cnaps2, &next(&mut from_bank).await.body);
    assert_eq!((sent.operation, sent.role), (Operation::Credit, Role::Request));
    for attribute in [
        Attribute::EndToEndId,
        Attribute::Amount,
        Attribute::PayeeAccount,
        Attribute::PayerName,
    ] {
        assert_eq!(sent.value(attribute), request.value(attribute), "{attribute}");
    }
    let mut confirmation = Payment::new(Operation::Credit, Role::Reply);
    address(&mut confirmation, "20300102000000000009");
    confirmation
        .set_text(Attribute::RefSerial, sent.text(Attribute::Serial).unwrap())
        .set_text(Attribute::RefCode, "beps.121.001.01");
    refer_to(&mut confirmation, &sent);
    confirmation.outcome = Some(Outcome::Success);
    for twist in [Twist::BadSignature, Twist::None] {
        stand
            .put("cnaps2.rsp", emitted(&cnaps2, "ccms.900.001.02", &confirmation, twist))
            .await;
    }
    assert_eq!(asking.await.unwrap(), Outcome::Success);
    until("the forged one is parked", async || parked(&stand).await == 1).await;
    assert!(one.running.stop(GRACE).await);
}

/// The gateway with a link to this centre, over queues of the stand's broker.
async fn with_centre(codec: &str, routes: [hangu::config::RouteConfig; 1]) -> (Stand, Party, Instance) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    let link = DemoLink {
        link: codec,
        parties: ["gateway", codec],
        keys: &direct::keys(Specs::embedded().unwrap().spec(codec).unwrap()),
    };
    let mut keys = DemoKeys::default();
    keys.add(stand.folder.path(), &link, &mut Random(&SystemEntropy)).unwrap();
    let queues = ["req", "rsp", "out"].map(|end| format!("{codec}.{end}"));
    (stand.connect)().declare(&queues).await.unwrap();
    let link: LinkConfig = toml::from_str(&format!(
        "codec = \"{codec}\"\nmember = \"{BANK}\"\ncounterparty = \"{CENTRE}\"\nanswer_ms = 15000\n\
         mq = {{ addresses = [\"memory\"], request_queue = \"{codec}.req\", reply_queue = \"{codec}.rsp\", \
         outbound_queue = \"{codec}.out\" }}\n"
    ))
    .unwrap();
    let one = stand
        .start("one", |config| {
            config.link.insert(codec.to_owned(), link);
            config.route = routes.to_vec();
        })
        .await;
    stand.open_the_day(&[&one]).await;
    let centre = party(stand.folder.path(), codec, codec);
    (stand, centre, one)
}

fn request(codec: &str, operation: Operation, serial: u64) -> Payment {
    let specs = Specs::embedded().unwrap();
    let (payer, payee) = (Person::at(8), Person::at(9));
    let order = Order {
        serial,
        person: payer.clone(),
        amount: Money::from_fen(1234),
    };
    let mut request = direct::request(specs.spec(codec).unwrap(), operation, &order, None, world().now());
    let serial = request.text(Attribute::MsgId).unwrap().to_owned();
    address(&mut request, &serial);
    request.clear(Attribute::Agreement);
    request
        .set_text(Attribute::PayerName, payer.name)
        .set_text(Attribute::PayerAccount, payer.account)
        .set_text(Attribute::PayerBank, "402100088888")
        .set_text(Attribute::PayeeName, payee.name)
        .set_text(Attribute::PayeeAccount, payee.account)
        .set_text(Attribute::PayeeBank, "102100099996");
    request
}

/// From the centre to the bank.
fn address(payment: &mut Payment, serial: &str) {
    let now = world().now();
    payment
        .set_text(Attribute::Sender, CENTRE)
        .set_text(Attribute::Receiver, BANK)
        .set_text(Attribute::MsgId, serial)
        .set_text(Attribute::Serial, serial)
        .set_text(Attribute::CreatedAt, "2030-01-02T18:30:05")
        .set_text(Attribute::SendTime, "183005")
        .set_date(Attribute::SendDate, now.date());
}

/// Who sent what is answered, and when, for formats whose header says so.
fn refer_to(reply: &mut Payment, request: &Payment) {
    for (reference, source) in [
        (Attribute::RefSender, Attribute::Sender),
        (Attribute::RefDate, Attribute::SendDate),
    ] {
        if let Some(value) = request.value(source) {
            reply.put(reference, value.clone()).unwrap();
        }
    }
}

fn emitted(centre: &Party, code: &str, payment: &Payment, twist: Twist) -> Vec<u8> {
    let (world, mut payment) = (world(), payment.clone());
    payment.set_text(Attribute::MessageCode, code);
    let emitted = centre.emit_twisted(code, &payment, world.now(), &mut world.rng(), twist);
    emitted.unwrap().body
}

fn read(centre: &Party, body: &[u8]) -> Payment {
    centre.receive(&Wire::queue(body.to_vec()), world().now()).unwrap()
}

async fn parked(stand: &Stand) -> usize {
    let all = Read::Parked {
        id: None,
        status: None,
        limit: 10,
    };
    stand.journal.read(all).await.unwrap().parked().unwrap().len()
}

/// The bytes of the next reply; a communication confirmation may come before it.
async fn answer(centre: &Party, from_bank: &mut Box<dyn Consumer>) -> Vec<u8> {
    loop {
        let body = next(from_bank).await.body.to_vec();
        if read(centre, &body).role == Role::Reply {
            return body;
        }
    }
}
