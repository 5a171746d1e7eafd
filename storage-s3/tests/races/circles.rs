//! Rule L13: a service whose pages lead round in a circle is found out; the listing neither ends early nor never.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::atomic::{AtomicUsize, Ordering};

use storage_core::{ErrorKind, ListOptions, SweepOptions};

use crate::hosting::kind;
use crate::peer::{Server, answer};

/// Answers listings with these documents over and over, and anything else with what a bulk delete is answered.
fn service(documents: &'static [&'static str]) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_, mut peer| {
        while let Some(head) = peer.request() {
            let document = match head.starts_with("POST") {
                true => "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>",
                false => documents[next.fetch_add(1, Ordering::SeqCst) % documents.len()],
            };
            peer.send(answer("200 OK", "", document));
        }
    })
}

macro_rules! page {
    ($token:literal) => {
        concat!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>",
            $token,
            "</NextContinuationToken><Contents><Key>a</Key><Size>1</Size><ETag>e</ETag>",
            "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
        )
    };
}

macro_rules! version {
    ($id:literal) => {
        concat!(
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>",
            $id,
            "</NextVersionIdMarker><Version><Key>a</Key><VersionId>v</VersionId><IsLatest>true</IsLatest><Size>1</Size>",
            "<ETag>e</ETag><LastModified>2026-01-02T03:04:05.000Z</LastModified></Version></ListVersionsResult>"
        )
    };
}

macro_rules! uploads {
    ($id:literal) => {
        concat!(
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>",
            "<NextUploadIdMarker>",
            $id,
            "</NextUploadIdMarker></ListMultipartUploadsResult>"
        )
    };
}

#[tokio::test]
async fn a_circle_of_pages_is_an_error() {
    let pages = &[page!("1"), page!("2"), page!("3")];
    assert_eq!(kind(service(pages).root().list_all("").await), ErrorKind::Unavailable);
    assert_eq!(kind(service(pages).root().delete_all().await), ErrorKind::Unavailable);
    let server = service(&[version!("1"), version!("2")]);
    let root = server.root();
    let backend = root.backend();
    let mut versions = backend.list_versions(ListOptions::new()).await.unwrap();
    let failed = loop {
        match versions.next_page().await {
            Ok(page) => assert!(page.is_some(), "the listing does not end"),
            Err(error) => break error,
        }
    };
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    let root = service(&[uploads!("1"), uploads!("2")]).root();
    assert_eq!(kind(root.sweep(SweepOptions::default()).await), ErrorKind::Unavailable);
}
