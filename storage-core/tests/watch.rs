//! The queue between a driver and the reader of a watch, and the watch of a handle: bounded, one change a key, nothing
//! lost without a word (rule V03).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use storage_core::wrappers::{
    Chaos, ChaosOptions, ConcurrencyLimit, ConcurrencyLimitOptions, Metrics, ReadOnly, Retry, RetryOptions, Timeout,
    TimeoutOptions,
};
use storage_core::{
    Change, ChangeFeed, ChangeReceiver, ChangeSender, Error, ErrorKind, Key, Prefix, Storage, StorageBackend,
    WatchOptions, Watcher, change_queue,
};
use storage_memory::Memory;

fn changed(key: &str) -> Change {
    Change::Changed(Key::new(key).unwrap())
}

fn removed(key: &str) -> Change {
    Change::Removed(Key::new(key).unwrap())
}

fn again(prefix: &str) -> Change {
    Change::ListAgain(Prefix::new(prefix).unwrap())
}

fn queue(prefix: &str, capacity: usize) -> (ChangeSender, ChangeReceiver) {
    change_queue(Prefix::new(prefix).unwrap(), &WatchOptions::new().capacity(capacity))
}

/// What waits in a queue, all of it.
fn waiting(receiver: &mut ChangeReceiver) -> Vec<Change> {
    std::iter::from_fn(|| receiver.next().now_or_never().map(|next| next.unwrap().unwrap())).collect()
}

#[test]
fn of_one_key_the_last_change_waits_and_no_other() {
    let (sender, mut receiver) = queue("", 2);
    for _ in 0..10 {
        sender.tell(changed("a"));
        sender.tell(changed("b"));
        sender.tell(removed("a"));
    }
    assert_eq!(waiting(&mut receiver), [removed("a"), changed("b")]);
    sender.tell(changed("a"));
    assert_eq!(waiting(&mut receiver), [changed("a")], "what was read is told anew");
}

#[test]
fn what_is_not_under_the_prefix_goes_no_further() {
    let (sender, mut receiver) = queue("in/a", 9);
    for change in [changed("in"), removed("in/b"), again("in/b/"), again("out/"), changed("in/a"), removed("in/ab/c")] {
        assert!(sender.tell(change));
    }
    assert_eq!(waiting(&mut receiver), [changed("in/a"), removed("in/ab/c")]);
    sender.tell(again("in/"));
    assert_eq!(waiting(&mut receiver), [again("in/a")], "as far as it is watched");
    sender.tell(again("in/a/b/"));
    assert_eq!(waiting(&mut receiver), [again("in/a/b/")]);
}

#[test]
fn more_than_may_wait_gives_way_to_one_list_again() {
    let (sender, mut receiver) = queue("p/", 3);
    for number in 0..1000 {
        sender.tell(changed(&format!("p/{number}")));
    }
    assert_eq!(waiting(&mut receiver), [again("p/")]);
    sender.tell(removed("p/1"));
    assert_eq!(waiting(&mut receiver), [removed("p/1")], "after it was read, single changes count again");
}

#[test]
fn list_again_covers_what_is_below_until_it_is_read() {
    let (sender, mut receiver) = queue("", 9);
    for change in [changed("a/x"), again("a/b/"), changed("a-b"), again("a/"), removed("a/b/c"), again("a/c/")] {
        sender.tell(change);
    }
    assert_eq!(waiting(&mut receiver), [again("a/"), changed("a-b")]);
    // None of these begins with another, though they lie between each other in the order.
    for change in [again("a/"), again("a/b"), again("a0"), again("a-")] {
        sender.tell(change);
    }
    for covered in ["a/x", "a0z", "a-/x"] {
        sender.tell(changed(covered));
    }
    sender.tell(changed("a"));
    assert_eq!(waiting(&mut receiver), [again("a-"), again("a/"), again("a0"), changed("a")]);
}

#[tokio::test]
async fn the_end_and_a_failure_come_after_what_waits() {
    let (sender, mut receiver) = queue("", 9);
    sender.tell(changed("a"));
    drop(sender);
    assert_eq!(receiver.next().await.unwrap(), Some(changed("a")));
    assert_eq!(receiver.next().await.unwrap(), None);
    assert_eq!(receiver.next().await.unwrap(), None);

    let (sender, mut receiver) = queue("", 9);
    sender.tell(changed("a"));
    sender.fail(Error::new(ErrorKind::Configuration, "no more watches"));
    assert_eq!(receiver.next().await.unwrap(), Some(changed("a")));
    assert_eq!(receiver.next().await.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(receiver.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_wait_that_is_dropped_takes_nothing_and_one_that_goes_on_is_woken() {
    let (sender, mut receiver) = queue("", 9);
    assert!(receiver.next().now_or_never().is_none());
    let told = tokio::join!(receiver.next(), async { sender.tell(changed("a")) });
    assert_eq!(told.0.unwrap(), Some(changed("a")));
    drop(receiver);
    assert!(!sender.tell(changed("b")) && sender.is_unread(), "nobody reads any more");
}

/// Every wrapper around a store, and the store.
fn wrapped() -> (Storage, Storage) {
    let store: Arc<dyn StorageBackend> = Arc::new(Memory::new());
    let chaos = Chaos::new(Arc::clone(&store), ChaosOptions::new(1).fail_before(0.5));
    let timed = Timeout::new(Arc::new(chaos), TimeoutOptions::new());
    let limited = ConcurrencyLimit::new(Arc::new(timed), ConcurrencyLimitOptions::new().calls(1));
    let retried = Retry::new(Arc::new(limited), RetryOptions::new().attempts(50));
    let shown = ReadOnly::new(Arc::new(Metrics::new(Arc::new(retried))));
    (Storage::new(shown), Storage::from_arc(store))
}

async fn told(watcher: &mut Watcher) -> Change {
    watcher.next().await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_watch_passes_every_wrapper_and_may_be_silent_as_long_as_it_will() {
    let (shown, store) = wrapped();
    assert!(shown.capabilities().watch);
    let mut watcher = shown.sub("tenant/a").unwrap().watch("", WatchOptions::new().capacity(2)).await.unwrap();
    // One that waits for hours holds no place of the limit, and runs into no time-out.
    assert!(tokio::time::timeout(Duration::from_secs(36_000), watcher.next()).await.is_err());
    assert!(shown.list_all("").await.unwrap().is_empty());
    for key in ["tenant/a", "tenant/ab/x", "x", "tenant/a/own"] {
        store.put(key, "x").await.unwrap();
    }
    assert_eq!(told(&mut watcher).await, changed("own"), "a sub-root sees its own names only");
    for number in 0..3 {
        store.put(format!("tenant/a/{number}"), "x").await.unwrap();
    }
    assert_eq!(told(&mut watcher).await, again(""));
    store.delete("tenant/a/own").await.unwrap();
    assert_eq!(told(&mut watcher).await, removed("own"));
    drop((shown, store));
    assert_eq!(watcher.next().await.unwrap(), None, "the store has ended with its last handle");
}

#[tokio::test]
async fn a_watch_that_cannot_be_is_refused_with_what_to_do() {
    let store = Storage::new(Memory::new());
    let refused = store.watch("", WatchOptions::new().capacity(0)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let refused = store.watch("a//b", WatchOptions::new()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidKey);
    assert_eq!(refused.operation().unwrap().as_str(), "watch");
}
