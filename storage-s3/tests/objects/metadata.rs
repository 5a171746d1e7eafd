//! Rules M: what head and get say of an object.

use storage_core::{Attributes, ErrorKind, GetOptions, PutOptions};

use crate::hosting::{BUCKET, Host, kind};

fn everything() -> Attributes {
    let mut attributes = Attributes::new().content_type("text/html; charset=utf-8");
    attributes.cache_control = Some("max-age=60, private".to_owned());
    attributes.content_disposition = Some("attachment; filename=\"a  b.html\"".to_owned());
    attributes.content_encoding = Some("gzip".to_owned());
    attributes.content_language = Some("de, en".to_owned());
    let user = [
        ("plain", "value"),
        ("empty", ""),
        ("text", "Grüße aus 東京 🎉"),
        ("ends", " spaces "),
        ("line", "a\nb"),
        ("storage-write-id", "mine"),
        ("storage-write-id-", "too"),
    ];
    user.into_iter().fold(attributes, |attributes, (name, value)| attributes.user(name, value))
}

/// M05–M07, W15: all attributes, of writes with and without conditions; an overwrite replaces them.
#[tokio::test]
async fn attributes_round_trip() {
    let host = Host::new().await;
    let all = everything();
    for options in [PutOptions::new(), PutOptions::new().create_only()] {
        host.root.put_with("a", "x", options.attributes(all.clone())).await.unwrap();
        let head = host.root.head("a").await.unwrap();
        let get = host.root.get("a", GetOptions::new()).await.unwrap();
        assert_eq!(head.attributes, all);
        assert_eq!((get.meta, get.attributes), (head.meta, all.clone()));
        host.root.put("a", "y").await.unwrap();
        assert_eq!(host.root.head("a").await.unwrap().attributes, Attributes::new());
        host.root.delete("a").await.unwrap();
    }
}

/// X01: a copy and a move carry them.
#[tokio::test]
async fn attributes_go_along() {
    let host = Host::new().await;
    host.root.put_with("a", "x", PutOptions::new().create_only().attributes(everything())).await.unwrap();
    host.root.copy("a", "b").await.unwrap();
    host.root.rename("b", "c").await.unwrap();
    assert_eq!(host.root.head("c").await.unwrap().attributes, everything());
}

/// M04: whole seconds, and the same by head and get.
#[tokio::test]
async fn dates_are_whole_seconds() {
    let host = Host::new().await;
    host.root.put("a", "x").await.unwrap();
    let modified = host.root.head("a").await.unwrap().meta.last_modified;
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos(), 0);
    assert!(modified.elapsed().unwrap_or_default().as_secs() < 60);
}

/// M08: a name that is only a prefix, and a path under an object, are no objects.
#[tokio::test]
async fn a_prefix_is_no_object() {
    let host = Host::new().await;
    host.root.put("a/b", "x").await.unwrap();
    let (head, requests) = host.requests(host.root.head("a")).await;
    assert_eq!(kind(head), ErrorKind::NotFound);
    assert_eq!(requests, ["HeadObject", "HeadBucket"]);
    assert_eq!(kind(host.root.head("a/b/c").await), ErrorKind::NotFound);
    assert_eq!(kind(host.root.bytes("a").await), ErrorKind::NotFound);
}

/// What a HEAD cannot say is asked for: a wrong secret and a denied operation are told apart.
#[tokio::test]
async fn a_head_that_is_refused_says_why() {
    use s3_test_server::{ServerOptions, User};
    use storage_s3::Credentials;
    let server = || ServerOptions::new().user("READER", User::new("secret").deny(["HeadObject", "GetObject"]));
    for (credentials, expected, part) in [
        (Credentials::keys("READER", "secret"), ErrorKind::PermissionDenied, "s3:GetObject"),
        (Credentials::keys("READER", "wrong"), ErrorKind::Unauthenticated, "AWS_SECRET_ACCESS_KEY"),
        (Credentials::keys("NOBODY", "wrong"), ErrorKind::Unauthenticated, "AWS_ACCESS_KEY_ID"),
    ] {
        let host = Host::with(server(), |options| options.credentials = credentials).await;
        let error = host.root.head("a").await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        crate::hosting::says(&error, &[part]);
        assert!(!error.to_string().contains(BUCKET) || expected == ErrorKind::PermissionDenied);
    }
}
