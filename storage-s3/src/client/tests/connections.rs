//! Connections: kept, limited, closed, and nobody's task.

use std::sync::mpsc;

use futures::StreamExt;

use super::server::answer;
use super::*;

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server whose answers fit what is asked.
fn all_kinds() -> Server {
    Server::start(|_, mut peer| {
        while let Some(head) = peer.request() {
            match head.split(' ').next() {
                Some("PUT") => peer.send(EMPTY),
                Some("HEAD") => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
                _ if head.contains("chunked") => {
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
                }
                _ if head.starts_with("GET /data?") => peer.send(answer("200 OK", "", "<ListBucketResult/>")),
                _ if head.contains("missing") => peer.send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
                _ => peer.send(OK),
            }
        }
    })
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = all_kinds();
    let client = client(&server, |_| ());
    for round in 0..10 {
        client.send(put("a", "content")).await.unwrap();
        assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
        assert_eq!(content(client.send(get("chunked")).await.unwrap()).await.unwrap(), b"hi");
        client.send(list().query("list-type", "2")).await.unwrap();
        client.send(Request::new("HeadObject", Method::HEAD, object("a"), Expect::Nothing)).await.unwrap();
        assert_eq!(client.send(get("missing")).await.err().unwrap().status(), Some(404));
        assert_eq!(server.connections(), 1, "round {round}");
    }
}

/// A connection that the server has closed is noticed before a write goes out on it, so that nothing is in doubt.
#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_used() {
    let (closed, is_closed) = mpsc::channel();
    let server = Server::start(move |_, mut peer| {
        peer.request();
        peer.send(EMPTY);
        peer.reset();
        closed.send(()).unwrap();
    });
    let client = client(&server, |_| ());
    for _ in 0..5 {
        let answer = client.send(put("a", "content")).await.unwrap();
        assert_eq!(answer.earlier, Effect::Unsent);
        tokio::task::spawn_blocking({
            let is_closed = is_closed.recv();
            move || is_closed.unwrap()
        })
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.heads().len(), 5);
}

/// A read that meets a connection's end is asked again at once, without using up an attempt.
#[tokio::test]
async fn a_read_on_a_connection_that_ends_is_asked_again_at_once() {
    let server = Server::start(|number, mut peer| {
        peer.request();
        peer.send(OK);
        if number == 0 {
            peer.request();
            return peer.reset();
        }
        peer.closed();
    });
    let client = client(&server, |_| ());
    for _ in 0..2 {
        assert_eq!(content(client.send_once(get("a")).await.unwrap()).await.unwrap(), b"hi");
    }
    assert_eq!((server.connections(), server.heads().len()), (2, 3));
}

/// Rule S11: one client, two runtimes; the end of one does not harm the other.
#[test]
fn each_runtime_has_connections_of_its_own() {
    let server = Server::always(OK);
    let client = client(&server, |_| ());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |runtime: &tokio::runtime::Runtime| {
        let asked = async { content(client.send(get("a")).await.unwrap()).await };
        assert_eq!(runtime.block_on(asked).unwrap(), b"hi");
    };
    let (one, other) = (runtime(), runtime());
    for _ in 0..3 {
        ask(&one);
        ask(&other);
    }
    assert_eq!(server.connections(), 2);
    drop(one);
    ask(&other);
    ask(&runtime());
    assert_eq!(server.connections(), 3);
}

/// Rule S11: nothing runs beside the caller, neither during a request nor between two.
#[tokio::test]
async fn there_is_no_task_but_the_caller_s() {
    let server = Server::always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let client = client(&server, |_| ());
    let answer = client.send(get("a")).await.unwrap();
    assert_eq!(tasks(), 0);
    drop((answer, client));
    assert_eq!(tasks(), 0);
}

/// Rule R12: what is not read to its end closes its connection, and frees its place.
#[tokio::test]
async fn a_body_that_is_dropped_closes_its_connection() {
    let (closed, is_closed) = mpsc::channel();
    let server = Server::start(move |number, mut peer| {
        peer.request();
        match number {
            0 => {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                peer.closed();
                closed.send(()).unwrap();
            }
            _ => peer.send(OK),
        }
    });
    let client = client(&server, |options| options.connections = 1);
    let AnswerBody::Content(mut stream) = client.send(get("a")).await.unwrap().body else { panic!("no content") };
    assert_eq!(stream.next().await.unwrap().unwrap(), "hello");
    drop(stream);
    is_closed.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
}

/// A caller that holds all connections itself gets a time-out, and has sent nothing.
#[tokio::test]
async fn there_are_no_more_connections_than_the_limit() {
    let server = Server::always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    let client = client(&server, |options| {
        options.connections = 2;
        options.timeouts.operation = Duration::from_millis(100);
    });
    let held = [client.send(get("a")).await.unwrap(), client.send(get("b")).await.unwrap()];
    let failure = client.send(put("c", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Timeout("a free connection", _)), "{failure:?}");
    assert_eq!((failure.effect, server.connections()), (Effect::Unsent, 2));
    drop(held);
    client.send(get("c")).await.unwrap();
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_for_their_turn() {
    let server = Server::always(OK);
    let client = client(&server, |options| options.connections = 3);
    let ask = |_| async { content(client.send(get("a")).await.unwrap()).await.unwrap() };
    let answers: Vec<Vec<u8>> = futures::stream::iter(0..50).map(ask).buffer_unordered(50).collect().await;
    assert_eq!(answers.len(), 50);
    assert!(server.connections() <= 3, "{} connections", server.connections());
}

/// A proxy is told the whole URL of a plain request (RFC 9112, section 3.2.2).
#[tokio::test]
async fn a_proxy_gets_the_whole_url() {
    let proxy = Server::always(EMPTY);
    let client = client(&proxy, |options| {
        options.endpoint = Some("http://s3.invalid:9000".to_owned());
        options.proxy = Some(format!("http://{}", proxy.address));
    });
    client.send(put("a b", "content")).await.unwrap();
    let head = proxy.heads().pop().unwrap();
    assert!(head.starts_with("PUT http://s3.invalid:9000/data/a%20b HTTP/1.1\r\n"), "{head}");
    assert_eq!(super::server::header(&head, "host"), Some("s3.invalid:9000"));
}
