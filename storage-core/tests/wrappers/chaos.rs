//! Failures on purpose, the same for a seed.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use storage_core::wrappers::{Chaos, ChaosOptions};
use storage_core::{ErrorKind, GetOptions, HeadOptions, PutOptions, StorageBackend};
use storage_memory::Memory;

use crate::{Backend, key, put, text};

async fn errors_of(seed: u64) -> Vec<Option<ErrorKind>> {
    let options = ChaosOptions::new(seed).fail_before(0.3).lose_answer(0.3).delay(0.3, Duration::from_secs(1));
    let backend = Chaos::new(Arc::new(Memory::new()), options);
    let mut errors = Vec::new();
    for _ in 0..40 {
        errors.push(backend.put(&key("a"), "x".into(), PutOptions::new()).await.err().map(|error| error.kind()));
        errors.push(backend.head(&key("a"), HeadOptions::new()).await.err().map(|error| error.kind()));
    }
    errors
}

#[tokio::test(start_paused = true)]
async fn chaos_is_the_same_for_a_seed() {
    let first = errors_of(7).await;
    assert_eq!(first, errors_of(7).await);
    assert_ne!(first, errors_of(8).await);
    for outcome in [None, Some(ErrorKind::Unavailable), Some(ErrorKind::OutcomeUnknown)] {
        assert!(first.contains(&outcome), "{outcome:?} never came");
    }
}

#[tokio::test]
async fn chaos_before_a_call_sends_nothing_and_after_it_loses_the_answer() {
    let memory: Backend = Arc::new(Memory::new());
    let before = Chaos::new(memory.clone(), ChaosOptions::new(0).fail_before(1.0));
    let error = before.put(&key("a"), "x".into(), PutOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unavailable, true));
    assert_eq!(text(&memory, "a").await, None);

    let after = Chaos::new(memory.clone(), ChaosOptions::new(0).lose_answer(1.0));
    let error = after.put(&key("a"), "x".into(), PutOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::OutcomeUnknown, false));
    assert_eq!(text(&memory, "a").await.unwrap(), "x");
    let error = after.head(&key("a"), HeadOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Unavailable, false));
}

#[tokio::test]
async fn chaos_cuts_bodies_in_the_middle() {
    let memory: Backend = Arc::new(Memory::new());
    put(&memory, "a", "0123456789").await;
    let backend = Chaos::new(memory, ChaosOptions::new(3).cut_body(1.0));
    let mut lengths = Vec::new();
    for _ in 0..30 {
        let mut body = backend.get(&key("a"), GetOptions::new()).await.unwrap().body.into_stream();
        let mut read = Vec::new();
        let error = loop {
            match body.try_next().await {
                Ok(Some(piece)) => read.extend_from_slice(&piece),
                Ok(None) => panic!("the body ended as if it were whole"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(b"0123456789".starts_with(&read) && read.len() < 10, "{read:?}");
        lengths.push(read.len());
    }
    lengths.sort();
    lengths.dedup();
    assert!(lengths.len() > 5, "at many places: {lengths:?}");
}
