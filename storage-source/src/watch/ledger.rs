//! What is known of each object, and what was told and is not acknowledged yet.

use std::collections::HashMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_core::Key;

use super::state::{Objects, WatchState};

/// What a watch knows, shared by the watch, its events, and whoever saves the state.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Mutex<Books>>);

struct Books {
    place: Option<String>,
    objects: Objects,
    /// The newest thing told of a path, until it is acknowledged or given up.
    open: HashMap<Key, Told>,
    next: u64,
    acknowledged: u64,
    /// Without it nothing is known of any object.
    remembers: bool,
}

struct Told {
    number: u64,
    fingerprint: Option<Arc<str>>,
}

/// The right to acknowledge one event.
pub(super) struct Receipt {
    ledger: Ledger,
    path: Key,
    number: u64,
    /// None says that the object is gone.
    fingerprint: Option<Arc<str>>,
}

impl Ledger {
    /// Begins with a state; without one nothing will ever be known.
    pub(super) fn new(state: Option<WatchState>) -> Self {
        let remembers = state.is_some();
        let WatchState { place, objects } = state.unwrap_or_default();
        Self(Arc::new(Mutex::new(Books { place, objects, open: HashMap::new(), next: 0, acknowledged: 0, remembers })))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remembers(&self) -> bool {
        self.books().remembers
    }

    pub(super) fn state(&self) -> WatchState {
        let books = self.books();
        WatchState { place: books.place.clone(), objects: books.objects.clone() }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.books().acknowledged
    }

    /// Whether something is known of a path.
    pub(super) fn knows(&self, path: &Key) -> bool {
        self.books().objects.contains_key(path)
    }

    /// The known paths after `after`, or from `within` on, up to `before`, of those that begin with `within`.
    pub(super) fn between(&self, within: &str, after: Option<&Key>, before: Option<&Key>) -> Vec<Key> {
        if after.zip(before).is_some_and(|(after, before)| after >= before) {
            return Vec::new();
        }
        let books = self.books();
        let start = after.map_or(Bound::Included(within), |after| Bound::Excluded(after.as_str()));
        let end = before.map_or(Bound::Unbounded, |before| Bound::Excluded(before.as_str()));
        let known = books.objects.range::<str, _>((start, end)).map(|(path, _)| path);
        known.take_while(|path| path.as_str().starts_with(within)).cloned().collect()
    }

    /// Notes that a fingerprint, or that the object is gone, is told of a path; `None` where the host knows that already,
    /// or works on it now.
    pub(super) fn tell(&self, path: &Key, fingerprint: Option<&str>) -> Option<Receipt> {
        let mut books = self.books();
        let is_news = !books.remembers
            || match (books.open.get(path), books.objects.get(path)) {
                (Some(told), _) => told.fingerprint.as_deref() != fingerprint,
                (None, Some(known)) => fingerprint.is_none() || known.as_deref() != fingerprint,
                (None, None) => fingerprint.is_some(),
            };
        if !is_news {
            return None;
        }
        books.next += 1;
        let (number, fingerprint) = (books.next, fingerprint.map(Arc::from));
        if books.remembers {
            // Whatever comes of it: after a restart it is told what there is then.
            books.objects.insert(path.clone(), None);
            books.open.insert(path.clone(), Told { number, fingerprint: fingerprint.clone() });
        }
        Some(Receipt { ledger: self.clone(), path: path.clone(), number, fingerprint })
    }
}

impl Books {
    /// Ends what is open of a path; false where something newer was told of it.
    fn close(&mut self, path: &Key, number: u64) -> bool {
        let is_newest = self.open.get(path).is_some_and(|told| told.number == number);
        is_newest && self.open.remove(path).is_some()
    }
}

impl Receipt {
    pub(super) fn acknowledge(self) {
        let mut books = self.ledger.books();
        books.acknowledged += 1;
        if !books.close(&self.path, self.number) {
            return;
        }
        match &self.fingerprint {
            Some(fingerprint) => books.objects.insert(self.path.clone(), Some(Arc::clone(fingerprint))),
            None => books.objects.remove(&self.path),
        };
    }
}

impl Drop for Receipt {
    /// What was not acknowledged will be told again by the next scan that meets it.
    fn drop(&mut self) {
        self.ledger.books().close(&self.path, self.number);
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let books = self.books();
        f.debug_struct("Ledger").field("objects", &books.objects.len()).field("open", &books.open.len()).finish()
    }
}

/// What a host has acknowledged, as a handle that can be kept beside the watch, and outlives it.
#[derive(Debug, Clone)]
pub struct WatchProgress(Ledger);

impl WatchProgress {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self(ledger)
    }

    /// The state as it is now, in a copy. What was told and is not acknowledged is in it without a fingerprint.
    pub fn state(&self) -> WatchState {
        self.0.state()
    }

    /// How many events were acknowledged since the watch began.
    pub fn acknowledged(&self) -> u64 {
        self.0.acknowledged()
    }
}
