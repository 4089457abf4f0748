#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use super::tree::{Json, parse};
use crate::spec::plan::Limits;

fn object(keys: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = keys.map(|key| format!("\"{key}\":1")).collect();
    format!("{{{}}}", members.join(","))
}

/// Keys are told apart in one way up to 32, and in another from there on.
#[test]
fn a_key_that_stands_twice_is_found_at_every_number_of_members() {
    for count in 1..=70_usize {
        let keys = |last: String| object((0..count).map(|n| format!("k{n}")).chain([last]));
        let text = keys("new".into());
        let Ok(Json::Object(pairs)) = parse(&text, &Limits::default()) else {
            panic!("{count} members and one more");
        };
        assert_eq!(pairs.len(), count + 1);
        for again in [0, count / 2, count - 1] {
            for written in [format!("k{again}"), format!("\\u006b{again}")] {
                let refused = parse(&keys(written), &Limits::default()).err().unwrap();
                assert_eq!(refused.0, "field.duplicate", "{again} of {count}");
            }
        }
    }
}
