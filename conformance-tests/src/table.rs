//! The table of all rules, and the macros that make tests of it.

use crate::rule::Rule;

macro_rules! collected {
    ($($group:ident :: $rule:ident),* $(,)?) => {
        const RULES: &[Rule] = &[$(crate::rules::$group::$rule::RULE),*];
    };
}
crate::for_each_rule!(collected);

/// Every rule, in the order of the table.
pub fn rules() -> &'static [Rule] {
    RULES
}

/// Calls the macro `$then` with the path of every rule, `group::function`, separated by commas.
#[macro_export]
macro_rules! for_each_rule {
    ($then:path) => {
        $then! {
            keys::k01_invalid_keys_do_no_io,
            keys::k02_keys_are_never_rewritten,
            keys::k03_length_limits,
            keys::k04_empty_segments,
            keys::k05_dot_segments,
            keys::k06_control_characters,
            keys::k07_spaces_and_dots_kept,
            keys::k08_special_characters,
            keys::k09_encodings_are_literal,
            keys::k10_normal_forms_and_case,
            keys::k11_long_segments,
            keys::k12_no_reserved_names,
            keys::k13_nested_keys_coexist,
            keys::k14_prefixes,
            keys::k15_uri_round_trip,
            writes::w01_visible_at_once,
            writes::w02_readers_see_whole_objects,
            writes::w03_failed_and_dropped_writes,
            streaming::w04_invisible_before_finish,
            streaming::w05_abort_leaves_nothing,
            streaming::w06_dropped_writers_and_sweep,
            writes::w07_empty_objects,
            streaming::w08_chunking_never_changes_content,
            writes::w09_declared_length,
            streaming::w10_failing_source,
            streaming::w11_last_finish_wins,
            streaming::w12_closed_writers,
            writes::w13_results_equal_head,
            writes::w14_largest_object,
            writes::w15_attributes_commit_with_content,
            conditions::c01_one_creator_wins,
            conditions::c02_swaps_count_exactly,
            conditions::c03_swap_of_a_missing_key,
            conditions::c04_failed_conditions_have_no_effect,
            conditions::c05_stale_etags_never_match,
            lost::c06_lost_answers,
            lost::c07_conflicts,
            conditions::c08_unsupported_conditions,
            undeclared::c08_undeclared_powers,
            conditions::c09_conditional_reads,
            conditions::c10_dates_in_whole_seconds,
            conditions::c11_conditional_delete,
            reads::r01_refused_ranges,
            reads::r02_end_is_clamped,
            reads::r03_start_past_the_end,
            reads::r04_suffixes,
            reads::r05_ranged_result_reports,
            reads::r06_many_ranges,
            reads::r07_one_version,
            reads::r08_read_under_change,
            economy::r09_ignored_ranges,
            reads::r10_short_body,
            reads::r11_bytes_as_stored,
            reads::r14_async_read_and_seek,
            resources::r12_dropped_reads_leak_nothing,
            resources::r13_beyond_four_gib,
            metadata::m01_size_is_what_can_be_read,
            metadata::m02_etag_is_the_same_everywhere,
            metadata::m03_overwrite_changes_etag,
            metadata::m04_last_modified,
            metadata::m05_standard_attributes,
            metadata::m06_user_metadata,
            metadata::m07_get_equals_head,
            metadata::m08_prefixes_are_no_objects,
            listing::l01_order_of_bytes,
            listing::l02_delimited,
            listing::l03_no_directories,
            listing::l04_start_after,
            listing::l05_limit,
            listing::l06_tokens,
            listing::l07_nothing_there,
            listing_races::l08_empty_prefixes,
            listing_races::l09_stable_keys_appear_once,
            listing_races::l10_entries_carry_metadata,
            listing_races::l11_lazy,
            listing_races::l12_only_objects_are_listed,
            listing_races::l13_failure_in_the_middle,
            listing_races::l14_parallel_listing,
            delete::d01_missing_key_is_ok,
            delete::d02_neighbours_stay,
            delete::d03_bulk_delete,
            delete::d04_delete_by_prefix,
            delete::d05_root_that_is_gone,
            copy::x01_copy_is_independent,
            copy::x02_onto_itself,
            copy::x03_missing_source,
            copy::x04_create_only_race,
            copy::x05_copy_of_one_version,
            copy::x06_move_never_loses_both,
            copy::x07_between_backends,
            errors::e01_errors_say_what_and_where,
            errors::e02_retryable_is_what_can_pass,
            errors::e03_missing_root,
            misconfigured::e04_mistakes_in_settings,
            faults::e05_faults_of_the_service,
            linearizable::s01_one_key_is_one_register,
            histories::s02_histories_agree_with_the_model,
            dropped::s03_dropped_at_every_await,
            shortages::s06_medium_that_runs_out,
            shortages::s06_too_many_open_files,
            safety::s07_tenants,
            safety::s08_shared_and_separate,
            secrets::s09_no_secret_is_shown,
            secrets::s10_hermetic,
            safety::s11_runtimes_and_tasks,
            safety::s12_wrappers_are_transparent,
            economy::s13_request_economy,
            sandbox::s05_links_out_of_the_root,
            sandbox::s05_final_links_are_replaced,
            sandbox::s05_swapped_links,
            sandbox::s05_links_inside_the_root,
            versions::v01_versions,
            versions::v02_checksums,
            watching::v03_changes_are_told,
            watching::v03_armed_before_the_first_listing,
            watching::v03_overflow_says_list_again,
            watching::v03_following_leads_to_the_listing,
        }
    };
}

/// Makes a test of every rule for a harness, each under the rule's name.
///
/// The argument is an expression that makes the harness, evaluated anew for each rule. Call it once in a module of its
/// own: it also adds the test `conformance_worker`, which serves rules that need a second process.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        $crate::conformance_harness!($harness);
        $crate::for_each_rule!($crate::rule_tests);
    };
}

/// Makes a test of some rules for a harness, `group::function`, where the others were held elsewhere and would not come
/// out otherwise. As [`conformance!`] it stands in a module of its own.
#[macro_export]
macro_rules! conformance_of {
    ($harness:expr, $($rules:tt)+) => {
        $crate::conformance_harness!($harness);
        $crate::rule_tests!($($rules)+);
    };
}

/// What [`conformance!`] and [`conformance_of!`] have in common: the harness, and the test that serves as another process.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_harness {
    ($harness:expr) => {
        fn conformance_harness() -> impl $crate::Harness {
            $harness
        }

        #[test]
        fn conformance_worker() {
            $crate::run_worker(conformance_harness());
        }
    };
}

/// The tests of [`conformance!`].
#[doc(hidden)]
#[macro_export]
macro_rules! rule_tests {
    ($($group:ident :: $rule:ident),* $(,)?) => {
        $(
            #[test]
            fn $rule() {
                $crate::run_rule(conformance_harness(), module_path!(), &$crate::rules::$group::$rule::RULE);
            }
        )*
    };
}
