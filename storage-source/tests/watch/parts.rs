//! Parts of what is watched that are listed again.

use storage_source::Filter;

use crate::failing::{Feed, fed};
use crate::support::{BUCKET, listing, memory, quick, roots, s3, scanned};

/// A part that is to be listed again is listed alone, and what differs there is told.
#[tokio::test]
async fn a_part_is_listed_again() {
    let root = memory();
    root.put(&["a/x", "a/y", "ab/x", "b/x"]).await;
    let (storage, feed) = fed(&root.storage);
    let mut watching = quick(&storage).start().unwrap();
    scanned(&mut watching).await;
    root.put(&["a/new", "ab/new", "b/new"]).await;
    root.storage.delete("a/x").await.unwrap();
    root.storage.delete("b/x").await.unwrap();
    for (part, expected) in [("a/", vec!["+a/new", "-a/x"]), ("a", vec!["+ab/new"]), ("", vec!["+b/new", "-b/x"])] {
        feed.tell(Feed::ListAgain(part.to_owned()));
        let (words, report) = scanned(&mut watching).await;
        assert_eq!((words, report.prefix.as_str()), (expected.iter().map(|word| (*word).to_owned()).collect(), part));
    }
}

/// A listing of a part shows what a listing of everything shows of it, whatever the filter leaves unlisted.
#[tokio::test]
async fn a_part_is_what_everything_shows_of_it() {
    let keys = ["a", "a/b", "a/b/c.md", "a/bc.md", "ab/c.md", "b/skip/x.md", "b/skipped.md", "b/x.txt", "é/ü.md"];
    let filters = [
        Filter::new(),
        Filter::new().include("a/**").include("b/*.md"),
        Filter::new().include("*/*.md"),
        Filter::new().exclude("**/skip/**").exclude("a/b/**"),
        Filter::new().exclude("**/b/**").exclude("!**/c.md").extension("md"),
    ];
    let parts = ["", "a", "a/", "a/b", "a/b/", "a/b/c.md", "ab", "b/s", "b/skip", "b/skip/", "b/skip/x", "é/", "none"];
    for root in roots().await {
        for key in keys {
            root.storage.put(format!("in/{key}"), key).await.unwrap();
        }
        let (storage, feeds) = fed(&root.storage);
        for filter in &filters {
            let all = listing(&root.storage, "in", filter).await;
            let mut watching = quick(&storage).prefix("in").filter(filter.clone()).stateless().start().unwrap();
            watching.sender().scan();
            assert_eq!(scanned(&mut watching).await.0.len(), all.len());
            for part in parts {
                feeds.tell(Feed::ListAgain(format!("in/{part}")));
                let expected = all.keys().filter(|path| path.starts_with(part)).map(|path| format!("+{path}"));
                let expected: Vec<String> = expected.collect();
                assert_eq!(scanned(&mut watching).await.0, expected, "{} {part:?} {filter:?}", root.name);
            }
        }
    }
}

/// A listing of a part asks for this part alone, and for nothing where the filter takes nothing in it.
#[tokio::test]
async fn a_part_costs_its_pages() {
    let root = s3().await;
    root.server().synthetic_objects(BUCKET, "many/", 2500, 3);
    root.put(&["few/a", "few/b"]).await;
    let (storage, feeds) = fed(&root.storage);
    let mut watching = quick(&storage).filter(Filter::new().exclude("none/**")).start().unwrap();
    assert_eq!(scanned(&mut watching).await.0.len(), 2502);
    for (part, requests) in [("few/", "ListObjectsV2 1"), ("many/", "ListObjectsV2 3"), ("none/", "")] {
        root.server().reset_counts();
        feeds.tell(Feed::ListAgain(part.to_owned()));
        assert!(scanned(&mut watching).await.0.is_empty());
        assert_eq!(root.server().counts().to_string(), requests, "{part}");
    }
}
