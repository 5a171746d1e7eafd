//! `storage conformance` on a bucket where not all can be removed: no rule is blamed, and all that can go goes.

use s3_test_server::{Fault, FaultAction, ServerOptions, User};
use serde_json::Value;

use super::place::{BUCKET, Place};
use crate::bench::Run;

const PLACE: &str = "s3://my-bucket/below";

/// Rules that hold on any service, and leave objects of which their roots are cleared.
const RULES: &str = "D01,L02,C03";

/// A bucket, and a user who may not do these operations.
fn denied(operations: &[&str]) -> (Place, [(&'static str, &'static str); 2]) {
    let user = User::new("his-secret-key").deny(operations.iter().copied());
    let s3 = Place::with(ServerOptions::new().user("his-access-key", user));
    (s3, [("AWS_ACCESS_KEY_ID", "his-access-key"), ("AWS_SECRET_ACCESS_KEY", "his-secret-key")])
}

/// The report of a run that ends so, which held every rule it asked.
#[track_caller]
fn held(run: &Run, code: i32) -> Value {
    assert_eq!((run.code, run.err.as_str()), (Some(code), ""), "{run:?}");
    let report = run.json().remove(0);
    assert_eq!((&report["totals"]["fail"], &report["totals"]["pass"]), (&0.into(), &3.into()), "{report}");
    report["clean_up"].clone()
}

#[test]
fn who_may_not_list_uploads_breaks_no_rule_and_leaves_no_object() {
    let (s3, his) = denied(&["ListMultipartUploads"]);
    let args = ["conformance", PLACE, "--rules", RULES];
    let cleaned = held(&s3.run_with(&his, &[&args[..], &["--json"]].concat()), 1);
    assert_eq!(cleaned["outcome"], "failed");
    assert!(cleaned["reason"].as_str().unwrap().contains("s3:ListBucketMultipartUploads"), "{cleaned}");
    let words = s3.run_with(&his, &[&args[..], &["--html", "page.html"]].concat());
    assert_eq!(words.code, Some(1), "{words:?}");
    assert_eq!(words.out.matches("s3:ListBucketMultipartUploads").count(), 1, "it is told once: {words:?}");
    assert!(words.out.contains("fail      clean up  conformance-"), "{words:?}");
    assert!(s3.read("page.html").contains("s3:ListBucketMultipartUploads"));
    assert_eq!(s3.versions(), [], "every object is gone");
}

#[test]
fn a_service_that_lists_no_uploads_breaks_no_rule() {
    let s3 = Place::new();
    s3.server.inject(Fault::new(FaultAction::FlipByte).on("ListMultipartUploads").times(u64::MAX));
    let cleaned = held(&s3.run(&["conformance", PLACE, "--rules", RULES, "--json"]), 1);
    assert_eq!(cleaned["outcome"], "failed", "{cleaned}");
    assert_eq!(s3.versions(), []);
}

#[test]
fn versions_that_stay_are_told_with_the_right_that_is_missing() {
    for (operation, right) in
        [("ListObjectVersions", "s3:ListBucketVersions"), ("DeleteObjectVersion", "s3:DeleteObjectVersion")]
    {
        let (s3, his) = denied(&[operation]);
        s3.server.set_versioning(BUCKET, true);
        let cleaned = held(&s3.run_with(&his, &["conformance", PLACE, "--rules", RULES, "--json"]), 1);
        assert_eq!(cleaned["outcome"], "failed", "{cleaned}");
        assert!(cleaned["reason"].as_str().unwrap().contains(right), "{cleaned}");
        assert_eq!(
            s3.run(&["ls", "-r", "s3://my-bucket"]).ok().out,
            "",
            "{operation}: of no object the newest is left"
        );
    }
}

#[test]
fn where_nobody_says_whether_versions_are_kept_it_is_said_that_they_may_stay() {
    let (s3, his) = denied(&["GetBucketVersioning", "ListObjectVersions"]);
    s3.server.set_versioning(BUCKET, true);
    let run = s3.run_with(&his, &["conformance", PLACE, "--rules", RULES, "--json"]);
    let cleaned = held(&run, 0);
    assert_eq!(cleaned["outcome"], "unseen");
    assert!(cleaned["reason"].as_str().unwrap().contains("versions"), "{cleaned}");
    // Those who may list them may remove them, whatever the bucket says.
    let (s3, his) = denied(&["GetBucketVersioning"]);
    s3.server.set_versioning(BUCKET, true);
    let cleaned = held(&s3.run_with(&his, &["conformance", PLACE, "--rules", RULES, "--json"]), 0);
    assert_eq!((&cleaned["outcome"], s3.versions()), (&"done".into(), vec![]));
}

/// A place whose reads are damaged.
fn damaged() -> Place {
    let s3 = Place::new();
    s3.server.inject(Fault::new(FaultAction::FlipByte).on("GetObject").times(u64::MAX));
    s3
}

#[test]
fn a_report_that_fails_wins_over_a_pipe_that_is_closed() {
    let s3 = damaged();
    let args = ["conformance", PLACE, "memory://place", "--rules", "R02", "--html", "page.html"];
    for json in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = s3.command(&[&args[..], json].concat()).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let page = s3.read("page.html");
        assert!(page.contains("breaks it") && page.contains("<th>memory://place</th>"), "both places: {page}");
    }
    s3.server.clear_faults();
    let (_, writer) = std::io::pipe().unwrap();
    let output = s3.command(&args).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "nothing fails, and nobody reads that: {output:?}");
}

#[test]
fn the_line_to_ask_again_can_be_pasted_into_a_shell() {
    let s3 = damaged();
    s3.write("my settings.toml", "");
    let failing = |rules: &str| {
        let run = s3.run(&["conformance", "s3://my-bucket/a b", "--rules", rules, "--settings", "my settings.toml"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        run.out.lines().last().unwrap().to_owned()
    };
    let begins = "again: storage --settings 'my settings.toml' conformance 's3://my-bucket/a b' --rules ";
    assert_eq!(failing("R02"), format!("{begins}r02_end_is_clamped --seed 1"));
    assert_eq!(failing("K,R"), format!("{begins}K,R --seed 1"), "many are not named one by one");
}

/// The run that starts it has looked at the place; a look that fails in a passing moment is no finding of a rule.
#[test]
fn a_process_of_a_rule_does_not_look_at_the_place_again() {
    let s3 = Place::new();
    s3.run(&["conformance", PLACE, "--worker"]).refused(2, &["--worker"]);
    assert_eq!(s3.server.counts().total(), 0, "{}", s3.server.counts());
}
