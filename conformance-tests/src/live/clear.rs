//! Removing what the suite has made: all that can be removed goes, whatever of it cannot.

use std::path::Path;

use futures::stream::{self, StreamExt as _};
use storage_core::{
    DeleteOptions, Error, ErrorKind, ListOptions, ObjectVersion, Result, Storage, Support, SweepOptions,
};

/// How many requests are made at once.
pub(super) const AT_ONCE: usize = 8;

/// What was removed, and what was not.
#[derive(Debug, Default)]
pub(super) struct Cleared {
    /// The first failure; everything else was tried all the same.
    failed: Option<Error>,
    /// Old versions may be there, which this user may not look for.
    unseen: bool,
}

impl Cleared {
    /// Nothing could be done.
    pub(super) fn failed(error: Error) -> Self {
        let mut cleared = Self::default();
        cleared.tried(Err(error));
        cleared
    }

    /// Adds how one step ended; what is not there needs no removing.
    pub(super) fn tried(&mut self, step: Result<()>) {
        if let Err(error) = step
            && error.kind() != ErrorKind::BackendNotFound
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Adds how another part ended.
    pub(super) fn and(&mut self, other: Self) {
        self.unseen |= other.unseen;
        self.tried(other.failed.map_or(Ok(()), Err));
    }

    pub(super) fn error(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// Whether there may be something that nobody could look for.
    pub(super) fn is_unseen(&self) -> bool {
        self.unseen
    }
}

/// Removes all objects and versions of a root, and what interrupted writes left in it.
pub(super) async fn empty(root: &Storage) -> Cleared {
    let mut cleared = Cleared::default();
    cleared.tried(root.delete_all().await.map(drop));
    match root.sweep(SweepOptions::default()).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        swept => cleared.tried(swept.map(drop)),
    }
    match root.capabilities().versions {
        Support::No => {}
        Support::Yes => remove_versions(root, &mut cleared).await,
        // Where it is not known whether there are any, there are none where nobody can list them; whoever is denied that
        // cannot know.
        Support::Unprobed => match first_version(root).await {
            Ok(()) => remove_versions(root, &mut cleared).await,
            Err(error) => cleared.unseen |= error.kind() == ErrorKind::PermissionDenied,
        },
    }
    cleared
}

/// Whether versions can be listed.
async fn first_version(root: &Storage) -> Result<()> {
    root.versions(ListOptions::new().page_size(1)).await?.next_page().await.map(drop)
}

async fn remove_versions(root: &Storage, cleared: &mut Cleared) {
    let mut pages = match root.versions(ListOptions::new()).await {
        Ok(pages) => pages,
        Err(error) => return cleared.tried(Err(error)),
    };
    loop {
        let page = match pages.next_page().await {
            Ok(Some(page)) => page,
            Ok(None) => return,
            Err(error) => return cleared.tried(Err(error)),
        };
        let delete = |version: ObjectVersion| async move {
            let options = DeleteOptions::new().version(version.id);
            root.delete_with(&version.key, options).await
        };
        let deleted = stream::iter(page.versions).map(delete).buffer_unordered(AT_ONCE);
        deleted.collect::<Vec<_>>().await.into_iter().for_each(|step| cleared.tried(step));
    }
}

/// Whether a root shows no object.
pub(super) async fn is_empty(root: &Storage) -> Result<bool> {
    let first = root.pages(ListOptions::new().limit(1)).await?.next_page().await;
    match first {
        Ok(page) => Ok(page.is_none_or(|page| page.entries.is_empty())),
        Err(error) if error.kind() == ErrorKind::BackendNotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Removes a directory that the suite has made, with what no key expresses; links in it are removed and not followed.
pub(super) fn remove_directory(directory: Option<&Path>) -> Result<()> {
    match directory.map(std::fs::remove_dir_all) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::from(error)),
        _ => Ok(()),
    }
}
