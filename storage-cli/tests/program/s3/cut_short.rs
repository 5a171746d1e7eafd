//! Ctrl-C and a request to terminate, in the middle of what goes to S3 or comes from it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use s3_test_server::{Fault, FaultAction};

use super::place::{BUCKET, Place, until};
use crate::bench::{Run, files};

fn start(s3: &Place, args: &[&str]) -> Child {
    s3.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Ends a program by a signal: it obeys at once, and says so in one line.
fn end(child: Child, signal: Signal) {
    let started = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    let code = if signal == Signal::INT { 130 } else { 143 };
    assert_eq!((run.code, run.err.lines().count()), (Some(code), 1), "{run:?}");
    assert!(run.err.contains("interrupted"), "{run:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn a_large_upload_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let s3 = Place::new();
        std::fs::File::create(s3.path("large")).unwrap().set_len(64 << 20).unwrap();
        s3.server.inject(Fault::new(FaultAction::Hang).on("UploadPart").nth(3));
        let child = start(&s3, &["cp", "large", "@data/copy"]);
        until("two parts", || s3.count("UploadPart") >= 2);
        assert_eq!(s3.server.unfinished_uploads(BUCKET), 1);
        end(child, signal);
        assert_eq!(s3.server.unfinished_uploads(BUCKET), 0);
        assert_eq!(s3.run(&["ls", "-r"]).ok().out, "");
    }
}

/// The abort that the service does not answer keeps nobody waiting.
#[test]
fn a_service_that_falls_silent_delays_the_end_but_little() {
    let s3 = Place::new();
    std::fs::File::create(s3.path("large")).unwrap().set_len(64 << 20).unwrap();
    s3.server.inject(Fault::new(FaultAction::Hang).on("UploadPart").nth(3));
    s3.server.inject(Fault::new(FaultAction::Hang).on("AbortMultipartUpload"));
    let child = start(&s3, &["cp", "large", "@data/copy"]);
    until("two parts", || s3.count("UploadPart") >= 2);
    end(child, Signal::INT);
    assert_eq!(s3.server.unfinished_uploads(BUCKET), 1, "for the sweep");
}

#[test]
fn a_copy_of_many_leaves_whole_objects() {
    let s3 = Place::new();
    for i in 0..300 {
        s3.write(&format!("many/{i:03}"), "the whole text");
    }
    s3.server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(20))).on("PutObject"));
    let child = start(&s3, &["cp", "-r", "many", "@data"]);
    until("some objects", || s3.count("PutObject") >= 20);
    end(child, Signal::TERM);
    s3.server.clear_faults();
    let listed = s3.run(&["ls", "-r", "--json"]).ok().json();
    assert!((20..300).contains(&listed.len()), "{}", listed.len());
    assert!(listed.iter().all(|line| line["size"] == 14), "{listed:?}");
}

#[test]
fn a_download_leaves_no_file() {
    let s3 = Place::new();
    // It costs no room, and reading it takes far longer than the test.
    s3.server.synthetic_object(BUCKET, "data/film", 64 << 30);
    std::fs::create_dir(s3.path("out")).unwrap();
    let child = start(&s3, &["cp", "-r", "@data", "out"]);
    until("some bytes", || files(&s3.path("out")).iter().any(|(_, size)| *size > 0));
    end(child, Signal::INT);
    assert_eq!(files(&s3.path("out")), []);
}
