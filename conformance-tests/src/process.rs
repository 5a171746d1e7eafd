//! Other processes on the same root: the test binary itself, started again with nothing but its worker test.
//!
//! A worker says that it is ready, takes a command a line on its standard input, and answers each in one line that
//! begins with [`MARK`], so that the test runner's own lines are told apart. It ends with its input.

use std::ffi::OsString;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use storage_core::{PutOptions, Result, Storage};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::context::{part_not_asked, waive_part};
use crate::deep::register;
use crate::harness::Harness;
use crate::race;
use crate::rules::shortages;
use crate::support;

/// Names the root that a worker opens; unset in every other process.
const ADDRESS: &str = "CONFORMANCE_WORKER_ADDRESS";

/// What starts a process with a limit.
const SHELL: &str = "/bin/sh";

/// Begins every line that a worker has to say.
const MARK: &str = "@worker ";

/// How a process is started that calls [`serve_if_asked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// The worker test beside the tests of a module of this test binary.
    pub(crate) fn of_tests(module: &str) -> Self {
        let test = match module.split_once("::") {
            Some((_, inside)) => format!("{inside}::conformance_worker"),
            None => "conformance_worker".to_owned(),
        };
        let arguments = ["--exact", &test, "--nocapture", "--test-threads=1"].map(OsString::from).to_vec();
        Self { program: std::env::current_exe().expect("a test binary has a path"), arguments }
    }

    /// The same for a process that may have so many files open.
    fn with_open_files(self, limit: u32) -> Self {
        let shell =
            ["-c".into(), format!("ulimit -n {limit} && exec \"$0\" \"$@\"").into(), self.program.into_os_string()];
        Self { program: SHELL.into(), arguments: shell.into_iter().chain(self.arguments).collect() }
    }
}

/// Serves as another process until its input ends, and says whether the environment asked for that.
pub async fn serve_if_asked(harness: &dyn Harness) -> bool {
    match std::env::var(ADDRESS) {
        Ok(address) => {
            serve(harness, &address).await;
            true
        }
        Err(_) => false,
    }
}

/// What a worker can be told to do. Keys hold no white space.
#[derive(Debug, Clone)]
pub(crate) enum Job<'a> {
    /// Writes a text: `ok`, or the kind of error.
    Put(&'a str, &'a str),
    /// Create-only put of a text.
    Create(&'a str, &'a str),
    /// Create-only streaming write of a text.
    StreamCreate(&'a str, &'a str),
    /// Increments a counter so many times by compare-and-swap: how many swaps were Ok, and of how many nobody knows.
    Count(&'a str, u32),
    /// Reads by get, head and list, which must agree: the text.
    Read(&'a str),
    /// Opens a writer, writes 1 MiB and leaves it open.
    Leave(&'a str),
    /// Makes a call on the key as on a register: what a client of it is told.
    Register(&'a str, &'a str),
    /// Makes a call while no more than so many files can be opened: `ok`, or the kind of error and whether to repeat it.
    Exhaust(u32, &'a str),
}

impl Job<'_> {
    fn line(&self) -> String {
        match self {
            Self::Put(key, text) => format!("put {key} {text}\n"),
            Self::Create(key, text) => format!("create {key} {text}\n"),
            Self::StreamCreate(key, text) => format!("stream {key} {text}\n"),
            Self::Count(key, times) => format!("count {key} {times}\n"),
            Self::Read(key) => format!("read {key} .\n"),
            Self::Leave(key) => format!("leave {key} .\n"),
            Self::Register(key, words) => format!("register {key} {words}\n"),
            Self::Exhaust(left, call) => format!("exhaust {left} {call}\n"),
        }
    }

    fn parse(line: &str) -> Job<'_> {
        let mut words = line.trim_end().splitn(3, ' ');
        let mut word = || words.next().expect("a command, a key and an argument");
        match (word(), word(), word()) {
            ("put", key, text) => Job::Put(key, text),
            ("create", key, text) => Job::Create(key, text),
            ("stream", key, text) => Job::StreamCreate(key, text),
            ("count", key, times) => Job::Count(key, times.parse().expect("a number")),
            ("read", key, _) => Job::Read(key),
            ("leave", key, _) => Job::Leave(key),
            ("register", key, words) => Job::Register(key, words),
            ("exhaust", left, call) => Job::Exhaust(left.parse().expect("a number"), call),
            (command, ..) => panic!("a worker knows no command {command:?}"),
        }
    }

    async fn run(&self, storage: &Storage) -> Result<String> {
        let ok = "ok".to_owned();
        match *self {
            Self::Put(key, text) => storage.put(key, text.to_owned()).await.map(|_| ok),
            Self::Create(key, text) => {
                storage.put_with(key, text.to_owned(), PutOptions::new().create_only()).await.map(|_| ok)
            }
            Self::StreamCreate(key, text) => {
                support::write_streaming(storage, key, text.to_owned(), PutOptions::new().create_only())
                    .await
                    .map(|_| ok)
            }
            Self::Count(key, times) => race::tally(storage, key, times).await.map(|tally| tally.to_string()),
            Self::Read(key) => support::read_everywhere(storage, key).await,
            Self::Leave(key) => {
                let mut writer = storage.writer(key).await?;
                writer.write(support::bytes(1, 1 << 20)).await?;
                // As a crash does: neither finished nor aborted nor dropped.
                std::mem::forget(writer);
                Ok(ok)
            }
            Self::Register(key, words) => Ok(register::call(storage, key, words).await),
            Self::Exhaust(left, call) => Ok(shortages::exhausted(storage, call, left).await),
        }
    }
}

/// Opens the root and does what the standard input says until it ends.
async fn serve(harness: &dyn Harness, address: &str) {
    let storage = harness.attach(address).await;
    say("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        match Job::parse(&line).run(&storage).await {
            Ok(answer) => say(&answer),
            Err(error) => say(&format!("{:?}", error.kind())),
        }
    }
}

/// One line, and before it the end of whatever the test runner has begun.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    write!(out, "\n{MARK}{text}\n").and_then(|()| out.flush()).expect("standard output");
}

/// Another process that has the root open; it is killed when this is dropped.
pub(crate) struct Worker {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Worker {
    /// Starts so many workers and waits until each has opened the root.
    ///
    /// None where the harness knows no worker, or where other processes do not see the same objects.
    pub(crate) async fn start(harness: &dyn Harness, storage: &Storage, address: &str, count: usize) -> Vec<Self> {
        Self::start_in(harness, storage, address, count, &[]).await
    }

    /// The same with these variables in their environment.
    pub(crate) async fn start_in(
        harness: &dyn Harness,
        storage: &Storage,
        address: &str,
        count: usize,
        environment: &[(String, String)],
    ) -> Vec<Self> {
        let Some(command) = Self::command(harness, storage) else { return Vec::new() };
        let mut workers: Vec<Self> = (0..count).map(|_| Self::spawn(&command, address, environment)).collect();
        for worker in &mut workers {
            assert_eq!(worker.hear().await, "ready");
        }
        workers
    }

    /// One that may have so many files open; none where there is none, or no such limit.
    pub(crate) async fn start_with_few_files(
        harness: &dyn Harness,
        storage: &Storage,
        address: &str,
        limit: u32,
    ) -> Option<Self> {
        let command = Self::command(harness, storage)?;
        if !Path::new(SHELL).exists() {
            part_not_asked("there is no shell that limits a process");
            return None;
        }
        let mut worker = Self::spawn(&command.with_open_files(limit), address, &[]);
        assert_eq!(worker.hear().await, "ready");
        Some(worker)
    }

    /// How one is started; none, with the reason written down, where there is nothing to ask of it.
    fn command(harness: &dyn Harness, storage: &Storage) -> Option<WorkerCommand> {
        if !storage.capabilities().shared {
            waive_part("shared", "other processes do not see the same objects");
            return None;
        }
        let command = harness.worker();
        if command.is_none() {
            part_not_asked("no second process can be started");
        }
        command
    }

    fn spawn(command: &WorkerCommand, address: &str, environment: &[(String, String)]) -> Self {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .env(ADDRESS, address)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { stdin, lines, child }
    }

    /// Gives the worker something to do, without waiting for it.
    pub(crate) async fn tell(&mut self, job: &Job<'_>) {
        self.stdin.write_all(job.line().as_bytes()).await.unwrap();
        self.stdin.flush().await.unwrap();
    }

    /// Waits for the worker's next answer.
    pub(crate) async fn hear(&mut self) -> String {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(answer) = line.strip_prefix(MARK) {
                return answer.to_owned();
            }
        }
        panic!("the worker ended before it answered");
    }

    /// Ends the worker as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Gives the worker something to do and waits for its answer.
    pub(crate) async fn ask(&mut self, job: &Job<'_>) -> String {
        self.tell(job).await;
        self.hear().await
    }
}
