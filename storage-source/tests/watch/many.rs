//! A watch of very many keys that polls, in a process of its own. `STORAGE_TEST_LONG=1` makes them a million.

#![cfg(target_os = "linux")]

use std::process::Command;

use s3_test_server::{S3Server, ServerOptions};
use storage_source::Watched;

use crate::support::{BUCKET, bucket, next, quick};

/// Where the process that watches finds the server.
const ENDPOINT: &str = "STORAGE_SOURCE_TEST_WATCH";

/// What a watch may hold for each object with a path of `many/` and 10 digits, and beside these.
const EACH: u64 = 256;
const BESIDE: u64 = 32 << 20;

fn keys() -> u64 {
    let long = std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1");
    if long { 1_000_000 } else { 100_000 }
}

/// What the process holds in memory now, and has held at most, in bytes.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The work of the other process, if this is it: a first listing, and a poll that finds nothing.
#[test]
fn watcher() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let before = memory().0;
        let mut watching = quick(&bucket(endpoint)).start().unwrap();
        for (expected, unchanged) in [(keys(), 0), (0, keys())] {
            let mut told = 0;
            let report = loop {
                match next(&mut watching).await.unwrap() {
                    Watched::Event(event) => {
                        told += 1;
                        event.ack();
                    }
                    Watched::Scanned(report) => break report,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((told, report.put, report.unchanged), (expected, expected, unchanged));
        }
        println!("watched {} bytes above the start", memory().1.saturating_sub(before));
    });
}

/// A watch of very many keys holds its state and little beside it, and asks for nothing but the pages of its listings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_keys_take_the_memory_of_their_state() {
    let keys = keys();
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket(BUCKET);
    server.synthetic_objects(BUCKET, "many/", keys, 100);
    let mut watcher = Command::new(std::env::current_exe().unwrap());
    watcher.args(["many::watcher", "--exact", "--nocapture", "--test-threads=1"]).env(ENDPOINT, server.endpoint());
    let output = tokio::task::spawn_blocking(move || watcher.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.split_once("watched ")).unwrap().1;
    let bytes: u64 = line.split(' ').next().unwrap().parse().unwrap();
    eprintln!("{keys} keys: {} KiB above the start", bytes / 1024);
    assert!(bytes < BESIDE + EACH * keys, "{bytes} bytes above the start");
    assert_eq!(server.counts().to_string(), format!("ListObjectsV2 {}", 2 * keys / 1000));
}
