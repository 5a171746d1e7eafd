//! What is acknowledged is told once; what is not is told again.

use storage_core::{ErrorKind, Key};
use storage_source::{Filter, Watch, WatchState, Watching};

use crate::support::{Root, event, in_a_word, listing, memory, roots, scanned, told};

async fn restarted(root: &Root, state: WatchState) -> (Watching, Vec<String>) {
    let mut watching = root.watch().state(state).start().unwrap();
    let words = scanned(&mut watching).await.0;
    (watching, words)
}

/// After a restart only what differs from what was acknowledged is told, and the state survives being written.
#[tokio::test]
async fn a_restart_tells_what_changed_meanwhile() {
    for root in roots().await {
        root.put(&["a", "b", "c"]).await;
        let (watching, words) = restarted(&root, WatchState::new()).await;
        assert_eq!(words, ["+a", "+b", "+c"], "{}", root.name);
        watching.progress().state().save(&root.storage, "state.json").await.unwrap();
        drop(watching);

        root.put(&["d"]).await;
        root.storage.put("b", "another").await.unwrap();
        root.storage.delete("a").await.unwrap();
        let state = WatchState::load(&root.storage, "state.json").await.unwrap();
        root.storage.delete("state.json").await.unwrap();
        let (watching, words) = restarted(&root, state).await;
        assert_eq!(words, ["+b", "+d", "-a"], "{}", root.name);
        let (watching, words) = restarted(&root, watching.progress().state()).await;
        assert!(words.is_empty(), "{}: {words:?}", root.name);
        assert_eq!(watching.progress().state().len(), 3);
    }
}

/// What was told and not acknowledged is told again after a restart: a put, the removal of what was never acknowledged, and a
/// removal.
#[tokio::test]
async fn what_was_not_acknowledged_is_told_again() {
    let root = memory();
    root.put(&["gone", "kept", "there"]).await;
    let mut watching = root.watch().start().unwrap();
    let events = [event(&mut watching).await, event(&mut watching).await, event(&mut watching).await];
    let [gone, kept, there] = events;
    kept.ack();
    let state = watching.progress().state();
    let known: Vec<_> = state.objects().map(|(path, fingerprint)| (path.as_str(), fingerprint.is_some())).collect();
    assert_eq!(known, [("gone", false), ("kept", true), ("there", false)]);
    drop((gone, there, watching));
    root.storage.delete("gone").await.unwrap();
    let (mut watching, words) = restarted(&root, state).await;
    assert_eq!(words, ["+there", "-gone"]);

    root.storage.delete("kept").await.unwrap();
    assert_eq!(in_a_word(&event(&mut watching).await), "-kept", "dropped without being acknowledged");
    let (_, words) = restarted(&root, watching.progress().state()).await;
    assert_eq!(words, ["-kept"]);
}

/// While a host works on an event, no listing tells it again; once it was dropped, the next one does.
#[tokio::test]
async fn what_is_worked_on_is_not_told_twice() {
    for root in roots().await {
        root.put(&["a"]).await;
        let mut watching = root.watch().start().unwrap();
        let first = event(&mut watching).await;
        assert_eq!(scanned(&mut watching).await.1.put, 1);
        watching.sender().scan();
        let (words, report) = scanned(&mut watching).await;
        assert!(words.is_empty() && report.unchanged == 1, "{}: {words:?}", root.name);
        drop(first);
        watching.sender().scan();
        assert_eq!(told(&mut watching).await, "+a", "{}", root.name);
        watching.sender().scan();
        while scanned(&mut watching).await.1.unchanged != 1 {}
    }
}

/// Acknowledged in the wrong order, an old event never hides a newer one.
#[tokio::test]
async fn the_newest_event_of_an_object_counts() {
    let root = memory();
    let mut watching = root.watch().start().unwrap();
    scanned(&mut watching).await;
    root.storage.put("a", "1").await.unwrap();
    let first = event(&mut watching).await;
    root.storage.put("a", "2").await.unwrap();
    let second = event(&mut watching).await;
    let state = || watching.progress().state();
    let fingerprint = || state().objects().next().and_then(|(_, fingerprint)| fingerprint.map(str::to_owned));
    let expected = second.file().unwrap().fingerprint().await.unwrap();
    second.ack();
    assert_eq!(fingerprint(), Some(expected.clone()));
    first.ack();
    assert_eq!(fingerprint(), Some(expected));

    root.storage.put("a", "3").await.unwrap();
    let third = event(&mut watching).await;
    root.storage.delete("a").await.unwrap();
    let fourth = event(&mut watching).await;
    third.ack();
    assert_eq!(watching.progress().state().len(), 1, "the removal is not acknowledged");
    fourth.ack();
    assert!(watching.progress().state().is_empty());
    assert_eq!(watching.progress().acknowledged(), 4);
}

/// A host's own records are a state: only what differs from them is told.
#[tokio::test]
async fn a_host_s_records_are_a_state() {
    for root in roots().await {
        root.put(&["in/a", "in/b"]).await;
        let mut records = listing(&root.storage, "in", &Filter::new()).await;
        records.insert("old".to_owned(), "etag:\"x\"".to_owned());
        records.insert("b".to_owned(), "etag:\"other\"".to_owned());
        let known = records.into_iter().map(|(path, fingerprint)| (Key::new(path).unwrap(), fingerprint));
        let mut watching = root.watch().prefix("in").state(known.collect()).start().unwrap();
        assert_eq!(scanned(&mut watching).await.0, ["+b", "-old"], "{}", root.name);
    }
}

/// What a changed filter takes no longer is removed, and what it takes now is put.
#[tokio::test]
async fn a_changed_filter_is_a_difference() {
    for root in roots().await {
        root.put(&["a.md", "b.txt", "c.md"]).await;
        let start = |filter: &str, state: WatchState| -> Watch {
            root.watch().filter(Filter::new().extension(filter)).state(state)
        };
        let mut watching = start("md", WatchState::new()).start().unwrap();
        scanned(&mut watching).await;
        let mut watching = start("txt", watching.progress().state()).start().unwrap();
        assert_eq!(scanned(&mut watching).await.0, ["+b.txt", "-a.md", "-c.md"], "{}", root.name);
    }
}

/// A missing object is a new state; what is no state is said to be none.
#[tokio::test]
async fn a_state_is_read_as_it_was_written() {
    let root = memory();
    assert!(WatchState::load(&root.storage, "none").await.unwrap().is_empty());
    let state: WatchState = [(Key::new("é/#?%").unwrap(), "etag:\"1\"".to_owned())].into_iter().collect();
    assert_eq!(WatchState::from_bytes(&state.to_bytes().unwrap()).unwrap(), state);
    for wrong in ["", "{}", "[]", "{\"form\":1,\"place\":null,\"objects\":{\"a//b\":null}}"] {
        let error = WatchState::from_bytes(wrong.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{wrong}");
    }
    let newer = WatchState::from_bytes(b"{\"form\":2,\"place\":null,\"objects\":{}}").unwrap_err();
    assert!(newer.message().contains("form 2"), "{newer}");
    root.put(&["text"]).await;
    let error = WatchState::load(&root.storage, "text").await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some("text")));
}
