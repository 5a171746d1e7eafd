//! The harness for places in use, on stores of memory.

use std::time::{Duration, Instant};

use futures::future;
use storage_core::{ErrorKind, Storage};
use storage_memory::Stores;

use super::*;

/// Roots of a store; those whose names end so cannot be opened again.
fn below(stores: &Stores, closed: &'static str) -> LiveHarness {
    let (stores, opened) = (stores.clone(), Mutex::new(Vec::new()));
    LiveHarness::new(move |name| {
        let mut opened = opened.lock().unwrap();
        let again = opened.iter().any(|other| other == name);
        opened.push(name.to_owned());
        let denied = || Error::new(ErrorKind::PermissionDenied, "not yours");
        let root = match again && !closed.is_empty() && name.ends_with(closed) {
            true => Err(denied()),
            false => Storage::new(stores.open("live", true)).sub(name),
        };
        Box::pin(future::ready(root))
    })
}

async fn left(stores: &Stores) -> usize {
    Storage::new(stores.open("live", true)).list_all("").await.unwrap().len()
}

#[tokio::test]
async fn what_cannot_be_removed_is_told_once_and_all_else_goes() {
    let stores = Stores::new();
    let harness = below(&stores, "/0");
    for _ in 0..3 {
        harness.fresh().await.storage.put("a", "a").await.unwrap();
    }
    harness.finished().await;
    assert_eq!(left(&stores).await, 1, "a rule that has ended is not blamed for what cannot be opened");
    let CleanUp::Failed { reason } = harness.clean_up().await else { panic!("one root cannot be opened") };
    assert!(reason.contains("not yours") && reason.contains(harness.scratch()), "{reason}");
    assert_eq!(left(&stores).await, 0, "removing the scratch as a whole has taken it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thread_writes_that_goes_on_is_removed_too() {
    let stores = Stores::new();
    let harness = below(&stores, "");
    let fixture = harness.fresh().await;
    let runtime = tokio::runtime::Handle::current();
    let writer = std::thread::spawn(move || {
        // Whole, with its guard.
        let fixture = fixture;
        let (start, mut written) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_millis(500) {
            runtime.block_on(fixture.storage.put(format!("{written}"), "late")).unwrap();
            written += 1;
        }
        written
    });
    assert_eq!(harness.clean_up().await, CleanUp::Done);
    assert_eq!(left(&stores).await, 0);
    assert!(writer.join().unwrap() > 10, "it has gone on writing");
    assert!(harness.is_clean());
    drop(harness.fresh().await);
    assert!(!harness.is_clean(), "it serves another run");
    assert_eq!(harness.clean_up().await, CleanUp::Done);
}
