//! Messages of S3 event notifications that are handed to a watch.

use serde_json::json;
use storage_core::ErrorKind;
use storage_source::{Filter, Watch, WatchMode};

use crate::support::{BUCKET, Root, View, event, follow, listing, memory, s3, scanned, told};

fn watch(root: &Root) -> Watch {
    root.watch().mode(WatchMode::Messages)
}

/// A record as AWS sends it, with the key as it stands in it.
fn record(name: &str, bucket: &str, key: &str) -> String {
    let s3 = json!({ "bucket": { "name": bucket }, "object": { "key": key, "size": 1 } });
    json!({ "Records": [{ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name, "s3": s3 }] }).to_string()
}

/// A key that was encoded as a form, slashes too, is decoded before it is compared with the prefix.
#[tokio::test]
async fn an_encoded_key_is_decoded_before_the_prefix_is_looked_at() {
    let root = s3().await;
    let mut watching = watch(&root).prefix("my docs/é").start().unwrap();
    scanned(&mut watching).await;
    root.put(&["my docs/é/a+b c%20.md"]).await;
    let sender = watching.sender();
    for key in ["my+docs%2F%C3%A9%2Fa%2Bb+c%2520.md", "my+docs/%c3%a9/a%2Bb%20c%2520.md"] {
        let notified = sender.notify(record("ObjectCreated:Put", BUCKET, key)).unwrap();
        assert_eq!((notified.taken, notified.elsewhere), (1, 0), "{key}");
    }
    assert_eq!(told(&mut watching).await, "+a+b c%20.md");
}

/// A file that outgrew the limit is a removal, though the message says that it was created; so is one that is gone.
#[tokio::test]
async fn a_message_of_what_outgrew_the_limit_is_a_removal() {
    let root = s3().await;
    root.put(&["a", "b"]).await;
    let mut watching = watch(&root).filter(Filter::new().max_size(4)).start().unwrap();
    scanned(&mut watching).await;
    root.storage.put("a", "far too large").await.unwrap();
    root.storage.delete("b").await.unwrap();
    for key in ["a", "b"] {
        watching.sender().notify(record("ObjectCreated:Put", BUCKET, key)).unwrap();
    }
    assert_eq!([told(&mut watching).await, told(&mut watching).await], ["-a", "-b"]);
}

/// A removal that was told late, of what was written again, is a put: what is there now counts, and one head says it.
#[tokio::test]
async fn what_is_there_counts_and_not_what_the_message_says() {
    let root = s3().await;
    root.put(&["a"]).await;
    let mut watching = watch(&root).start().unwrap();
    scanned(&mut watching).await;
    root.storage.put("a", "written again").await.unwrap();
    root.server().reset_counts();
    for name in ["ObjectRemoved:Delete", "ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"] {
        watching.sender().notify(record(name, BUCKET, "a")).unwrap();
    }
    let event = event(&mut watching).await;
    assert_eq!(event.file().unwrap().text().await.unwrap(), "written again");
    event.ack();
    assert_eq!(root.server().counts().to_string(), "GetObject 1, HeadObject 1");
    root.put(&["b"]).await;
    for key in ["a", "b"] {
        watching.sender().notify(record("ObjectCreated:Put", BUCKET, key)).unwrap();
    }
    assert_eq!(told(&mut watching).await, "+b", "a is as it was acknowledged");
}

/// Another bucket, another root in the bucket, another prefix, and names that are no keys are counted and not asked for.
#[tokio::test]
async fn what_is_elsewhere_is_counted() {
    let root = s3().await;
    let tenant = storage_core::Storage::sub(&root.storage, "tenant").unwrap();
    let watching = crate::support::quick(&tenant).prefix("docs").mode(WatchMode::Messages).start().unwrap();
    let sender = watching.sender();
    let count = |bucket: &str, key: &str| {
        let notified = sender.notify(record("ObjectCreated:Put", bucket, key)).unwrap();
        (notified.taken, notified.elsewhere, notified.no_keys)
    };
    assert_eq!(count(BUCKET, "tenant/docs/a"), (1, 0, 0));
    for (bucket, key) in
        [("other", "tenant/docs/a"), (BUCKET, "docs/a"), (BUCKET, "tenant/docs2/a"), (BUCKET, "tenant")]
    {
        assert_eq!(count(bucket, key), (0, 1, 0), "{bucket} {key}");
    }
    for key in ["tenant/docs/", "tenant/docs/sub/", "tenant/docs/a//b", "tenant/docs/../x", "tenant/docs/%00"] {
        assert_eq!(count(BUCKET, key), (0, 0, 1), "{key}");
    }
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET }).to_string();
    assert_eq!(sender.notify(test).unwrap(), Default::default());
    assert_eq!(sender.notify("{").unwrap_err().kind(), ErrorKind::InvalidInput);
    let elsewhere = memory().watch().start().unwrap().sender().notify(record("x", BUCKET, "a")).unwrap_err();
    assert_eq!(elsewhere.kind(), ErrorKind::Unsupported);
}

/// Messages that come twice, late and in any order end in what there is.
#[tokio::test]
async fn messages_in_any_order_converge() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let root = s3().await;
    let mut watching = watch(&root).start().unwrap();
    scanned(&mut watching).await;
    let (mut view, mut messages) = (View::new(), Vec::new());
    for _ in 0..8 {
        for _ in 0..random.usize(1..12) {
            let key = format!("{}", random.u8(0..6));
            let name = if random.bool() {
                root.storage.put(&key, vec![b'x'; random.usize(0..50)]).await.unwrap();
                "ObjectCreated:Put"
            } else {
                root.storage.delete(&key).await.unwrap();
                "ObjectRemoved:Delete"
            };
            messages.extend(vec![record(name, BUCKET, &key); random.usize(1..3)]);
        }
        random.shuffle(&mut messages);
        // Old ones come again with the next.
        for message in &messages {
            watching.sender().notify(message).unwrap();
        }
        let kept = messages.len() / 2;
        messages.truncate(kept);
        let expected = listing(&root.storage, "", &Filter::new()).await;
        follow(&mut watching, &mut view, &expected).await;
    }
}
