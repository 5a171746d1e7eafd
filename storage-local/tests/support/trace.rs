//! Operations of a worker process under `strace`: what they call, and what becomes of them when a call kills the
//! process or fails.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{END, JOB};

/// The name of the worker's one thread that makes file system calls.
pub(crate) const THREAD: &str = "file-calls";

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It is written down.
    Logged,
    /// The process is killed before it, as by `kill -9`.
    Killed,
    /// It fails with this error.
    Fails(&'static str),
    /// It waits so many milliseconds.
    Delayed(u32),
}

/// Why the calls of another process cannot be watched here; none where they can.
pub(crate) fn missing() -> Option<String> {
    let mut sleeper = Command::new("sleep").arg("60").spawn().ok()?;
    let tried = attach(sleeper.id(), &["-e", "trace=none"]);
    let _ = sleeper.kill().and_then(|()| sleeper.wait());
    match tried {
        Ok(mut strace) => {
            let _ = strace.wait();
            None
        }
        Err(reason) => Some(reason),
    }
}

/// Starts `strace` on a thread and waits until it has attached.
fn attach(thread: u32, arguments: &[&str]) -> Result<Child, String> {
    let mut strace = Command::new("strace")
        .args(["-p", &thread.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("strace cannot be started: {error}"))?;
    let mut line = String::new();
    let mut said = BufReader::new(strace.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    if !line.contains("attached") {
        let _ = strace.wait();
        return Err(line.trim_end().to_owned());
    }
    // It must not fill the pipe; what it still says ends with it.
    std::thread::spawn(move || said.read_to_string(&mut String::new()));
    Ok(strace)
}

/// How a worker ended.
pub(crate) struct Ended {
    /// What it said in the end; none where it was killed.
    pub(crate) answer: Option<String>,
    /// The calls, where they were logged, in order.
    pub(crate) calls: Vec<String>,
}

/// Runs an operation in a worker of this test binary, which opens the root as `opened` says; its `when`-th call named
/// `call` meets the fate.
pub(crate) fn run(root: &Path, opened: &str, operation: &str, call: &str, when: usize, fate: Fate) -> Ended {
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .env(JOB, [root.to_str().unwrap(), opened, operation].join("\n"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(worker.stdout.take().unwrap());
    let mut line = String::new();
    while !line.trim_end().ends_with("ready") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the worker ended before {operation}");
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let inject = match fate {
        Fate::Logged => format!("trace={call}"),
        Fate::Killed => format!("inject={call}:signal=SIGKILL:when={when}"),
        Fate::Delayed(millis) => format!("inject={call}:delay_enter={}:when={when}", millis * 1000),
        Fate::Fails(error) => format!("inject={call}:error={error}:when={when}"),
    };
    let mut strace = attach(thread(worker.id()), &["-o", log.path().to_str().unwrap(), "-y", "-e", &inject]).unwrap();
    writeln!(worker.stdin.as_mut().unwrap(), "go").unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    worker.wait().unwrap();
    strace.wait().unwrap();
    let answer = said.lines().find_map(|line| line.strip_prefix(END)).map(str::to_owned);
    let calls = std::fs::read_to_string(log.path()).unwrap().lines().map(str::to_owned).collect();
    Ended { answer, calls }
}

fn thread(process: u32) -> u32 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let named = |task: &std::path::PathBuf| std::fs::read_to_string(task.join("comm")).unwrap().trim_end() == THREAD;
    let task = tasks.map(|task| task.unwrap().path()).find(named).expect("the worker has its thread");
    task.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// How often each call was made.
pub(crate) fn counts(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for name in calls.iter().filter_map(|line| line.split_once('(')).map(|(name, _)| name) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}
