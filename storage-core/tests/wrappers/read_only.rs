//! Nothing can be changed, and everything can be read.

use std::sync::Arc;

use storage_core::wrappers::ReadOnly;
use storage_core::{ErrorKind, Operation, PutOptions, StorageBackend, Support};
use storage_memory::Memory;

use crate::common::Script;
use crate::{Backend, changes, key, put, reads, text};

#[tokio::test]
async fn read_only_refuses_every_change_and_passes_reads() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "old").await;
    script.reset();
    let backend: Backend = Arc::new(ReadOnly::new(inner.clone()));
    for (name, change) in changes(&backend) {
        let error = change.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{name}");
        assert!(error.help().is_some(), "{name} says what to do");
    }
    let opened = backend.writer(&key("a"), PutOptions::new()).await;
    assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::PermissionDenied);
    for result in backend.delete_many(vec![key("a"), key("b")]).await.unwrap() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(script.requests(), 0, "nothing was sent");
    for (operation, read) in reads(&backend) {
        read.await.unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
    assert_eq!(script.calls(Operation::Probe), 0, "a probe may write, so it is not passed on");
    assert_eq!(text(&inner, "a").await.unwrap(), "old");
}

#[tokio::test]
async fn read_only_says_so_in_its_capabilities() {
    let capabilities = ReadOnly::new(Arc::new(Memory::new())).capabilities();
    for support in [
        capabilities.put_create_only,
        capabilities.put_if_match,
        capabilities.writer_create_only,
        capabilities.writer_if_match,
        capabilities.copy_create_only,
        capabilities.delete_if_match,
    ] {
        assert_eq!(support, Support::No);
    }
    assert!(!capabilities.atomic_rename);
    assert!(capabilities.attributes, "they can still be read");
}
