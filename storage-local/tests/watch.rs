//! A watch of a directory tells what other programs do in it too: with files, whole directories, links, and the root
//! (rule V03). What it tells, followed by looking again, leads to what the listing shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use storage_core::{Change, ErrorKind, ObjectMeta, Prefix, Storage, WatchOptions, Watcher};
use support::{JOB, open};

/// Objects with their etags, as a reader of the watch knows them.
struct View {
    storage: Storage,
    watcher: Watcher,
    objects: BTreeMap<String, String>,
    told: Vec<Change>,
}

impl View {
    async fn open(storage: &Storage, prefix: &str) -> Self {
        let watcher = storage.watch(prefix, WatchOptions::new()).await.unwrap();
        let objects = listed(storage, prefix).await;
        Self { storage: storage.clone(), watcher, objects, told: Vec::new() }
    }

    async fn next(&mut self) -> Option<Change> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.watcher.next());
        next.await.unwrap_or_else(|_| panic!("nothing more is told after {:?}", self.told)).unwrap()
    }

    /// Follows changes until it knows what the listing shows.
    async fn catch_up(&mut self, prefix: &str) {
        loop {
            let now = listed(&self.storage, prefix).await;
            if self.objects == now {
                return;
            }
            let next = tokio::time::timeout(Duration::from_secs(20), self.watcher.next()).await;
            let Ok(change) = next else {
                panic!("nothing more is told after {:?}: {:?} is listed, known is {:?}", self.told, now, self.objects)
            };
            let change = change.unwrap().expect("the root is there");
            self.follow(&change).await;
            self.told.push(change);
        }
    }

    async fn follow(&mut self, change: &Change) {
        match change {
            Change::Changed(key) | Change::Removed(key) => {
                self.objects.remove(key.as_str());
                if let Ok(head) = self.storage.head(key).await {
                    self.objects.insert(key.to_string(), head.meta.etag.to_string());
                }
            }
            Change::ListAgain(prefix) => {
                self.objects.retain(|key, _| !prefix.matches(key));
                // A directory that is moved out of the root while it is opened looks like a way out of it.
                let mut now = self.storage.list_all(prefix).await;
                while now.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
                    now = self.storage.list_all(prefix).await;
                }
                self.objects.extend(etags(now.unwrap()));
            }
        }
    }

    /// Waits for a change of a key or of all around it.
    async fn hears_of(&mut self, key: &str) {
        let key = storage_core::Key::new(key).unwrap();
        while !self.told.iter().any(|change| change.covers(&key)) {
            let change = self.next().await.expect("the root is there");
            self.told.push(change);
        }
    }
}

async fn listed(storage: &Storage, prefix: &str) -> BTreeMap<String, String> {
    etags(storage.list_all(prefix).await.unwrap())
}

fn etags(all: Vec<ObjectMeta>) -> BTreeMap<String, String> {
    all.into_iter().map(|meta| (meta.key.to_string(), meta.etag.to_string())).collect()
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn v03_what_other_programs_do_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (root, storage) = (directory.path(), open(directory.path(), false));
    write(root, "there/before", "x");
    let mut view = View::open(&storage, "").await;
    type Step = fn(&Path);
    let steps: &[(&str, Step)] = &[
        ("a file in new directories", |root| write(root, "new/deep/er/file", "1")),
        ("a file is written over", |root| write(root, "there/before", "longer")),
        ("a file grows", |root| {
            use std::io::Write as _;
            fs::File::options().append(true).open(root.join("there/before")).unwrap().write_all(b"more").unwrap();
        }),
        ("a directory is renamed", |root| fs::rename(root.join("new"), root.join("newer")).unwrap()),
        ("what is in the renamed one changes", |root| write(root, "newer/deep/er/file", "22")),
        ("a directory comes from elsewhere", |root| {
            let outside = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
            write(outside.path(), "in/side/x", "x");
            fs::rename(outside.path().join("in"), root.join("in")).unwrap();
        }),
        ("what came changes", |root| write(root, "in/side/x", "xx")),
        ("a directory goes elsewhere", |root| {
            let outside = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
            fs::rename(root.join("in"), outside.path().join("in")).unwrap();
        }),
        ("a directory is removed", |root| fs::remove_dir_all(root.join("newer")).unwrap()),
        ("a long name", |root| write(root, &format!(".%+{}/.%={}", "n".repeat(252), "n".repeat(50)), "x")),
        ("a name that begins with the marker", |root| write(root, ".%-.%self", "x")),
        ("an object becomes a level too", |root| write(root, "both", "x")),
    ];
    for (what, step) in steps {
        step(root);
        view.catch_up("").await;
        assert!(!view.told.is_empty(), "{what}");
        view.told.clear();
    }
    storage.put("both/below", "x").await.unwrap();
    view.catch_up("").await;
    storage.put("both", "again").await.unwrap();
    view.catch_up("").await;
    for change in &view.told {
        assert!(!change.as_str().contains(".%") || change.as_str() == ".%self", "a name of the driver: {change:?}");
    }
}

#[tokio::test]
async fn v03_names_that_are_no_keys_and_the_drivers_own_are_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let (root, storage) = (directory.path(), open(directory.path(), false));
    storage.put("first", "x").await.unwrap();
    let mut view = View::open(&storage, "").await;
    write(root, "tab\there", "x");
    write(root, ".%strange", "x");
    fs::write(root.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff")), "x").unwrap();
    let mut writer = storage.writer("unfinished").await.unwrap();
    writer.write("x").await.unwrap();
    writer.abort().await.unwrap();
    storage.put("last", "x").await.unwrap();
    view.hears_of("last").await;
    let told: Vec<_> = view.told.iter().map(Change::as_str).collect();
    assert_eq!(told, ["last"]);
}

#[tokio::test]
async fn v03_a_link_is_told_when_what_it_leads_to_changes() {
    let directory = tempfile::tempdir().unwrap();
    let (root, storage) = (directory.path(), open(directory.path(), false));
    write(root, "real/dir/x", "1");
    write(root, "other/x", "other");
    fs::create_dir(root.join("seen")).unwrap();
    symlink("../real/dir/x", root.join("seen/file")).unwrap();
    let mut view = View::open(&storage, "seen/").await;
    let mut step = 0;
    let steps: [fn(&Path); 8] = [
        |root| write(root, "real/dir/x", "22"),
        |root| symlink("../real/dir", root.join("seen/dir")).unwrap(),
        |root| write(root, "real/dir/y", "333"),
        |root| fs::rename(root.join("real"), root.join("moved")).unwrap(),
        |root| fs::rename(root.join("moved"), root.join("real")).unwrap(),
        |root| symlink(".", root.join("seen/loop")).unwrap(),
        |root| {
            fs::remove_file(root.join("seen/dir")).unwrap();
            symlink("../other", root.join("seen/dir")).unwrap();
        },
        |root| write(root, "other/x", "4444"),
    ];
    for act in steps {
        let before = listed(&storage, "seen/").await;
        act(root);
        step += 1;
        view.catch_up("seen/").await;
        assert!(step == 6 || view.objects != before, "step {step} changes something");
        assert!(view.told.iter().all(|change| change.as_str().starts_with("seen/")), "{:?}", view.told);
    }
}

#[tokio::test]
async fn v03_a_prefix_whose_directory_is_not_there_yet_is_watched() {
    let directory = tempfile::tempdir().unwrap();
    let (root, storage) = (directory.path(), open(directory.path(), false));
    let mut view = View::open(&storage, "a/b/pre").await;
    write(root, "a/other", "x");
    write(root, "a/b/other", "x");
    write(root, "a/b/pre-1/x", "x");
    write(root, "a/b/pre", "x");
    view.catch_up("a/b/pre").await;
    assert_eq!(view.objects.len(), 2);
    assert!(view.told.iter().all(|change| change.as_str().starts_with("a/b/pre")), "{:?}", view.told);
}

#[tokio::test]
async fn v03_random_changes_by_others_lead_to_the_listing() {
    for seed in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let (root, storage) = (directory.path().join("root"), open(&directory.path().join("root"), false));
        storage.put("seed", "x").await.unwrap();
        let mut view = View::open(&storage, "").await;
        let (at, aside) = (root.clone(), directory.path().join("aside"));
        let changes = std::thread::spawn(move || random_changes(seed, &at, &aside));
        // Some of it is followed while it happens.
        while !changes.is_finished() {
            if let Ok(change) = tokio::time::timeout(Duration::from_millis(5), view.watcher.next()).await {
                view.follow(&change.unwrap().unwrap()).await;
            }
        }
        changes.join().unwrap();
        println!("seed {seed}");
        view.catch_up("").await;
    }
}

/// Files and directories made, written, renamed, moved out and in, and removed.
fn random_changes(seed: u64, root: &Path, aside: &Path) {
    fs::create_dir_all(aside).unwrap();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for step in 0..300 {
        let mut path = |depth: u64| {
            let depth = 1 + draw(depth);
            (0..depth).map(|_| ["a", "b", "c", "dd"][draw(4) as usize]).collect::<Vec<_>>().join("/")
        };
        let (one, other) = (root.join(path(4)), root.join(path(4)));
        // Whatever cannot be done, such as a file under a file, is left out.
        let _ = match draw(8) {
            0 | 1 => fs::create_dir_all(&one),
            2..=4 => one.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&one, "x".repeat(step))),
            5 => fs::rename(&one, &other),
            6 => {
                let away = aside.join(draw(4).to_string());
                fs::rename(&one, &away).or_else(|_| fs::rename(&away, &one))
            }
            _ => fs::remove_file(&one).or_else(|_| fs::remove_dir_all(&one)),
        };
    }
}

#[tokio::test]
async fn v03_a_root_that_is_gone_ends_the_watch() {
    type Loss = fn(&Path);
    let losses: [Loss; 2] =
        [|root| fs::remove_dir_all(root).unwrap(), |root| fs::rename(root, root.with_extension("away")).unwrap()];
    for lose in losses {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let storage = open(&root, false);
        storage.put("k", "x").await.unwrap();
        let mut view = View::open(&storage, "").await;
        lose(&root);
        while view.next().await.is_some() {}
        assert_eq!(view.watcher.next().await.unwrap(), None, "and stays at its end");
    }
    let missing = storage_local::Local::open("/nowhere/at/all", storage_local::LocalOptions::new()).unwrap();
    let refused = Storage::new(missing).watch("", WatchOptions::new()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BackendNotFound);
}

#[tokio::test]
async fn v03_a_watch_that_is_dropped_leaves_no_thread() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), false);
    let threads = |path: &Path| {
        let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        links.filter(|link| link.starts_with(path)).count()
    };
    let watchers: Vec<_> = futures::future::join_all((0..4).map(|_| storage.watch("", WatchOptions::new()))).await;
    drop((watchers, storage));
    // A thread holds the root open.
    while threads(directory.path()) > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn v03_only_a_kernel_that_sees_all_changes_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path(), true);
    assert!(!storage.probe().await.unwrap().watch);
    for refused in [
        storage.watch("", WatchOptions::new()).await.map(drop),
        storage.backend().watch(&Prefix::root(), WatchOptions::new()).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("list again"), "{refused}");
    }
}

/// Runs this test again as another user; false where that cannot be done.
fn as_nobody(test: &str, root: &Path) -> bool {
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    chown(root, Some(65534), Some(65534)).unwrap();
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(JOB, root)
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .status();
    match again {
        Ok(status) => {
            assert!(status.success(), "as another user");
            true
        }
        Err(error) => {
            println!("skipped: another user cannot be taken on here: {error}");
            false
        }
    }
}

#[tokio::test]
async fn v03_a_directory_that_may_not_be_read_is_an_error_or_passed() {
    if let Some(root) = std::env::var_os(JOB) {
        let storage = open(Path::new(&root), false);
        let refused = storage.watch("", WatchOptions::new()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        assert!(refused.to_string().contains("closed"), "it names the directory: {refused}");
        let mut watcher = storage.watch("", WatchOptions::new().past_unreadable(true)).await.unwrap();
        storage.put("k", "x").await.unwrap();
        assert_eq!(watcher.next().await.unwrap().unwrap().as_str(), "k");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    as_nobody("v03_a_directory_that_may_not_be_read_is_an_error_or_passed", directory.path());
}

/// Runs this test again in a user namespace of its own with a limit; false where there is none to be had.
fn limited(test: &str, limit: &str, most: u32, root: &Path) -> bool {
    let command = format!("echo {most} > /proc/sys/user/{limit} || exit 77; exec \"$0\" --exact {test} --nocapture");
    let again = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", &command])
        .arg(std::env::current_exe().unwrap())
        .env(JOB, root)
        .env("LIMIT", limit)
        .output();
    let code = again.as_ref().ok().and_then(|output| output.status.code());
    match (code, again) {
        (Some(0), _) => true,
        (Some(101), Ok(output)) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        (_, reason) => {
            println!("skipped: nothing can be limited here: {reason:?}");
            false
        }
    }
}

#[tokio::test]
async fn v03_too_many_watches_are_an_error_that_names_the_limit() {
    const TEST: &str = "v03_too_many_watches_are_an_error_that_names_the_limit";
    if let Some(root) = std::env::var_os(JOB) {
        let storage = open(Path::new(&root), false);
        if std::env::var("LIMIT").unwrap() == "max_inotify_instances" {
            let _held = storage.watch("0/", WatchOptions::new()).await.unwrap();
            let refused = storage.watch("0/", WatchOptions::new()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused}");
            assert!(refused.to_string().contains("raise it (sysctl fs.inotify.max_user_instances)"), "{refused}");
            return;
        }
        let refused = storage.watch("", WatchOptions::new()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused}");
        assert!(refused.to_string().contains("raise it (sysctl fs.inotify.max_user_watches)"), "{refused}");
        // A narrower one has room; when more directories come than it may watch, it ends and says so.
        let mut watcher = storage.watch("0/", WatchOptions::new()).await.unwrap();
        for number in 0..20 {
            fs::create_dir(Path::new(&root).join(format!("0/{number}"))).unwrap();
        }
        let ended = loop {
            match watcher.next().await {
                Ok(told) => assert!(told.is_some()),
                Err(error) => break error,
            }
        };
        assert!(ended.to_string().contains("max_user_watches"), "{ended}");
        assert_eq!(watcher.next().await.unwrap(), None);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for number in 0..20 {
        fs::create_dir(directory.path().join(number.to_string())).unwrap();
    }
    limited(TEST, "max_inotify_watches", 8, directory.path());
    limited(TEST, "max_inotify_instances", 1, directory.path());
}
