//! Locations: what each text means, what comes back of it, what is refused and why (rules K15, S09).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use storage_core::{ErrorKind, Key, Location};

fn object(text: &str) -> (String, String, String) {
    match Location::parse(text) {
        Ok(Location::Object(object)) => (object.scheme, object.container, object.path),
        other => panic!("{text:?} gave {other:?}"),
    }
}

fn path(text: &str) -> PathBuf {
    match Location::parse(text) {
        Ok(Location::File(path)) => path,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn object_locations_are_taken_apart() {
    let cases = [
        ("s3://bucket", "s3", "bucket", ""),
        ("s3://bucket/", "s3", "bucket", ""),
        ("S3://Bucket/A/b", "s3", "Bucket", "A/b"),
        ("s3://bucket/a//", "s3", "bucket", "a//"),
        ("s3://bucket/a@b", "s3", "bucket", "a@b"),
        ("s3://bucket/ lead", "s3", "bucket", " lead"),
        ("memory://", "memory", "", ""),
        ("MEMORY://name/x", "memory", "name", "x"),
        ("gs://b/x", "gs", "b", "x"),
    ];
    for (text, scheme, container, path) in cases {
        assert_eq!(object(text), (scheme.to_owned(), container.to_owned(), path.to_owned()), "{text}");
    }
}

#[test]
fn only_three_percent_codes_are_decoded_in_object_locations() {
    let cases = [
        ("a%23b%3Fc", "a#b?c"),
        ("a%3fc", "a?c"),
        ("100%25.txt", "100%.txt"),
        ("100%2525.txt", "100%25.txt"),
        ("a%2Fb", "a%2Fb"),
        ("%2e%2e", "%2e%2e"),
        ("50%", "50%"),
        ("%é", "%é"),
        ("a#b", "a#b"),
        ("&amp;+ ~", "&amp;+ ~"),
    ];
    for (written, meant) in cases {
        assert_eq!(object(&format!("memory://m/{written}")).2, meant, "{written}");
    }
}

#[test]
fn file_urls_are_percent_encoded_and_plain_paths_are_literal() {
    assert_eq!(path("file:///dir/a%20b%2Fc"), Path::new("/dir/a b/c"));
    assert_eq!(path("FILE://localhost/dir"), Path::new("/dir"));
    assert_eq!(path("file:/dir"), Path::new("/dir"));
    for literal in ["/dir/a%20b", "./x", "x", "../x", "/a?b#c", "/a://b", "./s3://b", "~user/x", "a:b", "./s3:x"] {
        assert_eq!(path(literal), Path::new(literal), "{literal}");
    }
}

#[test]
fn a_tilde_is_the_home_directory() {
    let home = std::env::home_dir().expect("the tests run with a home directory");
    assert_eq!(path("~"), home);
    assert_eq!(path("~/x/y"), home.join("x/y"));
    assert_eq!(path("./~"), Path::new("./~"));
}

#[test]
fn uris_open_what_they_were_made_of() {
    let roots = ["s3://bucket", "s3://bucket/pre/fix", "memory://name", "memory://name/p", "/dir", "/d ir/ü%"];
    let names = [
        "a",
        "a/b",
        " lead",
        "trail ",
        "a.",
        "a#b?c",
        "100%25.txt",
        "%2F",
        "%2e%2e",
        "&amp;",
        "é",
        "e\u{301}",
        "% + ? # & = \\ * : \" < > | ~ ^ [ ] { } ' , ; @ ! $",
        "😀",
        "r#0",
        "x.tmp",
    ];
    for root in roots.map(|root| Location::parse(root).unwrap()) {
        for key in names.map(|name| Key::new(name).unwrap()) {
            let uri = root.uri(&key);
            let parsed = Location::parse(&uri).unwrap();
            assert_eq!(parsed.key_under(&root), Some(key), "{uri}");
            assert_eq!(parsed.to_string(), uri);
        }
    }
}

#[test]
fn what_is_no_location_is_refused_with_what_would_be_right() {
    let cases = [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("S3:/x", "two slashes"),
        ("s3:bucket", "two slashes"),
        ("gs:/bucket", "two slashes"),
        ("memory:name", "two slashes"),
        (" s3://bucket", "written wrong"),
        ("s3//bucket/x", "written wrong"),
        ("\"s3://bucket\"", "written wrong"),
        ("s_3://bucket", "written wrong"),
        ("://bucket", "written wrong"),
        ("s3://", "no container"),
        ("s3:///key", "no container"),
        ("memory:///key", "no addresses"),
        ("file://host/dir", "no host"),
        ("file://dir", "no host"),
        ("file:///a?b", "neither query nor fragment"),
        ("s3://b/a?versionId=1", "versionId"),
        ("memory://m/a?x", "no option"),
    ];
    for (text, reason) in cases {
        let error = Location::parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}");
        assert!(error.message().contains(reason), "{text:?}: {error}");
        assert!(error.help().is_some() || text.contains('\0'), "{text:?}: {error}");
    }
}

#[test]
fn a_password_is_refused_and_not_repeated() {
    let texts = [
        "s3://user:hunter2@bucket/x",
        "s3://user:hunter2/with/slashes@bucket/x",
        "s3:/user:hunter2@bucket",
        "s3//user:hunter2@bucket",
        "gs://hunter2@b",
        "https://user:hunter2@host/x",
        "file://u:hunter2@h",
    ];
    for text in texts {
        let error = Location::parse(text).expect_err(text);
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    assert!(Location::parse("redis://host:6379/x").is_ok(), "a port is no password");
}

#[test]
fn a_location_splits_into_a_container_and_what_is_in_it() {
    let cases = [
        ("s3://b/x/y", "s3://b", "x/y"),
        ("s3://b/x/", "s3://b", "x/"),
        ("memory://m", "memory://m", ""),
        // What no key can hold is the root's.
        ("s3://b/x//y/z", "s3://b/x//", "y/z"),
        ("s3://b/x//", "s3://b/x//", ""),
        ("s3://b//x", "s3://b//", "x"),
        ("s3://b///", "s3://b///", ""),
        ("/dir/file", "file:///dir", "file"),
        ("/dir/", "file:///dir/", ""),
        ("file", ".", "file"),
    ];
    for (text, container, rest) in cases {
        let (root, inside) = Location::parse(text).unwrap().split();
        assert_eq!((root.to_string().as_str(), inside.as_str()), (container, rest), "{text}");
    }
}
