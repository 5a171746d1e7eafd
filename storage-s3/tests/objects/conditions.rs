//! Rules C: conditions of reads and writes, and answers that were lost.

use std::time::{Duration, SystemTime};

use futures::future::join_all;
use s3_test_server::{Conditions as Kept, Fault, FaultAction, ServerOptions};
use storage_core::{Conditions, DeleteOptions, ETag, ErrorKind, GetOptions, HeadOptions, PutOptions};
use storage_s3::ConditionPolicy;

use crate::hosting::{Host, kind};

fn create() -> PutOptions {
    PutOptions::new().create_only()
}

/// C09, C10: each condition alone and against another, by get and by head alike, in one request.
#[tokio::test]
async fn conditions_of_reads() {
    let host = Host::new().await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    let other = ETag::new("other");
    let written = host.root.head("a").await.unwrap().meta.last_modified;
    let second = Duration::from_secs(1);
    let (before, within, after) = (written - second, written + second / 2, written + second);
    let none = Conditions::default;
    let cases = [
        (Conditions { if_match: Some(etag.clone()), ..none() }, None),
        (Conditions { if_match: Some(other.clone()), ..none() }, Some(ErrorKind::PreconditionFailed)),
        (Conditions { if_none_match: Some(etag.clone()), ..none() }, Some(ErrorKind::NotModified)),
        (Conditions { if_none_match: Some(other.clone()), ..none() }, None),
        (Conditions { if_modified_since: Some(before), ..none() }, None),
        (Conditions { if_modified_since: Some(within), ..none() }, Some(ErrorKind::NotModified)),
        (Conditions { if_unmodified_since: Some(before), ..none() }, Some(ErrorKind::PreconditionFailed)),
        (Conditions { if_unmodified_since: Some(within), ..none() }, None),
        (Conditions { if_unmodified_since: Some(after), ..none() }, None),
        (Conditions { if_modified_since: Some(SystemTime::UNIX_EPOCH - second), ..none() }, None),
        // An etag condition wins over a date.
        (Conditions { if_match: Some(etag.clone()), if_unmodified_since: Some(before), ..none() }, None),
        (Conditions { if_none_match: Some(other.clone()), if_modified_since: Some(after), ..none() }, None),
        (
            Conditions { if_none_match: Some(etag.clone()), if_modified_since: Some(before), ..none() },
            Some(ErrorKind::NotModified),
        ),
    ];
    for (conditions, expected) in cases {
        let mut get = GetOptions::new().buffered();
        get.conditions = conditions.clone();
        let (got, requests) = host.requests(host.root.get("a", get.clone())).await;
        assert_eq!(got.err().map(|error| error.kind()), expected, "get {conditions:?}");
        assert_eq!(requests, ["GetObject"]);
        let head = HeadOptions::new().conditions(conditions.clone());
        let (got, requests) = host.requests(host.root.head_with("a", head.clone())).await;
        assert_eq!(got.err().map(|error| error.kind()), expected, "head {conditions:?}");
        assert_eq!(requests, ["HeadObject"]);
        assert_eq!(kind(host.root.get("none", get).await), ErrorKind::NotFound, "{conditions:?}");
        assert_eq!(kind(host.root.head_with("none", head).await), ErrorKind::NotFound, "{conditions:?}");
    }
}

/// An etag that no service has given is refused before anything is sent, whatever it holds.
#[tokio::test]
async fn an_etag_that_is_none_is_refused() {
    let host = Host::new().await;
    for text in ["a\nb".to_owned(), "é".to_owned(), "x".repeat(100_000)] {
        let etag = ETag::new(text);
        assert_eq!(kind(host.root.get("a", GetOptions::new().if_match(etag.clone())).await), ErrorKind::InvalidInput);
        let put = host.root.put_with("a", "x", PutOptions::new().if_match(etag.clone())).await;
        assert_eq!(kind(put), ErrorKind::InvalidInput);
        let delete = host.root.delete_with("a", DeleteOptions::new().if_match(etag)).await;
        assert_eq!(kind(delete), ErrorKind::InvalidInput);
    }
    assert_eq!(host.server.counts().total(), 0);
}

/// C01, C03, C04, C11, S13: one request each.
#[tokio::test]
async fn conditions_of_writes() {
    let host = Host::new().await;
    let stale = ETag::new("stale");
    let missing = host.root.put_with("a", "x", PutOptions::new().if_match(stale.clone())).await;
    assert_eq!(kind(missing), ErrorKind::PreconditionFailed);
    let (first, requests) = host.requests(host.root.put_with("a", "1", create())).await;
    assert_eq!(requests, ["PutObject"]);
    assert_eq!(kind(host.root.put_with("a", "2", create()).await), ErrorKind::AlreadyExists);
    let (second, requests) =
        host.requests(host.root.put_with("a", "3", PutOptions::new().if_match(first.unwrap().etag.clone()))).await;
    assert_eq!(requests, ["PutObject"]);
    let (failed, requests) =
        host.requests(host.root.put_with("a", "4", PutOptions::new().if_match(stale.clone()))).await;
    assert_eq!(kind(failed), ErrorKind::PreconditionFailed);
    assert_eq!(requests, ["PutObject"]);
    assert_eq!(host.root.text("a").await.unwrap(), "3");
    let delete = |key, etag: &ETag| host.root.delete_with(key, DeleteOptions::new().if_match(etag.clone()));
    assert_eq!(kind(delete("a", &stale).await), ErrorKind::PreconditionFailed);
    delete("a", &second.unwrap().etag).await.unwrap();
    assert!(!host.root.exists("a").await.unwrap());
}

/// C06: an answer that was lost does not turn success into a conflict. Each fault, each condition.
#[tokio::test]
async fn a_lost_answer_is_settled() {
    let host = Host::new().await;
    let old = host.root.put("swap", "old").await.unwrap().etag;
    for (key, options) in [("new", create()), ("swap", PutOptions::new().if_match(old))] {
        host.once(FaultAction::ResetAfterRequest, "PutObject");
        let (put, requests) = host.requests(host.root.put_with(key, "mine", options)).await;
        let meta = host.root.head(key).await.unwrap().meta;
        let put = put.unwrap();
        assert_eq!((put.etag, put.size), (meta.etag, meta.size));
        assert_eq!(requests, ["PutObject", "PutObject", "HeadObject"]);
        assert_eq!(host.root.text(key).await.unwrap(), "mine");
    }
}

/// C06: somebody else's object, where the first attempt was lost before anything was done. What was there before, or was
/// itself created, proves the refusal; anything else proves nothing.
#[tokio::test]
async fn a_lost_attempt_and_anothers_object() {
    let lost = || Fault::new(FaultAction::LoseResponseBeforeProcessing).on("PutObject").times(1);
    let host = Host::new().await;
    host.root.put_with("created", "theirs", create()).await.unwrap();
    host.server.inject(lost());
    assert_eq!(kind(host.root.put_with("created", "mine", create()).await), ErrorKind::AlreadyExists);

    let etag = host.root.put("written", "theirs").await.unwrap().etag;
    host.server.inject(lost());
    assert_eq!(kind(host.root.put_with("written", "mine", create()).await), ErrorKind::OutcomeUnknown);

    host.server.inject(lost());
    let swap = PutOptions::new().if_match(ETag::new("stale"));
    assert_eq!(kind(host.root.put_with("written", "mine", swap.clone()).await), ErrorKind::OutcomeUnknown);
    // A copy carries the mark of its source along; it does not make the copy an object that was created here.
    host.root.copy("created", "copied").await.unwrap();
    host.server.inject(lost());
    assert_eq!(kind(host.root.put_with("copied", "mine", create()).await), ErrorKind::OutcomeUnknown);

    // Once the object is older than the second in which the write began, it is proof.
    let written = host.root.head("copied").await.unwrap().meta.last_modified;
    while written.elapsed().unwrap_or_default() < Duration::from_millis(2100) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    host.server.inject(lost());
    assert_eq!(kind(host.root.put_with("written", "mine", create()).await), ErrorKind::AlreadyExists);
    host.server.inject(lost());
    assert_eq!(kind(host.root.put_with("written", "mine", swap).await), ErrorKind::PreconditionFailed);
    assert_eq!(host.root.head("written").await.unwrap().meta.etag, etag);
}

/// C06: nothing there after a lost attempt and a refusal is nothing that can be known.
#[tokio::test]
async fn a_lost_attempt_and_no_object() {
    let host = Host::new().await;
    host.server.inject(Fault::new(FaultAction::LoseResponseBeforeProcessing).on("PutObject").times(1));
    let swap = host.root.put_with("none", "mine", PutOptions::new().if_match(ETag::new("stale"))).await;
    assert_eq!(kind(swap), ErrorKind::OutcomeUnknown);
}

/// C06: a delete and a copy carry no mark.
#[tokio::test]
async fn a_lost_conditional_delete_or_copy_is_unknown() {
    let host = Host::new().await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    host.once(FaultAction::ResetAfterRequest, "CopyObject");
    let copy = storage_core::CopyOptions::new().create_only();
    assert_eq!(kind(host.root.copy_with("a", "b", copy).await), ErrorKind::OutcomeUnknown);
    assert!(host.root.exists("b").await.unwrap());
    host.once(FaultAction::ResetAfterRequest, "DeleteObject");
    host.server.inject(Fault::status(412, "PreconditionFailed").on("DeleteObject").nth(2).times(1));
    let delete = host.root.delete_with("a", DeleteOptions::new().if_match(etag)).await;
    assert_eq!(kind(delete), ErrorKind::OutcomeUnknown);
    // Without a condition both are simply done again.
    host.once(FaultAction::ResetAfterRequest, "DeleteObject");
    host.root.delete("b").await.unwrap();
}

/// C07: a conflict of two writes under way is asked again.
#[tokio::test]
async fn a_conflict_is_repeated() {
    let host = Host::new().await;
    let conflict =
        FaultAction::Status { status: 409, code: "ConditionalRequestConflict".to_owned(), retry_after: None };
    let fault = host.once(conflict.clone(), "PutObject");
    host.root.put_with("a", "x", create()).await.unwrap();
    assert_eq!(fault.hits(), 1);
    host.fault(conflict, "PutObject");
    assert_eq!(kind(host.root.put_with("b", "x", create()).await), ErrorKind::Conflict);
}

/// C01: of many create-only puts exactly one wins, while answers are lost; no Ok is lost and no false conflict told.
#[tokio::test(flavor = "multi_thread")]
async fn one_winner_while_answers_are_lost() {
    let host = Host::new().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    host.server.inject(Fault::new(FaultAction::ResetAfterRequest).on("PutObject").probability(0.2, seed));
    let mut known = 0;
    for round in 0..10 {
        let key = format!("race/{round}");
        let puts = (0..16).map(|racer| {
            let (root, key) = (host.root.clone(), key.clone());
            async move { root.put_with(key.as_str(), format!("{racer}"), create()).await.map(|_| racer) }
        });
        let results = join_all(puts).await;
        let there: usize = host.root.text(key.as_str()).await.unwrap().parse().unwrap();
        for (racer, result) in results.iter().enumerate() {
            // Whoever lost every answer does not know; nobody is told wrong.
            match result.as_ref().map_err(|error| error.kind()) {
                Ok(_) => assert_eq!(racer, there, "{results:?}"),
                Err(ErrorKind::AlreadyExists) => assert_ne!(racer, there, "{results:?}"),
                Err(kind) => assert_eq!(kind, ErrorKind::OutcomeUnknown, "{results:?}"),
            }
        }
        known += usize::from(results[there].is_ok());
    }
    assert!(known > 5, "{known} of 10 winners know it");
}

/// C02: increments by compare-and-swap, while answers are lost: the count lies between the Oks and the Oks plus what is
/// not known.
#[tokio::test(flavor = "multi_thread")]
async fn no_swap_is_lost() {
    let host = Host::new().await;
    host.root.put("count", "0").await.unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    host.server.inject(Fault::new(FaultAction::ResetAfterRequest).on("PutObject").probability(0.1, seed));
    let workers = (0..8).map(|_| {
        let root = host.root.clone();
        async move {
            let (mut done, mut unknown) = (0u32, 0u32);
            while done + unknown < 10 {
                let now = root.get("count", GetOptions::new().buffered()).await.unwrap();
                let (etag, storage_core::Body::Bytes(bytes)) = (now.meta.etag, now.body) else { panic!("no bytes") };
                let next = str::from_utf8(&bytes).unwrap().parse::<u32>().unwrap() + 1;
                let swap = PutOptions::new().if_match(etag);
                match root.put_with("count", next.to_string(), swap).await.map_err(|error| error.kind()) {
                    Ok(_) => done += 1,
                    Err(ErrorKind::OutcomeUnknown) => unknown += 1,
                    Err(ErrorKind::PreconditionFailed) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            (done, unknown)
        }
    });
    let results = join_all(workers).await;
    let (done, unknown) = results.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let count: u32 = host.root.text("count").await.unwrap().parse().unwrap();
    assert!((done..=done + unknown).contains(&count), "{done} done, {unknown} unknown, {count} counted");
}

/// C08: on a server that ignores conditions, each conditional write is refused, and nothing is changed.
#[tokio::test]
async fn an_ignored_condition_is_unsupported() {
    let server = ServerOptions::new().conditions(Kept::IGNORED);
    let host = Host::with(server, |options| options.conditions = ConditionPolicy::Probe).await;
    let etag = host.root.put("a", "x").await.unwrap().etag;
    let refused = ErrorKind::Unsupported;
    assert_eq!(kind(host.root.put_with("a", "y", create()).await), refused);
    assert_eq!(kind(host.root.put_with("a", "y", PutOptions::new().if_match(etag.clone())).await), refused);
    assert_eq!(kind(host.root.delete_with("a", DeleteOptions::new().if_match(etag)).await), refused);
    let copy = storage_core::CopyOptions::new().create_only();
    assert_eq!(kind(host.root.copy_with("a", "b", copy).await), refused);
    assert_eq!(host.root.text("a").await.unwrap(), "x");
}
