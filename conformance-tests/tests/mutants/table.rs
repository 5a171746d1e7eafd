//! Which rule has to catch which mutant, and what the rules are for that catch none.

use std::sync::Arc;

use conformance_tests::{Harness, Wrapped};
use storage_local::Durability;

use crate::lie::mutate;
use crate::local_harness::LocalHarness;
use crate::memory_harness::MemoryHarness;
use crate::s3_harness::{Kind, S3Harness};
use crate::{conditions, keys, listing, moves, reads, watching, writes};

/// Which driver a mutant is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The one in memory.
    Memory,
    /// The one for files.
    Local,
    /// The one for S3, on a server in the process.
    S3,
}

/// A wrong driver, and the rule that names what is wrong.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) behind: Behind,
    pub(crate) make: fn() -> Arc<dyn Harness>,
}

fn local() -> LocalHarness {
    LocalHarness::new(Durability::Fast, false)
}

/// The driver behind mutants, as it is.
pub(crate) fn honest(behind: Behind) -> Arc<dyn Harness> {
    match behind {
        Behind::Memory => Arc::new(MemoryHarness::default()),
        Behind::Local => Arc::new(local()),
        Behind::S3 => Arc::new(S3Harness(Kind::Plain)),
    }
}

macro_rules! mutants {
    ($($behind:ident($inner:expr) { $($group:ident::$name:ident => $rule:ident),+ $(,)? })+) => {
        &[$($(Mutant {
            name: stringify!($name),
            rule: stringify!($rule),
            behind: Behind::$behind,
            make: || Arc::new(Wrapped::new($inner, mutate::<$group::$name>)),
        }),+),+]
    };
}

pub(crate) const MUTANTS: &[Mutant] = mutants! {
    Memory(MemoryHarness::default()) {
        keys::TrimsKeys => k02_keys_are_never_rewritten,
        writes::OverstatesKeys => k03_length_limits,
        keys::TrimsKeys => k07_spaces_and_dots_kept,
        keys::CutsQueries => k08_special_characters,
        keys::DecodesSlashes => k09_encodings_are_literal,
        keys::FoldsCase => k10_normal_forms_and_case,
        keys::ComposesAccents => k10_normal_forms_and_case,
        keys::TruncatesLongKeys => k11_long_segments,
        keys::RefusesLongSegments => k11_long_segments,
        keys::ReservesNames => k12_no_reserved_names,
        listing::HidesDots => k12_no_reserved_names,
        keys::ObjectsAreFiles => k13_nested_keys_coexist,
        keys::MatchesWholeSegments => k14_prefixes,
        writes::AnswersTooEarly => w01_visible_at_once,
        listing::RemembersListings => w01_visible_at_once,
        writes::TornWrites => w02_readers_see_whole_objects,
        writes::WritesOnAfterADrop => w03_failed_and_dropped_writes,
        writes::ShowsEarly => w04_invisible_before_finish,
        writes::AbortCommits => w05_abort_leaves_nothing,
        writes::DropCommits => w06_dropped_writers_and_sweep,
        writes::SweepsNothing => w06_dropped_writers_and_sweep,
        writes::NoEmptyObjects => w07_empty_objects,
        writes::SkipsEmpty => w07_empty_objects,
        writes::LosesTheTail => w08_chunking_never_changes_content,
        writes::SharesABuffer => w11_last_finish_wins,
        writes::TellsAnotherEtag => w13_results_equal_head,
        writes::KeepsOldAttributes => w15_attributes_commit_with_content,
        writes::StreamsLoseAttributes => w15_attributes_commit_with_content,
        conditions::IgnoresCreateOnly => c01_one_creator_wins,
        conditions::ChecksThenWrites => c01_one_creator_wins,
        conditions::ComparesThenSwaps => c02_swaps_count_exactly,
        conditions::SwapCreates => c03_swap_of_a_missing_key,
        conditions::IgnoresIfMatch => c04_failed_conditions_have_no_effect,
        conditions::WritersIgnoreConditions => c04_failed_conditions_have_no_effect,
        writes::JudgesAtStart => c04_failed_conditions_have_no_effect,
        writes::WritesBeforeItRefuses => c04_failed_conditions_have_no_effect,
        conditions::CopyIgnoresSource => c04_failed_conditions_have_no_effect,
        conditions::EtagsFollowContent => c05_stale_etags_never_match,
        conditions::DeniesItsPowers => c08_unsupported_conditions,
        conditions::DeniesSwaps => c08_unsupported_conditions,
        conditions::DeniesStreamedCreates => c08_unsupported_conditions,
        conditions::DeniesStreamedSwaps => c08_unsupported_conditions,
        conditions::DeniesCopies => c08_unsupported_conditions,
        conditions::DeniesAttributes => c08_undeclared_powers,
        conditions::UnderstatesKeys => k03_length_limits,
        conditions::ReadsIgnoreConditions => c09_conditional_reads,
        reads::MissingIsEmpty => c09_conditional_reads,
        conditions::ReadsIgnoreDates => c10_dates_in_whole_seconds,
        conditions::DeleteIgnoresIfMatch => c11_conditional_delete,
        reads::EndsOneLater => r05_ranged_result_reports,
        reads::RefusesLongRanges => r02_end_is_clamped,
        reads::NothingPastTheEnd => r03_start_past_the_end,
        reads::RefusesLongSuffixes => r04_suffixes,
        reads::HidesTheRange => r05_ranged_result_reports,
        reads::UnpinsVersions => r07_one_version,
        reads::MixesVersions => r08_read_under_change,
        reads::ChangesBytes => r11_bytes_as_stored,
        reads::LeavesTasks => r12_dropped_reads_leak_nothing,
        reads::TellsWrongSizes => m01_size_is_what_can_be_read,
        listing::ListsOtherEtags => m02_etag_is_the_same_everywhere,
        reads::EtagsStay => m03_overwrite_changes_etag,
        reads::TimeGoesBack => m04_last_modified,
        reads::InventsATypeOfContent => m05_standard_attributes,
        reads::UppercasesNames => m06_user_metadata,
        reads::GetLosesAttributes => m07_get_equals_head,
        reads::PrefixesAreObjects => m08_prefixes_are_no_objects,
        listing::Unordered => l01_order_of_bytes,
        listing::OrdersByCase => l01_order_of_bytes,
        listing::PrefixesFirst => l02_delimited,
        listing::RepeatsPrefixes => l02_delimited,
        listing::ListsDirectories => l03_no_directories,
        listing::IncludesTheStart => l04_start_after,
        listing::IgnoresPageSize => l05_limit,
        listing::TakesAnyToken => l06_tokens,
        listing::EndsShort => l06_tokens,
        listing::NoRootIsEmpty => l07_nothing_there,
        listing::PagesByNumber => l09_stable_keys_appear_once,
        listing::ListsNoSizes => l10_entries_carry_metadata,
        listing::ListsItsLock => l12_only_objects_are_listed,
        listing::IgnoresPageSize => l11_lazy,
        moves::DeleteNeedsAnObject => d01_missing_key_is_ok,
        moves::DeletesTheTree => d02_neighbours_stay,
        moves::ForgetsDuplicates => d03_bulk_delete,
        moves::DeletesAThousand => d03_bulk_delete,
        moves::DeletesNeighbours => d04_delete_by_prefix,
        moves::CountsNothing => d04_delete_by_prefix,
        moves::DeleteNeedsNoRoot => e03_missing_root,
        moves::CopiesContentOnly => x01_copy_is_independent,
        moves::CopyOntoItselfDeletes => x02_onto_itself,
        moves::MoveClearsFirst => x03_missing_source,
        conditions::CopyIgnoresCreateOnly => x04_create_only_race,
        moves::CopiesInSteps => x05_copy_of_one_version,
        moves::MoveLeavesTheSource => x06_move_never_loses_both,
        reads::NamesItsOwnKey => e01_errors_say_what_and_where,
        reads::MissingMayCome => e02_retryable_is_what_can_pass,
        reads::RootIsAnObject => e03_missing_root,
        conditions::ComparesThenSwaps => s01_one_key_is_one_register,
        writes::RemembersWhatItMade => s02_histories_agree_with_the_model,
        writes::WritesOnAfterADrop => s03_dropped_at_every_await,
        listing::TakesAnyToken => s07_tenants,
        listing::RemembersListings => s08_shared_and_separate,
        reads::LeavesTasks => s11_runtimes_and_tasks,
        reads::NamesItself => s12_wrappers_are_transparent,
        watching::ForgetsDeletes => v03_changes_are_told,
        watching::WatchesEverything => v03_changes_are_told,
        watching::WatchesUndeclared => v03_changes_are_told,
        watching::ArmsLate => v03_armed_before_the_first_listing,
        watching::SwallowsOverflows => v03_overflow_says_list_again,
        watching::TellsOnce => v03_following_leads_to_the_listing,
    }
    Local(local()) {
        conditions::DeniesPaths => c08_undeclared_powers,
        writes::LeaksParts => w05_abort_leaves_nothing,
        reads::CountsIn32Bits => r13_beyond_four_gib,
        moves::LeavesDirectories => l08_empty_prefixes,
        moves::DeleteNeedsNoRoot => d05_root_that_is_gone,
        reads::FollowsLinks => s05_links_out_of_the_root,
        reads::FollowsLinks => s05_swapped_links,
        reads::WritesThroughLinks => s05_final_links_are_replaced,
        reads::RefusesLinks => s05_links_inside_the_root,
    }
    S3(S3Harness(Kind::Plain)) {
        reads::ShowsItsSecret => s09_no_secret_is_shown,
        writes::LeaksParts => w05_abort_leaves_nothing,
        writes::LeaksParts => w06_dropped_writers_and_sweep,
        writes::SweepsTheYoung => w06_dropped_writers_and_sweep,
        moves::DeletesWhatIsListed => d04_delete_by_prefix,
        conditions::DeniesPresigning => c08_undeclared_powers,
        writes::GuessesOutcomes => c06_lost_answers,
        writes::TakesFullForBusy => s06_medium_that_runs_out,
        writes::MakesRoomFirst => s06_medium_that_runs_out,
        reads::FailsForNoReason => e04_mistakes_in_settings,
        reads::BlamesTheCaller => e05_faults_of_the_service,
        listing::DropsTheThousandth => s13_request_economy,
        reads::LooksFirst => s13_request_economy,
        moves::OldestVersionFirst => v01_versions,
    }
};

/// Rules that catch no mutant of a driver, and what they are for.
pub(crate) const UNNOTICED: &[(&str, &str)] = &[
    ("k01_invalid_keys_do_no_io", HANDLE),
    ("k04_empty_segments", HANDLE),
    ("k05_dot_segments", HANDLE),
    ("k06_control_characters", HANDLE),
    ("k15_uri_round_trip", HANDLE),
    ("w09_declared_length", HANDLE),
    ("w10_failing_source", HANDLE),
    ("w12_closed_writers", HANDLE),
    ("w14_largest_object", HANDLE),
    ("r01_refused_ranges", HANDLE),
    ("r06_many_ranges", HANDLE),
    ("r10_short_body", HANDLE),
    ("r14_async_read_and_seek", HANDLE),
    ("l13_failure_in_the_middle", HANDLE),
    ("l14_parallel_listing", HANDLE),
    ("x07_between_backends", HANDLE),
    ("c07_conflicts", WIRE),
    ("r09_ignored_ranges", WIRE),
    ("s06_too_many_open_files", PROCESS),
    ("s10_hermetic", WIRE),
    ("v02_checksums", WIRE),
];

/// The mistake would have to be made in the handle, through which every mutant is seen.
const HANDLE: &str = "it holds the handle to its word, which judges before and after the driver";

/// The mistake would have to be made where a driver speaks with its service, behind which no mutant stands.
const WIRE: &str = "it holds a driver to what it says to its service and hears from it";

/// The mistake would have to be made in another process, and no mutant lives in one.
const PROCESS: &str = "it asks a process of its own, which opens the driver as it is";

/// Why a rule is there though no mutant is caught by it.
pub(crate) fn reason(rule: &str) -> Option<&'static str> {
    UNNOTICED.iter().find(|(known, _)| *known == rule).map(|(_, reason)| *reason)
}
