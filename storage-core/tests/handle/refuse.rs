//! What the handle refuses before any request, and how it says so.

use std::sync::Arc;

use storage_core::wrappers::ReadOnly;
use storage_core::{
    Attributes, CopyOptions, DeleteOptions, ETag, ErrorKind, GetOptions, HeadOptions, MAX_KEY_LEN, PutOptions, Storage,
};

use crate::{storage, with_object};

#[tokio::test]
async fn invalid_keys_and_ranges_cost_no_request() {
    let (script, storage) = with_object(10).await;
    for key in ["", "/a", "a/", "a//b", "../a", "a\0"] {
        assert_eq!(storage.bytes(key).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{key:?}");
        assert_eq!(storage.put(key, "x").await.unwrap_err().kind(), ErrorKind::InvalidKey, "{key:?}");
        assert_eq!(storage.copy("a", key).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{key:?}");
        assert_eq!(storage.delete(key).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{key:?}");
        assert_eq!(storage.writer(key).await.map(drop).unwrap_err().kind(), ErrorKind::InvalidKey, "{key:?}");
    }
    assert_eq!(storage.range("a", 3..3).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(storage.ranges("a", &[(0..3).into(), (3..3).into()]).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let bad = PutOptions::new().attributes(Attributes::new().user("Upper", "x"));
    assert_eq!(storage.put_with("a", "x", bad.clone()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(storage.writer_with("a", bad).await.map(drop).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(script.requests(), 0);
}

#[tokio::test]
async fn a_sub_root_has_shorter_keys_and_sees_no_sibling() {
    let (script, root) = storage();
    let tenant = root.sub("tenant").unwrap();
    root.put("tenant-2/a", "not yours").await.unwrap();
    root.put("tenant", "not yours").await.unwrap();
    script.reset();
    assert_eq!(tenant.max_key_len(), MAX_KEY_LEN - "tenant/".len());
    let error = tenant.put("x".repeat(MAX_KEY_LEN - 6), "x").await.unwrap_err();
    assert_eq!((error.kind(), script.requests()), (ErrorKind::InvalidKey, 0));
    tenant.put("x".repeat(MAX_KEY_LEN - 7), "x").await.unwrap();
    assert_eq!(tenant.delete_all().await.unwrap(), 1);
    assert_eq!(root.list_all("").await.unwrap().len(), 2, "the siblings are still there");
    let error = tenant.bytes("a").await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("a")), "the key as its caller wrote it");
}

#[tokio::test]
async fn conditions_that_the_backend_does_not_keep_are_unsupported() {
    let (script, storage) = storage();
    let read_only = Storage::new(ReadOnly::new(Arc::clone(storage.backend())));
    let etag = || ETag::new("e");
    let refused = [
        read_only.put_with("a", "x", PutOptions::new().create_only()).await.map(drop),
        read_only.put_with("a", "x", PutOptions::new().if_match(etag())).await.map(drop),
        read_only.writer_with("a", PutOptions::new().create_only()).await.map(drop),
        read_only.writer_with("a", PutOptions::new().if_match(etag())).await.map(drop),
        read_only.copy_with("a", "b", CopyOptions::new().create_only()).await.map(drop),
        read_only.rename_with("a", "b", CopyOptions::new().create_only()).await.map(drop),
        read_only.delete_with("a", DeleteOptions::new().if_match(etag())).await,
        storage.get("a", GetOptions::new().version("1")).await.map(drop),
        storage
            .head_with("a", {
                let mut options = HeadOptions::new();
                options.version = Some("1".into());
                options
            })
            .await
            .map(drop),
        storage.local_path("a").await.map(drop),
        storage.uri("a").map(drop),
    ];
    for (case, result) in refused.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported, "case {case}");
    }
    assert_eq!(script.requests(), 0);
}

#[tokio::test]
async fn an_invalid_key_among_many_fails_alone() {
    let (_, storage) = with_object(10).await;
    storage.put("b", "x").await.unwrap();
    let results = storage.delete_many(["a", "a//b", "missing", "b", "b"]).await.unwrap();
    let kinds: Vec<_> = results.into_iter().map(|result| result.map_err(|error| error.kind())).collect();
    assert_eq!(kinds, [Ok(()), Err(ErrorKind::InvalidKey), Ok(()), Ok(()), Ok(())]);
    assert!(storage.list_all("").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_prefix_to_delete_ends_in_a_slash() {
    let (script, storage) = storage();
    for key in ["a", "a/b", "a/c/d", "ab"] {
        storage.put(key, "x").await.unwrap();
    }
    script.reset();
    for prefix in ["", "a"] {
        let error = storage.delete_prefix(prefix).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{prefix:?}");
        assert!(error.help().is_some());
    }
    assert_eq!(script.requests(), 0);
    assert_eq!(storage.delete_prefix("a/").await.unwrap(), 2);
    assert_eq!(storage.delete_prefix("a/").await.unwrap(), 0);
    let left: Vec<_> = storage.list_all("").await.unwrap().into_iter().map(|meta| meta.key.to_string()).collect();
    assert_eq!(left, ["a", "ab"]);
}

#[test]
fn handles_can_be_shared_and_sent() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<Storage>();
    sent::<storage_core::Reader>();
    sent::<storage_core::Writer>();
    sent::<storage_core::Entries>();
    sent::<storage_core::Pages>();
}
