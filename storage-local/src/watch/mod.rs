//! Telling the changes of a directory while they are made, whoever makes them, by Linux's inotify (rule V03).
//!
//! Each directory in which a key of the prefix can lie is watched by itself, found by its open descriptor and never by a
//! path that leads out of the root. What arrives is the kernel's word that a name was touched; what is told is what is
//! there by then. Libraries for many systems find directories by their paths instead, by which a link that is swapped in
//! between would show names from outside the root (rule S05).

mod follow;
mod links;
mod place;
mod tree;

use std::io::PipeWriter;

use async_trait::async_trait;
use storage_core::{Change, ChangeFeed, ChangeReceiver, Error, ErrorKind, Prefix, Result, WatchOptions, change_queue};

use crate::root::Root;
use crate::watch::follow::Follower;
use crate::watch::tree::Tree;

/// Opens a watch; once it returns, all directories are watched.
pub(crate) fn open(root: &Root, prefix: Prefix, options: &WatchOptions) -> Result<LocalFeed> {
    // What is not there cannot be watched, so a root that the first write would make is made now.
    let open = match root.current()? {
        Some(open) => open,
        None => root.writable()?,
    };
    if open.sys.has_gaps() {
        return Err(unsupported());
    }
    let (sender, receiver) = change_queue(prefix.clone(), options);
    let (ended, alive) = std::io::pipe()?;
    let tree = Tree::armed(open, &root.path, prefix, options.past_unreadable)?;
    let follower = Follower::new(tree, sender);
    std::thread::Builder::new().name("storage-watch".to_owned()).spawn(move || follower.run(&ended)).map_err(
        |error| Error::new(ErrorKind::Unavailable, "no thread can be started for the watch").with_source(error),
    )?;
    Ok(LocalFeed { receiver, _alive: alive })
}

/// The error of a root whose changes cannot be told.
pub(crate) fn unsupported() -> Error {
    Error::unsupported("the changes of this directory are not told: it is on a network, or this system has no inotify")
        .with_help("list again from time to time, and compare")
}

/// The reader's end. Its thread ends with it.
pub(crate) struct LocalFeed {
    receiver: ChangeReceiver,
    /// The thread waits for the other end of this pipe to be closed.
    _alive: PipeWriter,
}

#[async_trait]
impl ChangeFeed for LocalFeed {
    async fn next(&mut self) -> Result<Option<Change>> {
        self.receiver.next().await
    }
}
