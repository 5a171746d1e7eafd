//! Working copies whose processes are killed at any moment, two at a time: no commit that was acknowledged is ever lost,
//! none is there twice, and whoever comes next goes on.
//!
//! `STORAGE_TEST_LONG=1` kills for a minute each; `KILLS_SEED` repeats the pauses between the kills of a run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod committer;
mod database;
mod worker;

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use storage_core::Storage;
use storage_source::{Commit, WorkingCopy, WorkingCopyOptions};

use crate::support::{Root, local, s3};
use committer::Committer;
use database::{Database, Kind};
use worker::{Job, Place, RETRIES};

/// The object that holds the database.
const KEY: &str = "state/graph.db";

/// Where each of the two works.
const MACHINES: [&str; 2] = ["here", "there"];

/// What a test has to have seen before it may end.
#[derive(Debug, Clone, Copy)]
struct Until {
    kills: usize,
    commits: usize,
    conflicts: usize,
}

const WITHOUT_LEASE: Until = Until { kills: 12, commits: 12, conflicts: 1 };
const UNDER_LEASE: Until = Until { kills: 6, commits: 6, conflicts: 0 };

#[test]
fn a_log_in_a_directory_survives_its_committers() {
    survive(local, Kind::Log, 0, None, WITHOUT_LEASE);
}

#[test]
fn a_log_on_s3_survives_its_committers() {
    survive(s3_now, Kind::Log, 0, None, WITHOUT_LEASE);
}

/// One that is committed in parts.
#[test]
fn a_large_log_on_s3_survives_its_committers() {
    survive(s3_now, Kind::Log, 9 << 20, None, Until { kills: 6, commits: 2, conflicts: 0 });
}

#[test]
fn a_sqlite_database_in_a_directory_survives_its_committers() {
    survive(local, Kind::Sqlite, 0, None, WITHOUT_LEASE);
}

#[test]
fn a_sqlite_database_on_s3_survives_its_committers() {
    survive(s3_now, Kind::Sqlite, 0, None, WITHOUT_LEASE);
}

/// The lease of one that is dead expires, and goes to the next.
#[test]
fn a_lease_outlives_nobody_for_long() {
    for root in [local as fn() -> Root, s3_now] {
        survive(root, Kind::Log, 0, Some(Duration::from_millis(150)), UNDER_LEASE);
    }
}

fn s3_now() -> Root {
    tokio::runtime::Handle::current().block_on(s3())
}

/// Lets two committers work on one object, kills one or the other, and looks at what is there.
fn survive(root: fn() -> Root, kind: Kind, ballast: usize, lease: Option<Duration>, until: Until) {
    if !Database::is_there(kind) {
        eprintln!("there is no python3 with sqlite3 here");
        return;
    }
    let mut database = Database::start(kind);
    let seed = std::env::var("KILLS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("KILLS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let long = std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1");
    let (start, least) = (Instant::now(), Duration::from_millis(if long { 60_000 } else { 1_000 }));

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let root = root();
    let directory = tempfile::tempdir().unwrap();
    let job = |machine: &str, life: usize| Job {
        place: Place::of(&root),
        copy: directory.path().join(machine).join("graph.db"),
        kind,
        ballast,
        lease_ms: lease.map(|lease| u64::try_from(lease.as_millis()).unwrap()),
        name: format!("{machine}-{life}"),
    };
    let mut committers = MACHINES.map(|machine| Committer::start(&job(machine, 0)));
    let mut history = History::default();
    let seen_enough = |history: &History| {
        history.kills >= until.kills
            && history.acknowledged.len() >= until.commits
            && history.conflicts >= until.conflicts
    };
    while start.elapsed() < least || !seen_enough(&history) {
        assert!(start.elapsed() < Duration::from_secs(180), "never seen enough: {history:?}");
        let chosen = random.usize(..MACHINES.len());
        committers[chosen].wait_for_a_sign();
        std::thread::sleep(Duration::from_micros(random.u64(..if ballast > 0 { 200_000 } else { 40_000 })));
        history.hear(committers[chosen].kill());
        history.kills += 1;
        // What both have said up to now has to be there afterwards.
        committers.iter_mut().for_each(|committer| history.hear(committer.said()));
        history.check(&mut database, &runtime.block_on(content(&root.storage)));
        committers[chosen] = Committer::start(&job(MACHINES[chosen], history.kills));
    }
    committers.iter_mut().for_each(|committer| history.hear(committer.kill()));
    history.check(&mut database, &runtime.block_on(content(&root.storage)));
    for machine in MACHINES {
        let copy = directory.path().join(machine).join("graph.db");
        runtime.block_on(come_next(&root.storage, &copy, lease.is_some(), &mut database, &mut history));
    }
    eprintln!("{kind:?}, {} bytes of ballast: {history:?}", ballast);
}

async fn content(storage: &Storage) -> Vec<u8> {
    match storage.bytes(KEY).await {
        Ok(bytes) => bytes.to_vec(),
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// Opens the working copy of a machine after all the deaths, and ends what was begun there.
async fn come_next(root: &Storage, copy: &Path, lease: bool, database: &mut Database, history: &mut History) {
    let mut options = WorkingCopyOptions::new();
    if lease {
        options = options.lease("the next", Duration::from_secs(60));
    }
    let mut copy = RETRIES.until_free(async || WorkingCopy::open(root, KEY, copy, options.clone()).await).await;
    loop {
        database.add(copy.path(), "the next", 0);
        match copy.commit().await.unwrap() {
            Commit::Committed(_) => break,
            // A dead one's write may land as late as now.
            Commit::Conflict { .. } => copy.discard().await.unwrap(),
            other => panic!("{other:?}"),
        }
    }
    copy.close().await.unwrap();
    let labels = history.labels(database, &content(root).await);
    assert_eq!(labels.last().map(String::as_str), Some("the next"));
    history.before.clone_from(&labels);
}

/// What the committers have said, and what was there.
#[derive(Default)]
struct History {
    kills: usize,
    conflicts: usize,
    acknowledged: HashSet<String>,
    /// What the object held when it was last looked at.
    before: Vec<String>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kills, conflicts, commits) = (self.kills, self.conflicts, self.acknowledged.len());
        write!(f, "{kills} kills, {commits} commits acknowledged, {conflicts} conflicts, {} there", self.before.len())
    }
}

impl History {
    fn hear(&mut self, said: Vec<String>) {
        for line in said {
            match line.split_once(' ') {
                Some(("committed", label)) => drop(self.acknowledged.insert(label.to_owned())),
                Some(("conflict", _)) => self.conflicts += 1,
                _ => {}
            }
        }
    }

    /// The object is whole, holds all that it held, everything that was acknowledged, and nothing twice.
    fn check(&mut self, database: &mut Database, content: &[u8]) {
        let labels = self.labels(database, content);
        let there: HashSet<&str> = labels.iter().map(String::as_str).collect();
        let lost: Vec<_> = self.acknowledged.iter().filter(|label| !there.contains(label.as_str())).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert_eq!(there.len(), labels.len(), "something is there twice: {labels:?}");
        self.before = labels;
    }

    fn labels(&self, database: &mut Database, content: &[u8]) -> Vec<String> {
        let labels = database.labels(content);
        assert!(labels.starts_with(&self.before), "older than before: {labels:?} after {:?}", self.before);
        labels
    }
}
