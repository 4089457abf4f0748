//! The scenarios that come with the program.

use super::{Flaw, Scenario};

/// Every embedded file: name and text.
pub const FILES: [(&str, &str); 118] = [
    (
        "altered-repeat-contract.toml",
        include_str!("../../scenarios/altered-repeat-contract.toml"),
    ),
    ("altered-repeat.toml", include_str!("../../scenarios/altered-repeat.toml")),
    ("bad-signature.toml", include_str!("../../scenarios/bad-signature.toml")),
    ("bank-cancel.toml", include_str!("../../scenarios/bank-cancel.toml")),
    ("bank-query.toml", include_str!("../../scenarios/bank-query.toml")),
    ("bank-terminate.toml", include_str!("../../scenarios/bank-terminate.toml")),
    (
        "cancel-after-refund.toml",
        include_str!("../../scenarios/cancel-after-refund.toml"),
    ),
    (
        "cancel-before-original.toml",
        include_str!("../../scenarios/cancel-before-original.toml"),
    ),
    ("cancel-in-work.toml", include_str!("../../scenarios/cancel-in-work.toml")),
    (
        "cancel-of-refused.toml",
        include_str!("../../scenarios/cancel-of-refused.toml"),
    ),
    (
        "cancel-of-unknown.toml",
        include_str!("../../scenarios/cancel-of-unknown.toml"),
    ),
    ("cancel-repeated.toml", include_str!("../../scenarios/cancel-repeated.toml")),
    (
        "cancel-wrong-date.toml",
        include_str!("../../scenarios/cancel-wrong-date.toml"),
    ),
    ("corrupt-byte.toml", include_str!("../../scenarios/corrupt-byte.toml")),
    ("corrupt-field.toml", include_str!("../../scenarios/corrupt-field.toml")),
    (
        "credit-account-not-found.toml",
        include_str!("../../scenarios/credit-account-not-found.toml"),
    ),
    (
        "credit-name-mismatch.toml",
        include_str!("../../scenarios/credit-name-mismatch.toml"),
    ),
    (
        "date-change-in-flight.toml",
        include_str!("../../scenarios/date-change-in-flight.toml"),
    ),
    (
        "debit-after-terminate.toml",
        include_str!("../../scenarios/debit-after-terminate.toml"),
    ),
    (
        "debit-agreement-not-found.toml",
        include_str!("../../scenarios/debit-agreement-not-found.toml"),
    ),
    (
        "debit-insufficient-funds.toml",
        include_str!("../../scenarios/debit-insufficient-funds.toml"),
    ),
    ("delayed-request.toml", include_str!("../../scenarios/delayed-request.toml")),
    ("from-altered.toml", include_str!("../../scenarios/from-altered.toml")),
    ("from-answer.toml", include_str!("../../scenarios/from-answer.toml")),
    (
        "from-bad-signature.toml",
        include_str!("../../scenarios/from-bad-signature.toml"),
    ),
    (
        "from-corrupt-field.toml",
        include_str!("../../scenarios/from-corrupt-field.toml"),
    ),
    ("from-frozen.toml", include_str!("../../scenarios/from-frozen.toml")),
    ("from-good-after.toml", include_str!("../../scenarios/from-good-after.toml")),
    ("from-good.toml", include_str!("../../scenarios/from-good.toml")),
    (
        "from-lost-then-query.toml",
        include_str!("../../scenarios/from-lost-then-query.toml"),
    ),
    (
        "from-refund-exceeds.toml",
        include_str!("../../scenarios/from-refund-exceeds.toml"),
    ),
    (
        "from-refused-by-platform.toml",
        include_str!("../../scenarios/from-refused-by-platform.toml"),
    ),
    ("from-refused.toml", include_str!("../../scenarios/from-refused.toml")),
    (
        "from-repeat-in-work.toml",
        include_str!("../../scenarios/from-repeat-in-work.toml"),
    ),
    ("from-repeat.toml", include_str!("../../scenarios/from-repeat.toml")),
    ("from-status-stop.toml", include_str!("../../scenarios/from-status-stop.toml")),
    ("from-unknown-key.toml", include_str!("../../scenarios/from-unknown-key.toml")),
    ("from-unreadable.toml", include_str!("../../scenarios/from-unreadable.toml")),
    (
        "from-wrong-seal-key.toml",
        include_str!("../../scenarios/from-wrong-seal-key.toml"),
    ),
    ("good-cancel.toml", include_str!("../../scenarios/good-cancel.toml")),
    ("good-echo.toml", include_str!("../../scenarios/good-echo.toml")),
    ("good-path.toml", include_str!("../../scenarios/good-path.toml")),
    ("good-query.toml", include_str!("../../scenarios/good-query.toml")),
    ("good-refund.toml", include_str!("../../scenarios/good-refund.toml")),
    (
        "identity-mismatch.toml",
        include_str!("../../scenarios/identity-mismatch.toml"),
    ),
    ("key-announced.toml", include_str!("../../scenarios/key-announced.toml")),
    ("key-retired.toml", include_str!("../../scenarios/key-retired.toml")),
    ("key-rotation.toml", include_str!("../../scenarios/key-rotation.toml")),
    ("nack-storm.toml", include_str!("../../scenarios/nack-storm.toml")),
    (
        "notice-contradicts.toml",
        include_str!("../../scenarios/notice-contradicts.toml"),
    ),
    ("notice-settles.toml", include_str!("../../scenarios/notice-settles.toml")),
    ("payout-altered.toml", include_str!("../../scenarios/payout-altered.toml")),
    (
        "payout-bad-message.toml",
        include_str!("../../scenarios/payout-bad-message.toml"),
    ),
    (
        "payout-centre-dies.toml",
        include_str!("../../scenarios/payout-centre-dies.toml"),
    ),
    ("payout-centre.toml", include_str!("../../scenarios/payout-centre.toml")),
    (
        "payout-corrupt-field.toml",
        include_str!("../../scenarios/payout-corrupt-field.toml"),
    ),
    (
        "payout-date-change.toml",
        include_str!("../../scenarios/payout-date-change.toml"),
    ),
    (
        "payout-duplicate-replies.toml",
        include_str!("../../scenarios/payout-duplicate-replies.toml"),
    ),
    (
        "payout-late-after-cancel.toml",
        include_str!("../../scenarios/payout-late-after-cancel.toml"),
    ),
    (
        "payout-nack-storm.toml",
        include_str!("../../scenarios/payout-nack-storm.toml"),
    ),
    ("payout-refused.toml", include_str!("../../scenarios/payout-refused.toml")),
    ("payout-repeat.toml", include_str!("../../scenarios/payout-repeat.toml")),
    (
        "payout-replies-reorder.toml",
        include_str!("../../scenarios/payout-replies-reorder.toml"),
    ),
    ("payout.toml", include_str!("../../scenarios/payout.toml")),
    ("platform-answer.toml", include_str!("../../scenarios/platform-answer.toml")),
    ("platform-dies.toml", include_str!("../../scenarios/platform-dies.toml")),
    (
        "platform-drips-late.toml",
        include_str!("../../scenarios/platform-drips-late.toml"),
    ),
    ("platform-drips.toml", include_str!("../../scenarios/platform-drips.toml")),
    ("platform-silent.toml", include_str!("../../scenarios/platform-silent.toml")),
    ("pos-altered.toml", include_str!("../../scenarios/pos-altered.toml")),
    (
        "pos-bad-signature.toml",
        include_str!("../../scenarios/pos-bad-signature.toml"),
    ),
    ("pos-cancel-first.toml", include_str!("../../scenarios/pos-cancel-first.toml")),
    ("pos-cancel-lost.toml", include_str!("../../scenarios/pos-cancel-lost.toml")),
    ("pos-date-change.toml", include_str!("../../scenarios/pos-date-change.toml")),
    ("pos-truncated.toml", include_str!("../../scenarios/pos-truncated.toml")),
    ("query-in-work.toml", include_str!("../../scenarios/query-in-work.toml")),
    (
        "query-unknown-original.toml",
        include_str!("../../scenarios/query-unknown-original.toml"),
    ),
    (
        "refund-after-cancel.toml",
        include_str!("../../scenarios/refund-after-cancel.toml"),
    ),
    (
        "refund-before-debit.toml",
        include_str!("../../scenarios/refund-before-debit.toml"),
    ),
    (
        "refund-exceeds-original.toml",
        include_str!("../../scenarios/refund-exceeds-original.toml"),
    ),
    (
        "refused-by-platform.toml",
        include_str!("../../scenarios/refused-by-platform.toml"),
    ),
    ("refused-frozen.toml", include_str!("../../scenarios/refused-frozen.toml")),
    ("reorder-cancel.toml", include_str!("../../scenarios/reorder-cancel.toml")),
    ("reorder.toml", include_str!("../../scenarios/reorder.toml")),
    ("repeat-in-work.toml", include_str!("../../scenarios/repeat-in-work.toml")),
    ("repeat-new-ids.toml", include_str!("../../scenarios/repeat-new-ids.toml")),
    ("repeat.toml", include_str!("../../scenarios/repeat.toml")),
    ("reply-then-die.toml", include_str!("../../scenarios/reply-then-die.toml")),
    ("stale-date.toml", include_str!("../../scenarios/stale-date.toml")),
    ("stale-status.toml", include_str!("../../scenarios/stale-status.toml")),
    (
        "status-stop-resume.toml",
        include_str!("../../scenarios/status-stop-resume.toml"),
    ),
    ("terminate-twice.toml", include_str!("../../scenarios/terminate-twice.toml")),
    ("to-altered.toml", include_str!("../../scenarios/to-altered.toml")),
    (
        "to-answer-unknown-key.toml",
        include_str!("../../scenarios/to-answer-unknown-key.toml"),
    ),
    (
        "to-answer-wrong-seal-key.toml",
        include_str!("../../scenarios/to-answer-wrong-seal-key.toml"),
    ),
    ("to-answer.toml", include_str!("../../scenarios/to-answer.toml")),
    ("to-cancel-first.toml", include_str!("../../scenarios/to-cancel-first.toml")),
    ("to-dies.toml", include_str!("../../scenarios/to-dies.toml")),
    ("to-good-after.toml", include_str!("../../scenarios/to-good-after.toml")),
    ("to-good.toml", include_str!("../../scenarios/to-good.toml")),
    (
        "to-late-after-cancel.toml",
        include_str!("../../scenarios/to-late-after-cancel.toml"),
    ),
    ("to-lost-after.toml", include_str!("../../scenarios/to-lost-after.toml")),
    ("to-lost-cancel.toml", include_str!("../../scenarios/to-lost-cancel.toml")),
    ("to-lost-credit.toml", include_str!("../../scenarios/to-lost-credit.toml")),
    ("to-notice-bad.toml", include_str!("../../scenarios/to-notice-bad.toml")),
    (
        "to-notice-contradicts.toml",
        include_str!("../../scenarios/to-notice-contradicts.toml"),
    ),
    (
        "to-notice-repeated.toml",
        include_str!("../../scenarios/to-notice-repeated.toml"),
    ),
    (
        "to-notice-unknown-key.toml",
        include_str!("../../scenarios/to-notice-unknown-key.toml"),
    ),
    (
        "to-notice-wrong-seal-key.toml",
        include_str!("../../scenarios/to-notice-wrong-seal-key.toml"),
    ),
    ("to-notice.toml", include_str!("../../scenarios/to-notice.toml")),
    (
        "to-query-unusable.toml",
        include_str!("../../scenarios/to-query-unusable.toml"),
    ),
    ("to-refused.toml", include_str!("../../scenarios/to-refused.toml")),
    (
        "to-repeat-in-work.toml",
        include_str!("../../scenarios/to-repeat-in-work.toml"),
    ),
    ("to-repeat.toml", include_str!("../../scenarios/to-repeat.toml")),
    ("to-status-stop.toml", include_str!("../../scenarios/to-status-stop.toml")),
    ("unknown-key.toml", include_str!("../../scenarios/unknown-key.toml")),
    ("unreadable.toml", include_str!("../../scenarios/unreadable.toml")),
    ("wrong-seal-key.toml", include_str!("../../scenarios/wrong-seal-key.toml")),
];

/// Every embedded scenario, in the order of the files.
pub fn embedded() -> Result<Vec<Scenario>, Vec<Flaw>> {
    let mut found = Vec::new();
    for (file, text) in FILES {
        let shipped = Scenario::parse(file, text)?.into_iter();
        found.extend(shipped.map(|scenario| Scenario {
            source: scenario.name.clone(),
            ..scenario
        }));
    }
    Ok(found)
}
