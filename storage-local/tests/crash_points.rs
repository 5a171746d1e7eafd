//! `kill -9` before each call that changes the directory, and a failure of each: old or new, never torn, nothing lost,
//! nothing left over; and the order of syncs (rules W03, W16, S04, S06).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use storage_core::{Attributes, CopyOptions, Key, PutOptions, Result, Storage, SweepOptions};
use storage_local::{Durability, Local, LocalOptions};
use support::trace::{Ended, Fate, THREAD, counts, missing, run};
use support::{END, JOB, leftovers};

/// The calls that change the directory, and those that claim a file or wait for a lock.
const CHANGES: &str = "mkdirat,linkat,renameat,renameat2,unlinkat,flock";

/// The calls that an error is made of, besides.
const FAILING: &str = "mkdirat,linkat,renameat,renameat2,unlinkat,openat,write,fsync,utimensat,fsetxattr";

/// What each operation is done to.
const BEFORE: [(&str, &str); 9] = [
    ("k", "old k"),
    ("level", "old level"),
    ("level/below", "below"),
    ("o", "old o"),
    ("d/e/x", "deleted"),
    ("p/1", "one"),
    ("p/2/3", "two"),
    ("p", "beside"),
    ("other", "other"),
];

const OPERATIONS: [&str; 15] = [
    "put a new key",
    "put over",
    "put over a level",
    "put under an object",
    "create",
    "swap",
    "copy",
    "copy over",
    "move",
    "move over",
    "move under itself",
    "delete",
    "delete all under",
    "write",
    "sweep",
];

/// How a root is opened: through Linux's own calls or those of every Unix, durable; or fast.
const NATIVE: &str = "native";
const PORTABLE: &str = "portable";
const FAST: &str = "fast";

async fn operate(storage: &Storage, operation: &str) -> Result<()> {
    let put = PutOptions::new().attributes(Attributes::new().content_type("text/plain"));
    match operation {
        "put a new key" => drop(storage.put_with("n/e/w", "new", put).await?),
        "sweep" => drop(storage.sweep(SweepOptions::older_than(Duration::ZERO)).await?),
        "first" => drop(storage.put("k", "first").await?),
        "put over" => drop(storage.put_with("k", "new k", put).await?),
        "put over a level" => drop(storage.put_with("level", "new level", put).await?),
        "put under an object" => drop(storage.put_with("k/below", "new", put).await?),
        "create" => drop(storage.put_with("c/new", "created", put.create_only()).await?),
        "swap" => {
            let etag = storage.head("k").await?.meta.etag;
            storage.put_with("k", "swapped", put.if_match(etag)).await?;
        }
        "copy" => drop(storage.copy("k", "copy/of/k").await?),
        "copy over" => drop(storage.copy("k", "o").await?),
        "move" => drop(storage.rename("d/e/x", "m/x").await?),
        "move over" => drop(storage.rename("k", "o").await?),
        "move under itself" => drop(storage.rename_with("k", "k/below", CopyOptions::new().create_only()).await?),
        "delete" => storage.delete("d/e/x").await?,
        "delete all under" => drop(storage.delete_prefix("p/").await?),
        "write" => {
            let mut writer = storage.writer("w/x").await?;
            writer.write("some ").await?;
            writer.write("text").await?;
            writer.finish().await?;
        }
        _ => panic!("no such operation: {operation}"),
    }
    Ok(())
}

/// Not a test: what the worker processes run, all its file system calls in one thread.
#[test]
fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let [root, opened, operation] = job.split('\n').collect::<Vec<_>>()[..] else { panic!("{job}") };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name(THREAD)
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_secs(600))
        .build()
        .unwrap();
    runtime.block_on(async {
        let storage = open_as(Path::new(root), opened);
        // What happens only once for a handle is not part of the operation.
        if !matches!(operation, "first" | "sweep") {
            storage.put("warm", "x").await.unwrap();
            storage.delete("warm").await.unwrap();
        }
        // The thread is there before it is watched, even where nothing was done yet.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        match operate(&storage, operation).await {
            Ok(()) => println!("\n{END}ok"),
            Err(error) => println!("\n{END}{:?}: {error}", error.kind()),
        }
    });
}

fn open_as(root: &Path, opened: &str) -> Storage {
    let durability = if opened == FAST { Durability::Fast } else { Durability::Full };
    let options = LocalOptions::new().create(true).portable(opened == PORTABLE).durability(durability);
    Storage::new(Local::open(root, options).unwrap())
}

type State = BTreeMap<String, String>;

/// Everything that is there, by listing; a get agrees with it on the keys that may be there.
async fn state(storage: &Storage, possible: &[&State]) -> State {
    let mut state = State::new();
    for object in storage.list_all("").await.unwrap() {
        let text = storage.text(&object.key).await.unwrap();
        state.insert(object.key.to_string(), text);
    }
    for key in possible.iter().flat_map(|state| state.keys()) {
        let exists = storage.exists(Key::new(key.as_str()).unwrap()).await.unwrap();
        assert_eq!(exists, state.contains_key(key), "get and list differ on {key}");
    }
    state
}

/// A root in which the operation is about to be done, with a handle that was open before.
struct Scene {
    directory: tempfile::TempDir,
    storage: Storage,
    opened: &'static str,
    operation: &'static str,
    before: State,
    after: State,
}

impl Scene {
    async fn new(opened: &'static str, operation: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = support::open(directory.path(), opened == PORTABLE);
        let mut states = Vec::new();
        for done in [true, false] {
            storage.delete_all().await.unwrap();
            for (key, text) in BEFORE {
                storage.put(key, text).await.unwrap();
            }
            if done {
                operate(&storage, operation).await.unwrap();
            }
            states.push(state(&storage, &[]).await);
        }
        let (before, after) = (states.pop().unwrap(), states.pop().unwrap());
        if operation == "sweep" {
            // What two writers of a process that is gone have left.
            let left = directory.path().join(".%ctl/tmp");
            fs::create_dir_all(&left).unwrap();
            for name in ["4000000-1", "4000000-2"] {
                fs::write(left.join(name), "half").unwrap();
            }
        }
        Self { directory, storage, opened, operation, before, after }
    }

    fn run(&self, call: &str, when: usize, fate: Fate) -> Ended {
        run(self.directory.path(), self.opened, self.operation, call, when, fate)
    }

    fn temporaries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path().join(".%ctl/tmp"));
        entries.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }

    /// Every object that is there is whole, nothing is lost, and nothing is left over once swept and deleted.
    async fn check(&self, what: &str, may_be_old: bool, may_be_new: bool) {
        let possible = [&self.before, &self.after];
        let found = state(&self.storage, &possible).await;
        assert_eq!(state(&open_as(self.directory.path(), self.opened), &possible).await, found, "{what}: a new handle");
        // Deleting a prefix is many steps; every other operation is one.
        let between = self.operation == "delete all under"
            && self.after.iter().all(|entry| found.get(entry.0) == Some(entry.1))
            && found.iter().all(|entry| self.before.get(entry.0) == Some(entry.1));
        let (old, new) = (found == self.before, found == self.after);
        assert!(may_be_old && old || may_be_new && new || between, "{what}: {found:#?}");
        self.storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.unwrap();
        assert_eq!(self.temporaries(), Vec::<PathBuf>::new(), "{what}: after the sweep");
        self.storage.delete_all().await.unwrap();
        assert_eq!(leftovers(self.directory.path()), Vec::<PathBuf>::new(), "{what}");
    }
}

/// Each call of an operation, and how many of it there are.
async fn points(opened: &'static str, operation: &'static str, calls: &str) -> Vec<(String, usize)> {
    let scene = Scene::new(opened, operation).await;
    let ended = scene.run(calls, 0, Fate::Logged);
    assert_eq!(ended.answer.as_deref(), Some("ok"), "{operation}");
    counts(&ended.calls).into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

async fn kill_everywhere(opened: &'static str) {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    for operation in OPERATIONS {
        for (call, count) in points(opened, operation, CHANGES).await {
            for when in 1..=count {
                let scene = Scene::new(opened, operation).await;
                let what = format!("{operation}, killed before {call} {when} of {count}, {opened}");
                let answer = scene.run(&call, when, Fate::Killed).answer;
                // How often a call is made differs with the order in which the file system names what is in a directory.
                assert!(when > 1 || answer.is_none(), "{what}: it lives");
                assert!(answer.as_deref().is_none_or(|answer| answer == "ok"), "{what}: {answer:?}");
                scene.check(&what, answer.is_none(), true).await;
            }
        }
    }
}

#[tokio::test]
async fn s04_killed_before_any_call_it_is_old_or_new() {
    kill_everywhere(NATIVE).await;
}

#[tokio::test]
async fn s04_killed_before_any_call_it_is_old_or_new_without_durability_too() {
    kill_everywhere(FAST).await;
}

#[tokio::test]
async fn s04_killed_before_any_call_it_is_old_or_new_on_the_portable_path() {
    kill_everywhere(PORTABLE).await;
}

async fn fail_everywhere(opened: &'static str, errors: &[&'static str]) {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    for operation in OPERATIONS {
        for (call, count) in points(opened, operation, FAILING).await {
            for when in 1..=count {
                for error in errors {
                    let scene = Scene::new(opened, operation).await;
                    let what = format!("{operation}, {error} of {call} {when} of {count}, {opened}");
                    let answer = scene.run(&call, when, Fate::Fails(error)).answer;
                    let answer = answer.unwrap_or_else(|| panic!("{what}: it panicked"));
                    let unknown = answer.starts_with("OutcomeUnknown");
                    assert!(!answer.starts_with("NotFound"), "{what}: {answer}");
                    let what = format!("{what}: {answer}");
                    let left = scene.temporaries();
                    let may_leave = call == "unlinkat" || operation == "sweep";
                    assert!(left.is_empty() || may_leave, "{what} leaves {left:?}");
                    scene.check(&what, answer != "ok", answer == "ok" || unknown).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn s06_whatever_call_fails_the_error_says_what_is_there() {
    fail_everywhere(NATIVE, &["EIO"]).await;
}

#[tokio::test]
async fn s06_whatever_call_fails_the_error_says_what_is_there_on_the_portable_path() {
    fail_everywhere(PORTABLE, &["EIO"]).await;
}

/// Which file or directory a call was on: the path that `strace -y` writes into the angle brackets of its descriptor.
fn path_of(call: &str) -> &str {
    call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path)
}

#[tokio::test]
async fn w16_file_and_directories_are_synced_before_ok() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    for opened in [NATIVE, PORTABLE] {
        let scene = Scene::new(opened, "put a new key").await;
        let root = fs::canonicalize(scene.directory.path()).unwrap();
        let ended = scene.run("fsync,fdatasync,renameat,renameat2", 0, Fate::Logged);
        let renamed = ended.calls.iter().position(|call| call.starts_with("renameat")).expect("a rename");
        let (before, after) = ended.calls.split_at(renamed);
        assert!(before.iter().any(|call| path_of(call).contains(".%ctl/tmp/")), "the file: {before:#?}");
        for directory in ["n/e", "n", ""] {
            let directory = root.join(directory);
            let synced = after.iter().any(|call| Path::new(path_of(call)) == directory && call.ends_with("= 0"));
            assert!(synced, "{} is not synced after the rename: {after:#?}", directory.display());
        }

        let scene = Scene::new(opened, "delete").await;
        let root = fs::canonicalize(scene.directory.path()).unwrap();
        let ended = scene.run("fsync,fdatasync,unlinkat", 0, Fate::Logged);
        let removed = ended.calls.iter().position(|call| call.starts_with("unlinkat")).expect("an unlink");
        let synced = ended.calls[removed..].iter().any(|call| Path::new(path_of(call)) == root.join("d/e"));
        assert!(synced, "the directory is not synced after the delete: {:#?}", ended.calls);
    }
}

#[tokio::test]
async fn w16_a_root_newly_made_is_synced_into_the_directory_above() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    let directory = tempfile::tempdir().unwrap();
    let above = fs::canonicalize(directory.path()).unwrap();
    let ended =
        run(&above.join("made/root"), NATIVE, "first", "fsync,fdatasync,mkdirat,renameat,renameat2", 0, Fate::Logged);
    assert_eq!(ended.answer.as_deref(), Some("ok"));
    for directory in [above.clone(), above.join("made"), above.join("made/root")] {
        let synced = ended.calls.iter().any(|call| Path::new(path_of(call)) == directory && call.starts_with("fsync"));
        assert!(synced, "{} is not synced: {:#?}", directory.display(), ended.calls);
    }
}

/// A sweep that has opened the new directory of a promotion, and is slow to claim it, finds it free again: but then it
/// holds the object in its place.
#[tokio::test]
async fn w06_a_slow_sweep_does_not_take_what_was_promoted_meanwhile() {
    if let Some(reason) = missing() {
        return println!("skipped: {reason}");
    }
    // The sweep meets the temporary file first or the directory, in the order of the file system.
    for slow in [1, 2] {
        let scene = Scene::new(NATIVE, "put under an object").await;
        std::thread::scope(|scope| {
            // Its third lock is the claim on the new directory.
            let promotion = scope.spawn(|| scene.run("flock", 3, Fate::Delayed(500)));
            while scene.temporaries().iter().all(|path| !path.is_dir()) {
                assert!(!promotion.is_finished(), "the promotion ended unseen");
            }
            let sweep = run(scene.directory.path(), NATIVE, "sweep", "flock", slow, Fate::Delayed(700));
            assert_eq!(sweep.answer.as_deref(), Some("ok"));
            assert_eq!(promotion.join().unwrap().answer.as_deref(), Some("ok"));
        });
        scene.check("a promotion during a sweep", false, true).await;
    }
}
