//! Ctrl-C and a request to terminate: nothing half done stays.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, files};

#[test]
fn ctrl_c_in_a_large_copy_leaves_nothing() {
    interrupted_copy_leaves_nothing(Signal::INT, 130);
}

#[test]
fn a_request_to_terminate_leaves_nothing() {
    interrupted_copy_leaves_nothing(Signal::TERM, 143);
}

fn interrupted_copy_leaves_nothing(signal: Signal, code: i32) {
    let bench = Bench::new();
    // Sparse: it costs no room, and its copy takes far longer than the test.
    std::fs::File::create(bench.path("large")).unwrap().set_len(64 << 30).unwrap();
    let mut child = bench.command(&["cp", "large", "@data/copy"]).stderr(Stdio::piped()).spawn().unwrap();
    let data = bench.path(".storage/data");
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&data).iter().all(|(_, size)| *size == 0) {
        assert!(Instant::now() < deadline, "the copy never began");
        assert!(child.try_wait().unwrap().is_none(), "the copy ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    assert_eq!(files(&data), []);
    assert_eq!(bench.run(&["ls", "-r"]).ok().out, "");
}
