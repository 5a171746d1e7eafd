//! Rule V03: changes are told while they are made, where that is declared.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use storage_core::{Change, ErrorKind, Key, Prefix, PutOptions, Storage, WatchOptions, Watcher};

use crate::Harness;
use crate::context::waive;
use crate::deep::effort::Effort;
use crate::rule::rule;
use crate::support::{Random, kind, write_streaming};

/// How long a change may take until it is told; only a driver that loses one makes anybody wait so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many random histories a short run follows at most, and how long it goes on with them.
const HISTORIES: u64 = 20;
const TIME: Duration = Duration::from_millis(900);

/// Whether the driver tells its changes; one that does not declare it has to refuse.
async fn is_watched(storage: &Storage) -> bool {
    if storage.probe().await.unwrap().watch {
        return true;
    }
    let refused = storage.watch("", WatchOptions::new()).await;
    assert_eq!(kind("a watch", refused), ErrorKind::Unsupported, "watching is not declared");
    let refused = storage.backend().watch(&Prefix::root(), WatchOptions::new()).await.map(drop);
    assert_eq!(kind("a watch by the driver itself", refused), ErrorKind::Unsupported, "watching is not declared");
    waive("watch", "changes are not told, and a watch is refused");
    false
}

/// What the reader of a watch knows: the changes that were told, and the objects that following them leads to.
struct Reader {
    storage: Storage,
    prefix: String,
    watcher: Watcher,
    told: Vec<Change>,
    objects: BTreeMap<String, String>,
}

impl Reader {
    /// Opens a watch, and lists then.
    async fn open(storage: &Storage, prefix: &str, options: WatchOptions) -> Self {
        let watcher = storage.watch(prefix, options).await.unwrap();
        let objects = listed(storage, prefix).await;
        Self { storage: storage.clone(), prefix: prefix.to_owned(), watcher, told: Vec::new(), objects }
    }

    /// The next change, which must be of the prefix; fails where none comes.
    async fn next(&mut self, waits_for: &str) -> Change {
        let next = tokio::time::timeout(PATIENCE, self.watcher.next()).await;
        let Ok(next) = next else { panic!("nothing is told of {waits_for}; what was told: {:?}", self.told) };
        let change = next.unwrap().unwrap_or_else(|| panic!("the watch ended before it told of {waits_for}"));
        assert!(
            change.as_str().starts_with(&self.prefix),
            "{change:?} is not under {:?}, which is watched",
            self.prefix
        );
        assert!(!change.as_str().ends_with("/aborted"), "{change:?} is told, and was never written");
        self.told.push(change.clone());
        change
    }

    /// Waits until all keys have been told.
    async fn hears_of(&mut self, what: &str, keys: &[&str]) {
        for key in keys {
            let key = Key::new(*key).unwrap();
            while !self.told.iter().any(|change| change.covers(&key)) {
                self.next(&format!("{what}: {key}")).await;
            }
        }
        self.told.clear();
    }

    /// Looks where a change says to look.
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
                self.objects.extend(listed(&self.storage, prefix.as_str()).await);
            }
        }
    }

    /// Follows changes until it knows what the listing shows.
    async fn catch_up(&mut self, what: &str) {
        loop {
            let now = listed(&self.storage, &self.prefix).await;
            if self.objects == now {
                return;
            }
            let missing = format!("{what}: known is {:?}, listed is {now:?}", self.objects);
            let change = self.next(&missing).await;
            self.follow(&change).await;
        }
    }

    /// Follows changes while something else is under way.
    async fn follow_during<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        loop {
            let change = tokio::select! {
                done = &mut other => return done,
                change = self.watcher.next() => change.unwrap().expect("the root is there"),
            };
            self.follow(&change).await;
        }
    }
}

async fn listed(storage: &Storage, prefix: &str) -> BTreeMap<String, String> {
    let all = storage.list_all(prefix).await.unwrap();
    all.into_iter().map(|meta| (meta.key.to_string(), meta.etag.to_string())).collect()
}

rule! {
    /// Where watching is declared, every change of a key under the prefix is told at least once, by its key: put,
    /// overwrite, a writer's finish, copy, move and every way to delete. Nothing is told of another prefix, nor of a write
    /// that was aborted; a sub-root tells its own names. Where it is not declared, it is `Unsupported`.
    V03, v03_changes_are_told, "Changes are told",
    why: "A watcher that loses an event in silence leaves a host with an old view for good."
}
async fn v03_changes_are_told(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    if !is_watched(root).await {
        return;
    }
    root.put("in/there", "before").await.unwrap();
    let reader = &mut Reader::open(root, "in/", WatchOptions::new()).await;
    let of_sub_root = &mut Reader::open(&root.sub("in").unwrap(), "", WatchOptions::new()).await;
    for beside in ["in", "in-2/x", "i", "other/in/x"] {
        root.put(beside, "beside").await.unwrap();
    }
    let mut aborted = root.writer("in/aborted").await.unwrap();
    aborted.write("never seen").await.unwrap();
    aborted.abort().await.unwrap();
    let long = format!("in/{}", "n".repeat(300.min(root.max_key_len() - 3)));
    let new = ["in/new", "in/deep/er/é +%&", &long, "in/.%self", "in/new/below"];
    for key in new {
        root.put(key, "1").await.unwrap();
        reader.hears_of("a put", &[key]).await;
        root.put(key, "22").await.unwrap();
        reader.hears_of("an overwrite", &[key]).await;
    }
    of_sub_root.hears_of("a put, in a sub-root", &["new", "deep/er/é +%&", ".%self"]).await;
    write_streaming(root, "in/written", "333", PutOptions::new()).await.unwrap();
    reader.hears_of("a finish", &["in/written"]).await;
    root.copy("in/written", "in/copied").await.unwrap();
    reader.hears_of("a copy", &["in/copied"]).await;
    root.rename("in/copied", "in/deep/moved").await.unwrap();
    reader.hears_of("a move", &["in/copied", "in/deep/moved"]).await;
    root.rename("in/deep/moved", "out/moved").await.unwrap();
    reader.hears_of("a move to elsewhere", &["in/deep/moved"]).await;
    root.rename("out/moved", "in/moved").await.unwrap();
    reader.hears_of("a move from elsewhere", &["in/moved"]).await;
    root.delete("in/moved").await.unwrap();
    reader.hears_of("a delete", &["in/moved"]).await;
    root.delete_many(["in/new", "in/new/below", "other/in/x"].map(|key| Key::new(key).unwrap())).await.unwrap();
    reader.hears_of("a delete of many", &["in/new", "in/new/below"]).await;
    root.delete_prefix("in/deep/").await.unwrap();
    reader.hears_of("a delete by prefix", &["in/deep/er/é +%&"]).await;
    of_sub_root.hears_of("a delete, in a sub-root", &["moved"]).await;
}

rule! {
    /// A watch is armed when it returns: of objects that are written all the time while it is opened, each is in a listing
    /// that is begun after that, or is told.
    V03, v03_armed_before_the_first_listing, "Watches are armed",
    why: "What is written between the listing and the first event is in neither, and a host never learns of it."
}
async fn v03_armed_before_the_first_listing(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    if !is_watched(root).await {
        return;
    }
    for round in 0..5 {
        let (opened, storage) = (Arc::new(AtomicBool::new(false)), root.clone());
        let seen = Arc::clone(&opened);
        let writer = tokio::spawn(async move {
            let (mut keys, mut after) = (Vec::new(), 0);
            // Some keys lie in levels that are made only now.
            while after < 20 {
                let number = keys.len();
                let key = format!("armed/{round}/{}/{number}", number / 7);
                storage.put(&key, "x").await.unwrap();
                after += usize::from(seen.load(Ordering::SeqCst));
                keys.push(key);
            }
            keys
        });
        let watcher = root.watch("armed/", WatchOptions::new()).await.unwrap();
        opened.store(true, Ordering::SeqCst);
        let objects = listed(root, "armed/").await;
        let keys = writer.await.unwrap();
        let prefix = "armed/".to_owned();
        let mut reader = Reader { storage: root.clone(), prefix, watcher, told: Vec::new(), objects };
        reader.told.extend(reader.objects.keys().map(|key| Change::Changed(Key::new(key.as_str()).unwrap())));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        reader.hears_of("an object written while the watch was opened", &keys).await;
    }
}

rule! {
    /// A reader that is slower than the changes loses none of them without a word: it is told to list again, and what it
    /// knows then is the truth.
    V03, v03_overflow_says_list_again, "Overflow says list again",
    why: "A queue that grows takes the host's memory, and one that drops in silence its trust."
}
async fn v03_overflow_says_list_again(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    if !is_watched(root).await {
        return;
    }
    for key in 0..60 {
        root.put(format!("slow/{}/{key}", key % 3), "old").await.unwrap();
    }
    let mut reader = Reader::open(root, "slow/", WatchOptions::new().capacity(4)).await;
    for key in 0..60 {
        let key = format!("slow/{}/{key}", key % 3);
        match key.len() % 2 {
            0 => root.put(&key, "new and longer").await.map(drop).unwrap(),
            _ => root.delete(&key).await.unwrap(),
        }
    }
    reader.catch_up("changes that were more than the queue holds").await;
    root.put("slow/after", "x").await.unwrap();
    reader.catch_up("a change after the overflow").await;
}

rule! {
    /// Whoever opens a watch, lists, and looks wherever it says to look, knows what a listing shows when all is still again,
    /// whatever was done meanwhile.
    V03, v03_following_leads_to_the_listing, "Following leads to the listing",
    why: "This is all that a host wants of a watch: to know what is there without asking for all of it again."
}
async fn v03_following_leads_to_the_listing(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    if !is_watched(root).await {
        return;
    }
    let mut tries = Effort::begin().tries(HISTORIES, TIME);
    while let Some(seed) = tries.next(tries.made >= 1) {
        let prefix = format!("seed-{seed}/");
        root.put(format!("{prefix}there"), "x").await.unwrap();
        let capacity = [1, 3, 4096][Random::new(seed).below(3)];
        let mut reader = Reader::open(root, &prefix, WatchOptions::new().capacity(capacity)).await;
        let both = async { tokio::join!(history(root, &prefix, seed), history(root, &prefix, !seed)) };
        reader.follow_during(both).await;
        reader.catch_up(&format!("the history of the seed {seed}")).await;
    }
}

/// Random changes of a few keys, on several levels.
async fn history(root: &Storage, prefix: &str, seed: u64) {
    let mut random = Random::new(seed);
    for step in 0..40 {
        let mut key = || {
            let depth = 1 + random.below(3);
            let names: Vec<&str> = (0..depth).map(|_| ["a", "b", "ab"][random.below(3)]).collect();
            format!("{prefix}{}", names.join("/"))
        };
        let (one, other) = (key(), key());
        let content = format!("{seed} {step}");
        // A source may be missing, which is no concern of this rule.
        match random.below(8) {
            0..=2 => drop(root.put(&one, content).await.unwrap()),
            3 => drop(write_streaming(root, &one, content, PutOptions::new()).await.unwrap()),
            4 => drop(root.copy(&one, &other).await),
            5 => drop(root.rename(&one, &other).await),
            6 => root.delete(&one).await.unwrap(),
            _ => drop(root.delete_prefix(format!("{one}/")).await.unwrap()),
        }
        // A driver that never waits would leave the reader no turn.
        tokio::task::yield_now().await;
    }
}
