//! Walks: order, limits, reports, failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::StreamExt as _;
use s3_test_server::Fault;
use storage_core::wrappers::{Answer, Call, Intercepted, Policy};
use storage_core::{ErrorKind, Result, Storage};
use storage_source::{Filter, Outcome, Reason, Walk, WalkReport};

use crate::support::{memory, paths, roots, s3, walked};

const TREE: [&str; 14] = [
    "a",
    "a-b/x.md",
    "a.md",
    "a/b",
    "a/b/c.md",
    "a/b.md",
    "a/deep/er/than/that.md",
    "a0.md",
    "b #?%/x&y=z.MD",
    "tmp/cache/1.md",
    "tmp/cache/2.md",
    "é/ü.md",
    "\u{ff5e}.md",
    "😀/x.md",
];

/// The same tree gives the same items and the same report everywhere, flat and by level.
#[tokio::test]
async fn walks_are_the_same_on_every_driver() {
    let filters = [
        Filter::new(),
        Filter::new().extension("md"),
        Filter::new().exclude("**/cache/**").exclude("a/b"),
        Filter::new().exclude("**/cache/**").exclude("**/b/**").literal_separator(false),
        Filter::new().include("a/**").include("é/*").min_size(5),
        Filter::new().extension("md").limit(3),
    ];
    for filter in filters {
        let mut first: Option<(Vec<String>, WalkReport)> = None;
        for root in roots().await {
            root.put(&TREE).await;
            let (items, report) = walked(&root.storage, "", &filter).await;
            let mut sorted = paths(&items);
            sorted.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
            assert_eq!(paths(&items), sorted, "{} {filter:?}", root.name);
            for item in &items {
                assert_eq!(item.file.known().unwrap().size, item.path.as_str().len() as u64);
            }
            let found = (paths(&items).into_iter().map(str::to_owned).collect(), report);
            match &first {
                None => first = Some(found),
                Some(first) => assert_eq!(*first, found, "{} {filter:?}", root.name),
            }
        }
    }
}

/// `docs` takes neither its sibling `docs2` nor the object `docs`.
#[tokio::test]
async fn a_prefix_is_a_level() {
    for root in roots().await {
        root.put(&["docs", "docs/a", "docs/b/c", "docs2/a"]).await;
        for prefix in ["docs", "docs/"] {
            let (items, _) = walked(&root.storage, prefix, &Filter::new()).await;
            assert_eq!(paths(&items), ["a", "b/c"], "{} {prefix}", root.name);
        }
        assert!(walked(&root.storage, "none", &Filter::new()).await.0.is_empty());
    }
    let error = Walk::new(&memory().storage).prefix("a//b").items().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
}

/// The report counts every name once, by its first reason.
#[tokio::test]
async fn the_report_adds_up() {
    for root in roots().await {
        root.put(&["a.md", "b.txt", "long/name.md", "out/c.md", "pruned/x.md", "pruned/y/z.md"]).await;
        let filter = Filter::new().exclude("pruned/**").exclude("out/*.md").extension("md").max_size(4);
        let (items, report) = walked(&root.storage, "", &filter).await;
        assert_eq!(paths(&items), ["a.md"], "{}", root.name);
        assert_eq!((report.scanned, report.matched, report.pruned_directories), (4, 1, 1));
        let left: Vec<_> = report.left_out.iter().map(|(reason, count)| (*reason, *count)).collect();
        assert_eq!(left, [(Reason::ExcludedByPattern, 1), (Reason::WrongExtension, 1), (Reason::TooLarge, 1)]);
        assert!(report.complete && report.outcome == Outcome::Complete && report.error.is_none());
    }
}

/// Markers never appear and are counted nowhere; names that no key can express are counted and named, flat and by level.
#[tokio::test]
async fn markers_and_foreign_names_of_a_bucket() {
    let root = s3().await;
    root.put(&["docs/a"]).await;
    let server = root.server.as_ref().unwrap();
    for (name, size) in [("docs/", 0), ("empty/", 0), ("docs/x//y", 3), ("./z", 3)] {
        server.synthetic_object(crate::support::BUCKET, name, size);
    }
    for filter in [Filter::new(), Filter::new().exclude("**/none/**")] {
        let (items, report) = walked(&root.storage, "", &filter).await;
        assert_eq!(paths(&items), ["docs/a"], "{filter:?}");
        assert_eq!((report.scanned, report.left_out[&Reason::NotExpressible]), (3, 2), "{report:?}");
        assert!(report.complete && report.names.iter().any(|left| left.name.starts_with("docs/x//")), "{report:?}");
        let (_, report) = walked(&root.storage, "docs", &filter).await;
        assert!(report.names[0].name.starts_with("x//"), "names count from the prefix: {report:?}");
    }
}

/// A limit takes the first in the order of keys. That it cut something off is said only where it did.
#[tokio::test]
async fn a_limit_tells_whether_it_left_something_out() {
    for root in roots().await {
        root.put(&["a.md", "b.txt", "c.md", "d/e.md", "f.txt"]).await;
        let filter = Filter::new().extension("md");
        for (limit, taken) in [(0, 0), (2, 2), (3, 3), (9, 3)] {
            let (items, report) = walked(&root.storage, "", &filter.clone().limit(limit)).await;
            assert_eq!(paths(&items), ["a.md", "c.md", "d/e.md"][..taken], "{} {limit}", root.name);
            let over = report.left_out.get(&Reason::OverLimit).copied();
            let expected = if limit < 3 { (Outcome::Limited, false, Some(1)) } else { (Outcome::Complete, true, None) };
            assert_eq!((report.outcome, report.complete, over), expected, "{} {limit}", root.name);
        }
    }
}

/// A walk that wants few objects asks for no page that it does not need.
#[tokio::test]
async fn a_limit_saves_requests() {
    let root = s3().await;
    root.server.as_ref().unwrap().synthetic_objects(crate::support::BUCKET, "many/", 5000, 3);
    let (items, _) = walked(&root.storage, "", &Filter::new().limit(1500)).await;
    assert_eq!((items.len(), root.listings().len()), (1500, 2));
}

/// Size and time of what was listed cost nothing; reading costs one get each.
#[tokio::test]
async fn a_walk_asks_for_nothing_but_pages() {
    let root = s3().await;
    root.put(&["a.md", "b/c.md", "b/d/e.txt"]).await;
    let server = root.server.as_ref().unwrap();
    server.reset_counts();
    let (items, _) = walked(&root.storage, "", &Filter::new()).await;
    for item in &items {
        item.file.size().await.unwrap();
        item.file.modified().await.unwrap();
        item.file.fingerprint().await.unwrap();
        let _ = (item.file.identity(), item.file.uri());
    }
    assert_eq!(server.counts().to_string(), "ListObjectsV2 1");
    items[0].file.read().await.unwrap();
    assert_eq!(server.counts().to_string(), "GetObject 1, ListObjectsV2 1");
}

/// A listing that fails is the last item, whatever was asked ahead, and the report says that it is not complete.
#[tokio::test]
async fn a_failure_ends_the_walk() {
    let root = s3().await;
    root.put(&["a/1", "b/1", "c/1"]).await;
    let denied = Fault::status(403, "AccessDenied").on("ListObjectsV2").nth(3);
    root.server.as_ref().unwrap().inject(denied);
    let filter = Filter::new().exclude("**/none/**");
    let mut items = Walk::new(&root.storage).filter(filter).concurrency(1).items().unwrap();
    assert_eq!(items.next().await.unwrap().unwrap().path.as_str(), "a/1");
    assert_eq!(items.report().outcome, Outcome::Running);
    assert_eq!(items.next().await.unwrap().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(items.next().await.is_none());
    let report = items.report();
    assert_eq!((report.outcome, report.complete, report.matched), (Outcome::Failed, false, 1));
    assert!(report.error.as_ref().unwrap().contains("permission denied"), "{report:?}");
}

/// How many calls are under way, and were at most.
#[derive(Debug, Default)]
struct UnderWay {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug, Clone, Default)]
struct Counting(Arc<UnderWay>);

impl Policy for Counting {
    async fn call<T: Answer>(&self, _: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        // Whoever may run at the same time has begun by then.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let answer = attempt.await;
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

/// Levels are listed ahead, as many at once as was allowed and no more; the order stays.
#[tokio::test]
async fn levels_are_listed_at_once() {
    for most in [1, 4] {
        let root = memory();
        let keys: Vec<String> = (0..40).flat_map(|n| ["x/y", "x/z", "y"].map(|end| format!("{n:02}/{end}"))).collect();
        root.put(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let counting = Counting::default();
        let storage = Storage::new(Intercepted::around(Arc::clone(root.storage.backend()), counting.clone()));
        let filter = Filter::new().exclude("**/none/**");
        let mut items = Walk::new(&storage).filter(filter).concurrency(most).items().unwrap();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.push(item.unwrap().path.as_str().to_owned());
        }
        assert_eq!(found, keys);
        // The one that the order waits for is asked whatever else is under way.
        let seen = counting.0.most.load(Ordering::SeqCst);
        assert!((most..=most + 1).contains(&seen), "{seen} at once, allowed are {most}");
    }
}

/// What is to be left out is not listed, whatever the filter says, and is no part of a limit; nothing else is missing.
#[tokio::test]
async fn a_directory_is_left_out_whatever_the_filter_says() {
    for root in roots().await {
        root.put(&["a.md", "own/data/x.md", "own/data2/y.md", "own/database.md", "own/z.md", "src/own/data/1.md"])
            .await;
        let rest = ["a.md", "own/data2/y.md", "own/database.md", "own/z.md", "src/own/data/1.md"];
        for (filter, expected) in [
            (Filter::new(), &rest[..]),
            (Filter::new().exclude("own/**").exclude("!**/*.md"), &rest[..]),
            (Filter::new().include("own/data/**").include("a*"), &rest[..1]),
            (Filter::new().limit(5), &rest[..]),
        ] {
            let mut items = Walk::new(&root.storage).filter(filter.clone()).without("own/data").items().unwrap();
            let mut found = Vec::new();
            while let Some(item) = items.next().await {
                found.push(item.unwrap().path.to_string());
            }
            assert_eq!(found, expected, "{} {filter:?}", root.name);
            assert_eq!(
                (items.report().outcome, items.report().pruned_directories),
                (Outcome::Complete, 1),
                "{filter:?}"
            );
        }
    }
    let error = Walk::new(&memory().storage).without("a//b").items().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
}

/// The reports of several walks make one: counts add up, and the worst outcome counts.
#[tokio::test]
async fn reports_of_several_walks_are_one() {
    let root = memory();
    root.put(&["a/1.md", "a/2.txt", "b/1.md", "b/2.md"]).await;
    let filter = Filter::new().extension("md");
    let (_, mut report) = walked(&root.storage, "a", &filter).await;
    assert!(report.complete);
    report.merge(walked(&root.storage, "b", &filter.limit(1)).await.1);
    assert_eq!((report.scanned, report.matched, report.complete), (4, 2, false));
    assert_eq!((report.outcome, report.left_out.values().sum::<u64>()), (Outcome::Limited, 2));
    report.merge(WalkReport::default());
    assert_eq!(report.outcome, Outcome::Limited, "one that has not begun says nothing");
}
