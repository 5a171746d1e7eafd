//! Presigned URLs, used by a client that knows nothing of S3: a socket and a request written by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::time::{Duration, SystemTime};

use s3_test_server::{S3Server, ServerOptions};
use storage_core::{Attributes, ErrorKind, PresignMethod, PresignOptions, Presigned, Storage};
use storage_s3::{Credentials, Encryption, S3, S3Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HOUR: Duration = Duration::from_secs(3600);

async fn server() -> S3Server {
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket("bucket");
    server
}

fn options(server: &S3Server) -> S3Options {
    let mut options = S3Options::new("bucket");
    options.endpoint = Some(server.endpoint());
    options.region = Some("us-east-1".to_owned());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options
}

fn storage(options: S3Options) -> Storage {
    Storage::new(S3::new(options).unwrap())
}

/// Sends what a URL says, byte for byte, and gives the status and the body.
async fn fetch(presigned: &Presigned, headers: &[(String, String)], body: &str) -> (u16, String) {
    let rest = presigned.url.strip_prefix("http://").unwrap();
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    let method = presigned.method.as_str();
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn presign(storage: &Storage, method: PresignMethod, key: &str) -> Presigned {
    storage.presign(key, PresignOptions::new(method, HOUR)).await.unwrap()
}

/// Proves that each kind of URL does what it says, for keys that a careless encoding breaks (rule K08), without a request
/// of ours.
#[tokio::test]
async fn each_url_does_its_one_thing() {
    let server = server().await;
    let mut options = options(&server);
    options.prefix = "pre//fix".to_owned();
    let storage = storage(options);
    for key in ["plain", "a b+c", "100%25", "q?x=1&y#z", "ü/日本/😀", "~!*'()[]{}|\\^`\"<>@:;,=$&", "a%2Fb"] {
        server.reset_counts();
        let put = presign(&storage, PresignMethod::Put, key).await;
        let (get, head) =
            (presign(&storage, PresignMethod::Get, key).await, presign(&storage, PresignMethod::Head, key).await);
        let delete = presign(&storage, PresignMethod::Delete, key).await;
        assert_eq!(server.counts().total(), 0, "signing is no request");
        assert_eq!(fetch(&get, &[], "").await.0, 404, "{key}");
        assert_eq!(fetch(&put, &put.headers, "hello").await.0, 200, "{key}: {}", put.url);
        assert_eq!(storage.text(key).await.unwrap(), "hello", "{key}");
        assert_eq!(fetch(&get, &get.headers, "").await, (200, "hello".to_owned()), "{key}");
        assert_eq!(fetch(&head, &head.headers, "").await, (200, String::new()), "{key}");
        assert_eq!(fetch(&delete, &delete.headers, "").await.0, 204, "{key}");
        assert!(!storage.exists(key).await.unwrap(), "{key}");
        let other = Presigned { method: PresignMethod::Put, ..get };
        assert_eq!(fetch(&other, &[], "x").await.0, 403, "a URL to read writes nothing");
    }
}

/// Proves that a put is bound to its attributes and to what the options say of the object: with the headers it works and
/// the object has them, without them it is refused.
#[tokio::test]
async fn a_put_is_bound_to_its_headers() {
    let server = server().await;
    let mut options = options(&server);
    options.storage_class = Some("STANDARD_IA".to_owned());
    options.encryption = Some(Encryption::Aes256);
    options.requester_pays = true;
    let storage = storage(options);
    let attributes = Attributes::new().content_type("text/plain").user("by", "zoë");
    let put = PresignOptions::new(PresignMethod::Put, HOUR).attributes(attributes.clone());
    let put = storage.presign("k", put).await.unwrap();
    let names: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["content-type", "x-amz-meta-by", "x-amz-storage-class", "x-amz-server-side-encryption"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(put.url.contains("x-amz-request-payer=requester"), "{}", put.url);
    assert_eq!(fetch(&put, &[], "hello").await.0, 403);
    assert_eq!(fetch(&put, &put.headers, "hello").await.0, 200);
    assert_eq!(storage.head("k").await.unwrap().attributes, attributes);
}

/// Proves the bounds of a URL's life, and that it says when it ends.
#[tokio::test]
async fn a_url_lasts_a_second_to_seven_days() {
    let server = server().await;
    let storage = storage(options(&server));
    let week = Duration::from_secs(7 * 24 * 3600);
    for wrong in [Duration::from_millis(999), week + Duration::from_millis(1)] {
        let error = storage.presign("k", PresignOptions::new(PresignMethod::Get, wrong)).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidInput, Some("k")), "{wrong:?}");
        assert!(error.to_string().contains("seven days"), "{error}");
    }
    for right in [Duration::from_secs(1), Duration::from_millis(1500), week] {
        let made = storage.presign("k", PresignOptions::new(PresignMethod::Get, right)).await.unwrap();
        let seconds = right.as_secs();
        assert!(made.url.contains(&format!("X-Amz-Expires={seconds}")), "{}", made.url);
        let left = made.expires.duration_since(SystemTime::now()).unwrap_or_default();
        assert!(
            left <= Duration::from_secs(seconds) && left + Duration::from_secs(60) > right,
            "{left:?} of {right:?}"
        );
    }
}

/// Proves that a URL's Debug does not hold its signature, and that nobody signs for an anonymous caller.
#[tokio::test]
async fn a_url_is_a_secret_and_an_anonymous_caller_has_none() {
    let server = server().await;
    let made = presign(&storage(options(&server)), PresignMethod::Get, "k").await;
    let shown = format!("{made:?}");
    assert!(made.url.contains("X-Amz-Signature=") && !shown.contains("X-Amz"), "{shown}");
    let mut anonymous = options(&server);
    anonymous.credentials = Credentials::Anonymous;
    let anonymous = storage(anonymous);
    assert!(!anonymous.capabilities().presign);
    let error = anonymous.presign("k", PresignOptions::new(PresignMethod::Get, HOUR)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// Proves that a URL is signed for the region that the bucket is in where none was set, which one request finds out, once.
#[tokio::test]
async fn a_region_that_is_not_set_is_found_out() {
    let server = server().await;
    server.set_bucket_region("bucket", "eu-west-1");
    let mut options = options(&server);
    options.region = None;
    let storage = storage(options);
    for requests in [2, 0] {
        server.reset_counts();
        let put = presign(&storage, PresignMethod::Put, "k").await;
        assert!(put.url.contains("eu-west-1"), "{}", put.url);
        assert_eq!(server.counts().total(), requests, "the first one names the region, the second one is answered");
        assert_eq!(fetch(&put, &put.headers, "x").await.0, 200);
    }
}
