//! What every engine of the store must do, run on each of them.
//!
//! A check is an async function over a fresh [`support::Database`]; the list below
//! makes a test of each, for each engine. What only one engine has is in its own module.

#![expect(clippy::unwrap_used, reason = "in a check, a panic is how a failure is told")]

mod actions;
mod audit;
mod claims;
mod durability;
mod executions;
mod identities;
mod keys;
mod logs;
mod packs;
mod postgres;
mod replay;
mod scopes;
mod sqlite;
mod support;
mod tokens;
mod upgrade;
mod workers;

macro_rules! conformance {
    (@module $engine:ident $module:ident $($check:ident),* $(,)?) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let mut database = crate::$engine::open().await;
                crate::$module::$check(&mut database).await;
            })*
        }
    };
    ($($module:ident { $($checks:tt)* })*) => {
        mod sqlite { $(conformance! { @module sqlite $module $($checks)* })* }
        mod postgres { $(conformance! { @module postgres $module $($checks)* })* }
    };
}

mod on {
    conformance! {
        identities {
            an_identity_reads_back, a_login_is_unique_over_all_tenants,
            a_display_name_can_be_cleared, the_built_in_tenants_are_there,
            grants_come_with_the_pack_that_brings_the_set,
        }
        tokens {
            a_token_is_in_force_until_it_expires, a_replaced_token_is_worth_nothing,
            a_new_password_revokes_all_tokens,
            tokens_are_forgotten_a_day_after_they_expired,
        }
        packs {
            a_pack_reads_back, a_ref_is_taken_once, a_shared_ref_is_taken_for_all,
            a_pack_can_be_changed, a_forced_install_keeps_ids_and_drops_what_is_gone,
            an_install_that_fails_changes_nothing, a_pack_goes_with_its_components,
            old_versions_are_kept_for_a_day, lists_show_what_the_filter_allows,
            a_permission_set_cannot_be_taken_over,
        }
        actions {
            an_action_reads_back, a_ref_is_taken_once, an_action_runs_with_its_pack,
            an_action_can_be_changed, a_search_is_for_plain_text, an_action_can_be_deleted,
        }
        executions {
            a_submission_reads_back, an_old_version_is_refused, the_newest_come_first,
            pages_lose_nothing_while_rows_come_in, filters_narrow_the_list,
            results_are_searched_for_plain_text, stats_count_by_status,
            a_repeated_key_creates_nothing, a_key_is_forgotten_after_a_day,
            equal_keys_at_once_create_one, history_outlives_the_action,
        }
        claims {
            a_claim_is_the_transition, the_oldest_are_claimed_first,
            nothing_is_claimed_twice, nothing_is_claimed_under_an_ended_lease,
            tenants_take_turns, what_waits_is_counted_by_tenant,
        }
        workers {
            a_worker_has_one_lease_at_a_time, a_renewed_lease_is_not_revoked,
            what_is_held_is_found, what_a_worker_holds_is_counted, who_lost_the_lease_is_refused,
            states_that_are_written_at_once_are_judged_one_by_one,
            a_cordon_is_told_with_the_next_beat, the_first_to_propose_is_agreed_with,
        }
        logs {
            output_reads_back_from_any_offset, a_repeated_chunk_is_kept_once,
            output_comes_with_the_state, another_start_begins_a_new_log,
        }
        audit {
            an_event_reads_back, events_are_filtered_and_the_newest_come_first,
            events_of_others_are_out_of_reach,
        }
        keys {
            a_key_reads_back, a_ref_is_free_when_its_key_has_expired, expired_keys_are_swept,
            a_change_of_an_old_version_is_refused, a_deleted_key_is_gone,
            lists_show_what_grants_allow, lists_are_narrowed_and_come_in_pages,
            a_key_goes_with_its_owner, an_action_sees_its_own_and_the_systems,
            keys_of_others_are_out_of_reach, a_tenant_has_one_data_key_that_seals,
            values_are_sealed_anew, a_data_key_is_wrapped_anew_once,
        }
        scopes {
            packs_of_others_are_invisible, packs_of_others_stay_as_they_are,
            actions_of_others_are_out_of_reach, executions_of_others_are_out_of_reach,
            identities_of_others_stay_as_they_are, shared_things_are_seen_and_not_written,
        }
        durability {
            concurrent_submissions_outlive_the_process, a_refused_job_fails_alone,
            a_closed_store_refuses,
        }
    }
}
