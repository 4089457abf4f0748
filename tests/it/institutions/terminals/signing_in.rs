//! Terminals that sign in: working keys under a master key, which the next sign-in replaces and a restart forgets.

use super::*;

pub(super) const MASTERS: [(&str, &str, &str); 4] = [
    ("des", "terminal-des", "0723c80db5f4cd3d"),
    ("3des", "terminal-3des", "70f2a84ccbc2ae8625cbb0f2c22ab923"),
    ("sm4", "terminal-sm4", "12345678901234567890123456789012"),
    ("sm4_bytes", "terminal-sm4", "12345678901234567890123456789012"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_signs_in_and_pays_under_its_working_key() {
    for (suite, algorithm, key) in MASTERS {
        let (stand, terminal, one) = with_terminal_key(suite, ["seal", algorithm], key).await;
        let mut connection = connect(&one).await;
        sign_in(&mut connection, &terminal, 1).await;
        let purchase = debit(&terminal, 2, 500);
        let answer = ask(&mut connection, &purchase).await;
        assert_eq!(receive(&terminal, &answer[5..]).outcome, Some(Outcome::Success), "{suite}");
        assert_eq!(ask(&mut connection, &purchase).await, answer, "{suite}: the stored answer");
        assert_eq!(stand.platform.executions(&serial(2)), 1, "{suite}");
        assert!(one.running.stop(GRACE).await);
    }
}

/// A key that was only handed out replaces nothing: its answer may be lost, or a stranger may have asked. Once it is used the one
/// before it is worth nothing, also for what was answered under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_in_use_until_the_one_of_the_next_sign_in_is() {
    let (_, algorithm, key) = MASTERS[1];
    let (stand, terminal, one) = with_terminal_key("3des", ["seal", algorithm], key).await;
    let mut connection = connect(&one).await;
    sign_in(&mut connection, &terminal, 1).await;
    let old = debit(&terminal, 3, 700);
    let first = ask(&mut connection, &old).await;

    // Another sign-in whose answer the terminal does not get.
    let asked = terminal.ask_to_sign_in(&serial(4)).unwrap().unwrap();
    ask(&mut connection, &asked.body).await;
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 5, 800)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Success));

    sign_in(&mut connection, &terminal, 6).await;
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 7, 900)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Success));
    // What was authenticated under the old key gets silence; asked again under the new one, the same end under the new one.
    connection.write_all(&frame(&old)).await.unwrap();
    let again = ask(&mut connection, &debit(&terminal, 3, 700)).await;
    assert_ne!(again, first);
    assert_eq!(
        receive(&terminal, &again[5..]).text(Attribute::Serial),
        Some(serial(3).as_str())
    );
    assert_eq!(stand.platform.executions(&serial(3)), 1);
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_working_keys_and_a_stranger_gets_none() {
    let (_, algorithm, key) = MASTERS[2];
    let (stand, terminal, one) = with_terminal_key("sm4", ["seal", algorithm], key).await;
    sign_in(&mut connect(&one).await, &terminal, 1).await;
    let purchase = debit(&terminal, 2, 500);
    ask(&mut connect(&one).await, &purchase).await;
    assert!(one.running.stop(GRACE).await);

    let one = start_terminals(&stand, "one", "sm4").await;
    let mut connection = connect(&one).await;
    connection.write_all(&frame(&purchase)).await.unwrap();
    let stranger = terminal
        .ask_to_sign_in("900000000000001-T0000009-000001-000001")
        .unwrap()
        .unwrap();
    connection.write_all(&frame(&stranger.body)).await.unwrap();
    // Both got silence: the first answer is to the sign-in, whose key answers for what was paid before.
    sign_in(&mut connection, &terminal, 3).await;
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 2, 500)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Success));
    assert_eq!(stand.platform.executions(&serial(2)), 1);
    assert!(one.running.stop(GRACE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_refuses_keys_with_a_wrong_check_value_and_answers_to_others() {
    let (_, algorithm, key) = MASTERS[1];
    let (_stand, terminal, one) = with_terminal_key("3des", ["seal", algorithm], key).await;
    let mut connection = connect(&one).await;
    let asked = terminal.ask_to_sign_in(&serial(1)).unwrap().unwrap();
    let answer = ask(&mut connection, &asked.body).await[5..].to_vec();
    let now = world().now();
    let take = |asked: &Wire, answer: &[u8]| terminal.take_working_keys(TERMINAL, asked, &Wire::queue(answer.to_vec()), now);
    // The check value of the MAC key is the last of the message, the key stands before it.
    for at in [answer.len() - 1, answer.len() - 4, answer.len() - 5, answer.len() - 20] {
        let mut wrong = answer.clone();
        wrong[at] ^= 0x10;
        assert!(take(&asked, &wrong).is_err(), "byte {at}");
    }
    let other = terminal.ask_to_sign_in(&serial(2)).unwrap().unwrap();
    assert!(take(&other, &answer).is_err());
    take(&asked, &answer).unwrap();
    let reply = receive(&terminal, &ask(&mut connection, &debit(&terminal, 9, 100)).await[5..]);
    assert_eq!(reply.outcome, Some(Outcome::Success));
    assert!(one.running.stop(GRACE).await);
}

/// Signs in and takes the MAC key into use.
async fn sign_in(connection: &mut TcpStream, terminal: &Party, trace: u32) {
    let asked = terminal.ask_to_sign_in(&serial(trace)).unwrap().unwrap();
    let answer = Wire::queue(ask(connection, &asked.body).await[5..].to_vec());
    terminal.take_working_keys(TERMINAL, &asked, &answer, world().now()).unwrap();
}
