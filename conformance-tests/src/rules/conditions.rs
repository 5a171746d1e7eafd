//! Rules C: conditions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use storage_core::{
    Conditions, CopyOptions, DeleteOptions, ETag, ETagKind, ErrorKind, GetOptions, HeadOptions, PutOptions, PutResult,
    Result, Storage, Support,
};
use tokio::task::JoinSet;

use crate::Harness;
use crate::context::{waive, waive_part};
use crate::process::{Job, Worker};
use crate::race::{Tally, assert_count, assert_one, race, tally, text_and_etag};
use crate::rule::rule;
use crate::support::{
    assert_absent, in_parts, keys, kind, snapshot, sweep, version, version_of, whole, write_streaming,
};

/// How a conditional write is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Put,
    Writer,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Put, Self::Writer];

    async fn write(
        self,
        storage: &Storage,
        key: &str,
        data: impl Into<bytes::Bytes>,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self {
            Self::Put => storage.put_with(key, data.into(), options).await,
            Self::Writer => write_streaming(storage, key, data, options).await,
        }
    }

    fn create_only(self, storage: &Storage) -> bool {
        let capabilities = storage.capabilities();
        let support = match self {
            Self::Put => capabilities.put_create_only,
            Self::Writer => capabilities.writer_create_only,
        };
        support == Support::Yes
    }

    fn if_match(self, storage: &Storage) -> bool {
        let capabilities = storage.capabilities();
        let support = match self {
            Self::Put => capabilities.put_if_match,
            Self::Writer => capabilities.writer_if_match,
        };
        support == Support::Yes
    }
}

rule! {
    /// Of many create-only writes of one key at once exactly one is Ok and all others are `AlreadyExists`: atomic and
    /// streaming, across tasks, threads and processes.
    C01, c01_one_creator_wins, "One creator wins",
    why: "Create-only puts are used as locks; a widely used library let 29 of 32 racers win one."
}
async fn c01_one_creator_wins(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.probe().await.unwrap();
    if !Way::BOTH.iter().any(|way| way.create_only(storage)) {
        return waive("put_create_only, writer_create_only", "no create-only write is kept");
    }
    for ways in [&[Way::Put][..], &[Way::Writer], &Way::BOTH] {
        if !ways.iter().all(|way| way.create_only(storage)) {
            waive_part("put_create_only, writer_create_only", "not every create-only write is kept");
            continue;
        }
        for round in 0..3 {
            let key = format!("{ways:?}/{round}");
            let results = race(32, |number| {
                let (storage, key, way) = (storage.clone(), key.clone(), ways[number as usize % ways.len()]);
                async move { (number, way.write(&storage, &key, version(number), PutOptions::new().create_only()).await) }
            });
            assert_one_winner(storage, &key, results.await).await;
        }
    }
    if let Some(data) = in_parts(harness, 1).filter(|_| Way::Writer.create_only(storage)) {
        let results = race(4, |number| {
            let (storage, mut data) = (storage.clone(), data.clone());
            data.truncate(data.len() - number as usize % 2);
            async move { write_streaming(&storage, "in-parts", data, PutOptions::new().create_only()).await }
        });
        assert_one_upload(storage, "in-parts", results.await).await;
    }
    let mut workers = Worker::start(harness, storage, &root.address, 4).await;
    if workers.is_empty() || !Way::BOTH.iter().all(|way| way.create_only(storage)) {
        return;
    }
    for round in 0..15 {
        let key = format!("shared/{round}");
        let texts: Vec<String> = (0..workers.len()).map(|number| format!("worker-{number}")).collect();
        for (number, worker) in workers.iter_mut().enumerate() {
            let job = if (round + number) % 2 == 0 { Job::Create } else { Job::StreamCreate };
            worker.tell(&job(&key, &texts[number])).await;
        }
        let (mut winners, mut unknown) = (Vec::new(), 0);
        for (number, worker) in workers.iter_mut().enumerate() {
            match worker.hear().await.as_str() {
                "ok" => winners.push(&texts[number]),
                "OutcomeUnknown" => unknown += 1,
                answer => assert_eq!(answer, "AlreadyExists", "of a process that lost the race for {key}"),
            }
        }
        assert_one(&format!("the processes that raced for {key}"), winners.len(), unknown);
        if let Some(winner) = winners.first() {
            assert_eq!(storage.text(&key).await.unwrap(), **winner);
        }
    }
}

/// Of racers that sent their writes in parts one has won, and its object is there.
async fn assert_one_upload(storage: &Storage, key: &str, results: Vec<Result<PutResult>>) {
    let (mut winners, mut unknown) = (Vec::new(), 0);
    for result in results {
        match result {
            Ok(written) => winners.push(written),
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => unknown += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "of one that lost the race: {error}"),
        }
    }
    assert_one(&format!("the race for {key}"), winners.len(), unknown);
    let head = storage.head(key).await.unwrap().meta;
    assert!(
        winners.iter().all(|written| *written == PutResult::from(&head)),
        "{winners:?} has won, and {head:?} is there"
    );
}

async fn assert_one_winner(storage: &Storage, key: &str, results: Vec<(u32, Result<PutResult>)>) {
    let (mut winners, mut unknown) = (Vec::new(), 0);
    for (number, result) in results {
        match result {
            Ok(written) => winners.push((number, written)),
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => unknown += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "of one that lost the race: {error}"),
        }
    }
    assert_one(&format!("the race for {key}"), winners.len(), unknown);
    let Some((number, written)) = winners.first() else { return };
    assert_eq!(version_of(&storage.bytes(key).await.unwrap()), *number, "the winner's content is there");
    assert_eq!(storage.head(key).await.unwrap().meta.etag, written.etag, "the winner's etag is there");
}

rule! {
    /// N workers that each increment a counter K times by compare-and-swap make it exactly N·K, across processes too.
    /// An unconditional put in between is never lost to a swap that had read before it.
    C02, c02_swaps_count_exactly, "Swaps count exactly",
    why: "A lost swap is a lost update: two hosts hold one lease, or a counter falls behind."
}
async fn c02_swaps_count_exactly(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    if storage.probe().await.unwrap().put_if_match != Support::Yes {
        return waive("put_if_match", "no put with if-match is kept");
    }
    storage.put("counter", "0").await.unwrap();
    let counted = race(8, |_| {
        let storage = storage.clone();
        async move { tally(&storage, "counter", 50).await }
    });
    let mut swaps = Tally::default();
    for of_task in counted.await {
        swaps += of_task.unwrap();
    }
    assert_count("8 tasks, 50 increments each", counter(storage).await, swaps);

    let mut workers = Worker::start(harness, storage, &root.address, 4).await;
    for worker in &mut workers {
        worker.tell(&Job::Count("counter", 25)).await;
    }
    for worker in &mut workers {
        swaps += worker.hear().await.parse().unwrap();
    }
    assert_count("processes, 25 increments each", counter(storage).await, swaps);
    unconditional_puts_are_kept(storage).await;
}

async fn counter(storage: &Storage) -> u64 {
    storage.text("counter").await.unwrap().parse().unwrap()
}

/// One task puts the next mark unconditionally, with a count of 0; others raise the count by swaps and keep the mark. So
/// a mark that goes back was lost to a swap that had read before it, and the last count is that of the swaps after it.
async fn unconditional_puts_are_kept(storage: &Storage) {
    const MARKS: u64 = 15;
    storage.put("marked", "0 0").await.unwrap();
    let mut swappers = JoinSet::new();
    for _ in 0..4 {
        swappers.spawn(swap_until(storage.clone(), MARKS));
    }
    for mark in 1..=MARKS {
        storage.put("marked", format!("{mark} 0")).await.unwrap();
        let (seen, _, _) = marked(storage).await;
        assert_eq!(seen, mark, "an unconditional put was lost to a swap");
    }
    let mut after_last = Tally::default();
    for of_task in swappers.join_all().await {
        after_last += of_task;
    }
    assert_count("swaps after the last unconditional put", marked(storage).await.1, after_last);
}

/// Swaps until five on the last mark have succeeded or are unknown; how many did and are.
async fn swap_until(storage: Storage, last: u64) -> Tally {
    let (mut after_last, mut highest) = (Tally::default(), 0);
    while after_last.done + after_last.unknown < 5 {
        tokio::task::yield_now().await;
        let (mark, count, etag) = marked(&storage).await;
        assert!(mark >= highest, "mark {highest} was put and is lost: it is {mark} again");
        highest = mark;
        match storage.put_with("marked", format!("{mark} {}", count + 1), PutOptions::new().if_match(etag)).await {
            Ok(_) => after_last.done += u64::from(mark == last),
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => after_last.unknown += u64::from(mark == last),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}"),
        }
    }
    after_last
}

async fn marked(storage: &Storage) -> (u64, u64, ETag) {
    let (text, etag) = text_and_etag(storage, "marked").await.unwrap();
    let (mark, count) = text.split_once(' ').unwrap();
    (mark.parse().unwrap(), count.parse().unwrap(), etag)
}

rule! {
    /// A compare-and-swap on a missing key is `PreconditionFailed`, and makes nothing.
    C03, c03_swap_of_a_missing_key, "Swap of a missing key",
    why: "A swap that creates what somebody has deleted brings it back to life."
}
async fn c03_swap_of_a_missing_key(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    storage.probe().await.unwrap();
    if !Way::BOTH.iter().any(|way| way.if_match(storage)) {
        return waive("put_if_match, writer_if_match", "no write with if-match is kept");
    }
    let etag = storage.put("was-there", "x").await.unwrap().etag;
    storage.delete("was-there").await.unwrap();
    for way in Way::BOTH.into_iter().filter(|way| way.if_match(storage)) {
        for key in ["was-there", "never", "d/never", "was-there/below"] {
            let swapped = way.write(storage, key, "new", PutOptions::new().if_match(etag.clone())).await;
            assert_eq!(kind(format!("{way:?} of {key}"), swapped), ErrorKind::PreconditionFailed);
            assert_absent(storage, key).await;
        }
    }
    if let Some(data) = in_parts(harness, 3).filter(|_| Way::Writer.if_match(storage)) {
        let swapped = write_streaming(storage, "never", data, PutOptions::new().if_match(etag)).await;
        assert_eq!(kind("a swap sent in parts", swapped), ErrorKind::PreconditionFailed);
        assert_eq!(sweep(storage).await, 0, "a failed condition leaves no part behind");
    }
    assert_eq!(keys(storage).await, Vec::<String>::new());
}

rule! {
    /// A condition that fails has no effect at all; in a streaming write it is judged at `finish`.
    C04, c04_failed_conditions_have_no_effect, "Failed conditions have no effect",
    why: "A refused write that has changed something after all is worse than no condition."
}
async fn c04_failed_conditions_have_no_effect(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let can = storage.probe().await.unwrap();
    if can.conditions() != [Support::Yes; 6] {
        waive_part("conditions", "those that are not kept have no failure to look at");
    }
    let stale = storage.put("key", "first").await.unwrap().etag;
    storage.put("key", "the object").await.unwrap();
    storage.put("source", "a source").await.unwrap();
    let before = whole(storage, root.directory.as_deref()).await;
    for way in Way::BOTH {
        if way.create_only(storage) {
            let created = way.write(storage, "key", version(4), PutOptions::new().create_only()).await;
            assert_eq!(kind("create-only", created), ErrorKind::AlreadyExists, "{way:?}");
        }
        if way.if_match(storage) {
            for etag in [stale.clone(), ETag::new("never-given"), ETag::new("*"), ETag::new("")] {
                let swapped = way.write(storage, "key", version(4), PutOptions::new().if_match(etag)).await;
                assert_eq!(kind("if-match", swapped), ErrorKind::PreconditionFailed, "{way:?}");
            }
        }
    }
    if let Some(data) = in_parts(harness, 4) {
        if Way::Writer.create_only(storage) {
            let created = write_streaming(storage, "key", data.clone(), PutOptions::new().create_only()).await;
            assert_eq!(kind("create-only, sent in parts", created), ErrorKind::AlreadyExists);
        }
        if Way::Writer.if_match(storage) {
            let swapped = write_streaming(storage, "key", data, PutOptions::new().if_match(stale.clone())).await;
            assert_eq!(kind("if-match, sent in parts", swapped), ErrorKind::PreconditionFailed);
        }
    }
    if can.copy_create_only == Support::Yes {
        let create_only = CopyOptions::new().create_only();
        assert_eq!(
            kind("copy", storage.copy_with("source", "key", create_only.clone()).await),
            ErrorKind::AlreadyExists
        );
        assert_eq!(kind("rename", storage.rename_with("source", "key", create_only).await), ErrorKind::AlreadyExists);
    }
    let other_source = CopyOptions::new().if_source_match(stale.clone());
    assert_eq!(
        kind("copy", storage.copy_with("source", "key", other_source.clone()).await),
        ErrorKind::PreconditionFailed
    );
    assert_eq!(kind("rename", storage.rename_with("source", "key", other_source).await), ErrorKind::PreconditionFailed);
    if can.delete_if_match == Support::Yes {
        let deleted = storage.delete_with("key", DeleteOptions::new().if_match(stale)).await;
        assert_eq!(kind("delete", deleted), ErrorKind::PreconditionFailed);
    }
    assert_eq!(sweep(storage).await, 0, "a failed condition leaves nothing behind");
    assert_eq!(whole(storage, root.directory.as_deref()).await, before);
    judged_at_finish(storage).await;
}

/// What holds when a writer is opened does not count, what holds at its `finish` does.
async fn judged_at_finish(storage: &Storage) {
    if Way::Writer.create_only(storage) {
        let create_only = || PutOptions::new().create_only();
        storage.delete("late").await.unwrap();
        let mut early = storage.writer_with("late", create_only()).await.unwrap();
        early.write("early").await.unwrap();
        storage.put("late", "in between").await.unwrap();
        let mut while_there = storage.writer_with("late", create_only()).await.unwrap();
        while_there.write("while there").await.unwrap();
        assert_eq!(kind("finish", early.finish().await), ErrorKind::AlreadyExists);
        assert_eq!(storage.text("late").await.unwrap(), "in between");
        storage.delete("late").await.unwrap();
        while_there.finish().await.expect("the key is free again at finish");
        assert_eq!(storage.text("late").await.unwrap(), "while there");
    }
    if Way::Writer.if_match(storage) {
        let etag = storage.put("late", "one").await.unwrap().etag;
        let mut writer = storage.writer_with("late", PutOptions::new().if_match(etag)).await.unwrap();
        writer.write("by the writer").await.unwrap();
        storage.put("late", "two").await.unwrap();
        assert_eq!(kind("finish", writer.finish().await), ErrorKind::PreconditionFailed);
        assert_eq!(storage.text("late").await.unwrap(), "two");
    }
}

rule! {
    /// A stale etag never matches again, though the content came back, where `etag` is `Unique`; where it is
    /// `Content`, the etag of other content does not match.
    C05, c05_stale_etags_never_match, "Stale etags never match",
    why: "Content that goes from A to B and back to A lets a stale holder overwrite what came after its read."
}
async fn c05_stale_etags_never_match(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let can = storage.probe().await.unwrap();
    if can.etag == ETagKind::Content {
        waive_part("etag", "etags may follow the content, so that an old one comes back with it");
    }
    let mut seen = Vec::new();
    for round in 0..12 {
        let etag = storage.put("key", "A").await.unwrap().etag;
        // Under some encryptions even equal content has another etag each time, which no driver can tell.
        if can.etag == ETagKind::Content {
            let other = storage.put("other", format!("B {round}")).await.unwrap().etag;
            assert_ne!(other, etag, "other content has another etag");
            assert_stale(storage, &other).await;
        } else {
            assert!(!seen.contains(&etag), "etag {etag} was given before");
            for earlier in &seen {
                assert_stale(storage, earlier).await;
            }
            seen.push(etag);
        }
        match round % 4 {
            0 => drop(storage.put("key", "B").await.unwrap()),
            1 => storage.delete("key").await.unwrap(),
            2 => drop(storage.rename("key", "elsewhere").await.unwrap()),
            _ => drop(write_streaming(storage, "key", "B", PutOptions::new()).await.unwrap()),
        }
    }
}

/// No condition takes this etag for that of `key`.
async fn assert_stale(storage: &Storage, etag: &ETag) {
    let can = storage.capabilities();
    let read = storage.get("key", GetOptions::new().if_match(etag.clone())).await;
    assert_eq!(kind("get", read), ErrorKind::PreconditionFailed);
    storage.get("key", GetOptions::new().if_none_match(etag.clone())).await.expect("the object has another etag");
    if can.put_if_match == Support::Yes {
        let swapped = storage.put_with("key", "swapped", PutOptions::new().if_match(etag.clone())).await;
        assert_eq!(kind("put", swapped), ErrorKind::PreconditionFailed);
    }
    if can.delete_if_match == Support::Yes {
        let deleted = storage.delete_with("key", DeleteOptions::new().if_match(etag.clone())).await;
        assert_eq!(kind("delete", deleted), ErrorKind::PreconditionFailed);
    }
}

rule! {
    /// A condition that is not supported is `Unsupported`, never ignored, and changes nothing; after `probe` every
    /// condition is known.
    C08, c08_unsupported_conditions, "Unsupported conditions",
    why: "Servers in use answer 200 to a conditional put and ignore the condition: a lease on them is broken in \
          silence."
}
async fn c08_unsupported_conditions(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let etag = storage.put("key", "the object").await.unwrap().etag;
    let before = snapshot(storage, "key").await;
    let can = storage.probe().await.unwrap();
    let put = PutOptions::new;
    let conditions = [
        (can.put_create_only, Way::Put.write(storage, "new", "x", put().create_only()).await.map(drop)),
        (can.put_if_match, Way::Put.write(storage, "key", "the object", put().if_match(etag.clone())).await.map(drop)),
        (can.writer_create_only, Way::Writer.write(storage, "new-too", "x", put().create_only()).await.map(drop)),
        (can.copy_create_only, storage.copy_with("key", "copy", CopyOptions::new().create_only()).await.map(drop)),
    ];
    for (condition, (support, result)) in ["create", "swap", "streaming create", "copy"].into_iter().zip(conditions) {
        match support {
            Support::Yes => result.unwrap_or_else(|error| panic!("{condition} is declared: {error}")),
            Support::No => assert_eq!(kind(condition, result), ErrorKind::Unsupported),
            Support::Unprobed => panic!("{condition} is unprobed after a probe"),
        }
    }
    let etag = storage.head("key").await.unwrap().meta.etag;
    let swapped = Way::Writer.write(storage, "key", "the object", put().if_match(etag)).await;
    let etag = storage.head("key").await.unwrap().meta.etag;
    let deleted = storage.delete_with("key", DeleteOptions::new().if_match(etag)).await;
    for (condition, support, result) in
        [("streaming swap", can.writer_if_match, swapped.map(drop)), ("delete", can.delete_if_match, deleted)]
    {
        match support {
            Support::Yes => result.unwrap_or_else(|error| panic!("{condition} is declared: {error}")),
            Support::No => assert_eq!(kind(condition, result), ErrorKind::Unsupported),
            Support::Unprobed => panic!("{condition} is unprobed after a probe"),
        }
    }
    if can.delete_if_match == Support::No && can.put_if_match == Support::No && can.writer_if_match == Support::No {
        assert_eq!(snapshot(storage, "key").await, before, "unsupported conditions changed nothing");
    }
    if can.versions == Support::No {
        storage.put("key", "the object").await.unwrap();
        let versions = [
            storage.get("key", GetOptions::new().version("1")).await.map(drop),
            storage.head_with("key", versioned_head()).await.map(drop),
            storage.delete_with("key", versioned_delete()).await,
        ];
        for result in versions {
            assert_eq!(kind("a version", result), ErrorKind::Unsupported);
        }
        assert_eq!(storage.text("key").await.unwrap(), "the object");
    }
    for (condition, support) in DRIVERS_OWN.into_iter().zip(can.conditions()) {
        if support == Support::No {
            storage.put("key", "the object").await.unwrap();
            let judged = driver_judges(storage, condition).await;
            assert!(!judged, "a {condition} is judged by the driver, though it is not declared");
        }
    }
}

/// The conditions in the order of [`Capabilities::conditions`](storage_core::Capabilities::conditions).
const DRIVERS_OWN: [&str; 6] = [
    "create-only put",
    "put with if-match",
    "create-only streaming write",
    "streaming write with if-match",
    "create-only copy",
    "delete with if-match",
];

/// Whether the driver itself refuses a write of `key` that does not fit its condition. The handle refuses whatever is not
/// declared, so that only the driver knows whether it could do it all the same.
async fn driver_judges(storage: &Storage, condition: &str) -> bool {
    let (backend, key) = (storage.backend(), storage_core::Key::new("key").unwrap());
    let (create, stale) = (PutOptions::new().create_only(), || ETag::new("no-such-etag"));
    let streamed = async |options: PutOptions| {
        let mut writer = backend.writer(&key, options).await?;
        writer.write("x".into()).await?;
        writer.finish().await.map(drop)
    };
    let result = match condition {
        "create-only put" => backend.put(&key, "x".into(), create).await.map(drop),
        "put with if-match" => backend.put(&key, "x".into(), PutOptions::new().if_match(stale())).await.map(drop),
        "create-only streaming write" => streamed(create).await,
        "streaming write with if-match" => streamed(PutOptions::new().if_match(stale())).await,
        "create-only copy" => {
            let source = storage_core::Key::new("source").unwrap();
            storage.put(&source, "x").await.unwrap();
            backend.copy(&source, &key, CopyOptions::new().create_only()).await.map(drop)
        }
        _ => backend.delete(&key, DeleteOptions::new().if_match(stale())).await,
    };
    result.is_err_and(|error| matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed))
}

fn versioned_head() -> HeadOptions {
    let mut options = HeadOptions::new();
    options.version = Some("1".to_owned());
    options
}

fn versioned_delete() -> DeleteOptions {
    let mut options = DeleteOptions::new();
    options.version = Some("1".to_owned());
    options
}

/// What get, ranged get and head answer under conditions; they must agree.
async fn read_if(storage: &Storage, key: &str, conditions: &Conditions) -> Result<()> {
    let mut options = GetOptions::new();
    options.conditions = conditions.clone();
    let got = storage.get(key, options.clone()).await.map(drop);
    let ranged = storage.get(key, options.range(0..1)).await.map(drop);
    let head = storage.head_with(key, HeadOptions::new().conditions(conditions.clone())).await.map(drop);
    let kinds = [&got, &ranged, &head].map(|result| result.as_ref().map_err(storage_core::Error::kind).copied());
    assert!(kinds[0] == kinds[1] && kinds[1] == kinds[2], "get, ranged get and head under {conditions:?}: {kinds:?}");
    got
}

rule! {
    /// Reads: if-none-match equal is `NotModified`, if-match differing is `PreconditionFailed`, and a missing object
    /// is `NotFound` whatever the condition.
    C09, c09_conditional_reads, "Conditional reads",
    why: "A cache that cannot tell changed from missing serves what is deleted."
}
async fn c09_conditional_reads(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let old = storage.put("key", "old").await.unwrap().etag;
    let etag = storage.put("key", "content").await.unwrap().etag;
    let none = Conditions::default;
    let is = |etag: &ETag| Conditions { if_match: Some(etag.clone()), ..none() };
    let is_not = |etag: &ETag| Conditions { if_none_match: Some(etag.clone()), ..none() };
    let differing = Conditions { if_none_match: Some(etag.clone()), ..is(&old) };
    let current = Conditions { if_none_match: Some(etag.clone()), ..is(&etag) };

    assert!(read_if(storage, "key", &is(&etag)).await.is_ok(), "if-match equal");
    assert!(read_if(storage, "key", &is_not(&old)).await.is_ok(), "if-none-match differing");
    assert_eq!(kind("if-match differing", read_if(storage, "key", &is(&old)).await), ErrorKind::PreconditionFailed);
    assert_eq!(kind("if-none-match equal", read_if(storage, "key", &is_not(&etag)).await), ErrorKind::NotModified);
    assert_eq!(kind("if-match comes first", read_if(storage, "key", &differing).await), ErrorKind::PreconditionFailed);
    assert_eq!(kind("both", read_if(storage, "key", &current).await), ErrorKind::NotModified);
    let dates = Conditions { if_modified_since: Some(UNIX_EPOCH), if_unmodified_since: Some(UNIX_EPOCH), ..none() };
    for conditions in [none(), is(&etag), is_not(&etag), differing, current, dates] {
        for missing in ["missing", "ke", "key/below"] {
            assert_eq!(
                kind(missing, read_if(storage, missing, &conditions).await),
                ErrorKind::NotFound,
                "{conditions:?}"
            );
        }
    }
}

rule! {
    /// if-modified-since and if-unmodified-since compare whole seconds, and a condition on the etag wins over a date.
    C10, c10_dates_in_whole_seconds, "Dates in whole seconds",
    why: "HTTP dates have no fractions; a driver that compares nanoseconds calls an object changed within its own \
          second."
}
async fn c10_dates_in_whole_seconds(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let etag = storage.put("key", "content").await.unwrap().etag;
    let modified = storage.head("key").await.unwrap().meta.last_modified;
    let second = UNIX_EPOCH + Duration::from_secs(modified.duration_since(UNIX_EPOCH).unwrap().as_secs());
    let since = |time: SystemTime| Conditions { if_modified_since: Some(time), ..Conditions::default() };
    let unless = |time: SystemTime| Conditions { if_unmodified_since: Some(time), ..Conditions::default() };

    for same in [modified, second, second + Duration::from_millis(999)] {
        assert_eq!(kind("not modified since", read_if(storage, "key", &since(same)).await), ErrorKind::NotModified);
        assert!(read_if(storage, "key", &unless(same)).await.is_ok(), "unmodified since the second it was written in");
    }
    let later = second + Duration::from_secs(1);
    assert!(read_if(storage, "key", &unless(later)).await.is_ok(), "unmodified since a later time");
    for earlier in [second - Duration::from_millis(1), second - Duration::from_secs(1), UNIX_EPOCH] {
        assert!(read_if(storage, "key", &since(earlier)).await.is_ok(), "modified since an earlier second");
        let changed = read_if(storage, "key", &unless(earlier)).await;
        assert_eq!(kind("modified since an earlier second", changed), ErrorKind::PreconditionFailed);
    }
    let other = ETag::new("another");
    let by_etag = Conditions { if_none_match: Some(other.clone()), ..since(modified) };
    assert!(read_if(storage, "key", &by_etag).await.is_ok(), "if-none-match wins over if-modified-since");
    let by_etag = Conditions { if_none_match: Some(etag.clone()), ..since(UNIX_EPOCH) };
    assert_eq!(kind("the etag wins", read_if(storage, "key", &by_etag).await), ErrorKind::NotModified);
    let by_etag = Conditions { if_match: Some(etag), ..unless(UNIX_EPOCH) };
    assert!(read_if(storage, "key", &by_etag).await.is_ok(), "if-match wins over if-unmodified-since");
    let by_etag = Conditions { if_match: Some(other), ..unless(modified) };
    assert_eq!(kind("the etag wins", read_if(storage, "key", &by_etag).await), ErrorKind::PreconditionFailed);
}

rule! {
    /// A delete with if-match is `PreconditionFailed` where the etag differs or the object is missing, where it is
    /// declared; of many with the same etag one deletes.
    C11, c11_conditional_delete, "Conditional delete",
    why: "Without it a cleaner deletes what somebody has just renewed."
}
async fn c11_conditional_delete(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    if storage.probe().await.unwrap().delete_if_match != Support::Yes {
        return waive("delete_if_match", "no delete with if-match is kept");
    }
    let if_match = |etag: &ETag| DeleteOptions::new().if_match(etag.clone());
    let old = storage.put("key", "old").await.unwrap().etag;
    let etag = storage.put("key", "content").await.unwrap().etag;
    let before = snapshot(storage, "key").await;
    assert_eq!(kind("differing", storage.delete_with("key", if_match(&old)).await), ErrorKind::PreconditionFailed);
    assert_eq!(snapshot(storage, "key").await, before, "a delete that failed");
    storage.delete_with("key", if_match(&etag)).await.unwrap();
    assert_absent(storage, "key").await;
    for missing in ["key", "never", "key/below"] {
        assert_eq!(kind(missing, storage.delete_with(missing, if_match(&etag)).await), ErrorKind::PreconditionFailed);
    }
    for round in 0..25 {
        let key = format!("race/{round}");
        let etag = storage.put(&key, "x").await.unwrap().etag;
        let results = race(16, |number| {
            let (storage, key, etag) = (storage.clone(), key.clone(), etag.clone());
            async move {
                match number % 2 {
                    0 => storage.delete_with(&key, DeleteOptions::new().if_match(etag)).await,
                    _ => storage.put_with(&key, "swapped", PutOptions::new().if_match(etag)).await.map(drop),
                }
            }
        });
        let (mut won, mut unknown) = (0, 0);
        for result in results.await {
            match result {
                Ok(()) => won += 1,
                Err(error) if error.kind() == ErrorKind::OutcomeUnknown => unknown += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}"),
            }
        }
        assert_one("deletes and swaps that took the same etag", won, unknown);
    }
}
