//! What is seen where a rule fails, in our words; each was looked at by hand.

const OD: &[&str] = &["opendal fs", "opendal fs atomic", "opendal memory", "opendal s3"];
const OD_FS: &[&str] = &["opendal fs", "opendal fs atomic"];
const OD_PLAIN: &[&str] = &["opendal fs"];
const OD_ATOMIC: &[&str] = &["opendal fs atomic"];
const OD_MEMORY: &[&str] = &["opendal memory"];
const OD_S3: &[&str] = &["opendal s3"];
const OS_LOCAL: &[&str] = &["object_store local"];
const OS_MEMORY: &[&str] = &["object_store memory"];
const OS_S3: &[&str] = &["object_store s3"];
const FILES: &[&str] = &["opendal fs", "opendal fs atomic", "object_store local"];
const BOTH_S3: &[&str] = &["opendal s3", "object_store s3"];

/// Objects are plain files, so one name cannot be an object and a level.
const NESTED: &str = "it ends where `a` and `a/b` are to coexist, as K13";
const TRIMMED: &str =
    "the operator trims the ends of a path: the key `\" \"` becomes the root, `\". \"` and `\" ..\"` a path of dots";
const UNORDERED: &str = "a listing comes in the order of the directory";
const LEVELS_FIRST: &str = "of each page the levels come before the objects, so names are out of order";
const NOT_A_DIRECTORY: &str =
    "what is asked for under an object is an error of its own kind (`ENOTDIR`), not a missing object";
const NO_ETAG: &str = "there is neither etag nor time, so two versions of one size are not told apart";
const LONG: &str = "a segment of more than 255 bytes is no file name, and keys are not escaped";
const MISSING_ROOT: &str = "a directory that is gone is an empty listing, and other calls speak of a missing object";
const MISSING_BUCKET: &str = "a missing bucket has another kind of error in reads, listings and deletes";
const LAST_FILE: &str = "time and size stand for the etag, and the file's own time is that of the clock's last tick";

/// The peers it is seen on, the rule, and what is seen.
const SYMPTOMS: &[(&[&str], &str, &str)] = &[
    (OS_LOCAL, "k01_invalid_keys_do_no_io", "a delete of a missing key is `NotFound`, as D01"),
    (OD, "k02_keys_are_never_rewritten", TRIMMED),
    (OS_LOCAL, "k02_keys_are_never_rewritten", NESTED),
    (FILES, "k03_length_limits", LONG),
    (OD, "k05_dot_segments", TRIMMED),
    (OS_LOCAL, "k05_dot_segments", UNORDERED),
    (FILES, "k06_control_characters", UNORDERED),
    (OD, "k07_spaces_and_dots_kept", TRIMMED),
    (OS_LOCAL, "k07_spaces_and_dots_kept", NESTED),
    (OD, "k08_special_characters", "a segment of one no-break space is trimmed away, and with it the object's name"),
    (OS_LOCAL, "k08_special_characters", UNORDERED),
    (FILES, "k09_encodings_are_literal", NESTED),
    (OD_S3, "k09_encodings_are_literal", LEVELS_FIRST),
    (FILES, "k10_normal_forms_and_case", UNORDERED),
    (OD_S3, "k10_normal_forms_and_case", LEVELS_FIRST),
    (FILES, "k11_long_segments", LONG),
    (OD_S3, "k11_long_segments", LEVELS_FIRST),
    (FILES, "k12_no_reserved_names", NESTED),
    (OD_S3, "k12_no_reserved_names", LEVELS_FIRST),
    (FILES, "k13_nested_keys_coexist", "objects are plain files: beside the object `a` there can be no `a/b`"),
    (OD_S3, "k13_nested_keys_coexist", LEVELS_FIRST),
    (FILES, "k14_prefixes", NESTED),
    (OD_S3, "k14_prefixes", LEVELS_FIRST),
    (
        OD_PLAIN,
        "w02_readers_see_whole_objects",
        "a write empties the file first, and a reader sees it empty or short; `atomic_write_dir` is the remedy",
    ),
    (
        OD_ATOMIC,
        "w02_readers_see_whole_objects",
        "a read looks at the object and opens it in two steps, and finds another length than it was told",
    ),
    (FILES, "w03_failed_and_dropped_writes", NOT_A_DIRECTORY),
    (OD_PLAIN, "w04_invisible_before_finish", "the file is there, empty, as soon as the writer is open"),
    (OD_PLAIN, "w05_abort_leaves_nothing", "an abort is refused without `atomic_write_dir`"),
    (OD_PLAIN, "w06_dropped_writers_and_sweep", "what a dropped writer has begun is an object"),
    (OS_LOCAL, "w06_dropped_writers_and_sweep", "the staged file of a killed process stays, and there is no sweep"),
    (
        OD_FS,
        "w08_chunking_never_changes_content",
        "a put of several pieces of which one is empty never ends: it is asked to write no bytes again and again",
    ),
    (OD_PLAIN, "w09_declared_length", "a streaming write that failed has left an object, cut short"),
    (
        OD_PLAIN,
        "w10_failing_source",
        "the part of an object that came before its source failed is stored, over the old one",
    ),
    (OD_PLAIN, "w11_last_finish_wins", "two writers write into one file, and one of them is told of too few bytes"),
    (OD_PLAIN, "w12_closed_writers", "an abort is refused without `atomic_write_dir`"),
    (
        OD_ATOMIC,
        "c01_one_creator_wins",
        "several of the create-only writes that race are Ok: it looks first and renames then",
    ),
    (OD_MEMORY, "c05_stale_etags_never_match", NO_ETAG),
    (OD_FS, "c05_stale_etags_never_match", LAST_FILE),
    (
        OD_S3,
        "c06_lost_answers",
        "the retry of a create-only put whose answer was lost meets its own object and says that the condition failed",
    ),
    (
        OS_S3,
        "c06_lost_answers",
        "a conditional put whose answer was lost ends in `Generic`, which does not say that it may have happened",
    ),
    (
        OD_S3,
        "c07_conflicts",
        "a conflict at the end of an upload is asked again by the retry layer like any other failure",
    ),
    (OS_S3, "c07_conflicts", "the 409 by which S3 asks to repeat a put is reported as `AlreadyExists`"),
    (FILES, "c09_conditional_reads", NOT_A_DIRECTORY),
    (
        OD_S3,
        "c09_conditional_reads",
        "one kind of error stands for 304 and 412; under two conditions they cannot be told apart",
    ),
    (
        &["object_store local", "object_store memory"],
        "c10_dates_in_whole_seconds",
        "dates are compared to the nanosecond, so a time cut to seconds, as HTTP has it, counts as older",
    ),
    (OD_MEMORY, "c10_dates_in_whole_seconds", NO_ETAG),
    (
        &["opendal fs", "opendal fs atomic", "opendal memory", "opendal s3"],
        "r02_end_is_clamped",
        "a range whose end lies past the object is an error",
    ),
    (OD_FS, "r03_start_past_the_end", "a start beyond 63 bits is a system error"),
    (OD_MEMORY, "r07_one_version", NO_ETAG),
    (
        OD_PLAIN,
        "r07_one_version",
        "a read that meets an overwrite is told of an empty file, and finds more in it than it was told",
    ),
    (OD_PLAIN, "r08_read_under_change", "an overwrite empties the file under the reader"),
    (FILES, "m02_etag_is_the_same_everywhere", NESTED),
    (OD_MEMORY, "m03_overwrite_changes_etag", NO_ETAG),
    (OD_FS, "m03_overwrite_changes_etag", LAST_FILE),
    (OD_FS, "m04_last_modified", "a rename onto an object brings the source's older time along"),
    (OS_LOCAL, "m04_last_modified", "a copy is a hard link and has its source's older time"),
    (OD_MEMORY, "m04_last_modified", "there is no time"),
    (OS_S3, "m06_user_metadata", "a value that no header can hold panics while the request is signed"),
    (FILES, "m07_get_equals_head", NESTED),
    (FILES, "m08_prefixes_are_no_objects", NOT_A_DIRECTORY),
    (FILES, "l01_order_of_bytes", NESTED),
    (OD, "l01_order_of_bytes", "the key `\" lead\"` is stored as `lead`, as K02; on S3 levels come before objects too"),
    (FILES, "l02_delimited", NESTED),
    (OD_S3, "l02_delimited", LEVELS_FIRST),
    (FILES, "l03_no_directories", NESTED),
    (FILES, "l04_start_after", NESTED),
    (OD, "l04_start_after", "the key `\" lead\"` is stored as `lead`, as K02; on S3 levels come before objects too"),
    (FILES, "l05_limit", NESTED),
    (OD, "l05_limit", "the key `\" lead\"` is stored as `lead`, as K02; on S3 levels come before objects too"),
    (FILES, "l06_tokens", NESTED),
    (
        OD,
        "l06_tokens",
        "the key `\" lead\"` is stored as `lead`, as K02; in memory there is nothing to go on from besides",
    ),
    (FILES, "l07_nothing_there", MISSING_ROOT),
    (BOTH_S3, "l07_nothing_there", MISSING_BUCKET),
    (OD_FS, "l08_empty_prefixes", "a directory whose last object is gone stays and is listed"),
    (OS_LOCAL, "l08_empty_prefixes", "a delete of a missing key is `NotFound`, as D01"),
    (FILES, "l09_stable_keys_appear_once", UNORDERED),
    (FILES, "l10_entries_carry_metadata", NESTED),
    (FILES, "l12_only_objects_are_listed", NESTED),
    (FILES, "l13_failure_in_the_middle", UNORDERED),
    (FILES, "l14_parallel_listing", NESTED),
    (
        OS_LOCAL,
        "d01_missing_key_is_ok",
        "a delete of a missing key is `NotFound`, which its documentation leaves to the store",
    ),
    (FILES, "d02_neighbours_stay", NESTED),
    (FILES, "d03_bulk_delete", NESTED),
    (BOTH_S3, "d03_bulk_delete", MISSING_BUCKET),
    (FILES, "d04_delete_by_prefix", NESTED),
    (OD, "d04_delete_by_prefix", "the key `\"x/ \"` is trimmed to a level, as K02"),
    (OS_LOCAL, "d05_root_that_is_gone", MISSING_ROOT),
    (OD_FS, "d05_root_that_is_gone", "a delete in a directory that is gone is Ok"),
    (OS_LOCAL, "x01_copy_is_independent", "a copy is a hard link: it has its source's etag and time"),
    (OD_FS, "x01_copy_is_independent", NESTED),
    (OD_MEMORY, "x01_copy_is_independent", "there is no time"),
    (OD, "x02_onto_itself", "a copy onto itself is refused as `IsSameFile`"),
    (OS_LOCAL, "x02_onto_itself", NOT_A_DIRECTORY),
    (OS_MEMORY, "x02_onto_itself", "a rename onto itself deletes the object: it is a copy and a delete"),
    (OS_S3, "x02_onto_itself", "S3 refuses a copy onto itself, and the refusal is passed on"),
    (FILES, "x03_missing_source", NOT_A_DIRECTORY),
    (OD_FS, "x05_copy_of_one_version", "a copy is made in place: a reader sees it empty or short"),
    (
        OD_S3,
        "x05_copy_of_one_version",
        "a copy whose source is overwritten meanwhile ends in `Conflict`, and the caller asks again",
    ),
    (FILES, "x06_move_never_loses_both", NESTED),
    (OD_PLAIN, "e01_errors_say_what_and_where", "an abort is refused without `atomic_write_dir`"),
    (&["opendal fs atomic", "object_store local"], "e01_errors_say_what_and_where", NOT_A_DIRECTORY),
    (OD_MEMORY, "e01_errors_say_what_and_where", "there is no time to hold a date against"),
    (FILES, "e03_missing_root", MISSING_ROOT),
    (BOTH_S3, "e03_missing_root", MISSING_BUCKET),
    (
        BOTH_S3,
        "e04_mistakes_in_settings",
        "a wrong key, a wrong secret and a missing right are one kind, and no setting is named",
    ),
    (
        BOTH_S3,
        "e05_faults_of_the_service",
        "an answer to a listing of status 200 with an error document in it is read as an empty listing, with no error",
    ),
    (OD_PLAIN, "s01_one_key_is_one_register", "a reader sees the empty file of a write under way, as W02"),
    (OD_ATOMIC, "s01_one_key_is_one_register", "more than one create-only write is Ok, as C01"),
    (
        OD_S3,
        "s01_one_key_is_one_register",
        "a swap whose answer was lost is told as failed though it took place, as C06",
    ),
    (OS_LOCAL, "s01_one_key_is_one_register", "a delete of a missing key is `NotFound`, as D01"),
    (
        OS_S3,
        "s01_one_key_is_one_register",
        "a connection that broke ends in `Generic`, which tells neither what passed nor what can be repeated",
    ),
    (OD, "s02_histories_agree_with_the_model", "the model keeps keys as they are, as K02"),
    (OS_LOCAL, "s02_histories_agree_with_the_model", "the model keeps nested keys, as K13"),
    (
        OS_S3,
        "s02_histories_agree_with_the_model",
        "a value of an attribute beyond ASCII goes out as it is, and comes back as an encoded word of a mail",
    ),
    (OD_PLAIN, "s03_dropped_at_every_await", "a write that is dropped leaves the object empty, or cut short"),
    (OD_ATOMIC, "s03_dropped_at_every_await", "a page that is dropped while it is awaited is lost with its entries"),
    (OS_LOCAL, "s03_dropped_at_every_await", "a delete of a missing key is `NotFound`, as D01"),
    (OD_PLAIN, "s06_too_many_open_files", "a write that finds no file to open has emptied the object already"),
    (
        OS_LOCAL,
        "s06_too_many_open_files",
        "too many open files end in `Generic`, which does not say that the call can be repeated",
    ),
    (FILES, "s07_tenants", NESTED),
    (OD, "s07_tenants", "the key `\" \"` of a tenant is trimmed to the tenant's own level, as K02"),
    (OD_S3, "s09_no_secret_is_shown", "the signer beneath it (reqsign) writes the secret key into its debug log"),
    (FILES, "s11_runtimes_and_tasks", NESTED),
    (
        OS_S3,
        "s11_runtimes_and_tasks",
        "a store that one runtime has used panics in another after the first has ended: timers of its connections stay behind",
    ),
    (
        OD_S3,
        "s11_runtimes_and_tasks",
        "a connection stays with the runtime that opened it, and fails in another after the first has ended",
    ),
    (FILES, "s05_final_links_are_replaced", "a write follows a link at its end out of the root"),
    (FILES, "s05_links_inside_the_root", "one link in a loop fails the whole listing"),
    (
        FILES,
        "s05_links_out_of_the_root",
        "links out of the root are followed, as the documentation of object_store says",
    ),
    (FILES, "s05_swapped_links", "links out of the root are followed, swapped in or not"),
    (
        OD_S3,
        "s13_request_economy",
        "a copy asks for the source first, a small download fails as R02; one HEAD of each copy is the adapter's",
    ),
    (
        OS_S3,
        "s13_request_economy",
        "a delete is a bulk delete, a small streaming write an upload in parts; the HEAD of a copy is the adapter's",
    ),
];

/// What is seen on this peer where this rule fails.
pub fn symptom(peer: &str, rule: &str) -> Option<&'static str> {
    let known = SYMPTOMS.iter().find(|(peers, known, _)| peers.contains(&peer) && *known == rule);
    known.map(|(.., words)| *words)
}
