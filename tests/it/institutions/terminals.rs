//! UnionPay's terminals through the whole gateway, over a real socket: messages that another implementation packed, answers read
//! byte by byte, and what one connection may not do to another.

mod framing;
mod signing_in;

use super::{Entry, GRACE, emit, enter, route};
use crate::stand::{Instance, Stand, party, world};
use codecs::payment::{Attribute, Money, Operation, Outcome, Payment, Role};
use codecs::wire::Wire;
use hangu::exchange::Caller;
use hangu::journal::sqlite::SqliteJournal;
use hangu::link::Framing;
use hangu::link::tcp::TcpCaller;
use simulators::counterparty::Party;
use simulators::people::Person;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TERMINAL: &str = "900000000000001-T0000001";
/// To the host at 0003, from 0001.
const ADDRESS: [u8; 5] = [0x60, 0, 3, 0, 1];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_is_answered_once_and_repeated_byte_for_byte() {
    let (stand, terminal, one) = with_terminals().await;
    let mut connection = connect(&one).await;
    let purchase = sample("debit_3des");
    let answer = ask(&mut connection, &purchase).await;
    assert_eq!(answer[..5], [0x60, 0, 1, 0, 3], "back to where it came from");
    let reply = receive(&terminal, &answer[5..]);
    assert_eq!(
        (reply.role, reply.operation, &reply.outcome),
        (Role::Reply, Operation::Debit, &Some(Outcome::Success))
    );
    assert_eq!(reply.money(Attribute::Amount), Some(Money::from_fen(1234)));
    assert_eq!(reply.text(Attribute::Serial), Some(serial(2).as_str()));

    // Again over another way: another address, the same message behind it.
    assert_eq!(ask(&mut connection, &purchase).await, answer);
    let other = exchanged(&one, &purchase).await;
    assert_eq!(other.body, answer[5..]);
    assert_eq!(stand.platform.executions(&serial(2)), 1);

    let reply = receive(&terminal, &ask(&mut connection, &sample("reversal")).await[5..]);
    assert_eq!(
        (reply.operation, &reply.outcome),
        (Operation::Cancel, &Some(Outcome::Success))
    );
    assert_eq!(
        taken(&stand).await,
        [Operation::Debit, Operation::Cancel].map(Operation::name)
    );
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_mac_gets_silence_and_is_never_booked() {
    let (stand, terminal, one) = with_terminals().await;
    let mut connection = connect(&one).await;
    let mut forged = debit(&terminal, 7, 500);
    *forged.last_mut().unwrap() ^= 1;
    for wrong in [
        forged,
        sample("wrong_amount_altered"),
        sample("wrong_second_bitmap"),
        b"<xml/>".to_vec(),
    ] {
        connection.write_all(&frame(&wrong)).await.unwrap();
    }
    // The first answer on this connection is to the first message that is right.
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 8, 500)).await[5..]);
    assert_eq!(reply.text(Attribute::Serial), Some(serial(8).as_str()));
    assert_eq!(stand.platform.books().entries.len(), 1);
    assert_eq!(taken(&stand).await, [Operation::Debit.name()]);

    // What is no frame at all ends the connection, and no other.
    let mut stranger = connect(&one).await;
    stranger.write_all(b"\x00\x04GET ").await.unwrap();
    assert_eq!(stranger.read(&mut [0; 16]).await.unwrap(), 0);
    let mut longer = connect(&one).await;
    longer.write_all(b"\xff\xff").await.unwrap();
    assert_eq!(longer.read(&mut [0; 16]).await.unwrap(), 0);
    connection.write_all(&[0, 0]).await.unwrap();
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 9, 600)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Success));
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_and_then_silence_hold_up_nobody() {
    let (stand, terminal, one) = with_terminals().await;
    let whole = frame(&debit(&terminal, 11, 700));
    let mut halves = Vec::new();
    for _ in 0..8 {
        let mut half = connect(&one).await;
        half.write_all(&whole[..whole.len() / 2]).await.unwrap();
        halves.push(half);
    }
    let mut connection = connect(&one).await;
    // Two at once on one connection: both are answered.
    let both = [frame(&debit(&terminal, 12, 800)), frame(&debit(&terminal, 13, 900))].concat();
    connection.write_all(&both).await.unwrap();
    let mut serials = Vec::new();
    for _ in 0..2 {
        let reply = receive(&terminal, &answer(&mut connection).await[5..]);
        serials.push(reply.text(Attribute::Serial).unwrap().to_owned());
    }
    serials.sort();
    assert_eq!(serials, [serial(12), serial(13)]);
    // The second half of one of them comes after all.
    let mut half = halves.pop().unwrap();
    half.write_all(&whole[whole.len() / 2..]).await.unwrap();
    assert_eq!(
        receive(&terminal, &answer(&mut half).await[5..]).outcome,
        Some(Outcome::Success)
    );
    assert_eq!(stand.platform.books().entries.len(), 3);
    assert!(one.running.stop(GRACE).await);
}

/// What the platform does not answer is "98", on which a terminal reverses; a purchase that comes after its reversal is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_end_is_told_as_such_and_a_reversal_goes_before_its_purchase() {
    let (stand, terminal, one) = with_terminals().await;
    let mut connection = connect(&one).await;
    stand.hang_on(4321);
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 20, 4321)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Unknown));

    let mut reversal = about(21, Operation::Cancel, 100);
    reversal.set_text(Attribute::CancelReason, "98");
    let reversal = emit(&terminal, "0400-000000-00-22", &reversal).body;
    let reply = receive(&terminal, &ask(&mut connection, &reversal).await[5..]);
    assert_eq!((reply.operation, reply.outcome), (Operation::Cancel, Some(Outcome::Success)));
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 21, 100)).await[5..]);
    assert!(matches!(reply.outcome, Some(Outcome::Failed { .. })), "{:?}", reply.outcome);
    assert_eq!(stand.platform.executions(&serial(21)), 0);
    assert!(one.running.stop(GRACE).await);
}

/// The answer of a purchase is late: the terminal reverses it, as often as it likes, and the customer has the money.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_whose_answer_is_late_is_reversed_once() {
    let (stand, terminal, one) = with_terminals().await;
    let mut connection = connect(&one).await;
    stand.hang_on(4321);
    let purchase = debit(&terminal, 30, 4321);
    let reply = receive(&terminal, &ask(&mut connection, &purchase).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Unknown));

    let mut reversal = about(30, Operation::Cancel, 4321);
    reversal.set_text(Attribute::CancelReason, "98");
    let reversal = emit(&terminal, "0400-000000-00-22", &reversal).body;
    let mut answered = ask(&mut connection, &reversal).await;
    for _ in 0..600 {
        if receive(&terminal, &answered[5..]).outcome != Some(Outcome::Unknown) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answered = ask(&mut connection, &reversal).await;
    }
    assert_eq!(receive(&terminal, &answered[5..]).outcome, Some(Outcome::Success));
    for _ in 0..3 {
        assert_eq!(ask(&mut connection, &reversal).await, answered);
    }
    let entries = stand.platform.books().entries;
    let done = |operation: Operation| {
        let of = entries.values().filter(|entry| entry.operation == operation.name());
        of.map(|entry| (entry.executions, entry.outcome.clone())).collect::<Vec<_>>()
    };
    let once = vec![(1, "success".to_owned())];
    assert_eq!((done(Operation::Debit), done(Operation::Cancel)), (once.clone(), once));
    let balances = simulators::platform::lock(&stand.platform.ledger()).sum();
    assert_eq!(balances, 0);
    // The purchase itself, asked again, was done; that it was reversed is the reversal's to say.
    let reply = receive(&terminal, &ask(&mut connection, &purchase).await[5..]);
    assert_ne!(reply.outcome, Some(Outcome::Unknown));
    assert!(one.running.stop(GRACE).await);
}

/// The gateway with one terminal's key, on a day that has begun.
async fn with_terminals() -> (Stand, Party, Instance) {
    let key = include_str!("../../../keys/testdata/samples/pos-16.mac");
    with_terminal_key("3des", ["mac", "cup-ecb-3des"], key).await
}

async fn with_terminal_key(suite: &str, [usage, algorithm]: [&str; 2], key: &str) -> (Stand, Party, Instance) {
    let stand = Stand::set(Arc::new(SqliteJournal::memory().unwrap())).await;
    for holder in ["gateway", "pos"] {
        let entry = Entry {
            id: "terminal-1",
            link: "pos",
            side: "shared",
            usage,
            algorithm,
            serial: TERMINAL,
        };
        enter(&stand.folder.path().join(holder), &entry, key);
    }
    let one = start_terminals(&stand, "one", suite).await;
    let terminal = party(stand.folder.path(), "unionpay-pos", "pos").in_suite(suite);
    (stand, terminal, one)
}

async fn start_terminals(stand: &Stand, name: &str, suite: &str) -> Instance {
    let link = format!("codec = \"unionpay-pos\"\nsuite = \"{suite}\"\ntcp = {{ listen = \"127.0.0.1:0\" }}\n");
    let one = stand
        .start(name, |config| {
            config.link.insert("pos".to_owned(), toml::from_str(&link).unwrap());
            config.route.push(route("pos", "platform"));
        })
        .await;
    stand.open_the_day(&[&one]).await;
    one
}

/// The operations that terminals began.
async fn taken(stand: &Stand) -> Vec<String> {
    let all = stand.exchanges().await.into_iter();
    all.filter(|exchange| exchange.link_in == "pos")
        .map(|exchange| exchange.operation)
        .collect()
}

async fn connect(one: &Instance) -> TcpStream {
    TcpStream::connect(one.addresses["pos"]).await.unwrap()
}

async fn ask(connection: &mut TcpStream, message: &[u8]) -> Vec<u8> {
    connection.write_all(&frame(message)).await.unwrap();
    answer(connection).await
}

/// The content of the next frame, which must come within its time.
async fn answer(connection: &mut TcpStream) -> Vec<u8> {
    let read = async {
        let mut content = vec![0; usize::from(connection.read_u16().await?)];
        connection.read_exact(&mut content).await?;
        Ok::<_, std::io::Error>(content)
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap()
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len() + 5).unwrap();
    [&length.to_be_bytes(), &ADDRESS[..], message].concat()
}

/// By our own caller, on a connection of its own.
async fn exchanged(one: &Instance, message: &[u8]) -> Wire {
    let framing = Framing {
        addressed: true,
        message_bytes_max: 2048,
    };
    let caller = TcpCaller::new(Some(&one.addresses["pos"].to_string()), framing);
    caller
        .call(&Wire::queue(message.to_vec()), Duration::from_secs(20))
        .await
        .unwrap()
}

fn receive(terminal: &Party, body: &[u8]) -> Payment {
    terminal.receive(&Wire::queue(body.to_vec()), world().now()).unwrap()
}

/// The bytes that another implementation packed and authenticated.
fn sample(name: &str) -> Vec<u8> {
    let all = codecs::sample::embedded().unwrap();
    let file = format!("{name}.txt");
    let found = all
        .into_iter()
        .find(|sample| sample.codec == "unionpay-pos" && sample.file == file);
    found.unwrap().wire.body
}

fn debit(terminal: &Party, trace: u32, fen: i64) -> Vec<u8> {
    let mut debit = about(trace, Operation::Debit, fen);
    debit.set_text(Attribute::PayerAccount, Person::at(8).account);
    emit(terminal, "0200-000000-00-22", &debit).body
}

fn about(trace: u32, operation: Operation, fen: i64) -> Payment {
    let mut request = Payment::new(operation, Role::Request);
    request
        .set_text(Attribute::Initiator, TERMINAL)
        .set_text(Attribute::Serial, serial(trace))
        .set_money(Attribute::Amount, Money::from_fen(fen));
    request
}

fn serial(trace: u32) -> String {
    format!("{TERMINAL}-000001-{trace:06}")
}
