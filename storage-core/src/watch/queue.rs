//! The queue between a driver that tells changes and whoever reads them: bounded, one change a key.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Change, ChangeFeed, WatchOptions};
use crate::error::{Error, Result};
use crate::key::{Key, Prefix};

/// For drivers: the two ends of a watch of a prefix.
///
/// The sender may be told anything: what is not under the prefix goes no further. A change of a key that waits already
/// takes the other's place. When more keys wait than the options allow, all give way to a [`Change::ListAgain`], and what
/// that covers is not told until it has been read: the reader lists after that.
pub fn change_queue(prefix: Prefix, options: &WatchOptions) -> (ChangeSender, ChangeReceiver) {
    let capacity = options.capacity.max(1);
    let shared = Arc::new(Shared { prefix, capacity, waiting: Mutex::default(), told: Notify::new() });
    (ChangeSender(Arc::clone(&shared)), ChangeReceiver(shared))
}

struct Shared {
    prefix: Prefix,
    capacity: usize,
    waiting: Mutex<Waiting>,
    told: Notify,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Waiting {
    /// What is to be listed again; none of these begins with another one.
    again: BTreeSet<Prefix>,
    /// Keys in the order in which they were told first.
    keys: VecDeque<Key>,
    /// What is told of each key: that it was removed, or else that it was changed.
    removed: HashMap<Key, bool>,
    ended: bool,
    failure: Option<Error>,
    unread: bool,
}

impl Waiting {
    /// Whether something that will be listed again begins the text.
    fn is_covered(&self, text: &str) -> bool {
        // As none begins with another, only the last one that is not above the text can begin it.
        let up_to = (Bound::Unbounded, Bound::Included(text));
        self.again.range::<str, _>(up_to).next_back().is_some_and(|prefix| prefix.matches(text))
    }

    fn key(&mut self, key: Key, removed: bool) {
        if !self.is_covered(key.as_str()) && self.removed.insert(key.clone(), removed).is_none() {
            self.keys.push_back(key);
        }
    }

    fn list_again(&mut self, prefix: Prefix) {
        if self.is_covered(prefix.as_str()) {
            return;
        }
        self.again.retain(|narrower| !prefix.matches(narrower.as_str()));
        self.keys.retain(|key| !prefix.matches(key.as_str()));
        self.removed.retain(|key, _| !prefix.matches(key.as_str()));
        self.again.insert(prefix);
    }

    fn len(&self) -> usize {
        self.again.len() + self.keys.len()
    }

    fn take(&mut self) -> Option<Change> {
        if let Some(prefix) = self.again.pop_first() {
            return Some(Change::ListAgain(prefix));
        }
        let key = self.keys.pop_front()?;
        match self.removed.remove(&key) {
            Some(true) => Some(Change::Removed(key)),
            _ => Some(Change::Changed(key)),
        }
    }
}

/// The driver's end of a watch: never waits, never fails. Dropping it ends the watch.
pub struct ChangeSender(Arc<Shared>);

impl ChangeSender {
    /// Tells a change. False once nobody reads any more.
    pub fn tell(&self, change: Change) -> bool {
        let mut waiting = self.0.waiting();
        if waiting.unread {
            return false;
        }
        let watched = &self.0.prefix;
        match change {
            Change::Changed(key) if watched.matches(key.as_str()) => waiting.key(key, false),
            Change::Removed(key) if watched.matches(key.as_str()) => waiting.key(key, true),
            Change::ListAgain(prefix) if watched.matches(prefix.as_str()) => waiting.list_again(prefix),
            Change::ListAgain(wider) if wider.matches(watched.as_str()) => waiting.list_again(watched.clone()),
            _ => return true,
        }
        if waiting.len() > self.0.capacity {
            waiting.list_again(watched.clone());
        }
        drop(waiting);
        self.0.told.notify_one();
        true
    }

    /// Ends the watch with an error, which comes after what waits.
    pub fn fail(self, error: Error) {
        self.0.waiting().failure = Some(error);
    }

    /// Whether nobody reads any more.
    pub fn is_unread(&self) -> bool {
        self.0.waiting().unread
    }
}

impl Drop for ChangeSender {
    fn drop(&mut self) {
        self.0.waiting().ended = true;
        self.0.told.notify_one();
    }
}

impl fmt::Debug for ChangeSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeSender").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// The reader's end of a watch.
pub struct ChangeReceiver(Arc<Shared>);

#[async_trait]
impl ChangeFeed for ChangeReceiver {
    async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            {
                let mut waiting = self.0.waiting();
                if let Some(change) = waiting.take() {
                    return Ok(Some(change));
                }
                if let Some(error) = waiting.failure.take() {
                    return Err(error);
                }
                if waiting.ended {
                    return Ok(None);
                }
            }
            self.0.told.notified().await;
        }
    }
}

impl Drop for ChangeReceiver {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        *waiting = Waiting { unread: true, ..Waiting::default() };
    }
}

impl fmt::Debug for ChangeReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeReceiver").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}
