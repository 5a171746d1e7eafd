//! Changes as they are made: the first listing, and what follows it.

use storage_core::{ErrorKind, Location, OpenOptions, Registry};
use storage_source::{Filter, Watch, WatchMode, WatchState, Watched};

use crate::support::{View, event, follow, listing, memory, roots, scanned, told};

/// A watch tells what there is in order and then every change, on each backend in the same way.
#[tokio::test]
async fn a_watch_begins_with_what_there_is_and_goes_on() {
    for root in roots().await {
        root.put(&["docs/a.md", "docs/b/c.md", "docs/z.txt", "docs2/a.md"]).await;
        let filter = Filter::new().extension("md");
        let mut watching = root.watch().prefix("docs").filter(filter).start().unwrap();
        let (words, report) = scanned(&mut watching).await;
        assert_eq!(watching.is_live(), root.storage.capabilities().watch, "{}", root.name);
        assert_eq!(words, ["+a.md", "+b/c.md"], "{}", root.name);
        assert!(report.first && report.walk.complete, "{report:?}");
        assert_eq!((report.put, report.removed, report.unchanged, report.withheld), (2, 0, 0, 0), "{report:?}");

        root.put(&["docs/new.txt", "other.md", "docs/b.md"]).await;
        assert_eq!(told(&mut watching).await, "+b.md", "{}", root.name);
        root.storage.put("docs/a.md", "another text").await.unwrap();
        assert_eq!(told(&mut watching).await, "+a.md", "{}", root.name);
        root.storage.delete("docs/b/c.md").await.unwrap();
        assert_eq!(told(&mut watching).await, "-b/c.md", "{}", root.name);
    }
}

/// The file of an event is read as it was told, with one head and one get.
#[tokio::test]
async fn an_event_carries_the_file() {
    for root in roots().await {
        let mut watching = root.watch().prefix("docs/").start().unwrap();
        scanned(&mut watching).await;
        root.put(&["docs/é b.md"]).await;
        let event = event(&mut watching).await;
        let file = event.file().unwrap();
        assert_eq!((event.path.as_str(), event.key.as_str()), ("é b.md", "docs/é b.md"), "{}", root.name);
        assert_eq!((file.path(), file.text().await.unwrap()), (&event.path, "docs/é b.md".to_owned()));
        assert_eq!(file.content_type().await.unwrap(), "text/markdown");
    }
}

/// An object that the filter takes no longer, since it outgrew the limit, is told as removed; and as put when it fits again.
#[tokio::test]
async fn what_outgrows_the_limit_is_removed() {
    for root in roots().await {
        root.put(&["a", "b"]).await;
        let mut watching = root.watch().filter(Filter::new().max_size(4)).start().unwrap();
        assert_eq!(scanned(&mut watching).await.0, ["+a", "+b"]);
        root.storage.put("a", "far too large").await.unwrap();
        assert_eq!(told(&mut watching).await, "-a", "{}", root.name);
        root.storage.put("new", "too large from the start").await.unwrap();
        root.storage.put("a", "fits").await.unwrap();
        assert_eq!(told(&mut watching).await, "+a", "{}: what was never taken is not removed", root.name);
    }
}

/// What changes while the first listing is under way, before or behind where it is, is told.
#[tokio::test]
async fn nothing_falls_between_the_listing_and_the_watch() {
    for root in roots().await {
        root.put(&["b", "c", "d"]).await;
        let mut watching = root.watch().start().unwrap();
        let mut view = View::new();
        assert_eq!(told(&mut watching).await, "+b");
        view.insert("b".to_owned(), String::new());
        root.put(&["a", "bb"]).await;
        root.storage.delete("b").await.unwrap();
        root.storage.put("c", "another one").await.unwrap();
        follow(&mut watching, &mut view, &listing(&root.storage, "", &Filter::new()).await).await;
    }
}

/// More changes than may wait make the backend say that everything is to be listed again; nothing is lost by that.
#[tokio::test]
async fn an_overflow_is_a_listing() {
    let root = memory();
    let mut watching = root.watch().prefix("in").start().unwrap();
    assert!(watching.is_live());
    scanned(&mut watching).await;
    for n in 0..5000 {
        root.storage.put(format!("in/{n:04}"), "x").await.unwrap();
    }
    let (words, report) = scanned(&mut watching).await;
    assert_eq!((words.len(), report.put, report.first), (5000, 5000, false));
    assert_eq!(report.prefix.as_str(), "in/");
    root.storage.delete_prefix("in/").await.unwrap();
    root.storage.put("in/last", "x").await.unwrap();
    let (words, report) = scanned(&mut watching).await;
    assert_eq!((words.len(), report.removed), (5001, 5000));
}

/// What lies under a path that is left out is never told, however it is met.
#[tokio::test]
async fn a_path_is_left_out() {
    for root in roots().await {
        root.put(&["in/own/x", "in/own2/x"]).await;
        let mut watching = root.watch().prefix("in").without("own").start().unwrap();
        assert_eq!(scanned(&mut watching).await.0, ["+own2/x"], "{}", root.name);
        root.put(&["in/own/y", "in/z"]).await;
        watching.sender().look("in/own/y").unwrap();
        assert_eq!(told(&mut watching).await, "+z", "{}", root.name);
    }
}

/// A call that was dropped while it waited or looked has taken nothing.
#[tokio::test]
async fn a_dropped_call_loses_nothing() {
    for root in roots().await {
        root.put(&["a", "b", "c"]).await;
        let mut watching = root.watch().start().unwrap();
        let (mut view, expected) = (View::new(), listing(&root.storage, "", &Filter::new()).await);
        while view != expected {
            // Each call is polled once more often than the one before it, until one comes to its end.
            for polls in 1.. {
                let mut call = std::pin::pin!(watching.next());
                let mut ended = None;
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                    ended = futures::FutureExt::now_or_never(call.as_mut());
                    if ended.is_some() {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                match ended {
                    Some(Ok(Watched::Event(event))) => {
                        crate::support::work(&mut view, &event).await;
                        event.ack();
                        break;
                    }
                    Some(Err(error)) => panic!("{error}"),
                    Some(Ok(_)) => break,
                    None => {}
                }
            }
        }
    }
}

/// Without state nothing is listed, and no object is held; changes are told as often as they come.
#[tokio::test]
async fn a_watch_without_state_tells_only_changes() {
    let root = memory();
    root.put(&["a.md", "b.md"]).await;
    let filter = Filter::new().extension("md").max_size(8);
    let mut watching = Watch::new(&root.storage).filter(filter).stateless().start().unwrap();
    let first = tokio::select! {
        biased;
        watched = watching.next() => Some(watched),
        () = tokio::task::yield_now() => None,
    };
    assert!(first.is_none(), "{first:?}");
    root.storage.put("a.md", "1").await.unwrap();
    root.storage.put("a.txt", "1").await.unwrap();
    root.storage.put("b.md", "grown beyond").await.unwrap();
    root.storage.put("c.md", "1").await.unwrap();
    assert_eq!(told(&mut watching).await, "+a.md");
    assert_eq!(told(&mut watching).await, "-b.md", "it may be known");
    assert_eq!(told(&mut watching).await, "+c.md");
    root.storage.delete("c.md").await.unwrap();
    assert_eq!(told(&mut watching).await, "-c.md");
    assert!(watching.progress().state().is_empty());
}

/// Without state all there is is told again after a gap, since what happened in it is unknown.
#[tokio::test]
async fn a_watch_without_state_tells_everything_after_a_gap() {
    use crate::failing::{Feed, fed};
    let root = memory();
    root.put(&["a", "b"]).await;
    let (storage, feeds) = fed(&root.storage);
    let mut watching = crate::support::quick(&storage).stateless().start().unwrap();
    watching.sender().look("a").unwrap();
    assert_eq!(told(&mut watching).await, "+a");
    feeds.tell(Feed::Ended);
    let (words, report) = scanned(&mut watching).await;
    assert_eq!((words, report.removed), (vec!["+a".to_owned(), "+b".to_owned()], 0));
}

/// A watch that cannot be is refused before anything is asked, and says why.
#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let root = memory();
    let error = |watch: Watch| watch.start().unwrap_err();
    assert_eq!(error(root.watch().prefix("a//b")).kind(), ErrorKind::InvalidKey);
    assert_eq!(error(root.watch().without("..")).kind(), ErrorKind::InvalidKey);
    let cases = [
        (root.watch().filter(Filter::new().include("[")), "include"),
        (root.watch().filter(Filter::new().limit(3)), "limit"),
        (root.watch().interval(std::time::Duration::ZERO), "interval"),
    ];
    for (watch, word) in cases {
        let error = error(watch);
        assert!(error.kind() == ErrorKind::InvalidInput && error.message().contains(word), "{error}");
    }
    let polling = error(root.watch().mode(WatchMode::Poll).stateless());
    assert!(polling.kind() == ErrorKind::Unsupported && polling.message().contains("state"), "{polling}");

    let registry = Registry::new().with(storage_memory::MemoryDriver::new()).unwrap();
    let open = async |name: &str| {
        registry.open(&Location::parse(name).unwrap(), &OpenOptions::new().create(true)).await.unwrap()
    };
    let (one, two) = (open("memory://one").await, open("memory://two").await);
    let mut watching = crate::support::quick(&one).prefix("in").start().unwrap();
    scanned(&mut watching).await;
    let state = WatchState::from_bytes(&watching.progress().state().to_bytes().unwrap()).unwrap();
    let other = error(crate::support::quick(&two).prefix("in").state(state.clone()));
    assert!(other.message().contains("memory://one/in/") && other.message().contains("memory://two/in/"), "{other}");
    assert!(crate::support::quick(&one).prefix("out").state(state.clone()).start().is_err());
    assert!(crate::support::quick(&one).prefix("in/").state(state).start().is_ok());
}
