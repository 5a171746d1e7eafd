//! A directory: the local driver beside plain system calls, object_store and opendal.

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};

use crate::measure::compare;

fn ours(directory: &Path, durability: Durability, portable: bool) -> Storage {
    let options = LocalOptions::new().create(true).durability(durability).portable(portable);
    Storage::new(Local::open(directory, options).unwrap())
}

fn opendal(directory: &Path) -> opendal::Operator {
    let service = opendal::services::Fs::default().root(directory.to_str().unwrap());
    opendal::Operator::new(service).unwrap()
}

/// Open, fstat, read, close: what reading a file costs at least.
fn plain_read(path: &Path) -> Vec<u8> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut bytes = Vec::with_capacity(usize::try_from(fstat(&file).unwrap().st_size).unwrap());
    rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)).unwrap();
    bytes
}

pub async fn read_cached(size: usize) {
    let directory = tempfile::tempdir().unwrap();
    let (root, path) = (directory.path(), directory.path().join("some/object"));
    let storage = ours(root, Durability::Fast, false);
    let portable = ours(root, Durability::Fast, true);
    storage.put("some/object", vec![7; size]).await.unwrap();
    let peer = object_store::local::LocalFileSystem::new_with_prefix(root).unwrap();
    let peer_key = object_store::path::Path::from("some/object");
    let operator = opendal(root);
    compare(
        &format!("read {size} bytes that are in the page cache"),
        2000,
        vec![
            (
                "plain open, fstat, read, close",
                Box::new(|n| {
                    let path = &path;
                    Box::pin(async move {
                        for _ in 0..n {
                            assert_eq!(plain_read(path).len(), size);
                        }
                    })
                }),
            ),
            (
                "storage-local",
                Box::new(|n| {
                    let storage = &storage;
                    Box::pin(async move {
                        for _ in 0..n {
                            assert_eq!(storage.bytes("some/object").await.unwrap().len(), size);
                        }
                    })
                }),
            ),
            (
                "storage-local, portable path",
                Box::new(|n| {
                    let storage = &portable;
                    Box::pin(async move {
                        for _ in 0..n {
                            assert_eq!(storage.bytes("some/object").await.unwrap().len(), size);
                        }
                    })
                }),
            ),
            (
                "object_store",
                Box::new(|n| {
                    let (peer, key) = (&peer, &peer_key);
                    Box::pin(async move {
                        for _ in 0..n {
                            assert_eq!(peer.get(key).await.unwrap().bytes().await.unwrap().len(), size);
                        }
                    })
                }),
            ),
            (
                "opendal",
                Box::new(|n| {
                    let operator = &operator;
                    Box::pin(async move {
                        for _ in 0..n {
                            assert_eq!(operator.read("some/object").await.unwrap().len(), size);
                        }
                    })
                }),
            ),
        ],
    )
    .await;
}

pub async fn write(size: usize) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let (fast, full) = (ours(root, Durability::Fast, false), ours(root, Durability::Full, false));
    let peer = object_store::local::LocalFileSystem::new_with_prefix(root).unwrap();
    let peer_key = object_store::path::Path::from("peer/object");
    let operator = opendal(root);
    let bytes = Bytes::from(vec![7; size]);
    std::fs::create_dir(root.join("plain")).unwrap();
    compare(
        &format!("overwrite {size} bytes"),
        200,
        vec![
            (
                "plain write, rename",
                Box::new(|n| {
                    let bytes = &bytes;
                    Box::pin(async move {
                        for _ in 0..n {
                            std::fs::write(root.join("plain/temporary"), bytes).unwrap();
                            std::fs::rename(root.join("plain/temporary"), root.join("plain/object")).unwrap();
                        }
                    })
                }),
            ),
            (
                "storage-local, fast",
                Box::new(|n| {
                    let (storage, bytes) = (&fast, &bytes);
                    Box::pin(async move {
                        for _ in 0..n {
                            storage.put("ours/object", bytes.clone()).await.unwrap();
                        }
                    })
                }),
            ),
            (
                "storage-local, durable",
                Box::new(|n| {
                    let (storage, bytes) = (&full, &bytes);
                    Box::pin(async move {
                        for _ in 0..n {
                            storage.put("ours/object", bytes.clone()).await.unwrap();
                        }
                    })
                }),
            ),
            (
                "object_store (not durable)",
                Box::new(|n| {
                    let (peer, key, bytes) = (&peer, &peer_key, &bytes);
                    Box::pin(async move {
                        for _ in 0..n {
                            peer.put(key, PutPayload::from(bytes.clone())).await.unwrap();
                        }
                    })
                }),
            ),
            (
                "opendal (neither atomic nor durable)",
                Box::new(|n| {
                    let (operator, bytes) = (&operator, &bytes);
                    Box::pin(async move {
                        for _ in 0..n {
                            operator.write("peer/other", bytes.clone()).await.unwrap();
                        }
                    })
                }),
            ),
        ],
    )
    .await;
}

pub async fn list(count: usize) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for i in 0..count {
        let level = root.join(format!("level-{}", i % 20));
        std::fs::create_dir_all(&level).unwrap();
        std::fs::write(level.join(format!("object-{i}")), "x").unwrap();
    }
    let storage = ours(root, Durability::Fast, false);
    let peer = object_store::local::LocalFileSystem::new_with_prefix(root).unwrap();
    let operator = opendal(root);
    compare(
        &format!("list {count} objects in 20 directories, with size and time"),
        1,
        vec![
            (
                "storage-local, in order",
                Box::new(|_| {
                    let storage = &storage;
                    Box::pin(async move {
                        assert_eq!(storage.list_all("").await.unwrap().len(), count);
                    })
                }),
            ),
            (
                "object_store, unordered",
                Box::new(|_| {
                    let peer = &peer;
                    Box::pin(async move {
                        assert_eq!(peer.list(None).try_collect::<Vec<_>>().await.unwrap().len(), count);
                    })
                }),
            ),
            (
                "opendal, unordered",
                Box::new(|_| {
                    let operator = &operator;
                    Box::pin(async move {
                        let entries = operator.list_with("").recursive(true).await.unwrap();
                        let mut files = 0;
                        for entry in entries {
                            if entry.metadata().is_file() {
                                operator.stat(entry.path()).await.unwrap();
                                files += 1;
                            }
                        }
                        assert_eq!(files, count);
                    })
                }),
            ),
        ],
    )
    .await;
}
