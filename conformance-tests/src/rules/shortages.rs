//! Rule S06: full, read-only and closed media, and a process that may open no more files.

use std::collections::BTreeMap;

use storage_core::{CopyResult, ErrorKind, PutOptions, PutResult, Result, Storage, Support};

use crate::Harness;
use crate::context::{nothing_to_ask, part_not_asked};
use crate::process::{Job, Worker};
use crate::rule::rule;
use crate::shortage::{Cramped, Shortage};
use crate::support::{bytes, sweep, whole};

/// More than a part has, so that a writer has sent something when it fails.
const LARGE: usize = 6 << 20;

rule! {
    /// A write to a full medium is `OutOfSpace`, and one to a read-only or closed medium is `PermissionDenied`; neither is
    /// to be repeated. The old objects stay as they are and can be read meanwhile, those of a full medium deleted too; when
    /// the shortage is over, nothing is left of what failed, and everything works.
    S06, s06_medium_that_runs_out, "Media that run out",
    why: "Disks fill at night: a write that then leaves half an object, or its temporary file, makes an outage out of a \
          warning."
}
async fn s06_medium_that_runs_out(harness: &dyn Harness) {
    let mut missing = Vec::new();
    for shortage in Shortage::ALL {
        match harness.cramped(shortage).await {
            Ok(cramped) => short(shortage, &cramped).await,
            Err(reason) => missing.push(reason),
        }
    }
    match missing.len() == Shortage::ALL.len() {
        true => nothing_to_ask(&missing[0]),
        false => missing.iter().for_each(|reason| part_not_asked(reason)),
    }
}

async fn short(shortage: Shortage, cramped: &Cramped) {
    let (storage, directory) = (&cramped.root.storage, cramped.root.directory.as_deref());
    let can = storage.probe().await.unwrap();
    for key in ["k", "k/below", "spare"] {
        storage.put(key, format!("the old {key}")).await.unwrap();
    }
    let large = bytes(6, LARGE);
    storage.put("large", large.clone()).await.unwrap();
    let before = whole(storage, directory).await;
    let failed = cramped.meanwhile(async {
        let create = PutOptions::new().create_only();
        let mut failed = vec![
            ("put", storage.put("k", large.clone()).await.map(drop)),
            ("put a new key", storage.put("new/k", large.clone()).await.map(drop)),
            ("write", write(storage, "k", &large).await.map(drop)),
            ("write a new key", write(storage, "new/k", &large).await.map(drop)),
            ("copy", storage.copy("large", "k").await.map(drop)),
            ("copy to a new key", storage.copy("large", "new/k").await.map(drop)),
        ];
        if can.put_create_only == Support::Yes {
            failed.push(("create", storage.put_with("new", large.clone(), create).await.map(drop)));
        }
        if shortage != Shortage::Space {
            failed.push(("put a small object", storage.put("k", "x").await.map(drop)));
            failed.push(("move", storage.rename("k", "moved").await.map(drop)));
            failed.push(("delete", storage.delete("k").await));
        }
        assert_eq!(storage.text("k").await.unwrap(), "the old k", "{shortage:?}: what is there can be read");
        assert_eq!(storage.list_all("").await.unwrap().len(), 4, "{shortage:?}: and listed");
        failed
    });
    for (what, failed) in failed.await {
        let Err(error) = failed else { panic!("{what} succeeds, for all that the medium is short of: {shortage:?}") };
        assert_eq!(error.kind(), shortage.kind(), "{shortage:?}: {what}: {error}");
        assert!(!error.is_retryable(), "{shortage:?}: {what} would fail again: {error}");
    }
    assert_eq!(sweep(storage).await, 0, "{shortage:?}: something is left for a sweep");
    assert_eq!(whole(storage, directory).await, before, "{shortage:?}: all is as it was");
    if shortage == Shortage::Space {
        cramped.meanwhile(storage.delete("spare")).await.expect("what makes room needs none");
    }
    storage.put("new/k", large.clone()).await.unwrap();
    assert_eq!(write(storage, "k", &large).await.unwrap().size, LARGE as u64);
    storage.delete_all().await.unwrap();
}

/// Writes through a writer, and discards what was written where that fails.
async fn write(storage: &Storage, key: &str, data: &bytes::Bytes) -> Result<PutResult> {
    let mut writer = storage.writer(key).await?;
    let written = async {
        writer.write(data.clone()).await?;
        writer.finish().await
    };
    let written = written.await;
    if written.is_err() {
        // The error is the write's own; what the abort leaves, the rule finds.
        let _ = writer.abort().await;
    }
    written
}

/// So many files may the worker have open.
const OPEN_FILES: u32 = 96;

/// How many more a call may open in turn; more than any driver needs at once.
const LEFT: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 8, 12];

const CALLS: [&str; 6] = ["put", "write", "copy", "delete", "read", "list"];

rule! {
    /// A call of a process that can open no more files succeeds, or is `Unavailable`, may be repeated and has changed nothing,
    /// or is `OutcomeUnknown`, done or not, where it cannot make durable what it has done. It leaves nothing behind, and works
    /// when files are closed.
    S06, s06_too_many_open_files, "Too many open files",
    why: "Servers reach their limit of open files under load; a listing that leaves out what it could not open, or a \
          write that gives up half-way, is then taken for the truth."
}
async fn s06_too_many_open_files(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let (storage, directory) = (&root.storage, root.directory.as_deref());
    let Some(mut worker) = Worker::start_with_few_files(harness, storage, &root.address, OPEN_FILES).await else {
        return nothing_to_ask("there is no other process on the root whose open files could be limited");
    };
    let mut refused = 0;
    for call in CALLS {
        fill(storage).await;
        assert_eq!(worker.ask(&Job::Exhaust(u32::MAX, call)).await, "ok", "{call} with files to open");
        let done = state(storage).await;
        for left in LEFT {
            fill(storage).await;
            let before = (state(storage).await, whole(storage, directory).await);
            let answer = worker.ask(&Job::Exhaust(left, call)).await;
            let what = format!("{call} with {left} files to open is {answer}");
            match answer.as_str() {
                "ok" => assert_eq!(state(storage).await, done, "{what}"),
                "Unavailable true" => {
                    refused += 1;
                    assert_eq!((state(storage).await, whole(storage, directory).await), before, "{what}");
                }
                // It is done, and what makes it durable could not be opened any more.
                "OutcomeUnknown false" => {
                    refused += 1;
                    assert!([&before.0, &done].contains(&&state(storage).await), "{what}, and neither old nor new");
                }
                _ => panic!("{what}, where Unavailable is due, which may be repeated"),
            }
            assert_eq!(sweep(storage).await, 0, "{what} leaves something for a sweep");
        }
    }
    assert!(refused > 0 || directory.is_none(), "no call on files has met the limit");
}

/// What the calls find.
async fn fill(storage: &Storage) {
    for key in ["d/k", "k", "other"] {
        storage.put(key, format!("old {key}")).await.unwrap();
    }
}

/// Every object, by its key.
async fn state(storage: &Storage) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for object in storage.list_all("").await.unwrap() {
        let text = storage.text(&object.key).await.unwrap();
        state.insert(object.key.to_string(), text);
    }
    state
}

/// One of [`CALLS`] in the worker, while it has so many files left to open: `ok`, or the kind of error and whether it may
/// be repeated.
pub(crate) async fn exhausted(storage: &Storage, call: &str, left: u32) -> String {
    let files = open_all_but(left);
    let result = match call {
        "put" => storage.put("k", "new").await.map(drop),
        "write" => write(storage, "k", &"new".into()).await.map(drop),
        "copy" => storage.copy("other", "k").await.map(|_: CopyResult| ()),
        "delete" => storage.delete("d/k").await,
        "read" => expect(storage.text("k").await, |text| text == "old k"),
        _ => expect(storage.list_all("").await, |all| all.len() == 3),
    };
    drop(files);
    result.map_or_else(|error| format!("{:?} {}", error.kind(), error.is_retryable()), |()| "ok".to_owned())
}

fn expect<T>(result: Result<T>, right: impl Fn(&T) -> bool) -> Result<()> {
    let other = || storage_core::Error::new(ErrorKind::Other, "what was read is not what was stored");
    result.and_then(|read| if right(&read) { Ok(()) } else { Err(other()) })
}

/// Opens files until no more can be, and closes so many of them; none where no limit is asked for.
fn open_all_but(left: u32) -> Vec<std::fs::File> {
    if left == u32::MAX {
        return Vec::new();
    }
    let open = || std::fs::File::open("/dev/null").ok();
    let mut files: Vec<_> = std::iter::from_fn(open).take(OPEN_FILES as usize).collect();
    assert!(files.len() < OPEN_FILES as usize, "the limit is in force");
    files.truncate(files.len().saturating_sub(left as usize));
    files
}
