//! All of them together.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage_core::wrappers::{
    Answer, Call, Chaos, ChaosOptions, ConcurrencyLimit, ConcurrencyLimitOptions, Intercepted, Metrics, Policy, Retry,
    RetryOptions, Throttle, ThrottleOptions, Timeout, TimeoutOptions, Tries,
};
use storage_core::{Error, ErrorKind, ListOptions, Operation, PutOptions, Result, Storage};
use storage_memory::Memory;

use crate::common::Script;
use crate::{Backend, limit::limited, put};

#[tokio::test(start_paused = true)]
async fn a_stack_hides_what_passes_and_changes_nothing_twice() {
    for seed in 0..30 {
        let memory: Backend = Arc::new(Memory::new());
        let chaos = ChaosOptions::new(seed).fail_before(0.2).cut_body(0.3).delay(0.2, Duration::from_secs(5));
        let chaos = Chaos::new(memory, chaos);
        let timed = Timeout::new(Arc::new(chaos), TimeoutOptions::new());
        let throttled = Throttle::new(Arc::new(timed), ThrottleOptions::new().requests(100).bytes(1_000_000));
        let limited = ConcurrencyLimit::new(Arc::new(throttled), ConcurrencyLimitOptions::new().calls(2));
        let budget = Duration::from_secs(3600);
        let retried = Retry::new(Arc::new(limited), RetryOptions::new().attempts(20).budget(budget).seed(seed));
        let storage = Storage::new(Metrics::new(Arc::new(retried)));
        for i in 0..20 {
            let options = PutOptions::new().create_only();
            storage.put_with(format!("k/{i:02}"), format!("value {i}"), options).await.unwrap();
        }
        let mut names = Vec::new();
        let mut pages = storage.pages(ListOptions::new().page_size(3)).await.unwrap();
        while let Some(page) = pages.next_page().await.unwrap() {
            names.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
        }
        assert!(pages.report().complete, "seed {seed}");
        assert_eq!(names, (0..20).map(|i| format!("k/{i:02}")).collect::<Vec<_>>(), "seed {seed}");
        for i in 0..20 {
            assert_eq!(storage.text(format!("k/{i:02}")).await.unwrap(), format!("value {i}"), "seed {seed}");
        }
    }
}

#[tokio::test]
async fn name_location_and_capabilities_pass_through() {
    let inner: Backend = Arc::new(storage_memory::Stores::new().open("shop", true));
    let wrapped: [Backend; 6] = [
        Arc::new(Timeout::new(inner.clone(), TimeoutOptions::new())),
        Arc::new(Retry::new(inner.clone(), RetryOptions::new())),
        limited(&inner, 1),
        Arc::new(Throttle::new(inner.clone(), ThrottleOptions::new())),
        Arc::new(Metrics::new(inner.clone())),
        Arc::new(Chaos::new(inner.clone(), ChaosOptions::new(0))),
    ];
    for backend in wrapped {
        assert_eq!(backend.name(), "memory", "{backend:?}");
        assert_eq!(backend.location(), inner.location(), "{backend:?}");
        assert_eq!(backend.capabilities(), inner.capabilities(), "{backend:?}");
    }
}

/// A wrapper of a host's own: it loses every second answer and asks again.
#[derive(Debug, Default)]
struct Stubborn {
    calls: AtomicUsize,
}

impl Policy for Stubborn {
    async fn call<T: Answer>(&self, _: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let answer = attempt.await?;
        match self.calls.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Err(Error::new(ErrorKind::Unavailable, "lost")),
            _ => Ok(answer),
        }
    }

    fn pause(&self, _: &Call<'_>, tries: &Tries, _: &Error) -> Option<Duration> {
        (tries.failed < 3).then_some(Duration::ZERO)
    }
}

#[tokio::test]
async fn what_a_policy_loses_and_asks_for_again_is_there_still() {
    let script = Script::new();
    script.pieces(3);
    let inner = script.memory();
    for name in ["a", "b", "c", "d"] {
        put(&inner, name, "0123456789").await;
    }
    let storage = Storage::new(Intercepted::around(inner, Stubborn::default()));
    assert_eq!(storage.text("a").await.unwrap(), "0123456789");
    assert_eq!(script.calls(Operation::Get), 2, "the body was not opened again");
    let mut pages = storage.pages(ListOptions::new().page_size(1)).await.unwrap();
    let mut names = String::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        names.extend(page.entries.iter().map(|entry| entry.as_str()));
    }
    assert_eq!(names, "abcd");
}
