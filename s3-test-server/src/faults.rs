//! Failures on demand, at the level of HTTP: around the operations, which know nothing of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultAction {
    /// It is read, and answered with this status and error code; nothing is done.
    Status {
        /// The HTTP status.
        status: u16,
        /// The S3 error code (`"SlowDown"`).
        code: String,
        /// The value of `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// The connection is reset (TCP RST) before the body is read; nothing is done.
    Reset,
    /// It is done, and the connection is reset without an answer: a lost response.
    ResetAfterRequest,
    /// It is read to its end, and the connection is reset; nothing is done.
    LoseResponseBeforeProcessing,
    /// It is done and answered, but the connection is closed after this many bytes of the answer's body.
    CutBody(u64),
    /// It waits this long before anything is done.
    Delay(Duration),
    /// It is done and answered, but `ETag` (the header, or the element of a document) is another's.
    WrongETag,
    /// It is answered with 200 and an `InternalError` document, as S3 does when a long copy, completion or bulk
    /// deletion fails after the status went out; nothing is done.
    ErrorInside200,
    /// It is done and answered, but the document ends after this many bytes, and `Content-Length` agrees.
    TruncatedXml(usize),
    /// It is never answered, and nothing is done.
    Hang,
    /// A range is ignored: 200, with all of the object.
    IgnoreRange,
    /// It is done and answered, but the first byte of the answer's body is another one.
    FlipByte,
    /// A listing shows the bucket as it was before its last write or deletion.
    StaleList,
    /// It is done and answered, and then the connection is closed, without `Connection: close` having said so.
    DropIdleConnections,
}

/// An action, and the requests that it befalls: all of them, unless narrowed down.
#[derive(Debug, Clone)]
pub struct Fault {
    action: FaultAction,
    operation: Option<String>,
    key: Option<String>,
    first: u64,
    times: u64,
    every: u64,
    chance: Option<(f64, u64)>,
}

impl Fault {
    /// This action, for every request.
    pub fn new(action: FaultAction) -> Self {
        Self { action, operation: None, key: None, first: 1, times: u64::MAX, every: 1, chance: None }
    }

    /// An answer with this status and error code.
    pub fn status(status: u16, code: impl Into<String>) -> Self {
        Self::new(FaultAction::Status { status, code: code.into(), retry_after: None })
    }

    /// Only for this operation, by its API name (`"PutObject"`).
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Only where the key contains this.
    pub fn key_contains(mut self, part: impl Into<String>) -> Self {
        self.key = Some(part.into());
        self
    }

    /// Only from the `n`th request on of those that match otherwise, counted from 1 at the time of injection.
    pub fn nth(mut self, n: u64) -> Self {
        self.first = n;
        self
    }

    /// This many times only.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Only every `n`th request, the first of them being the one of [`nth`](Self::nth).
    pub fn every(mut self, n: u64) -> Self {
        self.every = n.max(1);
        self
    }

    /// Only with this probability, drawn from a generator with this seed.
    pub fn probability(mut self, chance: f64, seed: u64) -> Self {
        self.chance = Some((chance, seed));
        self
    }
}

/// Says how often a fault struck, and takes it away.
#[derive(Debug, Clone)]
pub struct FaultHandle {
    injected: Arc<Injected>,
    all: Arc<Faults>,
}

impl FaultHandle {
    /// How many requests it befell.
    pub fn hits(&self) -> u64 {
        self.injected.hits.load(Ordering::SeqCst)
    }

    /// Takes the fault away; other faults stay.
    pub fn remove(&self) {
        self.all.lock().retain(|injected| !Arc::ptr_eq(injected, &self.injected));
    }
}

#[derive(Debug)]
struct Injected {
    fault: Fault,
    seen: AtomicU64,
    hits: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

impl Injected {
    /// Counts the request, and says whether it is befallen.
    fn strikes(&self, operation: &str, key: Option<&str>) -> bool {
        let fault = &self.fault;
        let other = fault.operation.as_deref().is_some_and(|wanted| wanted != operation)
            || fault.key.as_deref().is_some_and(|part| !key.is_some_and(|key| key.contains(part)));
        if other {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let due = seen >= fault.first && (seen - fault.first).is_multiple_of(fault.every);
        let lucky = || match fault.chance {
            Some((chance, _)) => self.random.lock().unwrap_or_else(PoisonError::into_inner).f64() < chance,
            None => true,
        };
        let more = |hits: u64| (hits < fault.times).then_some(hits + 1);
        due && lucky() && self.hits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }
}

/// All faults of a server, in the order in which they were injected.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Arc<Injected>>>);

impl Faults {
    pub(crate) fn inject(self: &Arc<Self>, fault: Fault) -> FaultHandle {
        let random = fastrand::Rng::with_seed(fault.chance.map_or(0, |(_, seed)| seed));
        let (seen, hits) = (AtomicU64::new(0), AtomicU64::new(0));
        let injected = Arc::new(Injected { fault, seen, hits, random: Mutex::new(random) });
        self.lock().push(Arc::clone(&injected));
        FaultHandle { injected, all: Arc::clone(self) }
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// What befalls this request.
    pub(crate) fn of(&self, operation: &str, key: Option<&str>) -> Vec<FaultAction> {
        let faults = self.lock();
        let striking = faults.iter().filter(|injected| injected.strikes(operation, key));
        striking.map(|injected| injected.fault.action.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Injected>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(fault: Fault) -> Vec<usize> {
        let faults = Arc::new(Faults::default());
        let handle = faults.inject(fault);
        let struck: Vec<_> = (1..=10).filter(|_| !faults.of("PutObject", Some("a/b")).is_empty()).collect();
        assert_eq!(handle.hits(), struck.len() as u64);
        struck
    }

    #[test]
    fn a_fault_strikes_the_requests_that_it_was_made_for() {
        let fault = || Fault::new(FaultAction::Reset);
        assert_eq!(struck(fault()).len(), 10);
        assert_eq!(struck(fault().on("PutObject").key_contains("/b").nth(3).times(2)), [3, 4]);
        assert_eq!(struck(fault().every(4)), [1, 5, 9]);
        assert_eq!(struck(fault().nth(2).every(4).times(2)), [2, 6]);
        assert!(struck(fault().on("GetObject")).is_empty());
        assert!(struck(fault().key_contains("c")).is_empty());
        assert_eq!(struck(fault().probability(0.5, 7)), struck(fault().probability(0.5, 7)));
        assert!(struck(fault().probability(0.0, 7)).is_empty());
    }
}
