//! What an examination writes: under one name of its own, which goes with it, also when it is interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use storage::diagnosis::Examination;
use storage::{DeleteOptions, ListOptions, Result, Storage, SweepOptions};

use crate::failure::note;

/// The key of the only object that an examination writes itself.
pub(super) const OBJECT: &str = "object";

/// How long what is left by an interruption may take to go.
const FAREWELL: Duration = Duration::from_secs(10);

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
            match cleared {
                Ok(()) => Ok(format!("nothing of {} is left", self.name)),
                Err(error) => {
                    let message = format!("{} could not be removed: {}", self.name, error.message());
                    Err(error.with_message(message))
                }
            }
        };
        exam.check("clean up", cleared).await;
    }
}

impl Parts {
    /// What is known by its key needs no right to list.
    async fn clear(&self) -> Result<()> {
        self.storage.delete(OBJECT).await?;
        let listed = self.storage.delete_all().await.is_ok();
        if self.whole {
            // As far as the caller may: what an interrupted probe began, and what a bucket with versions keeps.
            let _ = self.storage.sweep(SweepOptions::older_than(Duration::ZERO)).await;
            if listed {
                let _ = self.forget_versions().await;
            }
        }
        Ok(())
    }

    async fn forget_versions(&self) -> Result<()> {
        let mut pages = self.storage.versions(ListOptions::new()).await?;
        while let Some(page) = pages.next_page().await? {
            for version in page.versions {
                self.storage.delete_with(version.key, DeleteOptions::new().version(version.id)).await?;
            }
        }
        Ok(())
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
        if !matches!(cleared.join(), Ok(Ok(Ok(Ok(()))))) {
            note(&format!("{} could not be removed; storage rm -r does it", self.name), false);
        }
    }
}
