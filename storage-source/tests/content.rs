//! Content under its digest: keys, keeping, large content, failing streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use futures::stream;
use storage_core::{Error, ErrorKind, Put, Result, Storage};
use storage_memory::Memory;
use storage_source::{ContentStore, Stored};

fn store() -> ContentStore {
    ContentStore::new(Storage::new(Memory::new()))
}

async fn add(content: &ContentStore, name: &str, chunks: &[&'static [u8]]) -> Result<Stored> {
    let chunks: Vec<Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    content.add(name, stream::iter(chunks)).await
}

#[tokio::test]
async fn the_key_is_the_digest_and_the_name_however_the_bytes_come() {
    let content = store();
    let first = add(&content, "hello.txt", &[b"hello"]).await.unwrap();
    assert_eq!(first.key.as_str(), "5d41402abc4b2a76b9719d911017c592/hello.txt");
    assert_eq!((first.size, first.put.is_written()), (5, true));
    let again = add(&content, "hello.txt", &[b"he", b"", b"llo"]).await.unwrap();
    assert_eq!((again.key, again.put), (first.key.clone(), Put::KeptExisting));
    assert_eq!(content.storage().text(&first.key).await.unwrap(), "hello");
    assert_eq!(content.storage().usage("").await.unwrap().objects, 1);
}

#[tokio::test]
async fn another_name_or_other_bytes_are_another_object() {
    let content = store();
    for (name, bytes) in [("a", &b"1"[..]), ("b", b"1"), ("a", b"2"), ("a", b"")] {
        assert!(add(&content, name, &[bytes]).await.unwrap().put.is_written());
    }
    assert_eq!(content.storage().usage("").await.unwrap().objects, 4);
}

#[tokio::test]
async fn text_is_kept_once() {
    let content = store();
    let first = content.add_text("hello").await.unwrap();
    assert_eq!(first.key.as_str(), "text_5d41402abc4b2a76b9719d911017c592.txt");
    assert!(first.put.is_written());
    assert_eq!(content.add_text("hello").await.unwrap().put, Put::KeptExisting);
}

#[tokio::test]
async fn content_that_memory_does_not_hold_is_kept_whole_and_once() {
    const CHUNK: &[u8] = &[7; 1 << 20];
    let content = store();
    let chunks = [CHUNK; 9];
    let first = add(&content, "large", &chunks).await.unwrap();
    assert!(first.put.is_written());
    assert_eq!(first.size, 9 << 20);
    assert!(content.storage().bytes(&first.key).await.unwrap().iter().all(|byte| *byte == 7));
    assert_eq!(add(&content, "large", &chunks).await.unwrap().put, Put::KeptExisting);
}

#[tokio::test]
async fn a_stream_that_fails_leaves_nothing_however_far_it_came() {
    let content = store();
    for chunks in [1, 9] {
        let mut items: Vec<Result<Bytes>> = (0..chunks).map(|_| Ok(Bytes::from(vec![1; 1 << 20]))).collect();
        items.push(Err(Error::new(ErrorKind::Unavailable, "the source went away")));
        let error = content.add("x", stream::iter(items)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(content.storage().usage("").await.unwrap().objects, 0);
}

#[tokio::test]
async fn a_name_is_one_segment_of_a_key() {
    let content = store();
    for name in ["", "a/b", "..", "a\nb"] {
        let error = add(&content, name, &[b"x"]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidKey | ErrorKind::InvalidInput), "{name:?}: {error}");
    }
}
