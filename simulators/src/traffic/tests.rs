use super::mask::Mask;
use super::{By, Line, read, write};
use crate::people::{Kind, Person};

fn line() -> Line {
    Line {
        at_ms: 5,
        by: By::Centre,
        operation: "debit".to_owned(),
        institution: 0,
        person: 7,
        amount_fen: 100,
        of: None,
        after_answer: false,
        answer_ms: Some(3),
        outcome: "success".to_owned(),
        reason: None,
    }
}

#[test]
fn what_was_written_is_read_again() {
    let refund = Line {
        operation: "refund".to_owned(),
        of: Some(0),
        after_answer: true,
        outcome: "failed".to_owned(),
        reason: Some("refund_exceeds_original".to_owned()),
        ..line()
    };
    let lines = vec![line(), refund];
    assert_eq!(read(&write(&lines, 3)), Ok(lines));
}

#[test]
fn what_cannot_be_played_is_refused_with_its_line() {
    let changed = |change: fn(&mut Line)| {
        let mut second = line();
        change(&mut second);
        read(&write(&[line(), second], 0)).unwrap_err().to_string()
    };
    assert!(changed(|line| line.operation = "notice".to_owned()).starts_with("line 3: `operation`"));
    assert!(changed(|line| line.of = Some(1)).starts_with("line 3: `of`"));
    assert!(changed(|line| line.at_ms = 4).starts_with("line 3: `at_ms`"));
    assert!(changed(|line| line.outcome = "fine".to_owned()).starts_with("line 3: `outcome`"));
    let whole = write(&[line(), line()], 0);
    let rows: Vec<&str> = whole.lines().take(2).collect();
    assert!(read(&rows.join("\n")).unwrap_err().to_string().contains("the file was cut"));
    assert!(read("").unwrap_err().to_string().starts_with("line 1"));
    assert!(
        read(&whole.replacen(":1,", ":2,", 1))
            .unwrap_err()
            .to_string()
            .contains("version 2")
    );
}

#[test]
fn an_account_is_the_same_customer_each_time_and_nobody_elses() {
    let mut mask = Mask::new([7; 32]);
    let accounts: Vec<String> = (0..2_000).map(|n| format!("6222{n:012}")).collect();
    let people: Vec<u64> = accounts.iter().map(|account| mask.person(account)).collect();
    assert_eq!(
        people,
        accounts.iter().map(|account| mask.person(account)).collect::<Vec<_>>()
    );
    let different: std::collections::BTreeSet<&u64> = people.iter().collect();
    assert_eq!(different.len(), people.len());
    assert!(people.iter().all(|number| Person::at(*number).kind == Kind::Plain));
    let mut other = Mask::new([8; 32]);
    let again = accounts
        .iter()
        .filter(|account| other.person(account) == mask.person(account))
        .count();
    assert!(again < 10, "another key draws other numbers: {again} alike");
}
