//! Rule C06 with an oracle: the bucket keeps versions, so that at the end it is known of every write whether it landed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use s3_test_server::{Fault, FaultAction, ServerOptions};
use storage_core::*;

use crate::hosting::{BUCKET, Host};

/// What befalls requests while actors race.
const FAULTS: [(FaultAction, &str); 6] = [
    (FaultAction::ResetAfterRequest, "PutObject"),
    (FaultAction::LoseResponseBeforeProcessing, "PutObject"),
    (FaultAction::ResetAfterRequest, "CopyObject"),
    (FaultAction::ResetAfterRequest, "HeadObject"),
    (FaultAction::Delay(Duration::from_millis(3)), "PutObject"),
    (FaultAction::DropIdleConnections, "HeadObject"),
];

/// A write, by the content that no other one has, and what its caller was told.
struct Told {
    content: String,
    what: &'static str,
    result: Result<()>,
}

/// Who races.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Writing,
    WritingAndDeleting,
}

async fn host(seed: u64) -> Host {
    let host = Host::with(ServerOptions::new(), |options| options.timeouts.answer = Duration::from_secs(20)).await;
    host.server.set_versioning(BUCKET, true);
    for (number, (action, operation)) in FAULTS.into_iter().enumerate() {
        host.server.inject(Fault::new(action).on(operation).probability(0.1, seed + number as u64));
    }
    let busy = FaultAction::Status { status: 503, code: "SlowDown".to_owned(), retry_after: None };
    host.server.inject(Fault::new(busy).probability(0.05, seed + 50));
    let failed = FaultAction::Status { status: 500, code: "InternalError".to_owned(), retry_after: None };
    host.server.inject(Fault::new(failed).probability(0.05, seed + 60));
    host
}

/// One actor's writes to a few keys.
async fn act(root: Storage, actor: u64, seed: u64, others: Others) -> Vec<Told> {
    let mut random = fastrand::Rng::with_seed(seed ^ (actor << 32));
    let mut told = Vec::new();
    for step in 0..12 {
        let key = format!("key-{}", random.u8(0..3));
        let content = format!("{actor}-{step}");
        let kinds = if others == Others::WritingAndDeleting { 6 } else { 4 };
        let (what, result) = match random.u8(0..kinds) {
            0 => {
                let put = root.put_with(&*key, content.clone(), PutOptions::new().create_only()).await;
                ("create", put.map(drop))
            }
            1 => {
                let Ok(there) = root.head(&*key).await else { continue };
                tokio::time::sleep(Duration::from_millis(random.u64(0..3))).await;
                let swap = PutOptions::new().if_match(there.meta.etag);
                ("swap", root.put_with(&*key, content.clone(), swap).await.map(drop))
            }
            2 => ("put", root.put(&*key, content.clone()).await.map(drop)),
            3 => {
                let source = format!("source/{content}");
                if root.put(&*source, content.clone()).await.is_err() {
                    continue;
                }
                ("copy", root.copy_with(&*source, &*key, CopyOptions::new().create_only()).await.map(drop))
            }
            _ => {
                let _ = root.delete(&*key).await;
                continue;
            }
        };
        told.push(Told { content, what, result });
    }
    told
}

/// The contents that were ever under the keys that are raced for.
async fn landed(host: &Host) -> BTreeSet<String> {
    host.server.clear_faults();
    let mut pages = host.root.versions(ListOptions::new().prefix(Prefix::new("key-").unwrap())).await.unwrap();
    let mut contents = BTreeSet::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        for version in page.versions.iter().filter(|version| version.content.is_some()) {
            let get = GetOptions::new().version(&version.id).buffered();
            let Body::Bytes(bytes) = host.root.get(&version.key, get).await.unwrap().body else { panic!("no bytes") };
            contents.insert(String::from_utf8(bytes.to_vec()).unwrap());
        }
    }
    contents
}

async fn race(seed: u64, others: Others) -> [usize; 3] {
    let host = host(seed).await;
    let actors = (0..8).map(|actor| tokio::spawn(act(host.root.clone(), actor, seed, others)));
    let told: Vec<Told> = join_all(actors).await.into_iter().flat_map(Result::unwrap).collect();
    let landed = landed(&host).await;
    let mut counts = [0; 3];
    for Told { content, what, result } in told {
        let there = landed.contains(&content);
        let fact = format!("seed {seed}: the {what} of {content} was told {result:?}, and landed: {there}");
        match result.map_err(|error| error.kind()) {
            Ok(()) => {
                assert!(there, "{fact}");
                counts[0] += 1;
            }
            Err(ErrorKind::OutcomeUnknown) => counts[2] += 1,
            // Whose object was deleted and made anew by another such write before its answer came: nothing tells.
            Err(ErrorKind::AlreadyExists) if others == Others::WritingAndDeleting && what == "create" => counts[1] += 1,
            Err(_) => {
                assert!(!there, "{fact}");
                counts[1] += 1;
            }
        }
    }
    counts
}

async fn races(others: Others) {
    let rounds = std::env::var("RACES").map_or(6, |rounds| rounds.parse().unwrap());
    let mut all = [0; 3];
    for _ in 0..rounds {
        let counts = race(fastrand::u64(..1 << 48), others).await;
        all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    println!("{all:?} Ok, refused, unknown");
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
}

/// Nobody is told Ok whose write is nowhere, and nobody is refused whose write landed.
#[tokio::test(flavor = "multi_thread")]
async fn c06_among_writers_nobody_is_told_wrong() {
    races(Others::Writing).await;
}

/// The same, while objects are deleted and made anew in between.
#[tokio::test(flavor = "multi_thread")]
async fn c06_among_writers_and_deleters_nobody_is_told_wrong() {
    races(Others::WritingAndDeleting).await;
}

/// The same for writes in parts, whose completions are lost or fail inside a success.
#[tokio::test(flavor = "multi_thread")]
async fn c06_of_many_uploads_one_is_there_and_nobody_is_told_wrong() {
    const PART: usize = 5 << 20;
    let seed = fastrand::u64(..1 << 48);
    println!("seed {seed}");
    let host = Host::with(ServerOptions::new(), |options| {
        options.part_size = PART as u64;
        options.timeouts.answer = Duration::from_secs(20);
    })
    .await;
    for (number, operation) in
        ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"].into_iter().enumerate()
    {
        let seed = seed + number as u64;
        host.server.inject(Fault::new(FaultAction::ResetAfterRequest).on(operation).probability(0.2, seed));
        host.server.inject(Fault::new(FaultAction::ErrorInside200).on(operation).probability(0.05, seed + 10));
    }
    let writes = (0..5u8).map(|number| {
        let root = host.root.clone();
        tokio::spawn(async move {
            let mut writer = root.writer_with("object", PutOptions::new().create_only()).await?;
            writer.write(Bytes::from(vec![number; PART + 1])).await?;
            writer.finish().await.map(drop)
        })
    });
    let told: Vec<Result<()>> = join_all(writes).await.into_iter().map(Result::unwrap).collect();
    host.server.clear_faults();
    let there = host.root.bytes("object").await.unwrap();
    assert!(there.len() == PART + 1 && there.iter().all(|byte| *byte == there[0]), "one object, whole");
    for (number, result) in told.iter().enumerate() {
        let mine = number == usize::from(there[0]);
        match result.as_ref().map_err(|error| error.kind()) {
            Ok(()) => assert!(mine, "{number} of {told:?}"),
            Err(ErrorKind::OutcomeUnknown) => {}
            Err(_) => assert!(!mine, "{number} of {told:?}"),
        }
    }
}

/// Of deletes under one condition at most one is told Ok, and where none is, one does not know.
#[tokio::test]
async fn c06_of_many_deletes_one_was_it() {
    let seed = fastrand::u64(..1 << 48);
    println!("seed {seed}");
    let host = Host::with(ServerOptions::new(), |options| options.timeouts.answer = Duration::from_secs(20)).await;
    host.server.inject(Fault::new(FaultAction::ResetAfterRequest).on("DeleteObject").probability(0.3, seed));
    host.server
        .inject(Fault::new(FaultAction::LoseResponseBeforeProcessing).on("DeleteObject").probability(0.1, seed + 1));
    for round in 0..20 {
        let etag = host.root.put("object", "x").await.unwrap().etag;
        let delete = || host.root.delete_with("object", DeleteOptions::new().if_match(etag.clone()));
        let told = join_all((0..6).map(|_| delete())).await;
        let unknown =
            |result: &Result<()>| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutcomeUnknown);
        let done = told.iter().filter(|result| result.is_ok()).count();
        let there = host.root.exists("object").await.unwrap();
        assert!(done <= 1, "round {round}: {told:?}");
        assert!(there || done == 1 || told.iter().any(unknown), "round {round}: {told:?}");
        assert!(!there || done == 0, "round {round}: {told:?}");
    }
}
