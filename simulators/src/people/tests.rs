#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{Kind, Person};
use std::collections::BTreeSet;

#[test]
fn a_person_is_found_by_account_and_agreement() {
    for index in [0, 1, 198, 199, 999_999] {
        let person = Person::at(index);
        assert!(Person::of_account(&person.account, 1_000_000).unwrap() == person);
        assert!(Person::of_agreement(&person.agreement(), 1_000_000).unwrap() == person);
        assert!(Person::of_account(&person.account, index).is_none());
        assert_eq!(
            (person.account.len(), person.id_number.len(), person.mobile.len()),
            (19, 18, 11)
        );
    }
    assert_eq!(
        (Person::at(198).kind, Person::at(199).kind, Person::at(200).kind),
        (Kind::Poor, Kind::Frozen, Kind::Plain)
    );
    for wrong in [
        "",
        "6200000000",
        "62000000000000000071",
        "620000000000000000x",
        "+20000000000000000007",
    ] {
        assert!(Person::of_account(wrong, 1_000_000).is_none(), "{wrong}");
    }
}

#[test]
fn no_two_share_an_account_or_a_name() {
    let people: Vec<Person> = (0..2_000).map(Person::at).collect();
    assert_eq!(
        people.iter().map(|person| &person.account).collect::<BTreeSet<_>>().len(),
        2_000
    );
    assert_eq!(people.iter().map(|person| &person.name).collect::<BTreeSet<_>>().len(), 2_000);
}
