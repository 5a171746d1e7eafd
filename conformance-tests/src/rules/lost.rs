//! Rules C06 and C07: answers that are lost, and changes that the service asks to do again.

use futures::future::join_all;
use storage_core::{
    Attributes, CopyOptions, DeleteOptions, ETag, Error, ErrorKind, PutMode, PutOptions, PutResult, Result, Storage,
    Support,
};

use crate::Harness;
use crate::context::{NO_SERVICE, nothing_to_ask, waive_part};
use crate::process::{Job, Worker};
use crate::race::{Tally, race, tally};
use crate::rule::rule;
use crate::service::{Fault, Hits, Request, Service};
use crate::support::{bytes, kind, snapshot};

/// One answer in so many is lost while others race.
const ONE_IN: u64 = 10;

rule! {
    /// A lost answer never turns a success into a conflict, nor a conflict into a success. What the driver can settle
    /// by looking at the object is Ok, or the conflict that it is; what it cannot settle is `OutcomeUnknown`. So of
    /// many create-only writes whose answers get lost one wins, and no swap that was Ok is lost.
    C06, c06_lost_answers, "Lost answers",
    why: "A repeated request meets its own first try, and a client that takes this for a conflict gives a lock up \
          that it holds."
}
async fn c06_lost_answers(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.hasty().await;
    let storage = &root.storage;
    storage.probe().await.unwrap();
    lost_puts(&*service, storage).await;
    lost_finish(&*service, storage).await;
    lost_copies_and_deletes(&*service, storage).await;
    unsettled(&*service, storage).await;
    races(harness, &*service, &root.address, storage).await;
}

/// The answer to the next request of a kind is lost, and nothing else.
async fn losing<T>(service: &dyn Service, request: Request, call: impl Future<Output = T>) -> T {
    service.take_requests();
    service.inject(Fault::LoseAnswer, Hits::once(request));
    let result = call.await;
    service.heal();
    let sent = service.take_requests().get(&request).copied().unwrap_or_default();
    assert!(sent >= 1, "the request whose answer is lost has been sent");
    result
}

async fn lost_puts(service: &dyn Service, storage: &Storage) {
    let can = storage.capabilities();
    let written = losing(service, Request::Put, storage.put("plain", "new")).await.unwrap();
    assert_head(storage, "plain", &written).await;
    if can.put_create_only == Support::Yes {
        let options = || PutOptions::new().create_only();
        let labelled = match can.attributes {
            true => options().attributes(Attributes::new().user("label", "mine")),
            false => options(),
        };
        let attributes = labelled.attributes.clone();
        let created = losing(service, Request::Put, storage.put_with("created", "mine", labelled)).await;
        assert_head(storage, "created", &created.expect("it is there, and no other's")).await;
        let head = storage.head("created").await.unwrap();
        assert_eq!(head.attributes, attributes, "what settles it is hidden from the host");
        let again = losing(service, Request::Put, storage.put_with("created", "mine", options())).await;
        assert_eq!(kind("of an object that was there", again), ErrorKind::AlreadyExists);
        assert_eq!(storage.head("created").await.unwrap(), head);
    }
    if can.put_if_match == Support::Yes {
        let stale = storage.put("swapped", "old").await.unwrap().etag;
        let swap = |etag: &ETag, text: &'static str| {
            storage.put_with("swapped", text, PutOptions::new().if_match(etag.clone()))
        };
        let swapped = losing(service, Request::Put, swap(&stale, "new")).await.expect("the swap was mine");
        assert_head(storage, "swapped", &swapped).await;
        // A swap that was done may have been overtaken since; only the age of what is there can tell that it was not.
        let again = losing(service, Request::Put, swap(&stale, "newer")).await;
        assert_refused("a swap of a stale etag", again);
        assert_eq!(storage.text("swapped").await.unwrap(), "new");
        storage.delete("swapped").await.unwrap();
        assert_refused("a swap of nothing", losing(service, Request::Put, swap(&stale, "newest")).await);
        assert_eq!(snapshot(storage, "swapped").await, None);
    }
}

/// A swap whose first answer was lost, and which did nothing, is refused or unknown.
#[track_caller]
fn assert_refused(what: &str, result: Result<PutResult>) {
    let kind = kind(what, result);
    assert!(matches!(kind, ErrorKind::PreconditionFailed | ErrorKind::OutcomeUnknown), "{what} is {kind}");
}

async fn assert_head(storage: &Storage, key: &str, written: &PutResult) {
    assert_eq!(PutResult::from(&storage.head(key).await.unwrap().meta), *written, "the write of {key} and its head");
}

/// The answer to what makes an object of many pieces is lost.
async fn lost_finish(service: &dyn Service, storage: &Storage) {
    let can = storage.capabilities();
    let data = bytes(6, service.patience().part_size + 1);
    let write = async |key: &str, options: PutOptions| {
        let mut writer = storage.writer_with(key, options).await.unwrap();
        writer.write(data.clone()).await.unwrap();
        losing(service, Request::FinishUpload, writer.finish()).await
    };
    let mut modes = vec![("finished", PutOptions::new())];
    if can.writer_create_only == Support::Yes {
        modes.push(("finished-new", PutOptions::new().create_only()));
    }
    if can.writer_if_match == Support::Yes {
        let etag = storage.put("finished-swap", "old").await.unwrap().etag;
        modes.push(("finished-swap", PutOptions::new().if_match(etag)));
    }
    for (key, options) in modes {
        let written = write(key, options.clone()).await.unwrap_or_else(|error| panic!("{key} is there: {error}"));
        assert_head(storage, key, &written).await;
        assert!(storage.bytes(key).await.unwrap() == data, "{key} is whole");
        let mode = options.mode.clone();
        match mode {
            PutMode::Overwrite => continue,
            PutMode::CreateOnly => assert_eq!(kind(key, write(key, options).await), ErrorKind::AlreadyExists),
            PutMode::IfMatch(_) => assert_refused(key, write(key, options).await),
        }
        assert_eq!(PutResult::from(&storage.head(key).await.unwrap().meta), written, "{key} is untouched");
    }
}

/// A copy and a delete carry no mark by which they would be known again.
async fn lost_copies_and_deletes(service: &dyn Service, storage: &Storage) {
    let can = storage.capabilities();
    storage.put("source", "text").await.unwrap();
    losing(service, Request::Copy, storage.copy("source", "copied")).await.expect("it can be repeated");
    if can.copy_create_only == Support::Yes {
        let only = CopyOptions::new().create_only();
        let copied = losing(service, Request::Copy, storage.copy_with("source", "copied-new", only)).await;
        assert_eq!(kind("a create-only copy", copied), ErrorKind::OutcomeUnknown);
        assert_eq!(storage.text("copied-new").await.unwrap(), "text");
    }
    losing(service, Request::Delete, storage.delete("copied")).await.expect("it can be repeated");
    if can.delete_if_match == Support::Yes {
        let etag = storage.head("source").await.unwrap().meta.etag;
        let options = DeleteOptions::new().if_match(etag);
        let deleted = losing(service, Request::Delete, storage.delete_with("source", options)).await;
        assert_eq!(kind("a conditional delete", deleted), ErrorKind::OutcomeUnknown);
        assert_eq!(snapshot(storage, "source").await, None);
    }
}

/// Where the object cannot be looked at either, the driver does not guess.
async fn unsettled(service: &dyn Service, storage: &Storage) {
    if storage.capabilities().put_create_only != Support::Yes {
        return waive_part("put_create_only", "no create-only put is kept");
    }
    service.inject(Fault::Internal, Hits::all(Request::Head));
    service.inject(Fault::Internal, Hits::all(Request::Get));
    let created = losing(service, Request::Put, storage.put_with("unsettled", "x", PutOptions::new().create_only()));
    assert_eq!(kind("nothing can be known", created.await), ErrorKind::OutcomeUnknown);
    assert_eq!(storage.text("unsettled").await.unwrap(), "x", "it happened");
}

/// Tasks and processes race while one answer in ten is lost.
async fn races(harness: &dyn Harness, service: &dyn Service, address: &str, storage: &Storage) {
    let can = storage.capabilities();
    let mut workers = Worker::start(harness, storage, address, 3).await;
    service.inject(Fault::LoseAnswer, Hits::all(Request::Put).one_in(ONE_IN, 6));
    if can.put_create_only == Support::Yes {
        for round in 0..20 {
            creators_race(storage, &mut workers, &format!("race/{round}")).await;
        }
    }
    if can.put_if_match == Support::Yes {
        swappers_race(storage, &mut workers).await;
    }
    service.heal();
}

async fn creators_race(storage: &Storage, workers: &mut [Worker], key: &str) {
    let texts: Vec<String> = (0..workers.len()).map(|number| format!("worker-{number}")).collect();
    for (worker, text) in workers.iter_mut().zip(&texts) {
        worker.tell(&Job::Create(key, text)).await;
    }
    let results: Vec<(String, Result<PutResult>)> = race(8, |number| {
        let (storage, key, text) = (storage.clone(), key.to_owned(), format!("task-{number}"));
        async move {
            let result = storage.put_with(&key, text.clone(), PutOptions::new().create_only()).await;
            (text, result)
        }
    })
    .await;
    let mut answers: Vec<(String, String)> = results.into_iter().map(|(text, result)| (text, said(result))).collect();
    for (worker, text) in workers.iter_mut().zip(texts) {
        answers.push((text, worker.hear().await));
    }
    let there = storage.text(key).await.unwrap();
    for (text, answer) in &answers {
        // More answers in a row than the driver asks for may be lost; that is no guess.
        let due = if *text == there { ["ok", "OutcomeUnknown"] } else { ["AlreadyExists", "OutcomeUnknown"] };
        assert!(due.contains(&answer.as_str()), "{key} holds {there}, and {text} was told {answer}: {answers:?}");
    }
    let winners = answers.iter().filter(|(_, answer)| answer == "ok").count();
    let unknown = answers.iter().filter(|(_, answer)| answer == "OutcomeUnknown").count();
    assert!(winners == 1 || (winners == 0 && unknown > 0), "the winners of {key}: {answers:?}");
    assert!(unknown <= 1, "what a look at the object settles is not unknown: {answers:?}");
}

fn said(result: Result<PutResult>) -> String {
    result.map_or_else(|error: Error| format!("{:?}", error.kind()), |_| "ok".to_owned())
}

async fn swappers_race(storage: &Storage, workers: &mut [Worker]) {
    const TIMES: u32 = 10;
    storage.put("counter", "0").await.unwrap();
    for worker in workers.iter_mut() {
        worker.tell(&Job::Count("counter", TIMES)).await;
    }
    let tasks = (0..4).map(|_| {
        let storage = storage.clone();
        tokio::spawn(async move { tally(&storage, "counter", TIMES).await })
    });
    let mut all = Tally::default();
    for counted in join_all(tasks).await {
        all += counted.unwrap().expect("a swap is Ok, is refused, or is unknown");
    }
    for worker in workers.iter_mut() {
        all += worker.hear().await.parse().unwrap_or_else(|answer| panic!("a process ended its swaps with {answer}"));
    }
    let count: u64 = storage.text("counter").await.unwrap().parse().unwrap();
    assert!(
        (all.done..=all.done + all.unknown).contains(&count),
        "the counter is {count} after {} swaps that were Ok and {} of which nothing is known",
        all.done,
        all.unknown
    );
    assert!(all.done > 0, "swaps that were Ok");
}

rule! {
    /// A service that met a concurrent change and did nothing is asked again, for a put. For what finishes a streaming
    /// write the pieces may be gone: a create-only one is `AlreadyExists` where the key exists by then, else it is
    /// `Conflict`, and to be started again.
    C07, c07_conflicts, "Conflicts are asked again",
    why: "A service that asks to try again has refused nothing; a host that is told of a conflict believes that it \
          has lost."
}
async fn c07_conflicts(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.hasty().await;
    let storage = &root.storage;
    let can = storage.probe().await.unwrap();
    let data = bytes(7, service.patience().part_size + 1);
    let mut etag = storage.put("swapped", "old").await.unwrap().etag;
    let mut modes = vec![("plain", PutOptions::new())];
    if can.put_create_only == Support::Yes {
        modes.push(("created", PutOptions::new().create_only()));
    }
    if can.put_if_match == Support::Yes {
        modes.push(("swapped", PutOptions::new().if_match(etag.clone())));
    }
    for (key, options) in modes {
        service.take_requests();
        service.inject(Fault::Conflict, Hits { times: 2, ..Hits::once(Request::Put) });
        etag = storage.put_with(key, "new", options).await.unwrap_or_else(|error| panic!("{key}: {error}")).etag;
        service.heal();
        assert_eq!(service.take_requests().get(&Request::Put), Some(&3), "{key}: two conflicts and a success");
        assert_eq!(storage.head(key).await.unwrap().meta.etag, etag);
    }
    if can.writer_create_only != Support::Yes {
        return waive_part("writer_create_only", "no create-only streaming write is kept");
    }
    for (key, exists, due) in [("new", false, ErrorKind::Conflict), ("there", true, ErrorKind::AlreadyExists)] {
        let mut writer = storage.writer_with(key, PutOptions::new().create_only()).await.unwrap();
        writer.write(data.clone()).await.unwrap();
        if exists {
            storage.put(key, "before").await.unwrap();
        }
        service.inject(Fault::Conflict, Hits::once(Request::FinishUpload));
        let error = writer.finish().await.map(drop).unwrap_err();
        service.heal();
        assert_eq!((error.kind(), error.is_retryable()), (due, false), "{key}: {error}");
        let content = snapshot(storage, key).await.map(|object| object.content);
        assert_eq!(content, exists.then(|| "before".into()), "{key} is as it was");
    }
}
