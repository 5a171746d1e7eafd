//! Calls that take too long end, with the right kind.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use storage_core::wrappers::{Timeout, TimeoutOptions};
use storage_core::{ErrorKind, GetOptions, ListOptions, Operation, PutOptions};
use tokio::time::Instant;

use crate::common::{Fault, Script};
use crate::{Backend, changes, key, put, reads, text};

const LIMIT: Duration = Duration::from_secs(7);

fn timed(inner: &Backend) -> Backend {
    let hour = Duration::from_secs(3600);
    Arc::new(Timeout::new(inner.clone(), TimeoutOptions::new().operation(LIMIT).piece(LIMIT).bulk(hour)))
}

#[tokio::test(start_paused = true)]
async fn a_change_out_of_time_is_of_unknown_outcome_and_its_call_is_dropped() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "old").await;
    let backend = timed(&inner);
    for operation in [Operation::Put, Operation::Copy, Operation::Rename, Operation::Sweep] {
        script.fault(operation, Fault::Hang);
    }
    script.faults(Operation::Delete, Fault::Hang, 3);
    for (name, change) in changes(&backend) {
        let started = Instant::now();
        assert_eq!(change.await.unwrap_err().kind(), ErrorKind::OutcomeUnknown, "{name}");
        let limit = if ["delete_prefix", "sweep"].contains(&name) { Duration::from_secs(3600) } else { LIMIT };
        assert_eq!(started.elapsed(), limit, "{name}");
        assert_eq!(script.running(), 0, "{name} was dropped");
    }
    let many = backend.delete_many(vec![key("a")]).await;
    assert_eq!(many.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(text(&inner, "a").await.unwrap(), "old");
}

#[tokio::test(start_paused = true)]
async fn a_read_out_of_time_is_a_time_out() {
    let script = Script::new();
    let inner = script.memory();
    put(&inner, "a", "old").await;
    let backend = timed(&inner);
    for (operation, read) in reads(&backend) {
        script.fault(operation, Fault::Hang);
        let started = Instant::now();
        let error = read.await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{operation}");
        assert_eq!((started.elapsed(), script.running()), (LIMIT, 0), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_and_pages_have_their_own_time() {
    let script = Script::new();
    script.pieces(2);
    let inner = script.memory();
    put(&inner, "a", "abcdefgh").await;
    script.takes(LIMIT - Duration::from_secs(1));
    let backend = timed(&inner);
    // Slow all along, but never too slow at once.
    assert_eq!(text(&backend, "a").await.unwrap(), "abcdefgh");

    let mut body = backend.get(&key("a"), GetOptions::new()).await.unwrap().body.into_stream();
    assert_eq!(body.try_next().await.unwrap().unwrap(), "ab");
    script.fault(Operation::Read, Fault::Hang);
    assert_eq!(body.try_next().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(body.next().await.is_none(), "the body has ended");

    let mut lister = backend.list(ListOptions::new()).await.unwrap();
    script.fault(Operation::List, Fault::Hang);
    assert_eq!(lister.next_page().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(lister.next_page().await.unwrap().unwrap().entries.len(), 1, "the same page can be asked for again");
}

#[tokio::test(start_paused = true)]
async fn a_writer_out_of_time_is_lost_and_shows_nothing() {
    let script = Script::new();
    let inner = script.memory();
    let backend = timed(&inner);
    script.fault(Operation::OpenWriter, Fault::Hang);
    let opened = backend.writer(&key("a"), PutOptions::new()).await;
    assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::Timeout);

    let mut writer = backend.writer(&key("a"), PutOptions::new()).await.unwrap();
    writer.write(Bytes::from_static(b"one")).await.unwrap();
    script.fault(Operation::Write, Fault::Hang);
    assert_eq!(writer.write(Bytes::from_static(b"two")).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(writer.write(Bytes::from_static(b"three")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(text(&inner, "a").await, None);

    let mut writer = backend.writer(&key("a"), PutOptions::new()).await.unwrap();
    writer.write(Bytes::from_static(b"one")).await.unwrap();
    script.fault(Operation::Finish, Fault::Hang);
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);

    let writer = backend.writer(&key("a"), PutOptions::new()).await.unwrap();
    script.fault(Operation::Abort, Fault::Hang);
    assert_eq!(writer.abort().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(text(&inner, "a").await, None);
}
