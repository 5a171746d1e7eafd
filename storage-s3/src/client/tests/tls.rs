//! TLS: trusted, not trusted, and met where it is not meant.

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::server::Peer;
use super::*;
use crate::options::{TlsOptions, TlsRoots};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

struct Certificate {
    config: Arc<rustls::ServerConfig>,
    file: tempfile::NamedTempFile,
}

/// A certificate of `localhost`, and the file by which it is trusted.
fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    Certificate { config: Arc::new(config), file }
}

fn speak(mut peer: Peer) {
    while peer.request().is_some() {
        peer.send(OK);
    }
}

fn over_tls(config: Arc<rustls::ServerConfig>) -> Server {
    Server::start(move |_, peer| speak(peer.tls(config.clone())))
}

fn tls_client(server: &Server, certificate: &Certificate, change: impl FnOnce(&mut S3Options)) -> Client {
    client(server, |options| {
        options.endpoint = Some(format!("https://localhost:{}", server.address.port()));
        options.tls = TlsOptions { roots: TlsRoots::Bundled, ca_bundle: Some(certificate.file.path().to_owned()) };
        change(options);
    })
}

#[tokio::test]
async fn a_ca_bundle_is_trusted_beside_the_other_roots() {
    let certificate = certificate();
    let server = over_tls(certificate.config.clone());
    let client = tls_client(&server, &certificate, |_| ());
    for _ in 0..3 {
        assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
    }
    assert_eq!(server.connections(), 1);
    let signed = server.heads().pop().unwrap();
    assert_eq!(super::server::header(&signed, "x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let certificate = certificate();
    let server = over_tls(certificate.config.clone());
    let client = tls_client(&server, &certificate, |options| options.tls.ca_bundle = None);
    let failure = client.send(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Tls(_)), "{failure:?}");
    assert_eq!((failure.effect, server.connections()), (Effect::Unsent, 1), "it is not tried again");
}

#[tokio::test]
async fn a_bundle_that_is_none_is_refused_at_once() {
    let server = Server::always(OK);
    let certificate = certificate();
    std::fs::write(certificate.file.path(), "no certificate").unwrap();
    let mut options = S3Options::new("data");
    options.endpoint = Some(format!("https://{}", server.address));
    options.tls.ca_bundle = Some(certificate.file.path().to_owned());
    let error = Client::new(&options).err().unwrap();
    assert!(error.to_string().contains("AWS_CA_BUNDLE"), "{error}");
}

#[tokio::test]
async fn tls_to_a_plain_port_is_a_tls_failure() {
    let certificate = certificate();
    let server = Server::start(|_, mut peer| {
        peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        peer.closed();
    });
    let failure = tls_client(&server, &certificate, |_| ()).send(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Tls(_)), "{failure:?}");
    assert_eq!(failure.effect, Effect::Unsent);
}

#[tokio::test]
async fn a_plain_request_to_a_tls_port_is_not_in_doubt() {
    let certificate = certificate();
    let server = over_tls(certificate.config.clone());
    let failure = client(&server, |_| ()).send(put("a", "content")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::NotHttp(_)), "{failure:?}");
    assert_eq!(failure.effect, Effect::None);
}

/// RFC 9110, section 9.3.6: TLS goes through the proxy, which sees host and port only.
#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel() {
    let certificate = certificate();
    let config = certificate.config.clone();
    let proxy = Server::start(move |_, mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 Connection established\r\n\r\n");
        speak(peer.tls(config.clone()));
    });
    let client = tls_client(&proxy, &certificate, |options| {
        options.endpoint = Some("https://localhost:4430".to_owned());
        options.proxy = Some(format!("http://{}", proxy.address));
    });
    assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT localhost:4430 HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[1].starts_with("GET /data/a HTTP/1.1\r\n"), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let certificate = certificate();
    let proxy = Server::always("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let client = tls_client(&proxy, &certificate, |options| options.proxy = Some(proxy.address.to_string()));
    let failure = client.send_once(put("a", "")).await.err().unwrap();
    assert!(failure.to_string().contains("407"), "{failure}");
    assert_eq!(failure.effect, Effect::Unsent);
}

/// A load balancer that has no room leaves a handshake without a word, and the next one may be taken.
#[tokio::test]
async fn a_handshake_that_is_cut_is_tried_again() {
    let certificate = certificate();
    let config = certificate.config.clone();
    let server = Server::start(move |number, peer| match number {
        0 => peer.hang_up(),
        _ => speak(peer.tls(config.clone())),
    });
    let client = tls_client(&server, &certificate, |_| ());
    assert_eq!(content(client.send(get("a")).await.unwrap()).await.unwrap(), b"hi");
    let server = Server::start(|_, peer| peer.hang_up());
    let client = tls_client(&server, &certificate, |options| options.retries.attempts = 2);
    let failure = client.send(get("a")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Tls(_)), "{failure:?}");
    assert_eq!(server.connections(), 2);
}
