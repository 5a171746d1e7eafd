//! The suite tested by itself: on a driver that keeps the contract, and on some that do not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::{self, BoxFuture};
use storage_core::{Body, ObjectMeta, Storage, SweepOptions};
use storage_memory::Stores;

use super::*;
use crate::context::DEFAULT_SEED;
use crate::live::LiveHarness;
use crate::report::CleanUp;
use crate::rule::ELSEWHERE;
use crate::spy::Spy;
use crate::table::rules;

/// Roots below a store that holds something else.
fn below(stores: &Stores, change: fn(Storage) -> Storage) -> LiveHarness {
    let (opened, absent) = (stores.clone(), stores.clone());
    let open = move |name: &str| -> BoxFuture<'static, storage_core::Result<Storage>> {
        let root = Storage::new(opened.open("live", true)).sub(name).map(change);
        Box::pin(future::ready(root))
    };
    let missing = move || -> BoxFuture<'static, storage_core::Result<Storage>> {
        Box::pin(future::ready(Ok(Storage::new(absent.open("no-such-store", false)))))
    };
    LiveHarness::new(open).missing(missing)
}

async fn live(stores: &Stores) -> Storage {
    let live = Storage::new(stores.open("live", true));
    for key in ["a sibling", "conformance", "conformance-0000000000000000/0/a", "z"] {
        live.put(key, format!("the sibling {key}")).await.unwrap();
    }
    live
}

/// What is stored, with etags that tell every write.
async fn siblings(live: &Storage) -> Vec<ObjectMeta> {
    live.list_all("").await.unwrap()
}

#[tokio::test]
async fn memory_passes_all_rules_and_siblings_survive() {
    let stores = Stores::new();
    let store = live(&stores).await;
    let before = siblings(&store).await;
    let harness = Arc::new(below(&stores, |storage| storage));
    let (mut began, mut ended) = (0, 0);
    let count = |progress: Progress<'_>| match progress {
        Progress::Began(_) => began += 1,
        Progress::Ended(_) => ended += 1,
    };
    let report = run(harness.clone(), &Selection::all().at_once(4), count).await;
    assert_eq!(harness.clean_up().await, CleanUp::Done);
    let failed: Vec<_> = report.failed().map(|rule| (&rule.name, rule.outcome.clone())).collect();
    assert_eq!(failed, [], "rules that the driver for memory breaks");
    assert!(report.is_conformant());
    assert_eq!((began, ended), (rules().len(), rules().len()), "progress tells each rule");
    assert_eq!(report.rules.len(), rules().len() + ELSEWHERE.len());
    assert_eq!(siblings(&store).await, before, "what is none of the suite's");
    let waived = |report: &RuleReport| matches!(report.outcome, Outcome::Waived { .. });
    assert!(report.rules.iter().filter(|rule| waived(rule)).all(|rule| rule.id == "V01"), "memory has no versions");
}

#[tokio::test]
async fn a_lying_driver_fails_by_the_rule_that_it_breaks() {
    let stores = Stores::new();
    let off_by_one = |storage: Storage| {
        let cut = |bytes: Bytes| bytes.slice(..bytes.len().saturating_sub(1));
        let (lying, _) = Spy::new(&storage)
            .answer(move |mut result| {
                if let (Body::Bytes(bytes), true) = (&result.body, result.range.start > 0) {
                    result.body = Body::Bytes(cut(bytes.clone()));
                }
                result
            })
            .open();
        lying
    };
    let harness = Arc::new(below(&stores, off_by_one));
    let report = run(harness.clone(), &Selection::of("R02,d01").unwrap().seed(42), |_| ()).await;
    assert_eq!(harness.clean_up().await, CleanUp::Done);
    let failed: Vec<_> = report.failed().collect();
    assert_eq!(failed.iter().map(|rule| rule.id).collect::<Vec<_>>(), ["R02"]);
    let Outcome::Fail { reason, steps } = &failed[0].outcome else { panic!("a failure") };
    assert!(reason.contains("LengthMismatch"), "the reason in one line: {reason}");
    assert!(steps[0].place.contains("reads.rs:"), "where it broke: {:?}", steps[0]);
    assert_eq!((report.totals.pass, report.totals.fail, report.seed), (1, 1, 42));
}

#[tokio::test]
async fn a_root_that_cannot_be_made_fails_every_rule() {
    let denied = || storage_core::Error::new(storage_core::ErrorKind::PermissionDenied, "not yours");
    let harness = LiveHarness::new(move |_| Box::pin(future::ready(Err(denied()))));
    let report = run(Arc::new(harness), &Selection::of("D01").unwrap(), |_| ()).await;
    assert_eq!(report.backend, None);
    let reason = report.rules[0].outcome.reason();
    assert!(reason.contains("not yours"), "{reason}");
}

#[tokio::test]
async fn a_run_that_is_dropped_can_be_cleaned_up() {
    let stores = Stores::new();
    let store = live(&stores).await;
    let before = siblings(&store).await;
    let harness = Arc::new(below(&stores, |storage| storage));
    let began = Arc::new(Mutex::new(0));
    let (selection, counted) = (Selection::of("W,L").unwrap().at_once(8), Arc::clone(&began));
    let running = run(harness.clone(), &selection, move |_| *counted.lock().unwrap() += 1);
    let some_objects = async {
        while siblings(&store).await.len() < before.len() + 20 || *began.lock().unwrap() < 8 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        report = running => panic!("it ended before it was dropped: {:?}", report.totals),
        () = some_objects => {}
    }
    assert_eq!(harness.clean_up().await, CleanUp::Done);
    assert_eq!(siblings(&store).await, before, "nothing of the suite is left, and all else is");
    assert_eq!(store.sweep(SweepOptions::default()).await.unwrap().removed, 0);
}

#[tokio::test]
async fn a_report_is_json_of_a_known_shape() {
    let harness = Arc::new(below(&Stores::new(), |storage| storage));
    let report = run(harness, &Selection::of("D01,V01,W16,R13").unwrap(), |_| ()).await;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["suite"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["backend"]["driver"], "memory");
    assert_eq!(json["backend"]["capabilities"]["put_create_only"], "yes");
    assert_eq!(json["seed"], DEFAULT_SEED);
    let due = serde_json::json!({ "pass": 1, "fail": 0, "waived": 1, "not_asked": 1, "elsewhere": 1 });
    assert_eq!(json["totals"], due);
    let outcomes: Vec<_> =
        json["rules"].as_array().unwrap().iter().map(|rule| (&rule["id"], &rule["outcome"])).collect();
    assert_eq!(format!("{outcomes:?}").matches("String").count(), 8, "{outcomes:?}");
    let waived = &json["rules"][3];
    assert_eq!(
        (&waived["id"], &waived["outcome"], &waived["capability"]),
        (&"V01".into(), &"waived".into(), &"versions".into())
    );
    for field in ["name", "group", "title", "text", "why", "seconds", "reason"] {
        assert!(!waived[field].is_null(), "{field}");
    }
}

/// Ids are those of the names, each name is one rule's, and every id of the contract is there.
#[test]
fn every_rule_of_the_contract_is_reported() {
    let groups = "KWCRMLDXESV".chars();
    let counts = groups.zip([15, 16, 11, 14, 8, 14, 5, 7, 5, 13, 3]);
    let mut names = std::collections::BTreeSet::new();
    for rule in rules() {
        assert_eq!(rule.id.to_lowercase(), rule.name[..3], "the id of {}", rule.name);
        assert!(names.insert(rule.name), "{} comes once", rule.name);
        assert!(rule.text.ends_with('.') && rule.why.ends_with('.'), "{}: sentences", rule.name);
    }
    let ids: Vec<&str> = rules().iter().map(|rule| rule.id).chain(ELSEWHERE.map(|rule| rule.id)).collect();
    for (letter, count) in counts {
        let missing = (1..=count).map(|number| format!("{letter}{number:02}")).find(|id| !ids.contains(&id.as_str()));
        assert_eq!(missing, None, "of group {letter}");
    }
}

#[test]
fn a_failed_assertion_is_told_in_one_line() {
    let equal = "assertion `left == right` failed: the kind\n  left: NotFound\n right: Unsupported";
    assert_eq!(one_line(equal), "the kind: NotFound, where Unsupported is due");
    assert_eq!(one_line("assertion `left == right` failed\n  left: 1\n right: 2"), "1, where 2 is due");
    let unequal = "assertion `left != right` failed: two versions\n  left: 1\n right: 1";
    assert_eq!(one_line(unequal), "two versions: both are 1");
    assert_eq!(one_line("a\n  b"), "a b");
    let denied = storage_core::Error::new(storage_core::ErrorKind::PermissionDenied, "not yours").with_key("k");
    let unwrapped = format!("called `Result::unwrap()` on an `Err` value: {denied:?}");
    assert_eq!(one_line(&unwrapped), "\"k\": PermissionDenied: not yours");
    assert_eq!(one_line(&"é".repeat(300)).chars().count(), 201);
}

/// How often each of two rules was asked.
static ASKED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn unanswered() -> storage_core::Result<()> {
    Err(storage_core::Error::new(storage_core::ErrorKind::Throttled, "slow down"))
}

#[tokio::test]
async fn a_place_that_does_not_answer_for_a_moment_is_asked_again() {
    static ONCE: Rule = Rule {
        run: |_| {
            Box::pin(async {
                if ASKED[0].fetch_add(1, Ordering::Relaxed) == 0 {
                    unanswered().unwrap();
                }
            })
        },
        ..crate::rules::delete::d01_missing_key_is_ok::RULE
    };
    static EVER: Rule = Rule {
        run: |_| {
            Box::pin(async {
                ASKED[1].fetch_add(1, Ordering::Relaxed);
                unanswered().unwrap();
            })
        },
        ..crate::rules::delete::d01_missing_key_is_ok::RULE
    };
    context::silence_panics();
    let (harness, selection) = (Arc::new(below(&Stores::new(), |storage| storage)), Selection::all());
    let report = ask(harness.clone(), &ONCE, &selection).await;
    assert_eq!((report.outcome.word(), ASKED[0].load(Ordering::Relaxed)), ("pass", 2));
    let report = ask(harness, &EVER, &selection).await;
    assert_eq!((report.outcome.word(), ASKED[1].load(Ordering::Relaxed)), ("fail", 2), "twice, and no more");
    assert_eq!(report.outcome.reason(), "the place was not answering, twice: Throttled: slow down");
}

#[test]
fn only_what_a_place_did_not_answer_is_asked_again() {
    let failed = |messages: &[&str]| {
        let step = |message: &&str| Step { message: (*message).to_owned(), place: String::new() };
        is_of_the_place(&Outcome::Fail { reason: String::new(), steps: messages.iter().map(step).collect() })
    };
    let unavailable = format!("{UNWRAPPED}put \"a\" on s3: Unavailable: no connection");
    assert!(failed(&[&unavailable]) && failed(&[&unavailable, "a scoped thread panicked"]));
    assert!(!failed(&[&unavailable, "assertion `left == right` failed\n  left: 1\n right: 2"]));
    assert!(!failed(&["assertion `left == right` failed\n  left: Timeout\n right: NotFound"]));
    assert!(!failed(&[&format!("{UNWRAPPED}put \"a\" on s3: PermissionDenied: no")]) && !failed(&[]));
}

#[tokio::test]
async fn a_place_that_is_gone_is_not_blamed_for_the_rules_that_are_left() {
    let (stores, opened) = (Stores::new(), std::sync::atomic::AtomicUsize::new(0));
    let harness = LiveHarness::new(move |name| {
        let alive = opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 4;
        let gone = || storage_core::Error::new(storage_core::ErrorKind::Unavailable, "no connection");
        let root = if alive { Storage::new(stores.open("live", true)).sub(name) } else { Err(gone()) };
        Box::pin(future::ready(root))
    });
    let report = run(Arc::new(harness), &Selection::of("K").unwrap().at_once(1), |_| ()).await;
    assert_eq!((report.totals.fail, report.is_conformant()), (1, false));
    let unasked =
        |rule: &&RuleReport| matches!(&rule.outcome, Outcome::NotAsked { reason } if reason.contains("no connection"));
    assert!(report.rules.iter().filter(unasked).count() > 5, "{report:?}");
    assert_eq!(report.rules.len(), 15, "every rule is reported");
}
