//! What each wrapper promises, over a memory store, with time under the test's control.

// Clippy knows a test by its attribute; the helpers beside them have none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod chaos;
#[path = "../common/mod.rs"]
mod common;
mod limit;
mod metrics;
mod read_only;
mod retry;
mod stack;
mod throttle;
mod timeout;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use storage_core::{
    CopyOptions, DeleteOptions, GetOptions, HeadOptions, Key, ListOptions, Operation, Prefix, PutOptions, Result,
    Storage, StorageBackend, SweepOptions,
};

pub(crate) type Backend = Arc<dyn StorageBackend>;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) async fn put(backend: &Backend, name: &str, data: &'static str) {
    backend.put(&key(name), data.into(), PutOptions::new()).await.unwrap();
}

pub(crate) async fn text(backend: &Backend, name: &str) -> Option<String> {
    Storage::from_arc(backend.clone()).text(name).await.ok()
}

/// Every call that changes what a backend holds, in one step.
pub(crate) fn changes(backend: &Backend) -> Vec<(&'static str, BoxFuture<'_, Result<()>>)> {
    vec![
        ("put", async { backend.put(&key("a"), "new".into(), PutOptions::new()).await.map(drop) }.boxed()),
        ("copy", async { backend.copy(&key("a"), &key("b"), CopyOptions::new()).await.map(drop) }.boxed()),
        ("rename", async { backend.rename(&key("a"), &key("b"), CopyOptions::new()).await.map(drop) }.boxed()),
        ("delete", async { backend.delete(&key("a"), DeleteOptions::new()).await }.boxed()),
        ("delete_prefix", async { backend.delete_prefix(&Prefix::root()).await.map(drop) }.boxed()),
        ("sweep", async { backend.sweep(SweepOptions::default()).await.map(drop) }.boxed()),
    ]
}

/// Every call that reads in one step.
pub(crate) fn reads(backend: &Backend) -> Vec<(Operation, BoxFuture<'_, Result<()>>)> {
    vec![
        (Operation::Probe, async { backend.probe().await.map(drop) }.boxed()),
        (Operation::Get, async { backend.get(&key("a"), GetOptions::new()).await.map(drop) }.boxed()),
        (Operation::Head, async { backend.head(&key("a"), HeadOptions::new()).await.map(drop) }.boxed()),
        (Operation::List, async { backend.list(ListOptions::new()).await.map(drop) }.boxed()),
    ]
}
