//! What the S3 driver touches when it is given its credentials, as `strace` sees it (rule S10).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

#[path = "common/s3_address.rs"]
mod s3_address;
#[path = "common/s3.rs"]
#[allow(dead_code, reason = "the suite uses all of it")]
mod s3_harness;
#[path = "common/s3_service.rs"]
#[allow(dead_code, reason = "the suite uses all of it")]
mod s3_service;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use conformance_tests::{Harness as _, Service as _, Trap};
use storage_core::{PutOptions, Storage};
use storage_s3::S3;

use s3_address::Address;
use s3_harness::{Kind, S3Harness, options};

/// Names the root that the watched process works on; unset in every other.
const ADDRESS: &str = "HERMETIC_WORKER_ADDRESS";

/// What marks the end of the start-up in the trace: a file that is asked for and is not there.
const STARTED: &str = "/hermetic-worker-has-started";

/// Why a process cannot be watched here; none where it can.
fn cannot_watch() -> Option<String> {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    match tried {
        Err(error) => Some(format!("strace cannot be started: {error}")),
        Ok(output) if !output.status.success() => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Ok(_) => None,
    }
}

/// The watched process: one of each operation, on a root whose credentials are given.
#[test]
fn worker() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let address: Address = address.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = std::fs::metadata(STARTED);
    runtime.block_on(async {
        let storage = Storage::new(S3::new(options(Kind::Plain, &address)).unwrap());
        storage.put("k", "text").await.unwrap();
        assert_eq!(storage.text("k").await.unwrap(), "text");
        storage.put_with("new", "text", PutOptions::new().create_only()).await.unwrap();
        storage.copy("k", "copied").await.unwrap();
        assert_eq!(storage.list_all("").await.unwrap().len(), 3);
        storage.delete("k").await.unwrap();
        storage.delete_many(["new", "copied"]).await.unwrap();
    });
    writeln!(std::io::stdout(), "done").unwrap();
}

/// S10: With explicit credentials and an environment that leads elsewhere no file is opened but what the resolver and TLS
/// need, and no address is talked to but the endpoint's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_touched_but_the_endpoint() {
    if let Some(reason) = cannot_watch() {
        eprintln!("not checked: {reason}");
        return;
    }
    let root = S3Harness(Kind::Plain).fresh().await;
    let service = s3_service::S3Service::start(Kind::Plain).await;
    let directory = tempfile::tempdir().unwrap();
    // Nobody listens there: a connection would be in the trace all the same.
    let poisoned = service.poison(&Trap { url: "http://127.0.0.1:9", directory: directory.path() });
    let log = directory.path().join("trace");
    let child = Command::new("strace")
        .args(["-f", "-e", "trace=%file,%network", "-o", log.to_str().unwrap()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .envs(poisoned)
        .env(ADDRESS, &root.address)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = BufReader::new(&output.stdout[..]).lines().any(|line| line.unwrap().ends_with("done"));
    assert!(said && output.status.success(), "the worker failed: {}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(&log).unwrap();
    let begun = trace.lines().position(|line| line.contains(STARTED)).expect("the worker says when it has started");
    let address: Address = root.address.parse().unwrap();
    let port = address.endpoint.rsplit(':').next().unwrap().to_owned();
    let foreign: Vec<&str> =
        trace.lines().skip(begun + 1).filter(|line| is_file(line) || is_foreign(line, &port)).collect();
    assert!(foreign.is_empty(), "beside the endpoint it touches:\n{}", foreign.join("\n"));
    let talked = trace.lines().skip(begun + 1).any(|line| line.contains("connect(") && line.contains(&port));
    assert!(talked, "the trace holds the connections to the endpoint");
}

/// Whether a line of the trace names a file that neither resolving names nor TLS needs.
fn is_file(line: &str) -> bool {
    const NEEDED: [&str; 8] = [
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/nsswitch.conf",
        "/etc/gai.conf",
        "/etc/ssl/",
        "/usr/lib/ssl/",
        "/etc/ld.so.cache",
    ];
    let calls = ["open(", "openat(", "openat2(", "stat(", "statx(", "newfstatat(", "access(", "readlink(", "execve("];
    calls.iter().any(|call| line.contains(call))
        && line.contains("\"/")
        && !NEEDED.iter().any(|needed| line.contains(needed))
        // What the C library and the runtime look up about the machine, not about the caller.
        && !["/sys/fs/cgroup", "/proc/self/", "/proc/sys/vm/", "/sys/devices/system/cpu", "/lib/x86_64-linux-gnu/", "/lib/aarch64"]
            .iter()
            .any(|machine| line.contains(machine))
}

/// Whether a line of the trace talks to another address than the endpoint's.
fn is_foreign(line: &str, port: &str) -> bool {
    let talks = line.contains("connect(") || line.contains("sendto(") || line.contains("bind(");
    let inet = line.contains("sin_port=") || line.contains("sin6_port=") || line.contains("sun_path=");
    talks && inet && !line.contains(&format!("htons({port})"))
}
