//! A walk of very many keys, in a process of its own. `STORAGE_TEST_LONG=1` makes them a million.

use std::process::Command;

use futures::stream::TryStreamExt as _;
use s3_test_server::{S3Server, ServerOptions};
use storage_source::{Filter, Outcome, Walk};

use crate::support::{BUCKET, bucket};

/// Where the process that walks finds the server.
const ENDPOINT: &str = "STORAGE_SOURCE_TEST_WALK";

fn keys() -> u64 {
    let long = std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1");
    if long { 1_000_000 } else { 100_000 }
}

/// What the process holds in memory now, and has held at most, in bytes.
#[cfg(target_os = "linux")]
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The work of the other process, if this is it.
#[test]
#[cfg(target_os = "linux")]
fn walker() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let storage = bucket(endpoint);
        let before = memory().0;
        let filter = Filter::new().include("data/**").exclude("data/**/*5");
        let mut items = Walk::new(&storage).filter(filter).items().unwrap();
        let (mut taken, mut last) = (0, String::new());
        while let Some(item) = items.try_next().await.unwrap() {
            assert!(item.path.as_str() > last.as_str());
            item.path.as_str().clone_into(&mut last);
            taken += 1;
        }
        let report = items.report();
        assert_eq!((report.outcome, report.scanned, report.matched), (Outcome::Complete, keys(), taken));
        println!("walked {taken}, {} bytes above the start", memory().1.saturating_sub(before));
    });
}

/// Very many keys are walked within 64 MiB, and by no request beyond the pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn very_many_keys_take_no_memory() {
    let keys = keys();
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.synthetic_objects(BUCKET, "data/", keys, 100);
    let mut walker = Command::new(std::env::current_exe().unwrap());
    walker.args(["many::walker", "--exact", "--nocapture", "--test-threads=1"]).env(ENDPOINT, server.endpoint());
    let output = tokio::task::spawn_blocking(move || walker.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.split_once("walked ")).unwrap().1;
    let (taken, bytes) = line.split_once(", ").unwrap();
    let bytes: u64 = bytes.split(' ').next().unwrap().parse().unwrap();
    eprintln!("{keys} keys, {taken} taken: {} KiB above the start", bytes / 1024);
    assert_eq!(taken, (keys - keys / 10).to_string());
    assert!(bytes < 64 << 20, "{bytes} bytes above the start");
    assert_eq!(server.counts().to_string(), format!("ListObjectsV2 {}", keys / 1000));
}
