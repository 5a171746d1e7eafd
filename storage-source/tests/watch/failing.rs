//! Failures of the backend's watch, of listings and of heads: told, tried again, and never taken for removals.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use s3_test_server::Fault;
use storage_core::{
    BackendWriter, Capabilities, Change, ChangeFeed, ChangeSender, CopyOptions, CopyResult, DeleteOptions, Error,
    ErrorKind, GetOptions, GetResult, HeadOptions, Key, ListOptions, Lister, Location, ObjectHead, Page, Payload,
    Prefix, PresignOptions, Presigned, PutOptions, PutResult, Result, Skipped, Storage, StorageBackend, SweepOptions,
    SweepReport, VersionLister, WatchOptions, change_queue,
};

use crate::support::{View, follow, listing, memory, next, quick, s3, scanned, told};
use storage_source::Filter;

/// What a feed is made to tell.
pub(crate) enum Feed {
    ListAgain(String),
    Failed(ErrorKind),
    Ended,
}

/// The feeds of a backend, in a test's hands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    sender: Option<ChangeSender>,
    /// What opening the next feeds fails with.
    refusals: VecDeque<ErrorKind>,
    opened: usize,
    /// A directory that listings cannot look into.
    hidden: Option<&'static str>,
}

impl Feeds {
    pub(crate) fn tell(&self, feed: Feed) {
        let mut open = self.0.lock().unwrap();
        match feed {
            Feed::ListAgain(prefix) => {
                open.sender.as_ref().unwrap().tell(Change::ListAgain(Prefix::new(prefix).unwrap()));
            }
            Feed::Failed(kind) => open.sender.take().unwrap().fail(Error::new(kind, "the feed broke")),
            Feed::Ended => drop(open.sender.take()),
        }
    }

    fn refuse(&self, kinds: &[ErrorKind]) {
        self.0.lock().unwrap().refusals.extend(kinds);
    }

    fn hide(&self, directory: &'static str) {
        self.0.lock().unwrap().hidden = Some(directory);
    }

    fn opened(&self) -> usize {
        self.0.lock().unwrap().opened
    }
}

/// A backend whose feeds tell what a test makes them tell, and nothing else.
#[derive(Debug)]
struct Fed {
    inner: Arc<dyn StorageBackend>,
    feeds: Feeds,
}

/// The storage with feeds in a test's hands.
pub(crate) fn fed(storage: &Storage) -> (Storage, Feeds) {
    let feeds = Feeds::default();
    (Storage::new(Fed { inner: Arc::clone(storage.backend()), feeds: feeds.clone() }), feeds)
}

#[async_trait]
impl StorageBackend for Fed {
    fn name(&self) -> &str {
        "fed"
    }
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.watch = true;
        capabilities
    }
    fn location(&self) -> Option<Location> {
        self.inner.location()
    }
    async fn probe(&self) -> Result<Capabilities> {
        self.inner.probe().await
    }
    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.inner.get(key, options).await
    }
    async fn head(&self, key: &Key, options: HeadOptions) -> Result<ObjectHead> {
        self.inner.head(key, options).await
    }
    async fn put(&self, key: &Key, payload: Payload, options: PutOptions) -> Result<PutResult> {
        self.inner.put(key, payload, options).await
    }
    async fn writer(&self, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
        self.inner.writer(key, options).await
    }
    async fn list(&self, options: ListOptions) -> Result<Box<dyn Lister>> {
        let hidden = self.feeds.0.lock().unwrap().hidden;
        Ok(Box::new(Hiding { inner: self.inner.list(options).await?, hidden }))
    }
    async fn copy(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.inner.copy(from, to, options).await
    }
    async fn rename(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<CopyResult> {
        self.inner.rename(from, to, options).await
    }
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.inner.delete(key, options).await
    }
    async fn delete_many(&self, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
        self.inner.delete_many(keys).await
    }
    async fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.inner.delete_prefix(prefix).await
    }
    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.inner.sweep(options).await
    }
    async fn local_path(&self, key: &Key) -> Result<PathBuf> {
        self.inner.local_path(key).await
    }
    async fn presign(&self, key: &Key, options: PresignOptions) -> Result<Presigned> {
        self.inner.presign(key, options).await
    }
    async fn list_versions(&self, options: ListOptions) -> Result<Box<dyn VersionLister>> {
        self.inner.list_versions(options).await
    }
    async fn watch(&self, prefix: &Prefix, options: WatchOptions) -> Result<Box<dyn ChangeFeed>> {
        let mut open = self.feeds.0.lock().unwrap();
        if let Some(kind) = open.refusals.pop_front() {
            return Err(Error::new(kind, "no feed for now"));
        }
        let (sender, receiver) = change_queue(prefix.clone(), &options);
        open.sender = Some(sender);
        open.opened += 1;
        Ok(Box::new(receiver))
    }
}

/// A listing that cannot look into a directory.
struct Hiding {
    inner: Box<dyn Lister>,
    hidden: Option<&'static str>,
}

#[async_trait]
impl Lister for Hiding {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.inner.next_page().await? else { return Ok(None) };
        if let Some(hidden) = self.hidden {
            let before = page.entries.len();
            page.entries.retain(|entry| !entry.as_str().starts_with(hidden));
            if page.entries.len() < before {
                page.skipped.push(Skipped { name: hidden.to_owned(), reason: Skipped::UNREADABLE.to_owned() });
            }
        }
        Ok(Some(page))
    }
}

/// A feed that breaks off or ends is opened anew, and what happened in the gap is found by a listing. Each failure is told.
#[tokio::test]
async fn a_feed_that_breaks_is_opened_anew() {
    let root = memory();
    root.put(&["a", "b"]).await;
    let (storage, feeds) = fed(&root.storage);
    feeds.refuse(&[ErrorKind::Unavailable, ErrorKind::BackendNotFound]);
    let mut watching = quick(&storage).start().unwrap();
    assert_eq!(next(&mut watching).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(next(&mut watching).await.unwrap_err().kind(), ErrorKind::BackendNotFound);
    assert_eq!(scanned(&mut watching).await.0, ["+a", "+b"]);

    root.put(&["c"]).await;
    root.storage.delete("a").await.unwrap();
    feeds.tell(Feed::Failed(ErrorKind::Timeout));
    assert_eq!(next(&mut watching).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(scanned(&mut watching).await.0, ["+c", "-a"]);
    root.put(&["d"]).await;
    feeds.tell(Feed::Ended);
    assert_eq!(scanned(&mut watching).await.0, ["+d"]);
    assert_eq!(feeds.opened(), 3);
}

/// Where the backend cannot tell its changes after all, the watch says so once, and polls.
#[tokio::test]
async fn a_feed_that_cannot_be_opened_is_polling() {
    let root = memory();
    root.put(&["a"]).await;
    let (storage, feeds) = fed(&root.storage);
    feeds.refuse(&[ErrorKind::Unsupported]);
    let mut watching = quick(&storage).start().unwrap();
    assert_eq!(next(&mut watching).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(scanned(&mut watching).await.0, ["+a"]);
    root.put(&["b"]).await;
    assert_eq!(told(&mut watching).await, "+b");
    assert!(!watching.is_live() && feeds.opened() == 0);
}

/// A listing that fails on its second page tells its error, infers nothing from what it did not show, and is repeated.
#[tokio::test]
async fn a_failed_listing_removes_nothing() {
    let root = s3().await;
    let server = root.server();
    server.synthetic_objects(crate::support::BUCKET, "many/", 2500, 3);
    root.put(&["z"]).await;
    let mut watching = root.watch().start().unwrap();
    assert_eq!(scanned(&mut watching).await.0.len(), 2501);
    let known = watching.progress().state();

    let denied = server.inject(Fault::status(403, "AccessDenied").on("ListObjectsV2").nth(2));
    let mut failures = 0;
    while failures < 3 {
        match next(&mut watching).await {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                failures += 1;
            }
            Ok(storage_source::Watched::Event(event)) => panic!("{event:?}"),
            Ok(_) => {}
        }
    }
    assert_eq!(watching.progress().state(), known);
    denied.remove();
    root.storage.delete("z").await.unwrap();
    assert_eq!(told(&mut watching).await, "-z");
}

/// A bucket that is gone is an error, and no removal of all it held.
#[tokio::test]
async fn a_root_that_is_gone_removes_nothing() {
    let root = s3().await;
    root.put(&["a", "b"]).await;
    let mut watching = root.watch().start().unwrap();
    scanned(&mut watching).await;
    root.server().delete_bucket(crate::support::BUCKET);
    loop {
        match next(&mut watching).await {
            Err(error) => break assert_eq!(error.kind(), ErrorKind::BackendNotFound),
            Ok(storage_source::Watched::Event(event)) => panic!("{event:?}"),
            Ok(_) => {}
        }
    }
    root.server().create_bucket(crate::support::BUCKET);
    root.put(&["b", "c"]).await;
    let mut view = View::from([("a".to_owned(), String::new()), ("b".to_owned(), String::new())]);
    let expected = listing(&root.storage, "", &Filter::new()).await;
    view.insert("b".to_owned(), expected["b"].clone());
    follow(&mut watching, &mut view, &expected).await;
}

/// A directory that may not be read makes the listing incomplete: what is not seen is not told as removed, and counted.
#[tokio::test]
async fn an_incomplete_listing_removes_nothing() {
    let root = memory();
    root.put(&["a", "hidden/x", "z"]).await;
    let (storage, feeds) = fed(&root.storage);
    let mut watching = quick(&storage).start().unwrap();
    scanned(&mut watching).await;
    feeds.hide("hidden/");
    root.storage.delete("z").await.unwrap();
    root.put(&["b"]).await;
    feeds.tell(Feed::ListAgain(String::new()));
    let (words, report) = scanned(&mut watching).await;
    assert_eq!(words, ["+b"]);
    assert_eq!((report.walk.complete, report.removed, report.withheld), (false, 0, 2), "{report:?}");
    feeds.hide("nothing/");
    feeds.tell(Feed::ListAgain(String::new()));
    assert_eq!(scanned(&mut watching).await.0, ["-z"]);
}

/// An object that cannot be looked at is tried again, and holds nothing else up.
#[tokio::test]
async fn a_failed_head_is_tried_again() {
    let root = s3().await;
    let mut watching = root.watch().mode(storage_source::WatchMode::Messages).start().unwrap();
    scanned(&mut watching).await;
    root.put(&["bad", "good"]).await;
    let denied = root.server().inject(Fault::status(403, "AccessDenied").on("HeadObject").key_contains("bad"));
    for key in ["bad", "good"] {
        watching.sender().look(key).unwrap();
    }
    let error = next(&mut watching).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::PermissionDenied, Some("bad")));
    let good = loop {
        match next(&mut watching).await {
            Ok(storage_source::Watched::Event(event)) => break event,
            other => assert!(other.is_err(), "{other:?}"),
        }
    };
    assert_eq!(good.path.as_str(), "good");
    denied.remove();
    let bad = loop {
        if let Ok(storage_source::Watched::Event(event)) = next(&mut watching).await {
            break event;
        }
    };
    assert_eq!(bad.path.as_str(), "bad");
}
