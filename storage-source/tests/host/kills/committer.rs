//! A process under observation.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::worker::{JOB, Job};

/// A process that commits, with whatever it has started itself.
pub(super) struct Committer {
    process: Child,
    said: Receiver<String>,
    /// What was heard and not handed on yet.
    heard: Vec<String>,
    errors: Option<JoinHandle<String>>,
}

impl Committer {
    pub(super) fn start(job: &Job) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::worker::committer", "--nocapture", "--test-threads=1"])
            .env(JOB, serde_json::to_string(job).unwrap())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, said) = channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut err = process.stderr.take().unwrap();
        // It ends with the last process of the group, and not only with the first.
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            err.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { process, said, heard: Vec::new(), errors: Some(errors) }
    }

    /// Waits until it is at work on its copy: has opened it, or pulls it anew because the other one was first, which may
    /// be so again and again. One that is made to wait for a lease gives no sign.
    pub(super) fn wait_for_a_sign(&mut self) {
        while let Ok(line) = self.said.recv_timeout(Duration::from_millis(500)) {
            let at_work = line.starts_with("opened ") || line.starts_with("conflict ");
            self.heard.push(line);
            if at_work {
                return;
            }
        }
    }

    /// What it has said since it was last asked.
    pub(super) fn said(&mut self) -> Vec<String> {
        loop {
            match self.said.try_recv() {
                Ok(line) => self.heard.push(line),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return std::mem::take(&mut self.heard),
            }
        }
    }

    /// Kills it, with what it has started, and hears it to its end.
    pub(super) fn kill(&mut self) -> Vec<String> {
        let ended = self.process.try_wait().unwrap();
        if ended.is_none() {
            let group = Pid::from_child(&self.process);
            kill_process_group(group, Signal::KILL).unwrap();
            self.process.wait().unwrap();
        }
        let errors = self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default();
        assert!(ended.is_none(), "a committer has ended by itself: {ended:?}\n{errors}");
        self.heard.extend(self.said.iter());
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Committer {
    /// Leaves nobody at work when a test fails.
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
            let _ = self.process.wait();
        }
    }
}
