//! Rule S13: what a service keeps is found out before it is trusted, once, and nothing is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use s3_test_server::{Conditions, Fault, FaultAction, S3Server, ServerOptions, User};
use storage_core::{Capabilities, Error, ErrorKind, Key, PutOptions, Storage, StorageBackend, Support};
use storage_s3::{ConditionPolicy, Credentials, S3, S3Options, Service};
use tokio::time::timeout;

async fn server(conditions: Conditions) -> S3Server {
    with(ServerOptions::new().conditions(conditions)).await
}

async fn with(options: ServerOptions) -> S3Server {
    let server = S3Server::start(options).await.unwrap();
    server.create_bucket("bucket");
    server
}

fn options(server: &S3Server) -> S3Options {
    let mut options = S3Options::new("bucket");
    options.endpoint = Some(server.endpoint());
    options.region = Some("us-east-1".to_owned());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options.prefix = "root".to_owned();
    options.retries.base = Duration::from_millis(1);
    options.retries.longest = Duration::from_millis(5);
    options
}

fn open(server: &S3Server) -> S3 {
    S3::new(options(server)).unwrap()
}

fn conditions(capabilities: &Capabilities) -> [Support; 6] {
    capabilities.conditions()
}

/// The names of probes that something else was done to last than to delete them. (A listing would not show what is left.)
fn left(server: &S3Server) -> Vec<String> {
    let mut last = HashMap::new();
    for request in server.requests().into_iter().filter(|request| request.target.contains("storage-probe-")) {
        let name = request.target.split('?').next().unwrap_or_default().to_owned();
        last.insert(name, (request.operation, request.status));
    }
    assert!(!last.is_empty(), "nothing was probed");
    last.into_iter().filter(|(_, done)| *done != ("DeleteObject", Some(204))).map(|(name, _)| name).collect()
}

fn assert_clean(server: &S3Server) {
    assert_eq!(left(server), [] as [String; 0]);
    assert_eq!(server.unfinished_uploads("bucket"), 0, "uploads are left");
}

const YES: Support = Support::Yes;
const NO: Support = Support::No;

/// Proves that a service which keeps every condition is found to, one that ignores them is found not to, and each condition
/// is judged for itself; and that nothing is left behind.
#[tokio::test]
async fn each_condition_is_judged_for_itself() {
    let only = |change: fn(&mut Conditions)| {
        let mut conditions = Conditions::IGNORED;
        change(&mut conditions);
        conditions
    };
    let cases: [(Conditions, [Support; 6]); 8] = [
        (Conditions::KEPT, [YES; 6]),
        (Conditions::IGNORED, [NO; 6]),
        (only(|c| c.put_create_only = true), [YES, NO, NO, NO, NO, NO]),
        (only(|c| c.put_if_match = true), [NO, YES, NO, NO, NO, NO]),
        (only(|c| (c.put_create_only, c.complete_create_only) = (true, true)), [YES, NO, YES, NO, NO, NO]),
        (only(|c| (c.put_if_match, c.complete_if_match) = (true, true)), [NO, YES, NO, YES, NO, NO]),
        (only(|c| c.copy_create_only = true), [NO, NO, NO, NO, YES, NO]),
        (only(|c| c.delete_if_match = true), [NO, NO, NO, NO, NO, YES]),
    ];
    for (kept, expected) in cases {
        let told = format!("{kept:?}");
        let server = server(kept).await;
        let s3 = open(&server);
        assert_eq!(conditions(&s3.capabilities()), [Support::Unprobed; 6], "before it is asked");
        assert_eq!(conditions(&s3.probe().await.unwrap()), expected, "{told}");
        assert_eq!(conditions(&s3.capabilities()), expected, "remembered: {told}");
        assert_clean(&server);
    }
}

/// Proves that in a bucket with versions a probe removes every version and leaves no delete marker.
#[tokio::test]
async fn a_probe_leaves_no_version() {
    let server = server(Conditions::KEPT).await;
    server.set_versioning("bucket", true);
    let capabilities = open(&server).probe().await.unwrap();
    assert_eq!((conditions(&capabilities), capabilities.versions), ([YES; 6], YES));
    assert_clean(&server);
    let (mut made, mut removed) = (0, 0);
    for request in server.requests().iter().filter(|request| request.status.is_some_and(|status| status < 300)) {
        match request.operation {
            "DeleteObject" if request.target.contains("versionId=") => removed += 1,
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "DeleteObject" => made += 1,
            _ => {}
        }
    }
    assert_eq!(made, removed);
}

/// Proves that the first conditional write asks, once for many at the same time, and the next ones ask no more.
#[tokio::test]
async fn one_probe_serves_all_who_wait() {
    let server = server(Conditions::KEPT).await;
    let storage = Storage::new(open(&server));
    let puts = (0..20).map(|i| {
        let storage = storage.clone();
        tokio::spawn(async move { storage.put_with(format!("k{i}"), "v", PutOptions::new().create_only()).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    assert_eq!(
        server.counts().of("PutObject"),
        20 + 1 + 6 * 8 + 1,
        "one to try the name, six races of eight, and one that comes late"
    );
    server.reset_counts();
    storage.put_with("k", "v", PutOptions::new().create_only()).await.unwrap();
    assert_eq!(server.counts().total(), 1);
}

/// Proves that on a service that ignores conditions a conditional write is `Unsupported`, changes nothing, and says what was
/// seen and which settings there are.
#[tokio::test]
async fn an_ignored_condition_is_unsupported_and_changes_nothing() {
    let server = server(Conditions::IGNORED).await;
    let storage = Storage::new(open(&server));
    storage.put("k", "old").await.unwrap();
    let error = storage.put_with("k", "new", PutOptions::new().create_only()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    for part in ["create-only puts", "8 were accepted", "STORAGE_S3_SERVICE", "STORAGE_S3_CONDITIONS"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert_eq!(storage.text("k").await.unwrap(), "old");
}

/// Proves that settings and a service's profile answer without a request.
#[tokio::test]
async fn settings_and_profiles_answer_without_a_request() {
    let server = server(Conditions::KEPT).await;
    let with = |change: fn(&mut S3Options)| {
        let mut options = options(&server);
        change(&mut options);
        conditions(&S3::new(options).unwrap().capabilities())
    };
    assert_eq!(with(|options| options.conditions = ConditionPolicy::All), [YES; 6]);
    assert_eq!(with(|options| options.conditions = ConditionPolicy::None), [NO; 6]);
    assert_eq!(with(|options| options.service = Some(Service::Aws)), [YES, YES, YES, YES, YES, Support::Unprobed]);
    assert_eq!(with(|options| options.service = Some(Service::Garage)), [NO; 6]);
    let probed = |options: &mut S3Options| {
        (options.service, options.conditions) = (Some(Service::Garage), ConditionPolicy::Probe);
    };
    assert_eq!(with(probed), [Support::Unprobed; 6]);
    assert_eq!(server.counts().total(), 0);
}

async fn create(s3: &S3, key: &str) -> Result<(), Error> {
    let options = PutOptions::new().create_only();
    s3.put(&Key::new(key).unwrap(), "v".into(), options).await.map(drop)
}

/// Proves that a failure that can pass is the caller's, is unsent for its own request, and is forgotten.
#[tokio::test]
async fn a_passing_failure_is_not_remembered() {
    let server = server(Conditions::KEPT).await;
    let mut options = options(&server);
    options.retries.attempts = 2;
    let s3 = S3::new(options).unwrap();
    let down = server.inject(Fault::status(503, "ServiceUnavailable").on("PutObject"));
    let error = create(&s3, "k").await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unavailable, true), "{error}");
    assert!(error.to_string().contains("create-only puts"), "{error}");
    assert_eq!(s3.capabilities().put_create_only, Support::Unprobed);
    down.remove();
    create(&s3, "k").await.unwrap();
    assert_eq!(s3.capabilities().put_create_only, YES);
}

/// Proves that a probe of a service that accepts and says nothing ends with the operation's time, for all who wait at once.
#[tokio::test]
async fn a_silent_service_is_not_waited_for_by_each() {
    let server = server(Conditions::KEPT).await;
    server.inject(Fault::new(FaultAction::Hang));
    let mut options = options(&server);
    options.timeouts.operation = Duration::from_millis(500);
    let s3 = S3::new(options).unwrap();
    let start = Instant::now();
    let keys: Vec<String> = (0..8).map(|number| format!("k{number}")).collect();
    for created in join_all(keys.iter().map(|key| create(&s3, key))).await {
        let error = created.unwrap_err();
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Timeout, true), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

/// Proves that a probe which is dropped half-way removes what it has made.
#[tokio::test]
async fn a_dropped_probe_leaves_nothing() {
    let server = server(Conditions::KEPT).await;
    for _ in 0..8 {
        let slow = server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(5))));
        let pause = Duration::from_millis(fastrand::u64(5..50));
        assert!(
            timeout(pause, create(&open(&server), "k")).await.is_err(),
            "the probe was too quick to prove anything"
        );
        slow.remove();
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) && !left(&server).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_clean(&server);
}

/// Proves that a probe comes to the right end while one answer in ten is lost, whatever the order of the losses.
#[tokio::test]
async fn lost_answers_do_not_mislead_a_probe() {
    for seed in 0..12 {
        let server = server(if seed % 2 == 0 { Conditions::KEPT } else { Conditions::IGNORED }).await;
        server.inject(Fault::new(FaultAction::ResetAfterRequest).probability(0.1, seed));
        let expected = if seed % 2 == 0 { [YES; 6] } else { [NO; 6] };
        let capabilities = open(&server).probe().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(conditions(&capabilities), expected, "seed {seed}");
    }
}

/// Proves that a request of a probe which lost all of its answers is no end of the probe.
#[tokio::test]
async fn a_request_that_is_never_answered_ends_no_probe() {
    for seed in 0..8 {
        let server = server(Conditions::KEPT).await;
        server.inject(Fault::new(FaultAction::ResetAfterRequest).on("PutObject").probability(0.1, seed));
        let mut options = options(&server);
        options.retries.attempts = 1;
        create(&S3::new(options).unwrap(), "k")
            .await
            .or_else(|error| match error.kind() {
                // The write itself may be unlucky as well.
                ErrorKind::OutcomeUnknown => Ok(()),
                _ => Err(format!("seed {seed}: {error}")),
            })
            .unwrap();
    }
}

/// Proves that without the right to write the conditions are `Unsupported`, with what was answered; that the right to write
/// elsewhere in the bucket is not affected; and that reading works.
#[tokio::test]
async fn without_the_right_to_probe_conditions_are_unsupported() {
    let reader = User::new("reader-secret").deny(["PutObject", "CreateMultipartUpload", "GetBucketVersioning"]);
    let server = with(ServerOptions::new().user("reader", reader)).await;
    let mut options = options(&server);
    options.credentials = Credentials::keys("reader", "reader-secret");
    let s3 = S3::new(options).unwrap();
    let elsewhere = s3.under("elsewhere").unwrap();
    let error = create(&s3, "k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    let capabilities = s3.probe().await.unwrap();
    assert_eq!((conditions(&capabilities), capabilities.versions), ([NO; 6], Support::Unprobed));
    assert_eq!(conditions(&elsewhere.capabilities()), [Support::Unprobed; 6]);
    assert_eq!(Storage::new(s3).list_all("").await.unwrap(), []);
}

/// Proves that what was found out under one prefix of a bucket holds for another.
#[tokio::test]
async fn another_prefix_shares_what_was_found() {
    let server = server(Conditions::KEPT).await;
    let s3 = open(&server);
    let other = s3.under("other/a//").unwrap();
    create(&s3, "k").await.unwrap();
    assert_eq!(other.capabilities().put_create_only, YES);
    server.reset_counts();
    create(&other, "k").await.unwrap();
    assert_eq!(server.counts().total(), 1);
    assert_eq!(other.capabilities().max_key_len, 1024 - "other/a//".len());
    assert!(server.requests().last().unwrap().target.ends_with("/other/a//k"));
}

/// Proves that a service which verifies a digest and returns it is found to, and that its bucket's versions are seen.
#[tokio::test]
async fn checksums_and_versions_are_found() {
    let server = server(Conditions::KEPT).await;
    let s3 = Arc::new(open(&server));
    assert_eq!((s3.capabilities().checksums, s3.capabilities().versions), (Support::Unprobed, Support::Unprobed));
    let capabilities = s3.probe().await.unwrap();
    assert_eq!((capabilities.checksums, capabilities.versions), (YES, NO));
    server.set_versioning("bucket", true);
    assert_eq!(open(&server).probe().await.unwrap().versions, YES);
}

/// Proves that a missing bucket is told by the probe (rule E03).
#[tokio::test]
async fn a_missing_bucket_is_told() {
    let server = server(Conditions::KEPT).await;
    server.delete_bucket("bucket");
    let s3 = open(&server);
    assert_eq!(s3.probe().await.unwrap_err().kind(), ErrorKind::BackendNotFound);
    assert_eq!(create(&s3, "k").await.unwrap_err().kind(), ErrorKind::BackendNotFound);
    s3.create_bucket().await.unwrap();
    s3.create_bucket().await.unwrap();
    create(&s3, "k").await.unwrap();
}
