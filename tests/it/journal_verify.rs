//! `hangu journal verify` over the journal of a real run: it holds as it is, and every way of tampering with it is found and
//! named. Each test changes its own copy by SQL, as somebody would who can write the file and has no key.

mod copy;
mod forging;

use copy::{Copy, Named};
use std::fs;

#[test]
fn the_untouched_journal_holds() {
    let copy = Copy::new();
    let report = copy.verify(&["--books", "centre.json", "platform.json", "--export-tips", "tips.json"]);
    assert_eq!((report.exit, &report.json["ok"]), (0, &true.into()), "{}", report.json);
    assert_eq!(report.found, []);
    let checked = |name: &str| report.json["checked"][name].as_i64().unwrap();
    assert!(checked("exchanges") >= 30, "{}", report.json);
    for name in ["final_outcomes", "records"] {
        assert_eq!(checked(name), checked("exchanges"), "{name}: {}", report.json);
    }
    // The acknowledgement of a notice says no outcome.
    let notices = copy.number("SELECT count(*) FROM exchange WHERE operation = 'notice'");
    assert_eq!(checked("replies") + notices, checked("exchanges"), "{}", report.json);
    assert!(checked("messages") > 2 * checked("exchanges"));
    assert!(report.json["payments_compared"].as_i64() >= Some(20));
    let again = copy.verify(&["--tips", "tips.json"]);
    assert_eq!(
        (again.exit, &again.json["checked"]["tips"]),
        (0, &report.json["checked"]["chains"])
    );
}

#[test]
fn a_deleted_exchange_is_found() {
    let copy = Copy::new();
    let id = copy.debit(3);
    for table in ["message", "request", "sent", "original"] {
        copy.change(&format!("DELETE FROM {table} WHERE exchange_id = {id}"));
    }
    copy.change(&format!("DELETE FROM exchange WHERE id = {id}"));
    copy.finds(&[], &[Named("orphan", Some(id))]);
}

#[test]
fn a_deleted_record_is_found() {
    let copy = Copy::new();
    let id = copy.nth(5);
    let next = copy.nth(6);
    copy.change(&format!("DELETE FROM effect WHERE exchange_id = {id}"));
    let found = copy.finds(&[], &[Named("unchained", Some(id)), Named("gap", Some(next))]);
    assert!(
        found.json["findings"][1]["detail"]
            .as_str()
            .unwrap()
            .contains("records 5 to 5")
    );
}

#[test]
fn a_cut_tail_is_found_against_tips() {
    let copy = Copy::new();
    assert_eq!(copy.verify(&["--export-tips", "tips.json"]).exit, 0);
    let id = copy.last();
    for table in ["message", "request", "sent", "original", "effect"] {
        copy.change(&format!("DELETE FROM {table} WHERE exchange_id = {id}"));
    }
    copy.change(&format!("DELETE FROM exchange WHERE id = {id}"));
    // Everything of it is gone, so that only somebody who knew the tip can tell.
    assert_eq!(copy.verify(&[]).exit, 0);
    copy.finds(&["--tips", "tips.json"], &[Named("cut_tail", None)]);
    // With the record alone gone, its exchange tells.
    let copy = Copy::new();
    copy.change(&format!("DELETE FROM effect WHERE exchange_id = {id}"));
    copy.finds(&[], &[Named("unchained", Some(id))]);
}

#[test]
fn a_chain_that_is_gone_or_written_anew_is_found_against_tips() {
    let copy = Copy::new();
    assert_eq!(copy.verify(&["--export-tips", "tips.json"]).exit, 0);
    let tips = fs::read_to_string(copy.path("tips.json")).unwrap();
    let mut known: serde_json::Value = serde_json::from_str(&tips).unwrap();
    known["chained_from"] = 0.into();
    let listed = known["tips"].as_array_mut().unwrap();
    let first = listed.first_mut().unwrap();
    first["digest"] = "00".repeat(32).into();
    let mut other = first.clone();
    other["chain"] = "another".into();
    listed.push(other);
    fs::write(copy.path("tips.json"), serde_json::to_string(&known).unwrap()).unwrap();
    let found = copy.finds(
        &["--tips", "tips.json"],
        &[Named("moved_start", None), Named("fork", None), Named("cut_tail", None)],
    );
    assert!(found.json["findings"][2]["place"].as_str().unwrap().starts_with("another "));
    // What does not hold is exported by nobody.
    fs::remove_file(copy.path("tips.json")).unwrap();
    let id = copy.debit(0);
    copy.change(&format!("UPDATE exchange SET amount_fen = amount_fen + 1 WHERE id = {id}"));
    assert_eq!(copy.verify(&["--export-tips", "tips.json"]).exit, 1);
    assert!(!copy.path("tips.json").exists());
}

#[test]
fn a_changed_amount_is_found() {
    let copy = Copy::new();
    let id = copy.debit(3);
    copy.change(&format!("UPDATE exchange SET amount_fen = amount_fen + 1 WHERE id = {id}"));
    copy.finds(&[], &[Named("digest", Some(id))]);
    let books = copy.verify(&["--books", "centre.json", "platform.json"]);
    assert_eq!(books.found, [Named("digest", Some(id)), Named("amount", None)]);
}

#[test]
fn a_swapped_pair_is_found() {
    let copy = Copy::new();
    let (left, right) = (copy.nth(5), copy.nth(6));
    copy.change("UPDATE effect SET seq = 1000000 WHERE seq = 5 AND date <> 'none'");
    copy.change("UPDATE effect SET seq = 5 WHERE seq = 6 AND date <> 'none'");
    copy.change("UPDATE effect SET seq = 6 WHERE seq = 1000000");
    copy.finds(
        &[],
        &[
            Named("digest", Some(right)),
            Named("digest", Some(left)),
            Named("digest", Some(copy.nth(7))),
        ],
    );

    let copy = Copy::new();
    let (good, bad) = (copy.with_outcome("success"), copy.with_outcome("failed"));
    copy.change(&format!("UPDATE exchange SET outcome = 'failed' WHERE id = {good}"));
    copy.change(&format!(
        "UPDATE exchange SET outcome = 'success', reason = NULL WHERE id = {bad}"
    ));
    let found = copy.verify(&[]);
    for id in [good, bad] {
        for name in ["digest", "contradiction"] {
            assert!(found.found.contains(&Named(name, Some(id))), "{name} {id}: {}", found.json);
        }
    }
}

#[test]
fn a_changed_outcome_is_found() {
    let copy = Copy::new();
    let id = copy.with_outcome("failed");
    copy.change(&format!(
        "UPDATE exchange SET outcome = 'success', reason = NULL WHERE id = {id}"
    ));
    copy.finds(&[], &[Named("contradiction", Some(id)), Named("digest", Some(id))]);
}

#[test]
fn a_missing_or_damaged_message_is_found() {
    let copy = Copy::new();
    let id = copy.debit(3);
    let reply = format!("exchange_id = {id} AND direction = 'sent' AND part = 'reply'");
    copy.change(&format!("DELETE FROM message WHERE {reply}"));
    copy.finds(&[], &[Named("no_reply", Some(id)), Named("reply_digest", Some(id))]);

    let copy = Copy::new();
    copy.change(&format!("UPDATE message SET sealed = zeroblob(200) WHERE {reply}"));
    copy.finds(&[], &[Named("unreadable", Some(id)), Named("reply_digest", Some(id))]);

    let copy = Copy::new();
    let request = format!("exchange_id = {id} AND direction = 'received' AND part = 'request'");
    copy.change(&format!("DELETE FROM message WHERE {request}"));
    copy.finds(&[], &[Named("no_request", Some(id))]);
}

#[test]
fn a_message_of_another_exchange_is_found() {
    let copy = Copy::new();
    let id = copy.debit(3);
    let other = copy.debit(4);
    copy.change(&format!(
        "INSERT INTO message (exchange_id, seq, link, direction, part, code, key_serial, sealed, at)
         SELECT {id}, 99, link, direction, part, code, key_serial, sealed, at FROM message
         WHERE exchange_id = {other} AND direction = 'sent' AND part = 'reply'"
    ));
    copy.finds(&[], &[Named("foreign_message", Some(id))]);

    let copy = Copy::new();
    for direction in ["received", "sent"] {
        let request = format!("direction = '{direction}' AND part = 'request' AND exchange_id");
        copy.change(&format!("UPDATE message SET exchange_id = 0 WHERE {request} = {id}"));
        copy.change(&format!(
            "UPDATE message SET exchange_id = {id}, seq = seq + 100 WHERE {request} = {other}"
        ));
        copy.change(&format!(
            "UPDATE message SET exchange_id = {other}, seq = seq + 100 WHERE {request} = 0"
        ));
    }
    let two = |id| [Named("foreign_message", Some(id)); 2];
    copy.finds(&[], &[two(id), two(other)].concat());
}

#[test]
fn a_double_effect_is_found() {
    let copy = Copy::new();
    let id = copy.debit(3);
    let twin = copy.twin(id);
    copy.finds(&[], &[Named("double_effect", Some(twin)), Named("unchained", Some(twin))]);

    let copy = Copy::new();
    let mut book: serde_json::Value = serde_json::from_str(&fs::read_to_string(copy.path("platform.json")).unwrap()).unwrap();
    let entries = book["entries"].as_object_mut().unwrap();
    let executed = entries.values_mut().find(|entry| entry["executions"] == 1).unwrap();
    executed["executions"] = 2.into();
    fs::write(copy.path("platform.json"), book.to_string()).unwrap();
    copy.finds(&["--books", "centre.json", "platform.json"], &[Named("executed_twice", None)]);
}

#[test]
fn a_forged_prune_is_found() {
    let copy = Copy::new();
    let (gone, stands) = (copy.nth(5), copy.nth(6));
    for table in ["message", "request", "sent", "original"] {
        copy.change(&format!("DELETE FROM {table} WHERE exchange_id = {gone}"));
    }
    copy.change(&format!("DELETE FROM exchange WHERE id = {gone}"));
    copy.change(&format!(
        "UPDATE effect SET pruned = 1 WHERE exchange_id IN ({gone}, {stands})"
    ));
    copy.finds(
        &[],
        &[Named("pruned_young", Some(gone)), Named("pruned_stands", Some(stands))],
    );
    // Its time is part of the record, so that it cannot be made older than it is.
    copy.change(&format!("UPDATE effect SET pruned = 0 WHERE exchange_id = {stands}"));
    copy.change(&format!("UPDATE effect SET at = 0 WHERE exchange_id = {gone}"));
    copy.finds(&[], &[Named("digest", Some(gone))]);
}
