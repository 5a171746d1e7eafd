//! Rules D: one object, many, everything under a prefix.

use s3_test_server::{Fault, FaultAction};
use storage_core::{ErrorKind, Prefix};

use crate::hosting::{BUCKET, Host, kind};

/// D01, D02: missing is Ok, neighbours stay, one request.
#[tokio::test]
async fn a_delete_takes_one_object() {
    let host = Host::new().await;
    for key in ["a", "a/b", "ab"] {
        host.root.put(key, "x").await.unwrap();
    }
    for _ in 0..2 {
        let (deleted, requests) = host.requests(host.root.delete("a")).await;
        deleted.unwrap();
        assert_eq!(requests, ["DeleteObject"]);
    }
    assert!(host.root.exists("a/b").await.unwrap() && host.root.exists("ab").await.unwrap());
}

/// D03, S13: a result for each key in order, a request for each 1,000, none for none.
#[tokio::test]
async fn many_are_deleted_by_the_thousand() {
    let host = Host::new().await;
    host.root.put("0", "x").await.unwrap();
    host.root.put("2499", "x").await.unwrap();
    host.root.put("other", "x").await.unwrap();
    let keys: Vec<String> = (0..2500).map(|number| number.to_string()).collect();
    let (deleted, requests) = host.requests(host.root.delete_many(&keys)).await;
    let deleted = deleted.unwrap();
    assert_eq!((deleted.len(), deleted.iter().filter(|result| result.is_ok()).count()), (2500, 2500));
    assert_eq!(requests, ["DeleteObjects"; 3]);
    assert!(!host.root.exists("0").await.unwrap() && !host.root.exists("2499").await.unwrap());
    assert!(host.root.exists("other").await.unwrap());
    let (none, requests) = host.requests(host.root.delete_many(Vec::<String>::new())).await;
    assert!(none.unwrap().is_empty() && requests.is_empty());
    let (twice, requests) = host.requests(host.root.delete_many(["other", "other", "a//b", "other"])).await;
    let twice: Vec<_> = twice.unwrap().into_iter().map(|result| result.map_err(|error| error.kind())).collect();
    assert_eq!(twice, [Ok(()), Ok(()), Err(ErrorKind::InvalidKey), Ok(())]);
    assert_eq!(requests, ["DeleteObjects"]);
}

/// D03: an error inside a 200 is repeated, and then an error; a batch that fails does not hide what another one did.
#[tokio::test]
async fn a_failed_batch_is_told() {
    let host = Host::new().await;
    host.root.put("a", "x").await.unwrap();
    host.once(FaultAction::ErrorInside200, "DeleteObjects");
    assert!(host.root.delete_many(["a"]).await.unwrap()[0].is_ok());
    assert!(!host.root.exists("a").await.unwrap());
    let denied = host.server.inject(Fault::status(403, "AccessDenied").on("DeleteObjects").times(1));
    assert_eq!(kind(host.root.delete_many(["a"]).await), ErrorKind::PermissionDenied);
    assert_eq!(denied.hits(), 1);
    host.server.inject(Fault::status(403, "AccessDenied").on("DeleteObjects").times(1));
    let keys: Vec<String> = (0..1500).map(|number| number.to_string()).collect();
    let results = host.root.delete_many(&keys).await.unwrap();
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert!(failed == 1000 || failed == 500, "{failed}");
}

/// D03, D04: a service that has no DeleteObjects is asked for each name by itself.
#[tokio::test]
async fn without_bulk_deletes_each_name_is_deleted() {
    let host = Host::new().await;
    for key in ["p/a", "p/b", "q"] {
        host.root.put(key, "x").await.unwrap();
    }
    for (status, code) in [(501, "NotImplemented"), (405, "MethodNotAllowed")] {
        let absent = host.server.inject(Fault::status(status, code).on("DeleteObjects"));
        let refused = host.server.inject(Fault::status(403, "AccessDenied").on("DeleteObject").times(1));
        let one = host.root.delete_many(["q"]).await.unwrap().remove(0);
        assert_eq!(kind(one), ErrorKind::PermissionDenied, "{code}");
        refused.remove();
        let (all, requests) = host.requests(host.root.delete_many(["p/a", "missing"])).await;
        assert!(all.unwrap().iter().all(Result::is_ok), "{code}");
        assert_eq!(requests.iter().filter(|request| **request == "DeleteObject").count(), 2, "{requests:?}");
        assert_eq!(host.root.delete_prefix("p/").await.unwrap(), if status == 501 { 1 } else { 0 });
        assert_eq!(host.root.list_all("").await.unwrap().len(), 1);
        absent.remove();
    }
}

/// D04: everything under a prefix, markers and names that are no keys too, and nothing beside it; it can be repeated.
#[tokio::test]
async fn a_prefix_is_emptied() {
    let host = Host::new().await;
    for key in ["p/a", "p/b/c", "p/Key></Object>", "pa", "q"] {
        host.root.put(key, "x").await.unwrap();
    }
    let beside = storage_s3::S3::new({
        let mut options = crate::hosting::options(&host.server);
        options.prefix = "p//".to_owned();
        options
    });
    storage_core::Storage::new(beside.unwrap()).put("odd", "x").await.unwrap();
    assert_eq!(host.root.delete_prefix("p/").await.unwrap(), 4);
    assert_eq!(host.root.delete_prefix("p/").await.unwrap(), 0);
    assert!(host.root.exists("pa").await.unwrap() && host.root.exists("q").await.unwrap());
    assert_eq!(host.root.delete_all().await.unwrap(), 2);
}

/// D04, S13: a page of names is a request, and their delete another.
#[tokio::test]
async fn a_large_prefix_is_emptied_by_the_page() {
    let host = Host::new().await;
    let keys: Vec<String> = (0..2001).map(|number| format!("p/{number:05}")).collect();
    let puts = keys.iter().map(|key| host.root.put(key.as_str(), "x"));
    for put in futures::future::join_all(puts).await {
        put.unwrap();
    }
    let sub = host.root.sub("p").unwrap();
    let (count, requests) = host.requests(sub.backend().delete_prefix(&Prefix::root())).await;
    assert_eq!(count.unwrap(), 2001);
    let of = |name| requests.iter().filter(|request| **request == name).count();
    assert_eq!((of("ListObjectsV2"), of("DeleteObjects"), requests.len()), (3, 3, 6));
    assert_eq!(host.server.unfinished_uploads(BUCKET), 0);
}
