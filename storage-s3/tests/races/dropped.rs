//! Rules S03, S11, R12, W06: a future that is dropped half-way keeps no connection, no task and no upload.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use s3_test_server::{Fault, FaultAction, ServerOptions};
use storage_core::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::hosting::{BUCKET, Host};

const PART: usize = 5 << 20;

/// Polls a future so many times, each when it is due, and drops it; whether it ended before that.
async fn interrupted<F: Future>(future: F, polls: usize) -> bool {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A server on a runtime of its own, and a root with two connections.
fn host() -> (Runtime, Host) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = runtime.block_on(Host::with(ServerOptions::new(), |options| {
        options.connections = 2;
        options.part_size = PART as u64;
        options.timeouts.answer = Duration::from_secs(20);
        options.timeouts.operation = Duration::from_secs(20);
    }));
    (runtime, host)
}

fn client() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for ten seconds at most.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be that {what}");
}

/// Both connections can be had at once.
async fn is_whole(root: &Storage) {
    let held = join_all((0..2).map(|_| root.get("large", GetOptions::new()))).await;
    assert!(held.iter().all(Result::is_ok), "{held:?}");
}

async fn call(root: &Storage, number: usize) {
    match number {
        0 => drop(root.put("a", "x").await),
        1 => drop(root.put_with("b", "x", PutOptions::new().create_only()).await),
        2 => drop(root.bytes("large").await),
        3 => drop(root.head("none").await),
        4 => drop(root.list_all("").await),
        5 => drop(root.copy("a", "c").await),
        6 => drop(root.rename("c", "d").await),
        7 => drop(root.delete_many(["b", "d", "e"]).await),
        8 => drop(root.delete("d").await),
        9 => {
            let mut stream = root.stream("large").await.unwrap();
            while stream.next().await.is_some() {}
        }
        10 => {
            let Ok(mut writer) = root.writer("parts").await else { return };
            if writer.write(Bytes::from(vec![1; PART + 1])).await.is_ok() {
                let _ = writer.finish().await;
            }
        }
        _ => drop(root.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await),
    }
}

#[test]
fn s03_every_operation_dropped_after_every_poll() {
    let (_server, host) = host();
    client().block_on(async {
        let root = &host.root;
        root.put("large", Bytes::from(vec![7; 2 << 20])).await.unwrap();
        for number in 0..=11 {
            for polls in 0.. {
                root.put("a", "x").await.unwrap();
                let ended = interrupted(call(root, number), polls).await;
                if ended {
                    break;
                }
                if polls % 4 == 0 {
                    is_whole(root).await;
                }
            }
            is_whole(root).await;
        }
        until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
        root.sweep(SweepOptions::default()).await.unwrap();
        assert_eq!(host.server.unfinished_uploads(BUCKET), 0);
    });
}

/// W06: the upload of a copy in parts is aborted when the copy is dropped.
#[test]
fn s03_a_dropped_copy_in_parts_leaves_no_upload() {
    let (_server, host) = host();
    client().block_on(async {
        host.server.synthetic_object(BUCKET, "huge", 6 << 30);
        let hang = host.server.inject(Fault::new(FaultAction::Hang).on("UploadPartCopy"));
        {
            let mut copy = pin!(host.root.copy("huge", "copy"));
            while hang.hits() == 0 {
                assert!(futures::poll!(copy.as_mut()).is_pending());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(host.server.unfinished_uploads(BUCKET), 1);
        }
        until("the upload is gone", || host.server.unfinished_uploads(BUCKET) == 0).await;
        until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
    });
}

/// S11: a runtime that ends with operations under way and connections idle harms no other one.
#[test]
fn s11_a_runtime_that_ends_in_the_middle() {
    let (_server, host) = host();
    let root = &host.root;
    client().block_on(root.put("large", Bytes::from(vec![7; 2 << 20]))).unwrap();
    for round in 0..20 {
        let runtime = client();
        for number in 0..=11 {
            let root = root.clone();
            runtime.spawn(async move { call(&root, number).await });
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_micros(500 * round)).await });
        drop(runtime);
        client().block_on(is_whole(root));
    }
}
