//! Ranges, attributes, tokens, conditions, errors: the values that every driver is given or gives.

// Clippy knows a test by its attribute; the helpers beside them have none.
#![allow(clippy::unwrap_used)]

use std::ops::Bound;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use storage_core::{
    Attributes, ByteRange, Conditions, ETag, Error, ErrorKind, Key, ListOptions, MAX_STANDARD_ATTRIBUTES,
    MAX_USER_METADATA, ObjectMeta, Operation, Payload, PayloadBuilder, Prefix, Token,
};

// Ranges

#[test]
fn empty_and_inverted_ranges_are_refused_before_the_size_matters() {
    for range in [
        ByteRange::from(5..5),
        ByteRange::from(0..0),
        ByteRange::Bounded { start: 7, end: 3 },
        (..0).into(),
        ByteRange::Suffix(0),
    ] {
        assert_eq!(range.check().unwrap_err().kind(), ErrorKind::InvalidInput, "{range:?}");
        assert_eq!(range.resolve(0).unwrap_err().kind(), ErrorKind::InvalidInput, "{range:?}");
    }
}

#[test]
fn ranges_are_clamped_and_a_start_past_the_end_tells_the_size() {
    let past = |size| Err(ErrorKind::RangeNotSatisfiable { size });
    for (range, size, expected) in [
        (ByteRange::from(2..5), 10, Ok(2..5)),
        ((2..50).into(), 10, Ok(2..10)),
        ((9..10).into(), 10, Ok(9..10)),
        ((10..11).into(), 10, past(10)),
        ((0..1).into(), 0, past(0)),
        ((3..).into(), 10, Ok(3..10)),
        ((10..).into(), 10, past(10)),
        ((..).into(), 10, Ok(0..10)),
        ((..).into(), 0, past(0)),
        (ByteRange::Suffix(3), 10, Ok(7..10)),
        (ByteRange::Suffix(30), 10, Ok(0..10)),
        (ByteRange::Suffix(3), 0, Ok(0..0)),
        ((0..=u64::MAX).into(), u64::MAX, Ok(0..u64::MAX)),
        ((5 << 32..(5 << 32) + 1).into(), u64::MAX, Ok(5 << 32..(5 << 32) + 1)),
    ] {
        assert_eq!(range.resolve(size).map_err(|error| error.kind()), expected, "{range:?} of {size}");
    }
}

proptest! {
    #[test]
    fn a_resolved_range_holds_exactly_the_bytes_that_were_asked_for(start in 0_u64..40, end in 0_u64..40, size in 0_u64..30) {
        let within = |wanted: &dyn Fn(u64) -> bool| (0..size).filter(|at| wanted(*at)).collect::<Vec<_>>();
        if let Ok(range) = ByteRange::from(start..end).resolve(size) {
            prop_assert_eq!(range.collect::<Vec<_>>(), within(&|at| start <= at && at < end));
        }
        if let Ok(range) = ByteRange::from(start..).resolve(size) {
            prop_assert_eq!(range.collect::<Vec<_>>(), within(&|at| start <= at));
        }
        if let Ok(range) = ByteRange::Suffix(end).resolve(size) {
            prop_assert_eq!(range.collect::<Vec<_>>(), within(&|at| at + end >= size));
        }
    }
}

// Attributes

fn refused(attributes: Attributes) -> bool {
    attributes.checked().is_err_and(|error| error.kind() == ErrorKind::InvalidInput)
}

#[test]
fn attributes_that_can_stand_in_a_header_are_kept() {
    let mut attributes = Attributes::new().content_type("text/plain; charset=utf-8");
    attributes.cache_control = Some("max-age=60".into());
    attributes.content_disposition = Some("attachment; filename=\"a b\"".into());
    attributes.content_encoding = Some("gzip".into());
    attributes.content_language = Some("de".into());
    let attributes = attributes.user("a-b_c.9", "").user("n", "Grüße 🦀\n").user("spaces", " x ");
    assert_eq!(attributes.clone().checked().unwrap(), attributes);
    assert!(!attributes.is_empty());
    assert!(Attributes::new().checked().unwrap().is_empty());
}

#[test]
fn a_services_own_default_type_reads_as_none() {
    assert_eq!(Attributes::new().content_type("binary/octet-stream").checked().unwrap(), Attributes::new());
}

#[test]
fn attributes_that_a_header_would_change_are_refused() {
    for value in ["", "a\nb", "a\r\nX-Evil: 1", "ü", " a", "a ", "a\tb", "a\0"] {
        assert!(refused(Attributes::new().content_type(value)), "{value:?}");
    }
    for name in ["", "A", "a b", "ü", "a:b", "a/b", "a\n"] {
        assert!(refused(Attributes::new().user(name, "x")), "{name:?}");
    }
}

#[test]
fn sizes_are_bounded_as_encoded_for_the_wire() {
    let standard = |bytes| Attributes::new().content_type("x".repeat(bytes));
    assert!(standard(MAX_STANDARD_ATTRIBUTES).checked().is_ok());
    assert!(refused(standard(MAX_STANDARD_ATTRIBUTES + 1)));

    let user = |bytes| Attributes::new().user("name", "x".repeat(bytes - 4));
    assert!(user(MAX_USER_METADATA).checked().is_ok());
    assert!(refused(user(MAX_USER_METADATA + 1)));
    // 2 bytes each, and base64 makes 4 of 3: 700 letters are 1,400 bytes here and 1,868 on the wire, and 12 around them.
    assert!(Attributes::new().user("n", "ü".repeat(700)).checked().is_ok());
    assert!(refused(Attributes::new().user("n", "ü".repeat(710))));
    let many = (0..100).fold(Attributes::new(), |all, i| all.user(format!("name-{i:04}"), "0123456789"));
    assert!(many.clone().checked().is_ok());
    assert!(refused(many.user("one-more", "x".repeat(100))));
}

// Etags and conditions

#[test]
fn etags_are_quoted_alike() {
    assert_eq!(ETag::new("abc"), ETag::new("\"abc\""));
    assert_eq!(ETag::new("abc").as_str(), "\"abc\"");
    assert_eq!(ETag::new("\"").as_str(), "\"\"\"");
    assert_eq!(ETag::new("").as_str(), "\"\"");
}

#[test]
fn conditions_compare_whole_seconds_and_etags_win_over_dates() {
    let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
    let meta = ObjectMeta {
        key: Key::new("a").unwrap(),
        size: 1,
        etag: ETag::new("now"),
        last_modified: at(10_400),
        version: None,
    };
    let none = Conditions::default;
    let (good, bad) = (|| Some(ETag::new("now")), || Some(ETag::new("old")));
    let (earlier, same, later) = (Some(at(9_999)), Some(at(10_900)), Some(at(11_000)));
    let (failed, current) = (Err(ErrorKind::PreconditionFailed), Err(ErrorKind::NotModified));
    for (conditions, expected) in [
        (none(), Ok(())),
        (Conditions { if_match: good(), ..none() }, Ok(())),
        (Conditions { if_match: bad(), ..none() }, failed),
        (Conditions { if_none_match: good(), ..none() }, current),
        (Conditions { if_none_match: bad(), ..none() }, Ok(())),
        (Conditions { if_modified_since: earlier, ..none() }, Ok(())),
        (Conditions { if_modified_since: same, ..none() }, current),
        (Conditions { if_modified_since: later, ..none() }, current),
        (Conditions { if_unmodified_since: earlier, ..none() }, failed),
        (Conditions { if_unmodified_since: same, ..none() }, Ok(())),
        (Conditions { if_unmodified_since: later, ..none() }, Ok(())),
        (Conditions { if_match: good(), if_unmodified_since: earlier, ..none() }, Ok(())),
        (Conditions { if_none_match: bad(), if_modified_since: later, ..none() }, Ok(())),
        (Conditions { if_match: bad(), if_none_match: good(), ..none() }, failed),
    ] {
        assert_eq!(conditions.check(&meta).map_err(|error| error.kind()), expected, "{conditions:?}");
    }
}

// Listings and tokens

fn query(prefix: &str) -> ListOptions {
    ListOptions::new().prefix(Prefix::new(prefix).unwrap())
}

#[test]
fn a_listing_begins_where_prefix_start_and_kind_say() {
    let (at, after) = (|text: &str| Bound::Included(text.to_owned()), |text: &str| Bound::Excluded(text.to_owned()));
    for (options, expected) in [
        (query(""), at("")),
        (query("a/"), at("a/")),
        (query("b").start_after("a"), at("b")),
        (query("b").start_after("b"), after("b")),
        (query("a/").start_after("a/x"), after("a/x")),
        (query("a/").start_after("c"), after("c")),
        (query("").start_after("a/x"), after("a/x")),
        (query("").delimited().start_after("a"), after("a")),
        (query("").delimited().start_after("a/"), at("a0")),
        (query("").delimited().start_after("a/x/y"), at("a0")),
        (query("a/").delimited().start_after("a/x/y"), at("a/x0")),
        (query("a/").delimited().start_after("a/x"), after("a/x")),
        (query("a").delimited().start_after("a-/x"), at("a-0")),
    ] {
        assert_eq!(options.first().unwrap(), expected, "{options:?}");
    }
}

#[test]
fn a_token_is_good_for_its_own_query_only() {
    let asked = query("a/").delimited().start_after("a/b");
    let token = Token::seal(&asked, "a/c");
    let stored = Token::new(token.as_str().to_owned());
    assert_eq!(stored.open(&asked).unwrap(), "a/c");
    assert_eq!(stored.open(&asked.clone().page_size(3).limit(9).concurrency(2)).unwrap(), "a/c", "a page is a page");
    assert_eq!(asked.clone().token(stored.clone()).first().unwrap(), Bound::Excluded("a/c".to_owned()));
    for other in [query("a/").delimited(), query("a/").start_after("a/b"), query("a").delimited().start_after("a/b")] {
        let error = other.clone().token(stored.clone()).first().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{other:?}");
        assert!(error.help().is_some());
    }
}

#[test]
fn a_token_is_the_same_in_every_build() {
    // Stored tokens outlive the program that gave them.
    assert_eq!(Token::seal(&query("a/"), "a/b").as_str(), "1b1d187f63c070109YS9i");
}

proptest! {
    #[test]
    fn tokens_carry_any_position(prefix in "([a-z]{1,3}/){0,2}", position in ".*", delimited: bool) {
        let mut asked = query(&prefix);
        asked.delimited = delimited;
        prop_assert_eq!(Token::seal(&asked, &position).open(&asked).unwrap(), position);
    }

    #[test]
    fn what_is_no_token_is_an_error_and_no_panic(text in ".{0,60}") {
        let error = Token::new(text).open(&query("")).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

// Payloads

proptest! {
    #[test]
    fn segments_are_joined_in_order(segments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6)) {
        let whole = segments.concat();
        let payload = Payload::from(segments.into_iter().map(bytes::Bytes::from).collect::<Vec<_>>());
        prop_assert_eq!(payload.len(), whole.len() as u64);
        prop_assert_eq!(payload.is_empty(), whole.is_empty());
        prop_assert_eq!(payload.into_bytes(), whole);
    }
}

#[test]
fn finely_cut_bytes_take_no_more_room_than_they_are() {
    let mut builder = PayloadBuilder::new();
    let large = bytes::Bytes::from(vec![7; 100_000]);
    let mut expected = Vec::new();
    for at in 0..200_000_u32 {
        builder.push(bytes::Bytes::from(vec![at as u8]));
        expected.push(at as u8);
    }
    builder.push(large.clone());
    builder.push("end".into());
    expected.extend_from_slice(&large);
    expected.extend_from_slice(b"end");
    assert_eq!((builder.len(), builder.is_empty()), (300_003, false));
    let payload = builder.finish();
    assert!(payload.segments().len() < 10, "{} segments", payload.segments().len());
    assert!(payload.segments().iter().any(|segment| segment.as_ptr() == large.as_ptr()), "a large piece is not copied");
    assert!(payload.into_bytes() == expected);
    assert!(PayloadBuilder::new().finish().is_empty());
}

// Errors

#[test]
fn an_error_is_one_line_that_says_what_where_and_what_to_do() {
    let error = Error::new(ErrorKind::PermissionDenied, "the bucket does not allow it")
        .with_help("look at its policy")
        .in_context(Operation::Put, "s3", Some("a\nb"));
    assert_eq!(
        error.to_string(),
        r#"put "a\nb" on s3: permission denied: the bucket does not allow it; look at its policy"#
    );
    assert_eq!(Error::not_found().to_string(), "not found: no such object; list what there is, or check the key");
}

#[test]
fn context_fills_in_and_never_overwrites() {
    let error = Error::not_found().in_context(Operation::Get, "local", Some("inner"));
    let error = error.in_context(Operation::Copy, "outer", Some("outer"));
    assert_eq!((error.operation(), error.backend(), error.key()), (Some(Operation::Get), Some("local"), Some("inner")));
}

#[test]
fn kinds_have_the_status_that_a_web_host_passes_on() {
    for (kind, status) in [
        (ErrorKind::NotModified, 304),
        (ErrorKind::InvalidKey, 400),
        (ErrorKind::InvalidInput, 400),
        (ErrorKind::Unauthenticated, 401),
        (ErrorKind::PermissionDenied, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::BackendNotFound, 404),
        (ErrorKind::AlreadyExists, 409),
        (ErrorKind::ObjectChanged, 409),
        (ErrorKind::PreconditionFailed, 412),
        (ErrorKind::RangeNotSatisfiable { size: 3 }, 416),
        (ErrorKind::Throttled, 429),
        (ErrorKind::Other, 500),
        (ErrorKind::Unsupported, 501),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Timeout, 504),
        (ErrorKind::OutOfSpace, 507),
    ] {
        assert_eq!(Error::new(kind, "").status(), status, "{kind}");
    }
}

#[test]
fn only_what_can_pass_is_retryable() {
    let retryable = [ErrorKind::Throttled, ErrorKind::Timeout, ErrorKind::Unavailable];
    let lasting = [
        ErrorKind::NotFound,
        ErrorKind::Unauthenticated,
        ErrorKind::PermissionDenied,
        ErrorKind::OutOfSpace,
        ErrorKind::OutcomeUnknown,
        ErrorKind::InvalidKey,
        ErrorKind::Other,
    ];
    assert!(retryable.iter().all(|kind| kind.is_retryable()));
    assert!(lasting.iter().all(|kind| !kind.is_retryable()));
}

#[test]
fn an_error_goes_through_io_and_comes_back_whole() {
    let error = Error::new(ErrorKind::ObjectChanged, "changed").with_key("a").unsent();
    let back = Error::from(std::io::Error::from(error));
    assert_eq!((back.kind(), back.key(), back.is_unsent()), (ErrorKind::ObjectChanged, Some("a"), true));

    let full = Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
    assert_eq!(full.kind(), ErrorKind::OutOfSpace);
    assert!(std::error::Error::source(&full).is_some(), "the cause is kept");
}

#[test]
fn an_error_is_one_pointer_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}
