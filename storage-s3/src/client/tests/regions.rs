//! Following the service to the bucket's region, and what a wrong one is.

use super::server::{answer, header};
use super::*;

fn scope(head: &str) -> String {
    let authorization = header(head, "authorization").unwrap();
    authorization.split('/').nth(2).unwrap().to_owned()
}

/// A service whose bucket is in eu-west-1, and that says so by `refusal`.
fn in_ireland(refusal: String) -> Server {
    Server::start(move |_, mut peer| {
        while let Some(head) = peer.request() {
            match scope(&head).as_str() {
                "eu-west-1" => peer.send(answer("200 OK", "", "")),
                _ => peer.send(&refusal),
            }
        }
    })
}

fn moved() -> String {
    answer("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", "")
}

fn malformed() -> String {
    let document = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
    answer("400 Bad Request", "", document)
}

#[tokio::test]
async fn a_redirect_is_followed_and_remembered() {
    for refusal in [moved(), malformed()] {
        let server = in_ireland(refusal);
        let client = client(&server, |_| ());
        let answer = client.send_once(put("a", "content")).await.unwrap();
        assert_eq!((answer.earlier, server.heads().len()), (Effect::Unsent, 2));
        client.send_once(put("a", "content")).await.unwrap();
        let scopes: Vec<String> = server.heads().iter().map(|head| scope(head)).collect();
        assert_eq!(scopes, ["us-east-1", "eu-west-1", "eu-west-1"]);
    }
}

#[tokio::test]
async fn a_region_that_is_set_is_not_corrected_in_silence() {
    for (refusal, status) in [(malformed(), 400), (moved(), 301)] {
        let server = in_ireland(refusal);
        let client = client(&server, |options| options.region = Some("us-west-2".to_owned()));
        let failure = client.send(get("a")).await.err().unwrap();
        assert_eq!((failure.status(), server.heads().len()), (Some(status), 1));
        let Cause::Answer(error) = &failure.cause else { panic!("{failure:?}") };
        assert_eq!(error.region.as_deref(), Some("eu-west-1"));
    }
}

#[tokio::test]
async fn a_redirect_is_followed_once() {
    let server = Server::start(|number, mut peer| {
        let mut turn = number;
        while peer.request().is_some() {
            turn += 1;
            let region = format!("x-amz-bucket-region: region-{turn}\r\n");
            peer.send(answer("301 Moved Permanently", &region, ""));
        }
    });
    let failure = client(&server, |_| ()).send(get("a")).await.err().unwrap();
    assert_eq!((failure.status(), server.heads().len()), (Some(301), 2));
}

/// A host of the moment: the request is signed for it, and the next one goes where it went before.
#[tokio::test]
async fn a_temporary_redirect_leads_to_another_host_for_once() {
    let there = Server::always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let location = format!("Location: http://{}/data/a\r\n", there.address);
    let here = Server::start(move |_, mut peer| {
        while peer.request().is_some() {
            peer.send(answer("307 Temporary Redirect", &location, ""));
        }
    });
    let client = client(&here, |_| ());
    for times in 1..3 {
        client.send(put("a", "content")).await.unwrap();
        assert_eq!((here.heads().len(), there.heads().len()), (times, times));
    }
    assert_eq!(header(&there.heads()[0], "host"), Some(&*there.address.to_string()));
    assert_eq!(client.send(put("b", "")).await.err().unwrap().status(), Some(307), "another path is not followed");
}

#[tokio::test]
async fn a_url_is_signed_for_its_holder() {
    let server = Server::always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = client(&server, |_| ()).presign(get("a b"), Duration::from_secs(60)).await.unwrap();
    let start = format!("http://{}/data/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&", server.address);
    assert!(url.starts_with(&start) && url.contains("&X-Amz-Expires=60&") && !url.contains("hunter2"), "{url}");
    let nobody = client(&server, |options| options.credentials = Credentials::Anonymous);
    let url = nobody.presign(get("a"), Duration::from_secs(60)).await.unwrap();
    assert_eq!(url, format!("http://{}/data/a", server.address));
    assert_eq!(server.connections(), 0);
}
