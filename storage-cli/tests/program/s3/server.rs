//! `storage s3-server`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, Run};

/// A server that was started from the command line.
struct Started {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Started {
    fn new(bench: &Bench, args: &[&str]) -> Self {
        let mut command = bench.command(&[&["s3-server"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn end(self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert_eq!(self.child.wait_with_output().unwrap().status.code(), Some(130));
    }
}

#[test]
fn its_settings_lead_another_terminal_to_it() {
    let bench = Bench::with_files();
    let mut server = Started::new(&bench, &["my-bucket", "--secret-key", "it's-a-secret"]);
    let settings: String = (0..7).map(|_| server.line()).collect();
    let storage = bench.command(&[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "eval \"$SETTINGS\"; \"$STORAGE\" add README.md && exec \"$STORAGE\" ls -r"]);
    shell.current_dir(bench.path("")).env_clear().env("SETTINGS", &settings).env("STORAGE", storage.get_program());
    let run = Run::of(shell.output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{settings}{run:?}");
    assert!(run.out.ends_with("2eb6f3d85c8037648139f3ae51ee5274/README.md\n"), "{run:?}");
    let check = server.line();
    assert!(check.starts_with("200 ListObjectsV2 ") && check.contains("/my-bucket?"), "it tells requests: {check}");
    server.end();
}
