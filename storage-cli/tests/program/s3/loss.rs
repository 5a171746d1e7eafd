//! Answers that are lost, and services that go away half-way.

use std::time::{Duration, Instant};

use s3_test_server::{Fault, FaultAction};

use super::place::{BUCKET, Place};

/// A directory `many` of 300 files.
fn place() -> Place {
    let s3 = Place::new();
    for i in 0..300 {
        s3.write(&format!("many/{i:03}"), &format!("the text of {i}"));
    }
    s3
}

#[test]
fn one_answer_in_ten_lost_costs_nothing() {
    let s3 = place();
    let lost = s3.server.inject(Fault::new(FaultAction::ResetAfterRequest).on("PutObject").every(10));
    let lines = s3.run(&["cp", "-r", "--json", "many", "@data"]).ok().json();
    assert_eq!(lines.len(), 300);
    assert!(lost.hits() >= 30, "{}", lost.hits());
    lost.remove();
    let lost = s3.server.inject(Fault::new(FaultAction::ResetAfterRequest).on("GetObject").every(10));
    s3.run(&["cp", "-r", "@data", "back"]).ok();
    assert!(lost.hits() >= 30, "{}", lost.hits());
    for i in 0..300 {
        assert_eq!(s3.read(&format!("back/{i:03}")), format!("the text of {i}"));
    }
}

#[test]
fn content_is_added_once_where_answers_are_lost() {
    let s3 = place();
    // The first requests find out whether the service keeps create-only puts.
    let lost = s3.server.inject(Fault::new(FaultAction::ResetAfterRequest).key_contains("data/").nth(40).every(10));
    let run = s3.run(&["add", "many"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.out.ends_with("300 objects written, 0 already there\n"), "{}", run.out);
    assert!(lost.hits() >= 25, "{}", lost.hits());
}

/// A service that answered the check and then nothing more: one error, after the time that the settings allow, and not
/// once for each of the objects.
#[test]
fn a_service_that_falls_silent_ends_a_long_copy() {
    let s3 = place();
    s3.server.inject(Fault::new(FaultAction::Hang).on("PutObject").nth(100));
    let started = Instant::now();
    let limits = [("STORAGE_S3_ANSWER_TIMEOUT", "300ms"), ("STORAGE_S3_OPERATION_TIMEOUT", "1s")];
    let run = s3.run_with(&limits, &["cp", "-r", "many", "@data"]);
    let elapsed = started.elapsed();
    run.refused(1, &["outcome unknown", "an answer took longer than"]);
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[test]
fn a_service_that_goes_away_ends_a_long_copy() {
    for to_s3 in [true, false] {
        let s3 = place();
        s3.run(&["cp", "-r", "many", "@system"]).ok();
        let operation = if to_s3 { "PutObject" } else { "GetObject" };
        s3.server.reset_counts();
        s3.server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(20))).on(operation));
        let args = if to_s3 { ["cp", "-r", "many", "@data"] } else { ["cp", "-r", "@system", "back"] };
        let mut command = s3.command(&args);
        let child = command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        super::place::until("some objects", || s3.count(operation) >= 50);
        let _bench = s3.stop();
        let started = Instant::now();
        let run = crate::bench::Run::of(child.wait_with_output().unwrap());
        let elapsed = started.elapsed();
        run.refused(1, &["http://127.0.0.1", "no connection: "]);
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    }
}

/// What a failed write had sent is not left at a service that can still be reached.
#[test]
fn a_write_that_fails_leaves_no_unfinished_upload() {
    let s3 = Place::new();
    s3.write("large", &"0123456789abcdef".repeat(1 << 20));
    s3.server.inject(Fault::status(403, "AccessDenied").on("UploadPart").nth(2));
    s3.run(&["cp", "large", "@data/x"]).refused(4, &["s3:PutObject"]);
    assert_eq!(s3.server.unfinished_uploads(BUCKET), 0);
    assert_eq!(s3.run(&["ls", "-r"]).ok().out, "");
}
