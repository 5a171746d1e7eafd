//! What the check with boto3 can't reach: limits, synthetic objects, users, regions, clocks, counts and records.

use std::sync::{Arc, Mutex};

use crate::client::{Answer, Request};
use s3_test_server::{Conditions, Limits, MultipartDate, S3Server, ServerOptions, User, synthetic_bytes};

async fn start(options: ServerOptions) -> S3Server {
    let server = S3Server::start(options).await.unwrap();
    server.create_bucket("bucket");
    server
}

async fn send(server: &S3Server, method: &str, target: &str) -> Answer {
    Request::new(method, target).send(server).await.unwrap()
}

async fn put(server: &S3Server, target: &str, body: &str) -> Answer {
    Request::new("PUT", target).body(body).send(server).await.unwrap()
}

fn failure(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Completes an upload of these parts, by number and etag.
async fn complete(server: &S3Server, target: &str, parts: &[(u32, String)]) -> Answer {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    Request::new("POST", target).body(body).send(server).await.unwrap()
}

#[tokio::test]
async fn ten_million_keys_are_listed_and_read_without_memory() {
    let server = start(ServerOptions::new()).await;
    server.synthetic_objects("bucket", "many/", 10_000_000, 100);
    put(&server, "/bucket/zebra", "x").await;

    let page = send(&server, "GET", "/bucket?list-type=2&delimiter=%2F").await;
    assert!(page.text().contains("<CommonPrefixes><Prefix>many/</Prefix></CommonPrefixes>"));
    assert!(page.text().contains("<Key>zebra</Key><") && page.element("IsTruncated").as_deref() == Some("false"));
    let page = send(&server, "GET", "/bucket?list-type=2&start-after=many%2F0009999998").await;
    assert_eq!(page.element("Key").as_deref(), Some("many/0009999999"));
    assert_eq!(page.element("KeyCount").as_deref(), Some("2"));
    let object = send(&server, "GET", "/bucket/many/0001234567").await;
    assert_eq!(object.body, synthetic_bytes(0, 100));
    assert_eq!(send(&server, "GET", "/bucket/many/0010000000").await.failure(), failure(404, "NoSuchKey"));

    assert_eq!(send(&server, "DELETE", "/bucket/many/0000000000").await.status, 204);
    assert_eq!(put(&server, "/bucket/many/0000000001", "mine").await.status, 200);
    assert_eq!(send(&server, "GET", "/bucket/many/0000000000").await.status, 404);
    assert_eq!(send(&server, "GET", "/bucket/many/0000000001").await.body, b"mine");
    let page = send(&server, "GET", "/bucket?list-type=2&max-keys=1").await;
    assert_eq!((page.element("Key").as_deref(), page.element("Size").as_deref()), (Some("many/0000000001"), Some("4")));
}

#[tokio::test]
async fn a_huge_object_is_read_and_copied_in_parts_without_its_bytes() {
    const SIZE: u64 = 12 << 30;
    let server = start(ServerOptions::new()).await;
    server.synthetic_object("bucket", "huge", SIZE);
    let range = format!("bytes={}-{}", SIZE - 5, SIZE - 1);
    let read = |key: &str| Request::new("GET", key).header("range", &range);
    assert_eq!(read("/bucket/huge").send(&server).await.unwrap().body, synthetic_bytes(SIZE - 5, 5));

    let copy = |target: &str| Request::new("PUT", target).header("x-amz-copy-source", "bucket/huge");
    let whole = copy("/bucket/copy").send(&server).await.unwrap();
    assert_eq!(whole.failure(), failure(400, "InvalidRequest"));
    assert!(whole.element("Message").unwrap().ends_with("5368709120"));

    let upload = send(&server, "POST", "/bucket/copy?uploads").await.element("UploadId").unwrap();
    let target = format!("/bucket/copy?uploadId={upload}");
    assert_eq!(server.unfinished_uploads("bucket"), 1);
    let mut parts = Vec::new();
    for (number, from) in (1..).zip((0..SIZE).step_by(4 << 30)) {
        let part = copy(&format!("{target}&partNumber={number}"));
        let part = part.header("x-amz-copy-source-range", &format!("bytes={from}-{}", from + (4 << 30) - 1));
        parts.push((number, part.send(&server).await.unwrap().element("ETag").unwrap()));
    }
    assert_eq!(complete(&server, &target, &parts).await.status, 200);
    assert_eq!(send(&server, "HEAD", "/bucket/copy").await.header("content-length"), Some("12884901888"));
    assert_eq!(read("/bucket/copy").send(&server).await.unwrap().body, synthetic_bytes(SIZE - 5, 5));
    assert_eq!(server.unfinished_uploads("bucket"), 0);
}

#[tokio::test]
async fn limits_are_those_of_the_options() {
    let limits = Limits {
        min_part_size: 4,
        max_part_size: 8,
        max_parts: 3,
        max_single_put: 10,
        max_copy_source: 6,
        max_object_size: 12,
        page_size: 2,
    };
    let server = start(ServerOptions::new().limits(limits)).await;
    assert_eq!(put(&server, "/bucket/a", "0123456789").await.status, 200);
    assert_eq!(put(&server, "/bucket/b", "0123456789-").await.failure(), failure(400, "EntityTooLarge"));
    let copy = Request::new("PUT", "/bucket/c").header("x-amz-copy-source", "/bucket/a");
    assert_eq!(copy.send(&server).await.unwrap().failure(), failure(400, "InvalidRequest"));

    let upload = send(&server, "POST", "/bucket/m?uploads").await.element("UploadId").unwrap();
    let target = format!("/bucket/m?uploadId={upload}");
    let part = |number: u32| format!("{target}&partNumber={number}");
    assert_eq!(put(&server, &part(4), "1234").await.failure(), failure(400, "InvalidArgument"));
    assert_eq!(put(&server, &part(1), "123456789").await.failure(), failure(400, "EntityTooLarge"));
    let mut etags = Vec::new();
    for (number, body) in [(1, "12345678"), (2, "123"), (3, "12345678")] {
        etags.push((number, put(&server, &part(number), body).await.header("etag").unwrap().to_owned()));
    }
    assert_eq!(complete(&server, &target, &etags).await.failure(), failure(400, "EntityTooSmall"));
    let (first, last) = (etags[0].clone(), etags[2].clone());
    assert_eq!(complete(&server, &target, &[first.clone(), last]).await.failure(), failure(400, "EntityTooLarge"));
    assert_eq!(complete(&server, &target, &[first]).await.status, 200);

    put(&server, "/bucket/z", "").await;
    let page = send(&server, "GET", "/bucket?list-type=2&max-keys=1000").await;
    assert_eq!(
        (page.element("KeyCount").as_deref(), page.element("IsTruncated").as_deref()),
        (Some("2"), Some("true"))
    );
}

#[tokio::test]
async fn ignored_conditions_are_answered_with_success() {
    let kept = start(ServerOptions::new()).await;
    let ignored = start(ServerOptions::new().conditions(Conditions::IGNORED)).await;
    let one = Conditions { put_create_only: false, ..Conditions::KEPT };
    let one = start(ServerOptions::new().conditions(one)).await;
    let create = Request::new("PUT", "/bucket/k").header("if-none-match", "*").body("x");
    let swap = Request::new("PUT", "/bucket/k").header("if-match", "\"other\"").body("x");
    let copy = Request::new("PUT", "/bucket/k").header("x-amz-copy-source", "bucket/k2").header("if-none-match", "*");
    let delete = Request::new("DELETE", "/bucket/k").header("if-match", "\"other\"");
    for (server, expected) in [(&kept, [412; 4]), (&ignored, [200, 200, 200, 204]), (&one, [200, 412, 412, 412])] {
        put(server, "/bucket/k", "x").await;
        put(server, "/bucket/k2", "x").await;
        let mut found = Vec::new();
        for request in [&create, &swap, &copy, &delete] {
            found.push(request.send(server).await.unwrap().status);
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn of_many_at_once_one_creates_and_each_swap_is_seen() {
    let server = Arc::new(start(ServerOptions::new()).await);
    let race = |header: &'static str, value: String| {
        let server = Arc::clone(&server);
        async move {
            let racers = (0..16).map(|number| {
                let (server, value) = (Arc::clone(&server), value.clone());
                tokio::spawn(async move {
                    let body = format!("{number} after {value}");
                    let request = Request::new("PUT", "/bucket/k").header(header, &value).body(body);
                    request.send(&server).await.unwrap().status
                })
            });
            let mut won = 0;
            for racer in racers.collect::<Vec<_>>() {
                won += usize::from(racer.await.unwrap() == 200);
            }
            won
        }
    };
    assert_eq!(race("if-none-match", "*".to_owned()).await, 1);
    let etag = send(&server, "HEAD", "/bucket/k").await.header("etag").unwrap().to_owned();
    assert_eq!(race("if-match", etag).await, 1);
}

#[tokio::test]
async fn users_may_do_what_they_are_not_denied_and_tokens_expire() {
    let reader = User::new("secret").deny(["PutObject", "DeleteObject"]);
    let guest = User::new("secret").session_token("token");
    let server = start(ServerOptions::new().user("reader", reader).user("guest", guest)).await;
    put(&server, "/bucket/k", "x").await;
    let get = Request::new("GET", "/bucket/k");
    let write = Request::new("PUT", "/bucket/k").body("y").user("reader", "secret");
    assert_eq!(get.clone().user("reader", "secret").send(&server).await.unwrap().status, 200);
    assert_eq!(write.send(&server).await.unwrap().failure(), failure(403, "AccessDenied"));

    let guest = get.user("guest", "secret");
    let with = |token: &str| guest.clone().header("x-amz-security-token", token);
    assert_eq!(guest.send(&server).await.unwrap().failure(), failure(403, "InvalidAccessKeyId"));
    assert_eq!(with("other").send(&server).await.unwrap().failure(), failure(400, "InvalidToken"));
    assert_eq!(with("token").send(&server).await.unwrap().status, 200);
    server.expire_tokens(true);
    assert_eq!(with("token").send(&server).await.unwrap().failure(), failure(400, "ExpiredToken"));
}

#[tokio::test]
async fn a_clock_that_differs_is_skewed_and_the_date_header_tells_it() {
    let server = start(ServerOptions::new().clock_offset(3600)).await;
    let get = Request::new("GET", "/bucket?list-type=2");
    let answer = get.send(&server).await.unwrap();
    assert_eq!(answer.failure(), failure(403, "RequestTimeTooSkewed"));
    assert!(answer.element("ServerTime").is_some() && answer.header("date").is_some());
    assert_eq!(get.clone().skew(3600).send(&server).await.unwrap().status, 200);
    assert_eq!(get.skew(3600 - 16 * 60).send(&server).await.unwrap().status, 403);
}

#[tokio::test]
async fn a_bucket_elsewhere_redirects_a_head_too() {
    let server = start(ServerOptions::new()).await;
    server.set_bucket_region("far", "eu-west-1");
    let head = Request::new("HEAD", "/far");
    let answer = head.send(&server).await.unwrap();
    assert_eq!((answer.status, answer.header("x-amz-bucket-region")), (301, Some("eu-west-1")));
    let answer = head.region("eu-west-1").send(&server).await.unwrap();
    assert_eq!((answer.status, answer.header("x-amz-bucket-region")), (200, Some("eu-west-1")));
    let wrong = Request::new("GET", "/far/k").region("ap-south-1").send(&server).await.unwrap();
    assert_eq!(wrong.failure(), failure(400, "AuthorizationHeaderMalformed"));
    assert_eq!(wrong.element("Region").as_deref(), Some("eu-west-1"));
}

#[tokio::test]
async fn requests_are_counted_and_recorded_as_they_came_also_those_that_fail() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let options = ServerOptions::new()
        .virtual_host("s3.test")
        .on_request(move |request| sink.lock().unwrap().push((request.operation, request.status)));
    let server = start(options).await;
    let put = Request::new("PUT", "/a%20b/./c%2Bd?x-id=PutObject").host("bucket.s3.test:1").body("x");
    assert_eq!(put.send(&server).await.unwrap().status, 200);
    let forged = Request::new("GET", "/bucket/a").user("test-access-key", "wrong");
    assert_eq!(forged.send(&server).await.unwrap().failure(), failure(403, "SignatureDoesNotMatch"));
    assert_eq!(send(&server, "GET", "/bucket?list-type=2").await.element("Key").as_deref(), Some("a b/./c+d"));
    assert_eq!(send(&server, "GET", "/bucket?acl").await.failure(), failure(501, "NotImplemented"));

    let counts = server.counts();
    assert_eq!(counts.to_string(), "GetObject 1, ListObjectsV2 1, PutObject 1, Unknown 1");
    assert_eq!((counts.total(), counts.of("PutObject"), counts.of("HeadObject")), (4, 1, 0));
    let first = &server.requests()[0];
    assert_eq!((first.method.as_str(), first.target.as_str()), ("PUT", "/a%20b/./c%2Bd?x-id=PutObject"));
    assert!(first.header("authorization").unwrap().contains("Credential=test-access-key/"));
    let expected =
        [("PutObject", Some(200)), ("GetObject", Some(403)), ("ListObjectsV2", Some(200)), ("Unknown", Some(501))];
    assert_eq!(*seen.lock().unwrap(), expected);
    server.reset_counts();
    assert!(server.counts().total() == 0 && server.requests().is_empty());
}

#[tokio::test]
async fn an_upload_is_completed_again_and_dated_by_its_start_where_options_say_so() {
    let options = ServerOptions::new().repeatable_complete(true).multipart_date(MultipartDate::Initiation);
    let server = start(options).await;
    let upload = send(&server, "POST", "/bucket/m?uploads").await.element("UploadId").unwrap();
    let started = send(&server, "GET", "/bucket?uploads").await.element("Initiated").unwrap();
    let target = format!("/bucket/m?uploadId={upload}");
    let etag = put(&server, &format!("{target}&partNumber=1"), "x").await.header("etag").unwrap().to_owned();
    // The start is a second ago, so that the date of the completion would be another.
    while send(&server, "HEAD", "/bucket").await.header("date").is_some_and(|date| date.contains(&started[11..19])) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let first = complete(&server, &target, &[(1, etag.clone())]).await;
    let again = complete(&server, &target, &[(1, etag)]).await;
    assert_eq!((first.status, first.body), (again.status, again.body));
    assert_eq!(send(&server, "GET", "/bucket?list-type=2").await.element("LastModified"), Some(started));
}

/// A client that waits for `100 Continue` and is refused can't be on the connection any more: it says so.
#[tokio::test]
async fn a_body_that_was_not_asked_for_ends_the_connection() {
    let server = start(ServerOptions::new()).await;
    let put = Request::new("PUT", "/bucket/k?uploadId=none&partNumber=1").header("expect", "100-continue").body("x");
    let answer = put.send(&server).await.unwrap();
    assert_eq!(answer.failure(), failure(404, "NoSuchUpload"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_stopped_server_answers_nobody() {
    let server = start(ServerOptions::new()).await;
    let address = server.address();
    let mut open = tokio::net::TcpStream::connect(address).await.unwrap();
    Request::new("GET", "/bucket").send_on(&server, &mut open).await.unwrap();
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(crate::client::read_answer(&mut open, false).await.is_err());
}
