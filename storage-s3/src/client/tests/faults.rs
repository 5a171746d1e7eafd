//! What fails, how often it is repeated, and what is known afterwards (rules E05, C06).

use std::time::Instant;

use tokio::net::TcpSocket;

use super::server::{answer, header};
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\nContent-Length: 35\r\n\r\n<Error><Code>SlowDown</Code></Error>";

fn resets(times: usize, then: &'static str) -> Server {
    Server::start(move |number, mut peer| {
        while peer.request().is_some() {
            if number < times {
                return peer.reset();
            }
            peer.send(then);
        }
    })
}

/// Rules K05 and K08: the path goes out as it was signed, and no key is tidied up on the way.
#[tokio::test]
async fn names_go_over_the_wire_as_they_are() {
    let server = Server::always(EMPTY);
    let client = client(&server, |_| ());
    for (name, path) in [
        ("a b+c%2F", "/data/a%20b%2Bc%252F"),
        ("/a", "/data//a"),
        ("a//b/../c/", "/data/a//b/../c/"),
        ("é😀", "/data/%C3%A9%F0%9F%98%80"),
    ] {
        client.send(put(name, "")).await.unwrap();
        let head = server.heads().pop().unwrap();
        assert_eq!(head.split(' ').nth(1), Some(path), "{name}");
        assert_eq!(header(&head, "content-length"), Some("0"));
        assert_eq!(header(&head, "host"), Some(&*server.address.to_string()));
        assert!(header(&head, "authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    }
    let request = list().query("prefix", "a/ b").query("list-type", "2").query("delimiter", "");
    assert!(client.send(request).await.is_err(), "an empty answer is no document");
    assert!(server.heads().pop().unwrap().starts_with("GET /data?delimiter=&list-type=2&prefix=a%2F%20b HTTP/1.1"));
}

#[tokio::test]
async fn nobody_s_requests_are_not_signed() {
    let server = Server::always(OK);
    let client = client(&server, |options| options.credentials = Credentials::Anonymous);
    assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
    let head = server.heads().pop().unwrap();
    assert!(header(&head, "authorization").is_none() && header(&head, "x-amz-date").is_none(), "{head}");
}

#[tokio::test]
async fn a_reset_is_repeated_and_remembered_of_a_write() {
    let server = resets(1, OK);
    let answer = client(&server, |_| ()).send(get("a")).await.unwrap();
    assert_eq!(answer.earlier, Effect::None);
    assert_eq!(content(answer).await.unwrap(), b"hi");
    let server = resets(1, EMPTY);
    let answer = client(&server, |_| ()).send(put("a", "content")).await.unwrap();
    assert_eq!((answer.earlier, server.heads().len()), (Effect::Unknown, 2));
}

#[tokio::test]
async fn the_attempts_end() {
    let server = resets(usize::MAX, EMPTY);
    let client = client(&server, |options| options.retries.attempts = 3);
    let failure = client.send(put("a", "content")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Broken(_)), "{failure:?}");
    assert_eq!((failure.effect, server.heads().len()), (Effect::Unknown, 3));
    let failure = client.send_once(get("a")).await.err().unwrap();
    assert_eq!((failure.effect, server.heads().len()), (Effect::None, 4));
}

/// Rule E05: the budget of repetitions is for all operations together.
#[tokio::test]
async fn a_service_that_is_down_is_not_asked_ever_more() {
    let server = Server::always(SLOW_DOWN);
    let client = client(&server, |options| (options.retries.attempts, options.retries.budget) = (10, 2));
    let failure = client.send(put("a", "")).await.err().unwrap();
    assert_eq!((failure.code(), failure.effect, server.heads().len()), ("SlowDown", Effect::None, 3));
    assert!(client.send(get("a")).await.is_err());
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn the_pause_is_the_one_that_the_service_asks_for() {
    const LATER: &str = "HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answers(&[LATER, OK]);
    let start = Instant::now();
    client(&server, |_| ()).send(get("a")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let server = Server::answers(&[LATER, OK]);
    let hurried = client(&server, |options| options.timeouts.operation = Duration::from_millis(500));
    let failure = hurried.send(get("a")).await.err().unwrap();
    assert_eq!((failure.status(), server.heads().len()), (Some(503), 1), "no pause is longer than the operation");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_left() {
    let server = Server::start(|_, mut peer| {
        peer.request();
        peer.closed();
    });
    let client = client(&server, |options| {
        options.timeouts.answer = Duration::from_millis(50);
        options.retries.attempts = 2;
    });
    let failure = client.send(put("a", "content")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Timeout("an answer", limit) if limit == Duration::from_millis(50)));
    assert_eq!((failure.effect, server.heads().len()), (Effect::Unknown, 2));
}

#[tokio::test]
async fn an_operation_ends_at_its_deadline() {
    let server = Server::start(|_, peer| peer.closed());
    let client = client(&server, |options| options.timeouts.operation = Duration::from_millis(50));
    let failure = client.send(get("a")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Timeout(_, limit) if limit == Duration::from_millis(50)), "{failure:?}");
}

/// An upload that takes longer than an answer may, or an operation without content, and moves all the time, is not cut.
#[tokio::test]
async fn a_slow_upload_is_not_taken_for_silence() {
    const LENGTH: usize = 8 << 20;
    const PIECE: usize = 32 << 10;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap().into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    let server = Server::listen(listener, |_, mut peer| {
        peer.head();
        for _ in 0..LENGTH / PIECE {
            peer.read(PIECE);
            std::thread::sleep(Duration::from_millis(2));
        }
        peer.send(EMPTY);
    });
    let client = client(&server, |options| {
        options.timeouts.answer = Duration::from_millis(400);
        options.timeouts.operation = Duration::from_millis(400);
    });
    let start = Instant::now();
    let answer = client.send(put("a", vec![7; LENGTH])).await.unwrap();
    assert!(start.elapsed() > Duration::from_millis(400), "the upload was too quick to prove anything");
    assert_eq!((answer.earlier, server.connections()), (Effect::Unsent, 1));
}

/// Rule R10: a short body is an error at its end.
#[tokio::test]
async fn a_cut_body_is_noticed() {
    let server = Server::start(|_, mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    });
    let failure = content(client(&server, |_| ()).send(get("a")).await.unwrap()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Broken(_)), "{failure:?}");
}

#[tokio::test]
async fn a_body_that_stops_is_left() {
    let server = Server::start(|_, mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        peer.closed();
    });
    let client = client(&server, |options| options.timeouts.answer = Duration::from_millis(50));
    let failure = content(client.send(get("a")).await.unwrap()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Timeout("the next byte of an answer", _)), "{failure:?}");
}

/// Rule L13: a document that ends early is asked for again, whether the connection ended or only the text.
#[tokio::test]
async fn a_cut_document_is_asked_for_again() {
    let server = Server::start(|number, mut peer| {
        peer.request();
        match number {
            0 => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<ListBucketResult>"),
            1 => peer.send(answer("200 OK", "Connection: close\r\n", "<ListBucketResult><Key>")),
            _ => peer.send(answer("200 OK", "", " \n<ListBucketResult></ListBucketResult>")),
        }
    });
    let answer = client(&server, |_| ()).send(list()).await.unwrap();
    let AnswerBody::Document(document) = answer.body else { panic!("no document") };
    assert!(document.ends_with(b"</ListBucketResult>"));
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn an_error_inside_a_success_is_repeated_where_it_can_pass() {
    let copy = || Request::new("CopyObject", Method::PUT, object("b"), Expect::Document("CopyObjectResult"));
    let inside =
        |code: &str| answer("200 OK", "", &format!("  <?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>"));
    let bodies = [inside("InternalError"), answer("200 OK", "", "<CopyObjectResult/>")];
    let server = Server::start(move |_, mut peer| {
        for body in &bodies {
            peer.request();
            peer.send(body);
        }
    });
    let answer = client(&server, |_| ()).send(copy()).await.unwrap();
    assert_eq!((answer.earlier, server.heads().len()), (Effect::Unknown, 2));
    let denied = inside("AccessDenied");
    let server = Server::start(move |_, mut peer| {
        while peer.request().is_some() {
            peer.send(&denied);
        }
    });
    let failure = client(&server, |_| ()).send(copy()).await.err().unwrap();
    assert_eq!((failure.code(), server.heads().len()), ("AccessDenied", 1));
}

/// Rule C07: a conflict of concurrent writers is repeated, and a failed condition is not.
#[tokio::test]
async fn only_what_can_pass_is_repeated() {
    const CONFLICT: &str =
        "HTTP/1.1 409 Conflict\r\nContent-Length: 54\r\n\r\n<Error><Code>ConditionalRequestConflict</Code></Error>";
    let server = Server::answers(&[CONFLICT, EMPTY]);
    client(&server, |_| ()).send(put("a", "")).await.unwrap();
    assert_eq!(server.heads().len(), 2);
    let server = Server::always("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
    let failure = client(&server, |_| ()).send(put("a", "")).await.err().unwrap();
    assert_eq!((failure.status(), failure.effect, server.heads().len()), (Some(412), Effect::None, 1));
}

#[tokio::test]
async fn a_refused_connection_leaves_nothing_in_doubt() {
    let server = Server::always(OK);
    // No port that a system gives away: one that was free a moment ago may be another server's by now.
    let refused = client(&server, |options| options.endpoint = Some("http://127.0.0.1:1".to_owned()));
    let failure = refused.send(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Connect(_)), "{failure:?}");
    assert_eq!(failure.effect, Effect::Unsent);
    let nowhere = client(&server, |options| options.endpoint = Some("http://nowhere.invalid".to_owned()));
    let failure = nowhere.send_once(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Resolve(_)), "{failure:?}");
    assert_eq!(failure.effect, Effect::Unsent);
}

/// Rule S09.
#[tokio::test]
async fn failures_and_requests_show_no_secret() {
    let server = Server::always("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let client = client(&server, |_| ());
    let request = put("a", "content");
    let shown = format!("{request:?}");
    let failure = client.send(request).await.err().unwrap();
    let shown = format!("{shown} {failure:?} {failure}");
    assert!(!shown.contains("hunter2") && !shown.contains("Signature"), "{shown}");
}
