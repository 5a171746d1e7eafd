//! Content under its digest: keys, keeping, large content, failing streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use futures::stream;
use storage_core::{Error, ErrorKind, Put, Result, Storage};
use storage_memory::Memory;
use storage_source::{Algorithm, ContentStore, Digest, Layout, Stored};
use tokio::io::AsyncReadExt as _;

use crate::support::{roots, s3, s3_without_conditions};

const LARGE: &[u8] = &[7; 1 << 20];

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

/// Proves that every way in gives the same object, on every driver, in both layouts.
#[tokio::test]
async fn text_bytes_streams_readers_and_files_meet_in_one_object() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    for root in roots().await {
        for layout in [Layout::Md5Name, Layout::Sha256] {
            let content = ContentStore::new(root.storage.clone()).with_layout(layout);
            let first = content.add_bytes("a.txt", "hello").await.unwrap();
            assert!(first.put.is_written(), "{}", root.name);
            let others = [
                add(&content, "a.txt", &[b"he", b"llo"]).await.unwrap(),
                content.add_reader("a.txt", &b"hello"[..]).await.unwrap(),
                content.add_file(&file).await.unwrap(),
            ];
            for other in others {
                assert_eq!((other.key, other.put), (first.key.clone(), Put::KeptExisting), "{}", root.name);
            }
            let text = content.add_text("hello").await.unwrap();
            assert_eq!(text.put.is_written(), layout == Layout::Md5Name, "{}", root.name);
        }
    }
}

/// Proves the keys of the SHA-256 layout, which other programs may compute, and that a name plays no part in them.
#[tokio::test]
async fn a_sha256_key_fans_out_by_its_first_two_digits_and_holds_no_name() {
    let content = store().with_layout(Layout::Sha256);
    let one = content.add_bytes("one", "hello").await.unwrap();
    let digits = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(one.key.as_str(), format!("sha256/2c/{digits}"));
    assert_eq!(content.add_bytes("two", "hello").await.unwrap().put, Put::KeptExisting);
}

/// Proves that content is read back by its digest alone, and is gone once it is removed, and its neighbours are not.
#[tokio::test]
async fn content_is_read_back_and_removed_by_its_digest() {
    for root in roots().await {
        for layout in [Layout::Md5Name, Layout::Sha256] {
            let content = ContentStore::new(root.storage.clone()).with_layout(layout);
            let kept = content.add_text("other").await.unwrap();
            for added in [content.add_bytes("a", "hello").await.unwrap(), content.add_text("hello").await.unwrap()] {
                assert_eq!(content.bytes(&added.digest).await.unwrap(), "hello");
                let mut read = String::new();
                content.open(&added.digest).await.unwrap().read_to_string(&mut read).await.unwrap();
                assert_eq!(read, "hello");
                content.add_bytes("another name", "hello").await.unwrap();
                content.remove(&added.digest).await.unwrap();
                content.remove(&added.digest).await.unwrap();
                assert_eq!(content.locate(&added.digest).await.unwrap(), None, "{}", root.name);
                assert_eq!(content.bytes(&added.digest).await.unwrap_err().kind(), ErrorKind::NotFound);
                content.add_text("hello").await.unwrap();
            }
            assert_eq!(content.bytes(&kept.digest).await.unwrap(), "other");
        }
    }
}

/// Proves that bytes which are not those of their digest are never handed out as such.
#[tokio::test]
async fn changed_bytes_are_corrupted() {
    for layout in [Layout::Md5Name, Layout::Sha256] {
        let content = store().with_layout(layout);
        for (bytes, changed) in [("hello", "hellO"), ("hello", ""), ("", "x")] {
            let added = content.add_bytes("a", bytes).await.unwrap();
            assert_eq!(content.bytes(&added.digest).await.unwrap(), bytes);
            content.storage().put(&added.key, changed).await.unwrap();
            let error = content.bytes(&added.digest).await.unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupted, Some(added.key.as_str())));
            content.remove(&added.digest).await.unwrap();
        }
    }
}

/// Proves that a digest of another layout is refused, and is not looked for in vain.
#[tokio::test]
async fn a_digest_of_another_algorithm_is_refused() {
    let content = store();
    let digest = Algorithm::Sha256.digest(b"hello");
    assert_eq!(content.locate(&digest).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(content.remove(&digest).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    for wrong in ["", "5d41", "zz41402abc4b2a76b9719d911017c592", "5d41402abc4b2a76b9719d911017c592 "] {
        assert_eq!(wrong.parse::<Digest>().unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong:?}");
    }
}

/// Proves the cost: a put for a new object, a read of one byte before it where it is large, and no head at all.
#[tokio::test]
async fn a_new_object_costs_one_put_and_at_most_one_head() {
    let root = s3().await;
    let server = root.server.as_ref().unwrap();
    let content = ContentStore::new(root.storage.clone());
    content.add_bytes("a", "hello").await.unwrap();
    content.add_text("hello").await.unwrap();
    assert_eq!((server.counts().of("PutObject"), server.counts().total()), (2, 2), "{}", server.counts());
    server.reset_counts();
    let large = [LARGE; 9];
    assert!(add(&content, "large", &large).await.unwrap().put.is_written());
    let counts = server.counts();
    let upload = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"].map(|name| counts.of(name));
    assert_eq!((counts.of("GetObject"), upload, counts.total()), (1, [1, 2, 1], 5), "{counts}");
    server.reset_counts();
    assert_eq!(add(&content, "large", &large).await.unwrap().put, Put::KeptExisting);
    assert_eq!((server.counts().of("GetObject"), server.counts().total()), (1, 1), "{}", server.counts());
}

/// Proves that a service which ignores conditions is served all the same: a question, then a put of what is not there.
#[tokio::test]
async fn without_conditions_a_question_before_decides() {
    let root = s3_without_conditions().await;
    root.storage.probe().await.unwrap();
    let server = root.server.as_ref().unwrap();
    let content = ContentStore::new(root.storage.clone());
    for (name, chunks) in [("small", &[&b"x"[..]][..]), ("large", &[LARGE; 9])] {
        assert!(add(&content, name, chunks).await.unwrap().put.is_written());
        server.reset_counts();
        assert_eq!(add(&content, name, chunks).await.unwrap().put, Put::KeptExisting, "{name}");
        assert_eq!(server.counts().total(), 1, "{}", server.counts());
    }
}

/// Proves that of many who add the same bytes at once one writes, and all are told the truth.
#[tokio::test]
async fn of_many_at_once_one_writes() {
    for root in roots().await {
        let content = ContentStore::new(root.storage.clone()).with_layout(Layout::Sha256);
        let all = futures::future::join_all((0..16).map(|_| content.add_bytes("a", "hello"))).await;
        let written = all.into_iter().filter(|stored| stored.as_ref().unwrap().put.is_written()).count();
        assert_eq!(written, 1, "{}", root.name);
    }
}
