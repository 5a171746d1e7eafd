//! Credentials that may do some things and not others.

use s3_test_server::{ServerOptions, User};

use super::place::Place;

/// A place with an object `data/x`, and the settings of a user who may not do these operations.
fn place(denied: &[&str]) -> (Place, [(&'static str, &'static str); 2]) {
    let user = User::new("his-secret-key").deny(denied.iter().copied());
    let s3 = Place::with(ServerOptions::new().user("his-access-key", user));
    s3.run(&["cp", "README.md", "@data/x"]).ok();
    (s3, [("AWS_ACCESS_KEY_ID", "his-access-key"), ("AWS_SECRET_ACCESS_KEY", "his-secret-key")])
}

#[test]
fn who_may_not_list_can_still_read_and_write() {
    let (s3, his) = place(&["ListObjectsV2"]);
    for args in [&["ls"][..], &["ls", "-r", "s3://my-bucket"], &["stat", "@data"], &["cp", "-r", "@data", "out"]] {
        s3.run_with(&his, args).refused(4, &["permission denied", "s3:ListBucket", "my-bucket"]);
    }
    let run = s3.run_with(&his, &["roots"]);
    assert_eq!(run.out.matches("exists; this user may not list it").count(), 3, "{}", run.out);
    run.refused(4, &["the data root", "s3:ListBucket"]);
    s3.run_with(&his, &["add", "README.md", "a note"]).ok();
    s3.run_with(&his, &["cp", "README.md", "@data/y"]).ok();
    assert_eq!(s3.run_with(&his, &["cat", "@data/y"]).ok().out, "read me\n");
}

#[test]
fn who_may_not_write_can_still_read() {
    let (s3, his) = place(&["PutObject", "CreateMultipartUpload"]);
    for args in [&["add", "README.md"][..], &["add", "a note"], &["cp", "README.md", "@data/y"]] {
        s3.run_with(&his, args)
            .refused(4, &["permission denied", "s3:PutObject", "the data root is s3://my-bucket/data"]);
    }
    s3.run_with(&his, &["cp", "README.md", "s3://my-bucket/y"]).refused(4, &["s3:PutObject"]);
    assert_eq!(s3.run_with(&his, &["ls"]).ok().names(), ["x"]);
    assert_eq!(s3.run_with(&his, &["cat", "@data/x"]).ok().out, "read me\n");
    s3.run_with(&his, &["roots"]).ok();
    assert_eq!(s3.run(&["ls", "-r", "s3://my-bucket"]).ok().names(), ["data/x"], "nothing was changed");
}

#[test]
fn who_may_not_read_can_still_list() {
    let (s3, his) = place(&["GetObject", "HeadObject"]);
    for args in
        [&["cat", "@data/x"][..], &["cp", "@data/x", "out"], &["stat", "@data/x"], &["cp", "-r", "@data", "out"]]
    {
        s3.run_with(&his, args).refused(4, &["permission denied", "s3:GetObject", "\"x\""]);
    }
    assert!(!s3.exists("out"));
    assert_eq!(s3.run_with(&his, &["ls"]).ok().names(), ["x"]);
    s3.run_with(&his, &["roots"]).ok();
}

#[test]
fn who_may_not_delete_loses_nothing() {
    let (s3, his) = place(&["DeleteObject", "DeleteObjects"]);
    for args in [&["rm", "@data/x"][..], &["rm", "-r", "--all", "@data"], &["mv", "@data/x", "out"]] {
        s3.run_with(&his, args).refused(4, &["s3:DeleteObject"]);
    }
    assert_eq!(s3.run(&["cat", "@data/x"]).ok().out, "read me\n");
}
