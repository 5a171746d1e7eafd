//! What an examination writes: under one name of its own, which goes with it, also when it is interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use storage::diagnosis::{Examination, Finding};
use storage::{DeleteOptions, Error, ErrorKind, ListOptions, Result, Storage, Support, SweepOptions};

use crate::failure::note;

/// The key of the only object that an examination writes itself.
pub(super) const OBJECT: &str = "object";

/// How long what is left by an interruption may take to go.
const FAREWELL: Duration = Duration::from_secs(10);

const CLEAN_UP: &str = "clean up";

/// A part of the place that is the examination's own.
pub(super) struct Scratch {
    parts: Parts,
    name: String,
    written: AtomicBool,
}

#[derive(Clone)]
struct Parts {
    storage: Storage,
    /// A sweep of the handle reaches nothing beside the scratch.
    whole: bool,
}

impl Scratch {
    /// A name that nobody else has.
    pub(super) fn name() -> String {
        // The keys of the hasher are random.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
        format!("storage-doctor-{random:016x}/")
    }

    /// A backend that is nothing but the scratch.
    pub(super) fn whole(storage: Storage, name: String) -> Self {
        Self { parts: Parts { storage, whole: true }, name, written: AtomicBool::new(false) }
    }

    /// A part of the place's own handle.
    pub(super) fn part(storage: Storage, name: String) -> Self {
        Self { parts: Parts { storage, whole: false }, name, written: AtomicBool::new(false) }
    }

    /// The handle, to write with: from now on something may be there.
    pub(super) fn to_write(&self) -> &Storage {
        self.written.store(true, Ordering::Relaxed);
        &self.parts.storage
    }

    /// Removes all of it, and tells whether that was done.
    pub(super) async fn end(self, exam: &mut Examination<'_>) {
        let cleared = async {
            let cleared = self.parts.clear().await;
            // What stays is told here.
            self.written.store(false, Ordering::Relaxed);
            match cleared.left {
                None => Ok(cleared.unseen),
                Some(error) => {
                    let message = format!("{} could not be removed: {}", self.name, error.message());
                    Err(error.with_message(message))
                }
            }
        };
        let Some(unseen) = exam.run(CLEAN_UP, FAREWELL, cleared).await else { return };
        exam.add(match unseen {
            None => Finding::good(CLEAN_UP, format!("nothing of {} is left", self.name)),
            Some(error) => {
                let fix = error.help().unwrap_or("look for it as a user who may see all").to_owned();
                Finding::note(CLEAN_UP, self.unseen(&error), fix)
            }
        });
    }

    fn unseen(&self, error: &Error) -> String {
        let (name, kind, message) = (&self.name, error.kind(), error.message());
        format!("what is known of {name} is removed; it cannot be seen whether there is more: {kind}: {message}")
    }
}

/// How far everything was removed.
#[derive(Default)]
struct Cleared {
    /// Why something is left.
    left: Option<Error>,
    /// Why it cannot be seen whether something is.
    unseen: Option<Error>,
}

impl Cleared {
    fn is_left(&mut self, step: Result<()>) {
        if let Err(error) = step {
            self.left.get_or_insert(error);
        }
    }

    fn is_unseen(&mut self, step: Result<()>) {
        match step {
            Err(error) if error.kind() != ErrorKind::Unsupported => {
                self.unseen.get_or_insert(error);
            }
            _ => {}
        }
    }
}

impl Parts {
    /// All that can be removed, whatever of it cannot. What is known by its key needs no right to list.
    async fn clear(&self) -> Cleared {
        let mut cleared = Cleared::default();
        cleared.is_left(self.storage.delete(OBJECT).await);
        cleared.is_unseen(self.storage.delete_all().await.map(drop));
        if self.whole {
            // What an interrupted probe began, and what a bucket with versions keeps.
            let swept = self.storage.sweep(SweepOptions::older_than(Duration::ZERO)).await;
            cleared.is_unseen(swept.map(drop));
            match self.storage.capabilities().versions {
                Support::No => {}
                Support::Yes => cleared.is_left(self.forget_versions().await),
                Support::Unprobed => match self.forget_versions().await {
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => cleared.is_unseen(Err(error)),
                    // A service that knows of no versions refuses it in a way of its own.
                    _ => {}
                },
            }
        }
        cleared
    }

    async fn forget_versions(&self) -> Result<()> {
        let (mut pages, mut forgotten) = (self.storage.versions(ListOptions::new()).await?, Ok(()));
        while let Some(page) = pages.next_page().await? {
            for version in page.versions {
                let deleted = self.storage.delete_with(version.key, DeleteOptions::new().version(version.id)).await;
                forgotten = forgotten.and(deleted);
            }
        }
        forgotten
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.written.load(Ordering::Relaxed) {
            return;
        }
        let parts = self.parts.clone();
        // On a thread of its own, since this one may be a runtime's.
        let cleared = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Ok::<_, storage::Error>(tokio::time::timeout(FAREWELL, parts.clear()).await) })
        });
        match cleared.join() {
            Ok(Ok(Ok(Cleared { left: None, unseen: None }))) => {}
            Ok(Ok(Ok(Cleared { left: None, unseen: Some(error) }))) => note(&self.unseen(&error), false),
            _ => note(&format!("{} could not be removed; storage rm -r does it", self.name), false),
        }
    }
}
