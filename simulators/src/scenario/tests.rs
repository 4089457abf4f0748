#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use super::{EMBEDDED, Scenario};
use crate::mix::{Flow, Shape};
use codecs::payment::Operation;

#[test]
fn the_embedded_scenarios_are_sound() {
    for (name, text) in EMBEDDED {
        let scenario = Scenario::parse(text).unwrap();
        let wanted: u64 = scenario.steps.iter().map(|step| step.count).sum();
        assert_eq!((scenario.name.as_str(), scenario.plan(1, 10).len() as u64), (name, wanted));
        assert!(!scenario.about_zh.is_empty() && !scenario.about_en.is_empty());
    }
}

#[test]
fn steps_become_payments() {
    let text = "name='n'\nabout_zh='z'\nabout_en='e'\n[[step]]\noperation='cancel'\ncancel_first=true\ncount=2\n\
                [[step]]\noperation='credit'\nfrom_platform=true\namount_fen=5\n";
    let plan = Scenario::parse(text).unwrap().plan(1, 10);
    assert_eq!(plan.iter().map(|planned| planned.n).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(plan[0].shape, Shape::CancelFirst);
    assert_eq!(
        (plan[2].flow, plan[2].shape, plan[2].amount.fen()),
        (Flow::PlatformToCentre, Shape::Plain(Operation::Credit), 5)
    );
}

#[test]
fn unsound_scenarios_are_refused() {
    let check = |step: &str, expected: &str| {
        let text = format!("name='n'\nabout_zh='z'\nabout_en='e'\n[[step]]\n{step}\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("operation='pay'", "no such operation");
    check("operation='status'", "nobody answers");
    check("operation='debit'\ncancel_first=true", "cancel_first is for cancel");
    check("operation='debit'\namount_fen=0", "must be positive");
    check("operation='debit'\nfault='nonsense'", "unknown variant");
    check("operation='debit'\ntypo=1", "unknown field");
    check("operation='credit'\nfault='repeat'\nfrom_platform=true", "faults are for");
}
