//! Rules S09 and S10: nothing secret is shown, and nothing is read that was not given.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage_core::{Error, Location, PresignMethod, PresignOptions, Presigned, Result, Storage, Support};
use tokio::net::TcpListener;

use crate::Harness;
use crate::capture::captured;
use crate::context::{NO_SERVICE, carried, nothing_to_ask, part_not_asked};
use crate::process::{Job, Worker};
use crate::rule::rule;
use crate::rules::misconfigured::every_call;
use crate::service::{Fault, Hits, Mistake, Request, Service, Trap};

/// Stands in the place of a password.
const PASSWORD: &str = "canary-pa55word";

rule! {
    /// No secret is shown: not in an error or its causes, not in what a handle or a presigned URL says of itself, not
    /// in logs, traces and addresses, whatever fails. An address that carries a password is refused, and not repeated.
    S09, s09_no_secret_is_shown, "No secret is shown",
    why: "Logs and error messages travel further than anybody plans, with every key that is in them."
}
async fn s09_no_secret_is_shown(harness: &dyn Harness) {
    for scheme in ["s3", "memory", "file", "http", "https"] {
        for user in ["user", "", "AKIAIOSFODNN7EXAMPLE"] {
            let error = Location::parse(&format!("{scheme}://{user}:{PASSWORD}@place/k")).expect_err(scheme);
            assert!(!format!("{error} {error:?}").contains(PASSWORD), "a refused address is not repeated: {scheme}");
        }
    }
    let fixture = harness.fresh().await;
    let uri = fixture.storage.location().map(|location| location.to_string()).unwrap_or_default();
    assert!(!uri.contains('@'), "an address names nobody: {uri}");
    let Some(service) = harness.service().await else { return part_not_asked(NO_SERVICE) };
    let root = service.hasty().await;
    let service = &*service;
    // On a thread of its own, since that is how far a subscriber reaches.
    let ((shown, signed), written) = std::thread::scope(|scope| {
        let on_one_thread = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            captured(|| runtime.block_on(everything_shown(service, &root.storage, &root.address)))
        };
        scope.spawn(carried(on_one_thread)).join().expect("no call panics")
    });
    assert!(shown.len() > 100, "much is shown: {} texts", shown.len());
    assert!(written.contains("storage"), "what is written is captured");
    for secret in service.secrets().iter().chain(&signed) {
        assert!(secret.len() >= 8, "a secret is long enough to be found");
        for text in &shown {
            assert!(!text.contains(secret.as_str()), "a secret is shown in {text}");
        }
        let line = written.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a secret is in logs or traces");
    }
}

/// Every text that a host can make of handles and failures, and the secret parts of the URLs that were presigned.
async fn everything_shown(service: &dyn Service, storage: &Storage, address: &str) -> (Vec<String>, Vec<String>) {
    let (mut shown, mut signed) = (vec![format!("{:?}", service.patience())], Vec::new());
    storage.put("k", "text").await.unwrap();
    show_handle(storage, &mut shown, &mut signed).await;
    for fault in [Fault::Internal, Fault::Reset, Fault::Hang, Fault::ErrorInSuccess, Fault::Truncated(30)] {
        let kinds = [Request::Get, Request::Head, Request::Put, Request::List, Request::Copy, Request::Delete];
        kinds.into_iter().chain([Request::DeleteMany]).for_each(|kind| service.inject(fault, Hits::all(kind)));
        shown.extend(failures(every_call(storage).await));
        service.heal();
    }
    for mistake in [
        Mistake::WrongKey,
        Mistake::WrongSecret,
        Mistake::NoPermission,
        Mistake::MissingRoot,
        Mistake::WrongRegion,
        Mistake::SkewedClock,
        Mistake::ExpiredToken,
        Mistake::NobodyListens,
        Mistake::PlainHttp,
    ] {
        let Some(broken) = service.broken(address, mistake).await else { continue };
        shown.extend(failures(every_call(&broken).await));
        show_handle(&broken, &mut shown, &mut signed).await;
    }
    (shown, signed)
}

/// The texts of the errors and of what caused them.
fn failures(results: Vec<(&'static str, Result<()>)>) -> Vec<String> {
    results.into_iter().filter_map(|(_, result)| result.err()).flat_map(texts).collect()
}

fn texts(error: Error) -> Vec<String> {
    let mut texts = vec![format!("{error}"), format!("{error:?}"), format!("{error:#?}")];
    let mut cause = error.source();
    while let Some(source) = cause {
        texts.extend([format!("{source}"), format!("{source:?}")]);
        cause = source.source();
    }
    texts
}

async fn show_handle(storage: &Storage, shown: &mut Vec<String>, signed: &mut Vec<String>) {
    shown.extend([format!("{storage:?}"), format!("{storage:#?}"), format!("{:?}", storage.backend())]);
    shown.extend([format!("{:?}", storage.location()), storage.uri("k").unwrap_or_default()]);
    shown.push(format!("{:?}", storage.capabilities()));
    for method in [PresignMethod::Get, PresignMethod::Put] {
        let options = PresignOptions::new(method, Duration::from_secs(60));
        match storage.presign("k", options).await {
            Ok(presigned) => {
                shown.extend([format!("{presigned:?}"), format!("{presigned:#?}")]);
                signed.extend(secret_parts(&presigned));
            }
            Err(error) => shown.extend(texts(error)),
        }
    }
}

/// The parts of a URL by which it opens: the long values of its query.
fn secret_parts(presigned: &Presigned) -> Vec<String> {
    let query = presigned.url.split_once('?').map_or("", |(_, query)| query);
    let values = query.split('&').filter_map(|pair| pair.split_once('='));
    // What is shorter, or names who asks, is no secret.
    let secret = values.filter(|(name, value)| value.len() >= 40 && !name.contains("Credential"));
    secret.map(|(_, value)| value.to_owned()).collect()
}

rule! {
    /// With explicit credentials nothing else is asked for any: no environment, no file and no metadata service. A
    /// process whose environment and home lead elsewhere works as any other.
    S10, s10_hermetic, "Hermetic",
    why: "A variable that happens to be set sends a host's data to another account."
}
async fn s10_hermetic(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.fresh().await;
    let directory = tempfile::tempdir().unwrap();
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let caught = Arc::new(AtomicUsize::new(0));
    let counting = tokio::spawn({
        let caught = Arc::clone(&caught);
        async move {
            while trap.accept().await.is_ok() {
                caught.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let poisoned = service.poison(&Trap { url: &url, directory: directory.path() });
    assert!(!poisoned.is_empty(), "a service whose handles read nothing from outside has nothing to poison");
    let storage = &root.storage;
    let can = storage.probe().await.unwrap();
    let workers = Worker::start_in(harness, storage, &root.address, 1, &poisoned).await;
    for mut worker in workers {
        assert_eq!(worker.ask(&Job::Put("k", "by-another-process")).await, "ok");
        assert_eq!(worker.ask(&Job::Read("k")).await, "by-another-process");
        if can.writer_create_only == Support::Yes {
            assert_eq!(worker.ask(&Job::StreamCreate("new", "text")).await, "ok");
        }
        if can.put_if_match == Support::Yes {
            worker.ask(&Job::Put("counter", "0")).await;
            assert_eq!(worker.ask(&Job::Count("counter", 3)).await, "3/0");
        }
    }
    assert_eq!(caught.load(Ordering::Relaxed), 0, "somebody asked at the place that the environment names");
    counting.abort();
}
