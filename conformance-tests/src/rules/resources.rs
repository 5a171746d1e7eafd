//! Rules R12 and R13: what a read holds on to, and how far it reaches.

use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::TryStreamExt;
use storage_core::{ByteRange, DownloadOptions, Storage};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::Harness;
use crate::context::{NO_DIRECTORY, nothing_to_ask, part_not_asked};
use crate::rule::rule;
use crate::support::bytes;

/// How many half-read streams are dropped at most, and at least where each takes long; and how many of them at a time.
const DROPS: usize = 1000;
const LEAST: usize = 192;
const AT_ONCE: usize = 16;

/// How long a place may take for those beyond the least.
const TIME: Duration = Duration::from_secs(10);

/// Of so many that were dropped one may be hidden by other rules, run at the same time.
const HIDDEN: usize = 3;

/// How long a backend may take to let go.
const PATIENCE: Duration = Duration::from_secs(10);

rule! {
    /// Dropping a half-read stream leaks no file, connection or task.
    R12, r12_dropped_reads_leak_nothing, "Dropped reads leak nothing",
    why: "A host that looks at the beginnings of many objects runs out of files or connections after some hours."
}
async fn r12_dropped_reads_leak_nothing(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("k", bytes(12, 3 << 20)).await.unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (files_before, tasks_before) = (open_files(), tasks());
    let (began, mut drops) = (Instant::now(), 0);
    while drops < LEAST || drops < DROPS && began.elapsed() < TIME {
        join_all((drops..drops + AT_ONCE).map(|number| half_read(storage, number))).await;
        drops += AT_ONCE;
    }
    if drops < DROPS {
        part_not_asked(&format!("the time was over after {drops} of {DROPS} dropped reads"));
    }
    let let_go = async {
        while open_files() > files_before + drops / HIDDEN || tasks() > tasks_before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, let_go).await;
    assert!(
        waited.is_ok(),
        "after {drops} dropped reads: {} open files, before {files_before}; {} tasks, before {tasks_before}",
        open_files(),
        tasks()
    );
}

/// Reads the beginning of an object, in one way of several, and lets go of it.
async fn half_read(storage: &Storage, number: usize) {
    match number % 50 {
        0 => {
            let mut reader = storage.reader("k").await.unwrap();
            reader.read_u8().await.unwrap();
        }
        1 => {
            let options = DownloadOptions::new().part_size(100_000).concurrency(4);
            let (_, mut stream) = storage.download("k", options).await.unwrap();
            stream.try_next().await.unwrap().unwrap();
        }
        2 => drop(storage.stream("k").await.unwrap()),
        _ => drop(storage.stream("k").await.unwrap().try_next().await.unwrap().unwrap()),
    }
}

/// The open files of this process; 0 where the system does not tell.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

rule! {
    /// Offsets are 64-bit: what lies beyond 4 GiB is read, by ranges and by a reader. A sparse file stands for it,
    /// where the objects are files.
    R13, r13_beyond_four_gib, "Beyond 4 GiB",
    why: "An offset cut to 32 bits reads the wrong bytes of large objects only, which no small test shows."
}
async fn r13_beyond_four_gib(harness: &dyn Harness) {
    const MARK: u64 = (4 << 30) + 10;
    const SIZE: u64 = 5 << 30;
    let fixture = harness.fresh().await;
    let Some(directory) = &fixture.directory else { return nothing_to_ask(NO_DIRECTORY) };
    let mut file = std::fs::File::create(directory.join("sparse")).unwrap();
    file.set_len(SIZE).unwrap();
    file.seek(SeekFrom::Start(MARK)).unwrap();
    file.write_all(b"beyond").unwrap();
    file.seek(SeekFrom::Start(SIZE - 3)).unwrap();
    file.write_all(b"end").unwrap();
    drop(file);

    let storage = &fixture.storage;
    assert_eq!(storage.head("sparse").await.unwrap().meta.size, SIZE);
    assert_eq!(storage.range("sparse", MARK..MARK + 6).await.unwrap(), "beyond");
    assert_eq!(storage.range("sparse", SIZE - 3..).await.unwrap(), "end");
    assert_eq!(storage.range("sparse", ByteRange::Suffix(3)).await.unwrap(), "end");
    let both = [ByteRange::from(SIZE - 3..SIZE + 9), (10..12).into(), (MARK..MARK + 6).into()];
    assert_eq!(storage.ranges("sparse", &both).await.unwrap(), ["end", "\0\0", "beyond"]);
    let mut reader = storage.reader("sparse").await.unwrap();
    reader.seek(SeekFrom::Start(MARK)).await.unwrap();
    let mut mark = [0; 6];
    reader.read_exact(&mut mark).await.unwrap();
    assert_eq!(&mark, b"beyond");
    reader.seek(SeekFrom::End(-3)).await.unwrap();
    let mut end = String::new();
    reader.read_to_string(&mut end).await.unwrap();
    assert_eq!(end, "end");
    assert_eq!(storage.list_all("").await.unwrap()[0].size, SIZE);
}
