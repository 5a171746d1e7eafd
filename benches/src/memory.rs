//! Memory: the reference driver beside object_store's and opendal's.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutPayload};
use storage_core::Storage;
use storage_memory::Memory;

use crate::measure::compare;

pub async fn get(size: usize) {
    let bytes = Bytes::from(vec![7; size]);
    let storage = Storage::new(Memory::new());
    storage.put("some/object", bytes.clone()).await.unwrap();
    let peer = object_store::memory::InMemory::new();
    let peer_key = object_store::path::Path::from("some/object");
    peer.put(&peer_key, PutPayload::from(bytes.clone())).await.unwrap();
    let operator = opendal::Operator::new(opendal::services::Memory::default()).unwrap();
    operator.write("some/object", bytes).await.unwrap();
    compare(
        &format!("get {size} bytes from memory"),
        20_000,
        vec![
            (
                "storage-memory",
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
