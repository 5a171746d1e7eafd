//! What the host's handle does on top of a backend, with every request counted.

// Clippy knows a test by its attribute; the helpers beside them have none.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod copy;
mod list;
mod read;
mod reader;
mod refuse;
mod write;
mod writer;

use common::Script;
use storage_core::Storage;

/// A handle on an empty store, and the record of what it asks for.
pub(crate) fn storage() -> (Script, Storage) {
    let script = Script::new();
    let storage = Storage::from_arc(script.memory());
    (script, storage)
}

/// Bytes that differ from one place to the next.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A handle on a store with one object, `a`.
pub(crate) async fn with_object(length: usize) -> (Script, Storage) {
    let (script, storage) = storage();
    storage.put("a", pattern(length)).await.unwrap();
    script.reset();
    (script, storage)
}
