//! What others tell a watch.

use std::sync::Arc;

use storage_core::{Change, ChangeSender, Error, IntoKey, Key, Prefix, Result};

use super::level::Level;
use super::s3_event::S3Event;

/// Tells a watch what it should look at. Cloning is cheap; telling never waits, and asks nothing of the storage.
///
/// What is told waits in the watch's memory. A watch with a state finds by its first listing what was lost in a crash, so a
/// message may be deleted from its queue once it was told.
#[derive(Debug, Clone)]
pub struct WatchSender {
    work: Arc<ChangeSender>,
    prefix: Prefix,
    /// The bucket, and what stands before the keys of the storage there.
    container: Option<(String, String)>,
}

/// What became of the records of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notified {
    /// So many will be looked at.
    pub taken: u64,
    /// So many speak of another bucket, or of what is not under the watch's prefix.
    pub elsewhere: u64,
    /// So many speak of a name that is no key: a directory marker, `a//b`.
    pub no_keys: u64,
}

impl WatchSender {
    pub(super) fn new(work: ChangeSender, level: &Level) -> Self {
        Self { work: Arc::new(work), prefix: level.prefix.clone(), container: level.container() }
    }

    /// Takes a message of S3 event notifications, in any form that [`S3Event::parse`] knows. What it says is no more than
    /// where to look: messages may come twice, late, and in any order. A message that is none is `InvalidInput`, and nothing
    /// of it is taken; `Unsupported` where the storage is in no bucket.
    pub fn notify(&self, message: impl AsRef<[u8]>) -> Result<Notified> {
        let Some((bucket, root)) = &self.container else {
            return Err(Error::unsupported("the storage of this watch is in no bucket, so no message can speak of it"));
        };
        let mut notified = Notified::default();
        for event in S3Event::parse(message)? {
            let below = event.key.strip_prefix(root.as_str()).filter(|_| event.bucket == *bucket);
            let counted = match below.filter(|key| self.prefix.matches(key)).map(Key::new) {
                Some(Ok(key)) => {
                    self.tell(Change::Changed(key));
                    &mut notified.taken
                }
                Some(Err(_)) => &mut notified.no_keys,
                None => &mut notified.elsewhere,
            };
            *counted += 1;
        }
        Ok(notified)
    }

    /// Has the watch look at a key.
    pub fn look(&self, key: impl IntoKey) -> Result<()> {
        self.tell(Change::Changed(key.into_key()?));
        Ok(())
    }

    /// Has the watch list everything, and tell what differs from what was acknowledged. What was told and dropped without
    /// being acknowledged is told again.
    pub fn scan(&self) {
        self.tell(Change::ListAgain(self.prefix.clone()));
    }

    pub(super) fn tell(&self, change: Change) {
        self.work.tell(change);
    }
}
