#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::config::AmqpConfig;
use super::confirms::{Confirms, Room, Waiter};
use super::link::Backoff;
use crate::mq::Published;
use crate::secret::Password;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

type Heard = oneshot::Receiver<Published>;

/// Enters `message_id` for the queue `q`.
fn enter(confirms: &Confirms, message_id: &str) -> Heard {
    let (word, heard) = oneshot::channel();
    confirms.enter(Waiter::new(word, Room::new(None, None)), "q", message_id);
    heard
}

/// What each of them heard: `+` confirmed, `-` refused, `?` unknown, `.` nothing yet.
fn words(heard: &mut [Heard]) -> String {
    let sign = |heard: &mut Heard| match heard.try_recv() {
        Ok(Published::Confirmed) => '+',
        Ok(Published::Refused(_)) => '-',
        Ok(Published::Unknown(_)) => '?',
        Err(oneshot::error::TryRecvError::Empty) => '.',
        Err(oneshot::error::TryRecvError::Closed) => panic!("a waiter without a word"),
    };
    heard.iter_mut().map(sign).collect()
}

/// Five publications a to e, then `act`, then what they heard.
fn check(act: impl Fn(&Confirms), expected: &str) {
    let confirms = Confirms::default();
    let mut heard: Vec<Heard> = ["a", "b", "c", "d", "e"].iter().map(|id| enter(&confirms, id)).collect();
    act(&confirms);
    assert_eq!(words(&mut heard), expected);
    assert_eq!(confirms.len(), expected.matches('.').count());
}

#[test]
fn confirms_find_their_waiters() {
    check(|confirms| confirms.acked(3, false), "..+..");
    check(|confirms| confirms.acked(3, true), "+++..");
    check(|confirms| confirms.acked(0, true), "+++++");
    check(|confirms| confirms.acked(0, false), ".....");
    check(|confirms| confirms.acked(u64::MAX, true), "+++++");
    check(|confirms| confirms.acked(6, false), ".....");
    check(|confirms| confirms.nacked(2, false), ".-...");
    check(|confirms| confirms.nacked(2, true), "--...");
}

#[test]
fn confirms_come_in_any_order() {
    check(
        |confirms| {
            confirms.acked(4, false);
            confirms.nacked(2, true);
            confirms.acked(4, true);
        },
        "--++.",
    );
}

#[test]
fn a_return_refuses_the_acknowledgement_that_follows() {
    let returned = |confirms: &Confirms| {
        confirms.returned("q", Some("b"), "no route");
        confirms.acked(3, true);
    };
    check(returned, "+-+..");
    // Another queue, another id or none is another message.
    let others = |confirms: &Confirms| {
        confirms.returned("other", Some("b"), "no route");
        confirms.returned("q", Some("z"), "no route");
        confirms.returned("q", None, "no route");
        confirms.acked(5, true);
    };
    check(others, "+++++");
}

#[test]
fn one_returned_of_several_alike_is_unknown() {
    let confirms = Confirms::default();
    let mut heard = [enter(&confirms, "same"), enter(&confirms, "same"), enter(&confirms, "other")];
    confirms.returned("q", Some("same"), "no route");
    confirms.acked(3, true);
    assert_eq!(words(&mut heard), "??+");
}

#[test]
fn the_end_tells_what_is_true() {
    let abandoned = |confirms: &Confirms| {
        confirms.acked(1, false);
        confirms.returned("q", Some("b"), "no route");
        confirms.abandon();
    };
    check(abandoned, "+-???");
    // After the end nothing is sent any more, so a refusal is true.
    let confirms = Confirms::default();
    confirms.abandon();
    assert_eq!(words(&mut [enter(&confirms, "late")]), "-");
    let (word, heard) = oneshot::channel();
    drop(Waiter::new(word, Room::new(None, None)));
    assert_eq!(words(&mut [heard]), "-", "dropped before it was sent");
}

#[test]
fn room_is_held_until_the_word_even_if_nobody_listens() {
    let places = Arc::new(Semaphore::new(1));
    let room = Room::new(Arc::clone(&places).try_acquire_owned().ok(), None);
    let (word, heard) = oneshot::channel();
    let confirms = Confirms::default();
    confirms.enter(Waiter::new(word, room), "q", "a");
    drop(heard);
    assert_eq!(places.available_permits(), 0);
    confirms.acked(1, false);
    assert_eq!(places.available_permits(), 1);
}

#[test]
fn age_is_that_of_the_oldest() {
    let confirms = Confirms::default();
    assert_eq!(confirms.oldest_age(), Duration::ZERO);
    assert!(!confirms.heard());
    let _heard = enter(&confirms, "a");
    assert!(!confirms.heard());
    confirms.acked(1, false);
    assert!(confirms.heard());
    assert_eq!(confirms.oldest_age(), Duration::ZERO);
}

#[test]
fn pauses_grow_within_their_bounds() {
    let mut least = Backoff::default();
    let mut most = Backoff::default();
    let mut last = 0;
    for _ in 0..20 {
        assert_eq!(least.pause_by(0), Duration::from_millis(100));
        // The largest random number that maps to the end of the span.
        let span = (last.max(100) * 3).min(10_000) - 100;
        last = u64::try_from(most.pause_by(span).as_millis()).unwrap();
        assert!(last <= 10_000);
    }
    assert_eq!(last, 10_000);
    for random in [0, 1, 12_345, u64::MAX] {
        let pause = most.pause_by(random);
        assert!((Duration::from_millis(100)..=Duration::from_secs(10)).contains(&pause));
    }
}

/// The field that a change makes wrong, or an empty string.
fn wrong_field(change: impl Fn(&mut AmqpConfig)) -> &'static str {
    let mut config = AmqpConfig::default();
    change(&mut config);
    config.checked_addresses().map_or_else(|error| error.field, |_| "")
}

#[test]
fn settings_are_checked() {
    assert_eq!(wrong_field(|_| {}), "");
    for heartbeat_s in [0, 1, 4, 61] {
        assert_eq!(wrong_field(|config| config.heartbeat_s = heartbeat_s), "heartbeat_s");
    }
    assert_eq!(wrong_field(|config| config.addresses.clear()), "addresses");
    for address in ["", "host", ":5672", "host:", "host:0", "host:65536", "host:x"] {
        assert_eq!(
            wrong_field(|config| config.addresses = vec![address.to_owned()]),
            "addresses",
            "{address}"
        );
    }
    for address in ["mq1:5672", "10.0.0.1:5672", "[::1]:5672"] {
        assert_eq!(
            wrong_field(|config| config.addresses = vec![address.to_owned()]),
            "",
            "{address}"
        );
    }
    assert_eq!(wrong_field(|config| config.vhost = "v".repeat(256)), "vhost");
    assert_eq!(wrong_field(|config| config.confirm_timeout_ms = 0), "confirm_timeout_ms");
    assert_eq!(wrong_field(|config| config.unconfirmed_max = 0), "unconfirmed_max");
    assert_eq!(wrong_field(|config| config.unconfirmed_max = 8192), "unconfirmed_max");
    assert_eq!(wrong_field(|config| config.message_bytes_max = 17 << 20), "message_bytes_max");
}

#[test]
fn the_password_is_not_printed() {
    let config: AmqpConfig = toml::from_str("password = \"hunter2\"\nqueue_type = \"quorum\"").unwrap();
    assert_eq!(config.password.read().unwrap().as_str(), "hunter2");
    assert!(!format!("{config:?} {:?}", Password::new("hunter2")).contains("hunter2"));
    assert!(toml::from_str::<AmqpConfig>("pasword = \"x\"").is_err());
}
