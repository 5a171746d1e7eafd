//! What a file holds and costs: nothing is left in it, memory is bounded, names lead nowhere else.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use redb::{ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableDefinition};
use storage_core::{Driver as _, ErrorKind, Location, OpenOptions, Settings, Storage};
use storage_redb::{Redb, RedbDriver};

const CHUNKS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("chunks");
const WRITES: TableDefinition<u64, u64> = TableDefinition::new("writes");

/// Overwrites, moves, copies, deletes, aborted and dropped writes leave no chunk that no object names.
#[tokio::test]
async fn nothing_is_left_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("objects.redb");
    let root = Storage::new(Redb::open(&path, true));
    let large = vec![3; 5 << 20];
    for _ in 0..3 {
        root.put("a/b", large.clone()).await.unwrap();
        root.copy("a/b", "c").await.unwrap();
        root.rename("c", "a/b").await.unwrap();
        let mut aborted = root.writer("d").await.unwrap();
        aborted.write(large.clone()).await.unwrap();
        aborted.abort().await.unwrap();
        let mut dropped = root.writer("e").await.unwrap();
        dropped.write(large.clone()).await.unwrap();
        drop(dropped);
    }
    // The next streaming write takes along what was dropped.
    let mut finished = root.writer("f").await.unwrap();
    finished.write(large.clone()).await.unwrap();
    finished.finish().await.unwrap();
    assert!(root.bytes("f").await.unwrap() == large && root.bytes("a/b").await.unwrap() == large);
    root.delete_many(["f"]).await.unwrap();
    root.delete_prefix("a/").await.unwrap();
    drop((root, finished));

    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    assert_eq!(transaction.open_table(WRITES).unwrap().iter().unwrap().count(), 0, "writes that are not over");
    assert_eq!(transaction.open_table(CHUNKS).unwrap().len().unwrap(), 0, "chunks of no object");
}

/// Reading makes no file, writing with `create` does, and a name leads to no other directory.
#[tokio::test]
async fn files_are_made_by_writes_where_the_settings_say() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("deep/files");
    let settings = Settings::builder().set("REDB_DIRECTORY", files.to_str().unwrap()).build().unwrap();
    let options = OpenOptions::new().create(true).settings(settings);
    let driver = RedbDriver::new();
    let root = driver.open(&Location::parse("redb://notes/tenant-42").unwrap(), &options).await.unwrap();
    assert!(root.list_all("").await.unwrap().is_empty());
    assert_eq!(root.text("k").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!files.exists(), "reading makes nothing");
    root.put("k", "text").await.unwrap();
    assert!(files.join("notes.redb").is_file());
    assert_eq!(root.uri("k").unwrap(), "redb://notes/tenant-42/k");
    let whole = driver.open(&Location::parse("redb://notes").unwrap(), &options).await.unwrap();
    assert_eq!(whole.text("tenant-42/k").await.unwrap(), "text", "another handle of the driver shares the file");
    for refused in ["redb://../k", "redb://a.b/k", "redb://%2e/k", "redb://notes/k?cache=1"] {
        let error = driver.open(&Location::parse(refused).unwrap(), &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{refused}: {error}");
    }
}
