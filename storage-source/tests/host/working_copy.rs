//! Objects as files: what is found, what is committed, who wins, and what a lost answer or a crash leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_test_server::{Fault, FaultAction};
use storage_core::{Attributes, ErrorKind, PutOptions, Storage};
use storage_source::{Commit, Lease, Leased, Opened, WorkingCopy, WorkingCopyOptions};
use tempfile::TempDir;

use crate::support::{roots, s3, s3_without_conditions};

const KEY: &str = "graph.db";

/// A place for working copies on this machine.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("cache/graph.db")
    }

    async fn open(&self, root: &Storage) -> WorkingCopy {
        WorkingCopy::open(root, KEY, self.file(), WorkingCopyOptions::new()).await.unwrap()
    }
}

fn write(copy: &WorkingCopy, text: &str) {
    std::fs::write(copy.path(), text).unwrap();
}

async fn committed(copy: &mut WorkingCopy) {
    assert!(matches!(copy.commit().await.unwrap(), Commit::Committed(_)));
}

/// Proves the whole way on every driver: an object that is not there yet, its file, its changes, and the object again.
#[tokio::test]
async fn a_file_is_made_committed_changed_and_committed_again() {
    for root in roots().await {
        let machine = Machine::new();
        let mut copy = machine.open(&root.storage).await;
        assert_eq!((copy.opened(), copy.base()), (Opened::New, None), "{}", root.name);
        assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged);
        write(&copy, "one");
        assert!(copy.is_changed().await.unwrap());
        let Commit::Committed(put) = copy.commit().await.unwrap() else { panic!("{}", root.name) };
        assert_eq!(put.etag, root.storage.head(KEY).await.unwrap().meta.etag);
        assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged);
        write(&copy, "two");
        committed(&mut copy).await;
        assert_eq!(root.storage.text(KEY).await.unwrap(), "two");

        let other = Machine::new();
        let pulled = other.open(&root.storage).await;
        assert_eq!((pulled.opened(), std::fs::read_to_string(pulled.path()).unwrap()), (Opened::Pulled, "two".into()));
    }
}

/// Proves that attributes outlive a commit, which replaces all of them (rule W15).
#[tokio::test]
async fn the_attributes_of_the_object_are_kept() {
    for root in roots().await {
        let attributes = Attributes::new().content_type("application/vnd.sqlite3").user("made-by", "me");
        let options = PutOptions::new().attributes(attributes.clone());
        root.storage.put_with(KEY, "one", options).await.unwrap();
        let machine = Machine::new();
        let mut copy = machine.open(&root.storage).await;
        write(&copy, "two");
        committed(&mut copy).await;
        assert_eq!(root.storage.head(KEY).await.unwrap().attributes, attributes, "{}", root.name);
    }
}

/// Proves that of two who change one object one wins; the other is told what is there, keeps its file, and decides.
#[tokio::test]
async fn of_two_committers_one_wins_and_the_other_is_told() {
    for root in roots().await {
        root.storage.put(KEY, "base").await.unwrap();
        let (here, there) = (Machine::new(), Machine::new());
        let (mut one, mut two) = (here.open(&root.storage).await, there.open(&root.storage).await);
        write(&one, "from here");
        write(&two, "from there");
        let (first, second) = tokio::join!(one.commit(), two.commit());
        let (winner, loser, theirs) = match (first.unwrap(), second.unwrap()) {
            (Commit::Committed(_), Commit::Conflict { theirs }) => ("from here", &mut two, theirs),
            (Commit::Conflict { theirs }, Commit::Committed(_)) => ("from there", &mut one, theirs),
            other => panic!("{}: {other:?}", root.name),
        };
        assert_eq!(root.storage.text(KEY).await.unwrap(), winner);
        let head = root.storage.head(KEY).await.unwrap();
        assert_eq!(theirs.as_ref().map(|theirs| &theirs.etag), Some(&head.meta.etag));
        let own = std::fs::read_to_string(loser.path()).unwrap();
        assert_ne!(own, winner);
        assert!(matches!(loser.commit().await.unwrap(), Commit::Conflict { .. }), "it stays a conflict");

        let over = loser.commit_over(theirs.map(|theirs| theirs.etag)).await.unwrap();
        assert!(matches!(over, Commit::Committed(_)), "{}: {over:?}", root.name);
        assert_eq!(root.storage.text(KEY).await.unwrap(), own);
        root.storage.put(KEY, "later").await.unwrap();
        write(loser, "never seen");
        loser.discard().await.unwrap();
        assert_eq!(std::fs::read_to_string(loser.path()).unwrap(), "later");
        assert_eq!(loser.commit().await.unwrap(), Commit::Unchanged);
    }
}

/// Proves that two who make the same object at once, and one who meets a deletion, are told.
#[tokio::test]
async fn making_and_deleting_are_conflicts_too() {
    for root in roots().await {
        let (here, there) = (Machine::new(), Machine::new());
        let (mut one, mut two) = (here.open(&root.storage).await, there.open(&root.storage).await);
        write(&one, "one");
        write(&two, "two");
        committed(&mut one).await;
        assert!(matches!(two.commit().await.unwrap(), Commit::Conflict { theirs: Some(_) }), "{}", root.name);
        root.storage.delete(KEY).await.unwrap();
        write(&one, "more");
        assert_eq!(one.commit().await.unwrap(), Commit::Conflict { theirs: None }, "{}", root.name);
        assert!(matches!(one.commit_over(None).await.unwrap(), Commit::Committed(_)));
        assert_eq!(root.storage.text(KEY).await.unwrap(), "more");
    }
}

/// Proves what a second session finds: the same file, a newer object, changes that were never committed, a deletion.
#[tokio::test]
async fn an_earlier_session_is_gone_on_with() {
    for root in roots().await {
        root.storage.put(KEY, "one").await.unwrap();
        let machine = Machine::new();
        machine.open(&root.storage).await.close().await.unwrap();
        let copy = machine.open(&root.storage).await;
        assert_eq!(copy.opened(), Opened::Current, "{}", root.name);
        write(&copy, "mine");
        drop(copy);
        root.storage.put(KEY, "theirs").await.unwrap();
        let mut copy = machine.open(&root.storage).await;
        assert_eq!(copy.opened(), Opened::Uncommitted);
        assert_eq!(std::fs::read_to_string(copy.path()).unwrap(), "mine");
        assert!(matches!(copy.commit().await.unwrap(), Commit::Conflict { theirs: Some(_) }));
        copy.discard().await.unwrap();
        drop(copy);
        root.storage.put(KEY, "newer").await.unwrap();
        let copy = machine.open(&root.storage).await;
        assert_eq!((copy.opened(), std::fs::read_to_string(copy.path()).unwrap()), (Opened::Pulled, "newer".into()));
        drop(copy);
        root.storage.delete(KEY).await.unwrap();
        let copy = machine.open(&root.storage).await;
        assert_eq!(copy.opened(), Opened::Deleted);
        assert_eq!(std::fs::read_to_string(copy.path()).unwrap(), "newer", "the last copy there is stays");
    }
}

/// Proves that a change which leaves size and times as they were is seen.
#[tokio::test]
async fn an_equal_size_and_time_hide_no_change() {
    let root = &roots().await[0];
    let machine = Machine::new();
    let mut copy = machine.open(&root.storage).await;
    write(&copy, "aaaa");
    committed(&mut copy).await;
    let modified = std::fs::metadata(copy.path()).unwrap().modified().unwrap();
    write(&copy, "bbbb");
    std::fs::File::options().write(true).open(copy.path()).unwrap().set_modified(modified).unwrap();
    committed(&mut copy).await;
    assert_eq!(root.storage.text(KEY).await.unwrap(), "bbbb");
}

/// Proves that no file is taken over or pulled over that is not this object's working copy, and none by two at once.
#[tokio::test]
async fn a_file_of_somebody_else_is_left_alone() {
    let root = &roots().await[0].storage;
    root.put(KEY, "one").await.unwrap();
    let machine = Machine::new();
    let copy = machine.open(root).await;
    let open = async |key: &str, file: &Path| {
        WorkingCopy::open(root, key, file, WorkingCopyOptions::new()).await.unwrap_err().kind()
    };
    assert_eq!(open(KEY, copy.path()).await, ErrorKind::Conflict);
    drop(copy);
    assert_eq!(open("another", &machine.file()).await, ErrorKind::AlreadyExists);
    let foreign = machine.0.path().join("foreign");
    std::fs::write(&foreign, "precious").unwrap();
    assert_eq!(open(KEY, &foreign).await, ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "precious");
}

/// Proves that a working copy can be opened again at once, whatever programs the process starts meanwhile.
#[tokio::test]
async fn starting_programs_keeps_no_lock() {
    let root = &roots().await[0].storage;
    let machine = Machine::new();
    let done = Arc::new(AtomicBool::new(false));
    let starters: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn({
                let done = Arc::clone(&done);
                move || {
                    while !done.load(Ordering::Relaxed) {
                        std::process::Command::new("true").status().unwrap();
                    }
                }
            })
        })
        .collect();
    let mut refused = 0;
    for _ in 0..500 {
        refused += usize::from(WorkingCopy::open(root, KEY, machine.file(), WorkingCopyOptions::new()).await.is_err());
    }
    done.store(true, Ordering::Relaxed);
    starters.into_iter().for_each(|starter| starter.join().unwrap());
    assert_eq!(refused, 0, "of 500");
}

/// Proves that changes which a program keeps beside the database are not lost by committing without them.
#[tokio::test]
async fn a_journal_with_changes_makes_it_wait() {
    let root = &roots().await[0];
    let machine = Machine::new();
    let mut copy = machine.open(&root.storage).await;
    for end in ["-wal", "-journal", ".wal"] {
        write(&copy, end);
        let journal = PathBuf::from(format!("{}{end}", copy.path().display()));
        std::fs::write(&journal, "pages").unwrap();
        assert_eq!(copy.commit().await.unwrap(), Commit::Busy { journal: journal.clone() });
        std::fs::write(&journal, "").unwrap();
        committed(&mut copy).await;
        std::fs::remove_file(journal).unwrap();
    }
}

/// Proves what a commit costs on S3, and that one without changes costs nothing.
#[tokio::test]
async fn a_commit_is_one_put_and_an_unchanged_file_no_request() {
    let root = s3().await;
    let server = root.server.as_ref().unwrap();
    root.storage.put(KEY, "one").await.unwrap();
    let machine = Machine::new();
    server.reset_counts();
    let mut copy = machine.open(&root.storage).await;
    assert_eq!((server.counts().of("GetObject"), server.counts().total()), (1, 1), "{}", server.counts());
    copy.commit().await.unwrap();
    assert_eq!(server.counts().total(), 1);
    write(&copy, "two");
    committed(&mut copy).await;
    copy.commit().await.unwrap();
    assert_eq!((server.counts().of("PutObject"), server.counts().total()), (1, 2), "{}", server.counts());
    drop(copy);
    server.reset_counts();
    assert_eq!(machine.open(&root.storage).await.opened(), Opened::Current);
    assert_eq!(server.counts().total(), 1, "{}", server.counts());
}

/// Proves that a lost answer is neither a failure nor a conflict with oneself, small and in parts.
#[tokio::test]
async fn a_lost_answer_is_settled() {
    for (operation, size) in [("PutObject", 10), ("CompleteMultipartUpload", 9 << 20)] {
        for action in [FaultAction::ResetAfterRequest, FaultAction::LoseResponseBeforeProcessing] {
            let root = s3().await;
            let server = root.server.as_ref().unwrap();
            root.storage.put(KEY, "one").await.unwrap();
            let machine = Machine::new();
            let mut copy = machine.open(&root.storage).await;
            std::fs::write(copy.path(), vec![7; size]).unwrap();
            let lost = server.inject(Fault::new(action.clone()).on(operation).times(1));
            let outcome = copy.commit().await.unwrap();
            assert!(matches!(outcome, Commit::Committed(_)), "{operation} {action:?}: {outcome:?}");
            assert_eq!(lost.hits(), 1);
            assert_eq!(root.storage.bytes(KEY).await.unwrap().len(), size);
            assert_eq!(copy.commit().await.unwrap(), Commit::Unchanged);
        }
    }
}

/// Proves that without conditions nothing is written unless the caller vouches, and what is then seen of others.
#[tokio::test]
async fn without_conditions_the_caller_has_to_vouch() {
    let root = s3_without_conditions().await;
    root.storage.probe().await.unwrap();
    let machine = Machine::new();
    let refused = WorkingCopy::open(&root.storage, KEY, machine.file(), WorkingCopyOptions::new()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    let options = WorkingCopyOptions::new().exclusive();
    let mut copy = WorkingCopy::open(&root.storage, KEY, machine.file(), options).await.unwrap();
    for text in ["one", "two"] {
        write(&copy, text);
        committed(&mut copy).await;
        assert_eq!(root.storage.text(KEY).await.unwrap(), text);
    }
    root.storage.put(KEY, "theirs after all").await.unwrap();
    write(&copy, "three");
    assert!(matches!(copy.commit().await.unwrap(), Commit::Conflict { theirs: Some(_) }));
}

/// Proves that a lease has one holder, ends when its holder falls silent, and is lost to whoever takes it then.
#[tokio::test]
async fn a_lease_has_one_holder() {
    let (minute, none) = (Duration::from_secs(60), Duration::ZERO);
    for root in roots().await {
        let storage = &root.storage;
        let acquire = async |owner: &str, duration| Lease::acquire(storage, "lease", owner, duration).await.unwrap();
        let all = futures::future::join_all((0..8).map(|_| acquire("one", none))).await;
        let mut fences: Vec<_> = all
            .iter()
            .filter_map(|leased| match leased {
                Leased::Acquired(lease) => Some(lease.fence()),
                Leased::Held(_) => None,
            })
            .collect();
        fences.sort_unstable();
        fences.dedup();
        let acquired = all.iter().filter(|leased| matches!(leased, Leased::Acquired(_))).count();
        assert_eq!(fences.len(), acquired, "{}: no number is given twice", root.name);

        let Leased::Acquired(mut two) = acquire("two", minute).await else { panic!("an expired lease is free") };
        assert!(two.fence() > fences[fences.len() - 1]);
        for leased in all {
            if let Leased::Acquired(mut lost) = leased {
                assert!(!lost.renew().await.unwrap(), "{}", root.name);
                lost.release().await.unwrap();
            }
        }
        let Leased::Held(holder) = acquire("three", minute).await else { panic!("{}: it is held", root.name) };
        assert_eq!(holder.owner, "two");
        assert!(two.renew().await.unwrap());
        two.release().await.unwrap();
        assert!(matches!(acquire("three", minute).await, Leased::Acquired(_)), "{}", root.name);
    }
}

/// Proves that a second program is told who works on the object, and that whoever lost the lease commits nothing.
#[tokio::test]
async fn a_working_copy_under_a_lease_is_one_at_a_time() {
    for root in roots().await {
        let (here, there) = (Machine::new(), Machine::new());
        let options = |owner: &str| WorkingCopyOptions::new().lease(owner, Duration::from_secs(60));
        let mut one = WorkingCopy::open(&root.storage, KEY, here.file(), options("indexer on a")).await.unwrap();
        let refused = WorkingCopy::open(&root.storage, KEY, there.file(), options("indexer on b")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.message().contains("indexer on a"), "{refused}");
        write(&one, "one");
        committed(&mut one).await;
        one.close().await.unwrap();
        let mut two = WorkingCopy::open(&root.storage, KEY, there.file(), options("indexer on b")).await.unwrap();
        root.storage.put(format!("{KEY}.lease"), "somebody wrote over it").await.unwrap();
        write(&two, "two");
        assert_eq!(two.commit().await.unwrap(), Commit::LeaseLost, "{}", root.name);
        assert_eq!(root.storage.text(KEY).await.unwrap(), "one");
    }
}

/// Proves the purpose: a database that Python's SQLite makes and changes, on two machines one after the other.
#[tokio::test]
async fn a_sqlite_database_goes_from_machine_to_machine() {
    if std::process::Command::new("python3")
        .args(["-c", "import sqlite3"])
        .status()
        .is_ok_and(|status| !status.success())
    {
        eprintln!("there is no python3 with sqlite3 here");
        return;
    }
    let insert = "import sqlite3,sys; db=sqlite3.connect(sys.argv[1]); db.execute('pragma journal_mode=wal'); \
        db.execute('create table if not exists notes(text)'); db.execute('insert into notes values (?)',(sys.argv[2],)); \
        db.commit(); print(db.execute('select group_concat(text) from notes').fetchone()[0])";
    let die = format!("{insert}; sys.stdout.flush(); import os; os.kill(os.getpid(), 9)");
    let run = |program: &str, file: &Path, text: &str| {
        let output = std::process::Command::new("python3").arg("-c").arg(program).arg(file).arg(text).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for root in roots().await {
        let (here, there) = (Machine::new(), Machine::new());
        let mut copy = here.open(&root.storage).await;
        assert_eq!(run(insert, copy.path(), "one"), "one", "{}", root.name);
        committed(&mut copy).await;
        drop(copy);
        let mut copy = there.open(&root.storage).await;
        assert_eq!(run(insert, copy.path(), "two"), "one,two", "{}", root.name);
        committed(&mut copy).await;
        // A program that is killed leaves its last change in the log.
        assert_eq!(run(&die, copy.path(), "three"), "one,two,three");
        assert!(matches!(copy.commit().await.unwrap(), Commit::Busy { .. }), "{}", root.name);
        drop(copy);
        let mut copy = there.open(&root.storage).await;
        assert_eq!(copy.opened(), Opened::Uncommitted);
        assert_eq!(run(insert, copy.path(), "four"), "one,two,three,four");
        committed(&mut copy).await;
        let copy = here.open(&root.storage).await;
        assert_eq!(run(insert, copy.path(), "five"), "one,two,three,four,five", "{}", root.name);
    }
}
