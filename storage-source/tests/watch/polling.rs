//! Watches that poll.

use storage_source::{Filter, WatchMode};

use crate::support::{memory, roots, s3, scanned, told};

/// Polling is asked for anywhere, and tells the same.
#[tokio::test]
async fn polling_tells_the_same_everywhere() {
    for root in roots().await {
        root.put(&["a", "b", "c.txt"]).await;
        let mut watching = root.watch().mode(WatchMode::Poll).filter(Filter::new().exclude("*.txt")).start().unwrap();
        assert!(!watching.is_live());
        assert_eq!(scanned(&mut watching).await.0, ["+a", "+b"], "{}", root.name);
        root.storage.put("b", "another").await.unwrap();
        assert_eq!(told(&mut watching).await, "+b", "{}", root.name);
        root.put(&["d.txt"]).await;
        root.storage.delete("a").await.unwrap();
        assert_eq!(told(&mut watching).await, "-a", "{}", root.name);
    }
}

/// A poll asks for the pages of one listing and for nothing else, and tells nothing where nothing changed.
#[tokio::test]
async fn a_poll_costs_its_pages() {
    let root = s3().await;
    root.server().synthetic_objects(crate::support::BUCKET, "many/", 2500, 3);
    let mut watching = root.watch().prefix("many").start().unwrap();
    assert_eq!(scanned(&mut watching).await.0.len(), 2500);
    root.server().reset_counts();
    let (words, report) = scanned(&mut watching).await;
    assert_eq!((words.len(), report.unchanged, report.first), (0, 2500, false));
    assert_eq!(root.server().counts().to_string(), "ListObjectsV2 3");
}

/// Listings are an interval apart, a tenth more or less.
#[tokio::test(start_paused = true)]
async fn polls_are_an_interval_apart() {
    let root = memory();
    let interval = std::time::Duration::from_secs(10);
    let mut watching = root.watch().mode(WatchMode::Poll).interval(interval).start().unwrap();
    scanned(&mut watching).await;
    for _ in 0..10 {
        let start = tokio::time::Instant::now();
        scanned(&mut watching).await;
        let passed = start.elapsed().as_secs_f64();
        assert!((8.99..11.01).contains(&passed), "{passed} seconds");
    }
}
