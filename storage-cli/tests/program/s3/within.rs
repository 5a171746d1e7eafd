//! What takes the bytes through the program, and what leaves them with the service.

use std::collections::BTreeMap;

use s3_test_server::{Conditions, ServerOptions};

use super::place::{BUCKET, Place};

/// How many requests took an object's bytes there or here; a probe of conditions has its own names.
fn with_bytes(s3: &Place) -> usize {
    let requests = s3.server.requests();
    let taking =
        requests.iter().filter(|request| ["GetObject", "PutObject", "UploadPart"].contains(&request.operation));
    taking.filter(|request| !request.target.contains("storage-probe-")).count()
}

/// A place whose bucket holds `from/a.txt`, `from/sub/b c.txt` and, in the data root, `data/a.txt`.
fn place() -> Place {
    let s3 = Place::new();
    s3.run(&["cp", "-r", "docs", "s3://my-bucket/from"]).ok();
    s3.run(&["cp", "docs/a.txt", "@data"]).ok();
    s3.server.reset_counts();
    s3
}

#[test]
fn copies_and_moves_in_one_bucket_stay_with_the_service() {
    let s3 = place();
    let ways: [&[&str]; 6] = [
        &["cp", "s3://my-bucket/from/a.txt", "s3://my-bucket/one"],
        &["cp", "-r", "s3://my-bucket/from", "s3://my-bucket/to"],
        &["cp", "@data/a.txt", "@system/from data"],
        &["cp", "-r", "s3://my-bucket/from", "@cache"],
        &["mv", "@data/a.txt", "s3://my-bucket/moved"],
        &["mv", "-r", "s3://my-bucket/to", "s3://my-bucket/there"],
    ];
    for args in ways {
        s3.run(args).ok();
        assert_eq!(with_bytes(&s3), 0, "{args:?}: {}", s3.server.counts());
    }
    let keys = s3.run(&["ls", "-r", "s3://my-bucket"]).ok();
    let expected = [
        "cache/a.txt",
        "cache/sub/b c.txt",
        "from/a.txt",
        "from/sub/b c.txt",
        "moved",
        "one",
        "system/from data",
        "there/a.txt",
        "there/sub/b c.txt",
    ];
    assert_eq!(keys.names(), expected);
    assert_eq!(s3.run(&["cat", "@system/from data", "s3://my-bucket/moved"]).ok().out, "a\na\n");
}

#[test]
fn two_buckets_take_the_bytes_through() {
    let s3 = place();
    s3.server.create_bucket("other-bucket");
    s3.run(&["cp", "-r", "s3://my-bucket/from", "s3://other-bucket/there"]).ok();
    assert_eq!((s3.count("GetObject"), s3.count("PutObject")), (2, 2));
    s3.run(&["mv", "@data/a.txt", "s3://other-bucket/"]).ok();
    let keys = s3.run(&["ls", "-r", "s3://other-bucket"]).ok();
    assert_eq!(keys.names(), ["a.txt", "there/a.txt", "there/sub/b c.txt"]);
    s3.run(&["cat", "@data/a.txt"]).refused(3, &["a.txt"]);
}

/// What was moved is removed only if it is still what was read, where the service can tell.
#[test]
fn a_move_to_elsewhere_removes_its_source_with_and_without_conditions() {
    for conditions in [Conditions::KEPT, Conditions::IGNORED] {
        let s3 = Place::with(ServerOptions::new().conditions(conditions.clone()));
        s3.run(&["cp", "README.md", "@data/x"]).ok();
        s3.run(&["mv", "@data/x", "moved"]).ok();
        assert_eq!((s3.read("moved"), s3.run(&["ls", "-r"]).ok().out), ("read me\n".to_owned(), String::new()));
        let mut deletes = s3.server.requests().into_iter().filter(|request| request.target.ends_with("/data/x"));
        let last = deletes.rfind(|request| request.operation == "DeleteObject").unwrap();
        assert_eq!(last.header("if-match").is_some(), conditions.delete_if_match, "{last:?}");
    }
}

#[test]
fn a_large_file_goes_in_parts_and_comes_back_whole() {
    let s3 = Place::new();
    let large: String = (0..2_621_440).map(|i| format!("{i:07}\n")).collect();
    assert_eq!(large.len(), 20 << 20);
    s3.write("large", &large);
    s3.run(&["cp", "large", "@data/"]).ok();
    let counts = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"].map(|name| s3.count(name));
    assert_eq!(counts, [1, 3, 1]);
    s3.run(&["cp", "@data/large", "@data/copy"]).ok();
    s3.run(&["cp", "@data/copy", "back"]).ok();
    assert!(s3.read("back") == large, "it differs");
    assert_eq!(s3.server.unfinished_uploads(BUCKET), 0);
}

/// Whoever only looks changes nothing, and asks nothing that would need the right to write.
#[test]
fn roots_only_looks() {
    let s3 = Place::new();
    let run = s3.run(&["roots"]).ok();
    assert_eq!(run.out.matches("exists").count(), 3, "{}", run.out);
    assert!(run.out.contains("conditions not probed yet") && run.out.contains("shared by processes"), "{}", run.out);
    let asked: BTreeMap<_, _> = s3.server.counts().iter().collect();
    assert_eq!(asked, BTreeMap::from([("ListObjectsV2", 6)]));
    let line = &s3.run(&["roots", "--json"]).ok().json()[0];
    assert_eq!((&line["location"], &line["state"]), (&"s3://my-bucket/data".into(), &"exists".into()));
    assert_eq!(line["capabilities"]["put_create_only"], "unprobed");
}
