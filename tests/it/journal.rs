//! What every journal must do, run over each kind that we have; then what only the embedded one and only the shared one promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unused_async,
    reason = "tests fail by panicking; every kind of journal is opened alike; the throughput is measured and printed"
)]

mod accepting;
mod cancelling;
pub(crate) mod chaining;
mod clustered;
pub(crate) mod data;
mod embedded;
mod encrypted;
mod keeping;
mod migrating;
mod moving;
mod owning;
mod rewrapping;
mod sending;
mod throughput;
mod together;
mod verifying;

use crate::database;
use hangu::journal::Journal;
use hangu::journal::postgres::PostgresJournal;
use hangu::journal::sqlite::SqliteJournal;
use std::sync::Arc;
use tempfile::TempDir;

/// A journal to test, and what must outlive it.
struct Subject {
    journal: Arc<dyn Journal>,
    _folder: Option<TempDir>,
}

async fn in_file() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(&folder.path().join("journal.db")).unwrap());
    Subject {
        journal,
        _folder: Some(folder),
    }
}

async fn in_memory() -> Subject {
    Subject {
        journal: Arc::new(SqliteJournal::memory().unwrap()),
        _folder: None,
    }
}

/// A database of its own on the shared server.
async fn in_postgres() -> Subject {
    let options = database::shared().fresh();
    Subject {
        journal: Arc::new(PostgresJournal::open(options).await.unwrap()),
        _folder: None,
    }
}

/// Makes one test a case for one kind of journal.
macro_rules! conformance {
    ($kind:ident: $($group:ident::$case:ident)+) => {
        mod $kind {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = super::$kind().await;
                super::$group::$case(&subject.journal).await;
            })+
        }
    };
}

macro_rules! cases {
    ($($kind:ident)+) => {
        $(conformance! { $kind:
            accepting::an_exchange_is_stored_whole
            accepting::a_repeat_finds_the_exchange_and_the_newest_reply
            accepting::an_altered_repeat_stores_nothing
            accepting::the_same_business_under_a_new_key_is_linked
            accepting::altered_business_stores_nothing
            accepting::a_request_without_business_key_is_no_duplicate
            accepting::another_payment_under_the_same_message_id_is_altered
            accepting::concurrent_accepts_of_one_key_make_one_exchange
            accepting::concurrent_accepts_of_one_business_make_one_exchange
            sending::what_is_new_stands_as_sent
            sending::what_is_not_new_sends_nothing
            sending::a_send_that_cannot_be_leaves_nothing
            cancelling::a_cancel_finds_its_original
            cancelling::a_tombstone_stops_its_original_for_good
            cancelling::a_second_cancel_hears_what_the_first_heard
            cancelling::an_original_and_its_cancel_race_to_one_end
            moving::moves_set_what_they_say_and_when
            moving::a_move_from_another_state_is_stale
            moving::a_move_under_another_epoch_is_stale
            moving::a_final_outcome_stands
            moving::delivered_is_the_end
            moving::nothing_goes_back_to_accepted
            moving::an_outbound_key_belongs_to_one_exchange
            moving::a_wrong_move_is_refused_whole
            moving::an_interim_answer_never_hides_the_reply
            moving::further_replies_are_stored
            moving::a_reply_is_replaced_once
            moving::concurrent_moves_have_one_winner
            owning::serials_are_given_once
            owning::settings_change_by_compare_and_set
            owning::settings_are_found_by_how_they_begin
            owning::leases_are_renewed
            owning::a_take_over_fences_the_former_owner
            owning::what_is_released_is_free_at_once
            owning::a_take_over_of_ones_own_former_life
            owning::two_that_take_over_share
            owning::due_is_what_is_open_and_ours
            keeping::parking_happens_once
            keeping::a_parked_message_is_resolved_once
            keeping::a_release_is_asked_for_then_done
            keeping::search_finds_by_each_key
            keeping::search_combines_conditions
            keeping::figures_count
            keeping::a_prune_deletes_what_is_old_and_delivered
            keeping::a_prune_leaves_what_others_need
            chaining::a_final_outcome_is_chained_once
            chaining::records_hang_on_one_another
            chaining::a_tombstoned_request_is_chained_when_it_comes
            chaining::a_prune_marks_records_and_drops_whole_chains
            chaining::everything_can_be_walked_in_pages
            verifying::a_pruned_journal_holds
            verifying::a_journal_of_many_pages_holds
            verifying::an_unreadable_message_and_a_contradiction_are_found
            verifying::what_hangs_on_many_is_what_hangs_on_each
            verifying::a_business_that_succeeded_twice_is_found
            keeping::what_was_released_as_an_exchange_is_found
            rewrapping::what_stands_as_it_was_read_is_wrapped_anew
            rewrapping::a_reply_that_was_wrapped_anew_is_the_same_reply
            rewrapping::what_stands_under_another_key_is_read_in_pages
            rewrapping::parked_messages_are_wrapped_in_pages
        })+
    };
}

cases! { in_file in_memory in_postgres }
