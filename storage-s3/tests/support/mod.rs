//! What the tests of listings and parts have in common.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test fails by it; not every test uses all of it")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use s3_test_server::{S3Server, ServerOptions};
use storage_core::{Entry, Key, ListOptions, Page, Payload, PutOptions, Skipped, StorageBackend};
use storage_s3::{Credentials, S3, S3Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const BUCKET: &str = "bucket";

/// A server with one empty bucket.
pub(crate) async fn server(options: ServerOptions) -> S3Server {
    let server = S3Server::start(options).await.unwrap();
    server.create_bucket(BUCKET);
    server
}

/// Options for the bucket at an endpoint, which fail fast.
pub(crate) fn options(endpoint: String) -> S3Options {
    let mut options = S3Options::new(BUCKET);
    options.endpoint = Some(endpoint);
    options.region = Some("us-east-1".to_owned());
    options.retries.base = Duration::from_millis(1);
    options
}

/// Options for the bucket of a server.
pub(crate) fn on(server: &S3Server) -> S3Options {
    let mut options = options(server.endpoint());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) async fn put(backend: &S3, name: &str, content: &'static str) {
    backend.put(&key(name), Payload::from(content), PutOptions::new()).await.unwrap();
}

/// All pages of a listing.
pub(crate) async fn pages(backend: &S3, options: ListOptions) -> Vec<Page> {
    let mut lister = backend.list(options).await.unwrap();
    let mut pages = Vec::new();
    while let Some(page) = lister.next_page().await.unwrap() {
        pages.push(page);
    }
    pages
}

/// The entries of a listing as text.
pub(crate) async fn listed(backend: &S3, options: ListOptions) -> Vec<String> {
    texts(pages(backend, options).await.into_iter().flat_map(|page| page.entries))
}

pub(crate) fn texts(entries: impl IntoIterator<Item = Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.as_str().to_owned()).collect()
}

pub(crate) fn skipped(pages: Vec<Page>) -> Vec<Skipped> {
    pages.into_iter().flat_map(|page| page.skipped).collect()
}

/// Waits until something holds, for ten seconds at most.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be that {what}");
}

/// A service that answers each request with the next of some documents, the last one for ever; and what it was asked.
pub(crate) struct Script {
    pub(crate) endpoint: String,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) async fn start(documents: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (mut documents, log): (VecDeque<_>, _) = (documents.into_iter().collect(), asked.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                log.lock().unwrap().push(String::from_utf8_lossy(&head).lines().next().unwrap().to_owned());
                let document = if documents.len() > 1 { documents.pop_front().unwrap() } else { documents[0].clone() };
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", document.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(document.as_bytes()).await.unwrap();
            }
        });
        Self { endpoint, asked }
    }

    pub(crate) fn backend(&self) -> S3 {
        let mut options = options(self.endpoint.clone());
        options.credentials = Credentials::Anonymous;
        S3::new(options).unwrap()
    }
}
