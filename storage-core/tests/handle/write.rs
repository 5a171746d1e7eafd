//! Writing in one call: how many requests, and nothing visible after a failure.

use bytes::Bytes;
use futures::stream;
use storage_core::{Attributes, Error, ErrorKind, Operation, Put, PutOptions, Result};

use crate::{pattern, storage};

const MIB: usize = 1024 * 1024;

fn pieces(data: Vec<u8>, piece: usize) -> Vec<Result<Bytes>> {
    data.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

#[tokio::test]
async fn a_put_is_one_request_and_answers_what_head_says() {
    let (script, storage) = storage();
    let options = PutOptions::new().attributes(Attributes::new().content_type("text/plain").user("by", "me"));
    let put = storage.put_with("a", "hello", options.clone()).await.unwrap();
    assert_eq!((script.calls(Operation::Put), script.requests()), (1, 1));
    let head = storage.head("a").await.unwrap();
    assert_eq!((put.size, put.etag), (head.meta.size, head.meta.etag));
    assert_eq!(head.attributes, options.attributes);
}

#[tokio::test]
async fn keeping_what_exists_says_so() {
    let (script, storage) = storage();
    assert!(storage.put_if_absent("a", "one").await.unwrap().is_written());
    assert_eq!(storage.put_if_absent("a", "two").await.unwrap(), Put::KeptExisting);
    assert_eq!(storage.text("a").await.unwrap(), "one");
    assert_eq!(script.calls(Operation::Put), 2, "no request to look first");
}

#[tokio::test]
async fn a_short_stream_is_one_put() {
    let (script, storage) = storage();
    for data in [vec![], pattern(10), pattern(8 * MIB)] {
        script.reset();
        let put = storage.put_stream("a", stream::iter(pieces(data.clone(), MIB)), PutOptions::new()).await.unwrap();
        assert_eq!(put.size, data.len() as u64);
        assert_eq!((script.calls(Operation::Put), script.requests()), (1, 1));
        assert!(storage.bytes("a").await.unwrap() == data);
    }
}

#[tokio::test]
async fn a_long_stream_goes_through_a_writer() {
    let (script, storage) = storage();
    let data = pattern(8 * MIB + 1);
    storage.put_stream("a", stream::iter(pieces(data.clone(), MIB)), PutOptions::new()).await.unwrap();
    assert_eq!((script.calls(Operation::Put), script.calls(Operation::Finish)), (0, 1));
    assert!(storage.bytes("a").await.unwrap() == data);
}

#[tokio::test]
async fn a_stream_that_fails_leaves_the_old_object() {
    for length in [MIB, 10 * MIB] {
        let (script, storage) = storage();
        storage.put("a", "old").await.unwrap();
        let mut items = pieces(pattern(length), MIB);
        items.push(Err(Error::new(ErrorKind::Corrupted, "the source broke")));
        let error = storage.put_stream("a", stream::iter(items), PutOptions::new()).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Corrupted, "the source broke"));
        assert_eq!(storage.text("a").await.unwrap(), "old");
        assert_eq!(script.calls(Operation::OpenWriter), script.calls(Operation::Abort));
    }
}

#[tokio::test]
async fn another_length_than_declared_writes_nothing() {
    for length in [10, 9 * MIB] {
        for declared in [length - 1, length + 1] {
            let (_, storage) = storage();
            let options = PutOptions::new().length(declared as u64);
            let items = stream::iter(pieces(pattern(length), MIB));
            let error = storage.put_stream("a", items, options.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LengthMismatch, "{length} bytes, declared {declared}");
            let error = storage.put_with("a", pattern(length), options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LengthMismatch);
            assert!(!storage.exists("a").await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_file_is_written_as_it_is() {
    let (script, storage) = storage();
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 10, 9 * MIB] {
        let path = folder.path().join("file");
        std::fs::write(&path, pattern(length)).unwrap();
        assert_eq!(storage.put_file("a", &path, PutOptions::new()).await.unwrap().size, length as u64);
        assert!(storage.bytes("a").await.unwrap() == pattern(length));
    }
    script.reset();
    let error = storage.put_file("a", folder.path().join("missing"), PutOptions::new()).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert_eq!(script.requests(), 0);
}
