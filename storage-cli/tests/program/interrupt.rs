//! Ctrl-C and a request to terminate: nothing half done stays.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, files};

#[test]
fn ctrl_c_in_a_large_copy_leaves_nothing() {
    leaves_nothing(&["cp", "large", "@data/copy"], ".storage/data", Signal::INT, 130);
}

#[test]
fn a_request_to_terminate_leaves_nothing() {
    leaves_nothing(&["cp", "large", "@data/copy"], ".storage/data", Signal::TERM, 143);
}

#[test]
fn a_terminal_that_is_gone_leaves_nothing() {
    leaves_nothing(&["cp", "large", "@data/copy"], ".storage/data", Signal::HUP, 143);
}

#[test]
fn ctrl_c_while_a_digest_is_taken_leaves_no_temporary_file() {
    leaves_nothing(&["add", "large"], "tmp", Signal::INT, 130);
}

/// What `nohup` starts goes on when the terminal is gone.
#[test]
fn who_is_told_to_ignore_a_hang_up_does() {
    let bench = Bench::new();
    std::fs::File::create(bench.path("large")).unwrap().set_len(256 << 20).unwrap();
    let program = bench.command(&[]).get_program().to_owned();
    let mut command = std::process::Command::new("/usr/bin/nohup");
    command.arg(program).args(["cp", "large", "@data/copy"]).current_dir(bench.path("")).env_clear();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&bench.path(".storage/data")).is_empty() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "nothing was ever written");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Runs the program until it has written something to a directory, ends it by a signal, and looks for what is left.
fn leaves_nothing(args: &[&str], written: &str, signal: Signal, code: i32) {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("tmp")).unwrap();
    // Sparse: it costs no room, and reading it takes far longer than the test.
    std::fs::File::create(bench.path("large")).unwrap().set_len(64 << 30).unwrap();
    let mut command = bench.command(args);
    let mut child = command.env("TMPDIR", bench.path("tmp")).stderr(Stdio::piped()).spawn().unwrap();
    let written = bench.path(written);
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&written).iter().all(|(_, size)| *size == 0) {
        assert!(Instant::now() < deadline, "nothing was ever written");
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    assert_eq!(files(&written), []);
    assert_eq!(bench.run(&["ls", "-r"]).ok().out, "");
}
