//! The host's writer: gathering, `AsyncWrite`, and what a dropped or failed call leaves.

use std::time::Duration;

use storage_core::{ErrorKind, Operation, PutOptions};
use tokio::io::AsyncWriteExt as _;

use crate::common::Fault;
use crate::{pattern, storage};

const KIB: usize = 1024;

#[tokio::test]
async fn small_writes_are_gathered() {
    let (script, storage) = storage();
    let data = pattern(200 * KIB);
    let mut writer = storage.writer("a").await.unwrap();
    for piece in data.chunks(KIB) {
        writer.write(piece.to_vec()).await.unwrap();
    }
    assert!(!storage.exists("a").await.unwrap(), "nothing is visible before finish");
    let put = writer.finish().await.unwrap();
    assert_eq!(writer.result(), Some(&put));
    assert_eq!(script.calls(Operation::Write), 4, "200 KiB in gathers of 64");
    assert!(storage.bytes("a").await.unwrap() == data);
}

#[tokio::test]
async fn small_and_large_writes_keep_their_order() {
    let (_, storage) = storage();
    let data = pattern(1000 * KIB);
    let mut writer = storage.writer("a").await.unwrap();
    let (mut rest, mut length) = (&data[..], 1);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(length.min(rest.len()));
        writer.write(piece.to_vec()).await.unwrap();
        (rest, length) = (more, length * 7 % 100_003 + 1);
    }
    writer.finish().await.unwrap();
    assert!(storage.bytes("a").await.unwrap() == data);
}

#[tokio::test]
async fn a_copy_from_any_reader_ends_with_shutdown() {
    let (_, storage) = storage();
    let data = pattern(300 * KIB + 7);
    let mut writer = storage.writer("a").await.unwrap();
    let copied = tokio::io::copy(&mut &data[..], &mut writer).await.unwrap();
    assert_eq!(copied, data.len() as u64);
    assert!(!storage.exists("a").await.unwrap());
    writer.shutdown().await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(writer.result().unwrap().size, copied);
    assert!(storage.bytes("a").await.unwrap() == data);
    assert!(writer.write_all(b"more").await.is_err(), "it is finished");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_dropped_half_way_loses_the_writer() {
    let (script, storage) = storage();
    storage.put("a", "old").await.unwrap();
    let mut writer = storage.writer("a").await.unwrap();
    writer.write(pattern(100 * KIB)).await.unwrap();
    script.takes(Duration::from_secs(10));
    let dropped = tokio::time::timeout(Duration::from_secs(1), writer.write(pattern(100 * KIB))).await;
    assert!(dropped.is_err());
    script.takes(Duration::ZERO);
    // Were the writer good still, nobody could tell whether the dropped bytes are in it.
    assert_eq!(writer.write("more").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Closed);
    writer.abort().await.unwrap();
    assert_eq!(storage.text("a").await.unwrap(), "old");
    assert_eq!(script.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_was_dropped_half_way_loses_the_writer() {
    let (script, storage) = storage();
    let mut writer = storage.writer("a").await.unwrap();
    writer.write("new").await.unwrap();
    script.fault(Operation::Finish, Fault::Hang);
    tokio::time::timeout(Duration::from_secs(1), writer.finish()).await.unwrap_err();
    assert_eq!(script.running(), 0, "the driver's call is dropped too");
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Closed);
    writer.abort().await.unwrap();
    assert!(!storage.exists("a").await.unwrap());
}

#[tokio::test]
async fn a_call_that_failed_loses_the_writer() {
    for operation in [Operation::Write, Operation::Finish] {
        let (script, storage) = storage();
        let mut writer = storage.writer("a").await.unwrap();
        script.fault(operation, Fault::Refused(ErrorKind::OutOfSpace));
        writer.write("new").await.unwrap();
        let error = writer.finish().await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::OutOfSpace, Some("a")));
        assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Closed);
        writer.abort().await.unwrap();
        assert!(!storage.exists("a").await.unwrap());
    }
}

#[tokio::test]
async fn use_after_the_end_is_an_error() {
    let (_, storage) = storage();
    let mut finished = storage.writer("a").await.unwrap();
    finished.finish().await.unwrap();
    let mut aborted = storage.writer("b").await.unwrap();
    aborted.abort().await.unwrap();
    aborted.abort().await.unwrap();
    for writer in [&mut finished, &mut aborted] {
        assert_eq!(writer.write("x").await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Closed);
    }
    assert_eq!(finished.abort().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(storage.bytes("a").await.unwrap(), "", "the empty object stays");
    assert!(!storage.exists("b").await.unwrap());
}

#[tokio::test]
async fn more_bytes_than_declared_are_refused_as_they_come() {
    let (_, storage) = storage();
    let mut writer = storage.writer_with("a", PutOptions::new().length(5)).await.unwrap();
    writer.write("1234").await.unwrap();
    assert_eq!(writer.write("56").await.unwrap_err().kind(), ErrorKind::LengthMismatch);
    let mut writer = storage.writer_with("a", PutOptions::new().length(5)).await.unwrap();
    writer.write("1234").await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::LengthMismatch);
    assert!(!storage.exists("a").await.unwrap());
}

#[tokio::test]
async fn a_condition_is_judged_at_finish() {
    let (_, storage) = storage();
    let mut writer = storage.writer_with("a", PutOptions::new().create_only()).await.unwrap();
    writer.write("late").await.unwrap();
    storage.put("a", "first").await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(storage.text("a").await.unwrap(), "first");
}
