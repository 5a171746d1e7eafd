//! A memory store that records every call and fails where a test says so.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use storage_core::wrappers::{Answer, Call, Intercepted, Policy};
use storage_core::{Body, Error, ErrorKind, GetResult, Operation, Result, StorageBackend};
use storage_memory::Memory;

/// What befalls one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It fails and was not sent.
    Unsent(ErrorKind),
    /// It fails after it may have been sent; nothing was done.
    Refused(ErrorKind),
    /// It is done, and its answer is lost.
    Lost(ErrorKind),
    /// It never answers.
    Hang,
}

/// Calls and what they carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) calls: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

#[derive(Debug, Default)]
struct State {
    counts: HashMap<Operation, Count>,
    faults: HashMap<Operation, VecDeque<Fault>>,
    running: usize,
    most_running: usize,
    takes: Duration,
    piece: usize,
}

/// The record, which is also the script.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A memory store behind this script.
    pub(crate) fn memory(&self) -> Arc<dyn StorageBackend> {
        self.around(Arc::new(Memory::new()))
    }

    /// A backend behind this script.
    pub(crate) fn around(&self, inner: Arc<dyn StorageBackend>) -> Arc<dyn StorageBackend> {
        Arc::new(Intercepted::around(inner, self.clone()))
    }

    /// The next call of an operation that has no fault yet gets this one.
    pub(crate) fn fault(&self, operation: Operation, fault: Fault) {
        self.0.lock().unwrap().faults.entry(operation).or_default().push_back(fault);
    }

    pub(crate) fn faults(&self, operation: Operation, fault: Fault, times: usize) {
        (0..times).for_each(|_| self.fault(operation, fault));
    }

    /// Every call takes so long.
    pub(crate) fn takes(&self, time: Duration) {
        self.0.lock().unwrap().takes = time;
    }

    /// Bodies come as streams with pieces of so many bytes.
    pub(crate) fn pieces(&self, bytes: usize) {
        self.0.lock().unwrap().piece = bytes;
    }

    pub(crate) fn count(&self, operation: Operation) -> Count {
        self.0.lock().unwrap().counts.get(&operation).copied().unwrap_or_default()
    }

    pub(crate) fn calls(&self, operation: Operation) -> u64 {
        self.count(operation).calls
    }

    /// All calls but pieces of bodies.
    pub(crate) fn requests(&self) -> u64 {
        let state = self.0.lock().unwrap();
        state.counts.iter().filter(|(operation, _)| **operation != Operation::Read).map(|(_, count)| count.calls).sum()
    }

    pub(crate) fn reset(&self) {
        let mut state = self.0.lock().unwrap();
        state.counts.clear();
        state.most_running = 0;
    }

    pub(crate) fn running(&self) -> usize {
        self.0.lock().unwrap().running
    }

    pub(crate) fn most_running(&self) -> usize {
        self.0.lock().unwrap().most_running
    }

    fn begin(&self, call: &Call<'_>) -> (Running, Option<Fault>, Duration) {
        let mut state = self.0.lock().unwrap();
        let count = state.counts.entry(call.operation).or_default();
        count.calls += 1;
        count.bytes_in += call.bytes;
        state.running += 1;
        state.most_running = state.most_running.max(state.running);
        let fault = state.faults.get_mut(&call.operation).and_then(VecDeque::pop_front);
        (Running(self.clone()), fault, state.takes)
    }
}

/// A call under way; also one that is dropped comes to its end here.
struct Running(Script);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().running -= 1;
    }
}

impl Policy for Script {
    async fn call<T: Answer>(&self, call: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let (_running, fault, takes) = self.begin(call);
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        match fault {
            Some(Fault::Unsent(kind)) => return Err(Error::new(kind, "scripted: not sent").unsent()),
            Some(Fault::Refused(kind)) => return Err(Error::new(kind, "scripted: refused")),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Lost(_)) | None => {}
        }
        let answer = attempt.await?;
        if let Some(Fault::Lost(kind)) = fault {
            return Err(Error::new(kind, "scripted: the answer was lost"));
        }
        let mut state = self.0.lock().unwrap();
        state.counts.entry(call.operation).or_default().bytes_out += answer.bytes();
        Ok(answer)
    }

    fn opened(&self, mut result: GetResult) -> GetResult {
        let piece = self.0.lock().unwrap().piece;
        if let Body::Bytes(bytes) = &result.body
            && piece > 0
        {
            let bytes = bytes.clone();
            let pieces = (0..bytes.len()).step_by(piece).map(move |at| {
                let end = (at + piece).min(bytes.len());
                Ok(bytes.slice(at..end))
            });
            result.body = Body::Stream(stream::iter(pieces).boxed());
        }
        result
    }
}
