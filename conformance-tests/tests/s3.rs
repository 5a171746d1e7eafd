//! The suite on the S3 driver, against servers in the process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness that cannot make a root is a failed test")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/s3_address.rs"]
mod s3_address;
#[path = "common/s3.rs"]
mod s3_harness;
#[path = "common/s3_service.rs"]
mod s3_service;

use conformance_tests::{Harness as _, SubRoot, Wrapped};
use storage_core::{ErrorKind, Support};
use storage_s3::{Credentials, S3, S3Options};

use common::stacked;
use s3_harness::{Kind, S3Harness};

/// Every rule; the driver finds out which conditions are kept.
mod direct {
    use super::*;
    conformance_tests::conformance!(S3Harness(Kind::Plain));
}

mod sub_root {
    use super::*;
    conformance_tests::conformance!(SubRoot::new(S3Harness(Kind::Plain)));
}

mod wrapped {
    use super::*;
    conformance_tests::conformance!(Wrapped::new(S3Harness(Kind::Plain), stacked));
}

/// A root behind a prefix with an empty segment in it, which no key may have.
mod behind_a_prefix {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::Behind),
        keys::k02_keys_are_never_rewritten,
        keys::k03_length_limits,
        keys::k08_special_characters,
        keys::k09_encodings_are_literal,
        keys::k13_nested_keys_coexist,
        keys::k15_uri_round_trip,
        writes::w01_visible_at_once,
        writes::w13_results_equal_head,
        conditions::c01_one_creator_wins,
        conditions::c08_unsupported_conditions,
        listing::l01_order_of_bytes,
        listing::l02_delimited,
        listing::l04_start_after,
        listing::l06_tokens,
        delete::d03_bulk_delete,
        delete::d04_delete_by_prefix,
        copy::x01_copy_is_independent,
        errors::e03_missing_root,
        safety::s07_tenants,
        safety::s08_shared_and_separate,
        safety::s12_wrappers_are_transparent,
    );
}

/// The bucket's name in the host's.
mod virtual_host {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::VirtualHost),
        keys::k08_special_characters,
        keys::k09_encodings_are_literal,
        writes::w01_visible_at_once,
        streaming::w08_chunking_never_changes_content,
        listing::l01_order_of_bytes,
        delete::d03_bulk_delete,
        copy::x01_copy_is_independent,
        errors::e03_missing_root,
        safety::s08_shared_and_separate,
    );
}

/// A server that answers 200 to a conditional write and ignores the condition: each is `Unsupported`.
mod conditions_ignored {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::Ignoring),
        conditions::c01_one_creator_wins,
        conditions::c02_swaps_count_exactly,
        conditions::c08_unsupported_conditions,
        conditions::c11_conditional_delete,
        copy::x04_create_only_race,
        metadata::m02_etag_is_the_same_everywhere,
        safety::s12_wrappers_are_transparent,
        economy::s13_request_economy,
    );

    /// None of the conditions is taken for one that is kept.
    #[tokio::test]
    async fn every_condition_is_found_to_be_ignored() {
        let root = S3Harness(Kind::Ignoring).fresh().await;
        let known = root.storage.probe().await.unwrap();
        assert_eq!(known.conditions(), [Support::No; 6]);
    }
}

/// A server that dates an upload in parts by its start.
mod dated_by_start {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::DatedByStart),
        writes::w01_visible_at_once,
        writes::w13_results_equal_head,
        streaming::w08_chunking_never_changes_content,
        streaming::w11_last_finish_wins,
        metadata::m04_last_modified,
    );
}

/// A server that closes every connection after one answer, so that every call makes one.
mod closing {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::Closing),
        writes::w01_visible_at_once,
        shortages::s06_too_many_open_files,
        delete::d03_bulk_delete,
    );
}

/// A bucket that keeps versions.
mod versioned {
    use super::*;
    conformance_tests::conformance_of!(
        S3Harness(Kind::Versioned),
        keys::k08_special_characters,
        writes::w01_visible_at_once,
        writes::w13_results_equal_head,
        streaming::w04_invisible_before_finish,
        streaming::w06_dropped_writers_and_sweep,
        metadata::m01_size_is_what_can_be_read,
        metadata::m02_etag_is_the_same_everywhere,
        metadata::m04_last_modified,
        metadata::m07_get_equals_head,
        listing_races::l10_entries_carry_metadata,
        copy::x01_copy_is_independent,
        copy::x02_onto_itself,
        histories::s02_histories_agree_with_the_model,
        safety::s07_tenants,
    );
}

/// A URL that carries a password is refused, and the password is not repeated (rule S09).
#[test]
fn a_password_in_the_endpoint_is_refused() {
    for endpoint in
        ["http://user:canary-pa55word@127.0.0.1:9", "https://:canary-pa55word@host", "u:canary-pa55word@h:1"]
    {
        let mut options = S3Options::new("bucket");
        options.endpoint = Some(endpoint.to_owned());
        options.credentials = Credentials::keys("key", "secret");
        let error = S3::new(options).expect_err(endpoint);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let shown = format!("{error} {error:?} {error:#?}");
        assert!(!shown.contains("canary-pa55word") && shown.contains("endpoint"), "{shown}");
    }
}
