//! Worker processes: the test binary itself, run again with a job in its environment.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[cfg(target_os = "linux")]
pub(crate) mod trace;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};

pub(crate) const JOB: &str = "STORAGE_LOCAL_TEST_JOB";

/// Begins what a traced worker says in the end.
pub(crate) const END: &str = "end: ";

/// Linux's own calls, and those of every Unix.
pub(crate) const BOTH_PATHS: [bool; 2] = [false, true];

/// Every key of a root, in order.
pub(crate) async fn keys(storage: &Storage) -> Vec<String> {
    storage.list_all("").await.unwrap().into_iter().map(|meta| meta.key.to_string()).collect()
}

/// A root as the tests open it: not durable, so that they take no time that says nothing.
pub(crate) fn open(path: &Path, portable: bool) -> Storage {
    let options = LocalOptions::new().create(true).portable(portable).durability(Durability::Fast);
    Storage::new(Local::open(path, options).unwrap())
}

/// The job of a worker process, if this process is one: its words after the root and the path taken.
pub(crate) fn job() -> Option<(Storage, Vec<String>)> {
    let job = std::env::var(JOB).ok()?;
    let mut words = job.split('\n').map(str::to_owned);
    let path = PathBuf::from(words.next()?);
    let portable = words.next()? == "portable";
    // Workers start together, once all of them are there.
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    Some((open(&path, portable), words.collect()))
}

/// A worker process; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts this test binary again; it waits until [`Worker::go`].
    pub(crate) fn start(root: &Path, portable: bool, words: &[&str]) -> Self {
        let path = if portable { "portable" } else { "native" };
        let job = [&[root.to_str().unwrap(), path], words].concat().join("\n");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
            .env(JOB, job)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Self { child, output };
        // The test runner may have begun the line.
        while !worker.line().ends_with("ready") {}
        worker
    }

    pub(crate) fn go(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap(), "go").unwrap();
    }

    /// The next line that the worker prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the worker ended without an answer");
        line.trim_end().to_owned()
    }

    /// What the worker answers at its end: the first line that begins with `answer `.
    pub(crate) fn answer(&mut self) -> u64 {
        loop {
            if let Some(answer) = self.line().strip_prefix("answer ") {
                return answer.parse().unwrap();
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every path under a directory, without the driver's empty control directory.
pub(crate) fn leftovers(root: &Path) -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            found.push(path.clone());
            if entry.file_type().unwrap().is_dir() {
                walk(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, &mut found);
    found.retain(|path| *path != root.join(".%ctl") && *path != root.join(".%ctl/tmp"));
    found
}
