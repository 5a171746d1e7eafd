//! The thread of a watch: from the kernel's events to changes of keys.

use std::io::PipeReader;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::ReadFlags;
use rustix::io::retry_on_intr;
use storage_core::{Change, ChangeSender, Result};

use crate::errors::doing;
use crate::watch::place::{Named, Place};
use crate::watch::tree::{Event, Tree};

/// Something has gone from a name.
const GONE: ReadFlags = ReadFlags::DELETE.union(ReadFlags::MOVED_FROM);

/// Something has moved from or to a name.
const MOVED: ReadFlags = ReadFlags::MOVED_FROM.union(ReadFlags::MOVED_TO);

/// What follows the kernel's events.
pub(crate) struct Follower {
    tree: Tree,
    sender: ChangeSender,
}

/// What an event means for those after it.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    /// They are of a watch that was given up.
    Discard,
    /// The root is gone.
    End,
}

impl Follower {
    pub(crate) fn new(tree: Tree, sender: ChangeSender) -> Self {
        Self { tree, sender }
    }

    /// Tells changes until the root is gone, nobody reads any more, or the watch cannot go on.
    pub(crate) fn run(mut self, ended: &PipeReader) {
        if let Err(error) = self.follow(ended) {
            self.sender.fail(error);
        }
    }

    fn follow(&mut self, ended: &PipeReader) -> Result<()> {
        while self.wait(ended)? {
            let mut moved = false;
            for event in self.tree.events()? {
                moved |= event.kind.contains(ReadFlags::ISDIR) && event.kind.intersects(MOVED);
                match self.event(&event)? {
                    Next::Go => {}
                    Next::Discard => break,
                    Next::End => return Ok(()),
                }
            }
            for link in self.tree.changed_links(moved) {
                self.object(&link)?;
            }
        }
        Ok(())
    }

    /// Waits for events; false once nobody reads any more.
    fn wait(&self, ended: &PipeReader) -> Result<bool> {
        let inotify = self.tree.inotify();
        let mut ready = [
            PollFd::from_borrowed_fd(inotify, PollFlags::IN),
            PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::empty()),
        ];
        retry_on_intr(|| poll(&mut ready, None)).map_err(doing("cannot wait for the events of the directory"))?;
        Ok(ready[1].revents().is_empty())
    }

    fn event(&mut self, event: &Event) -> Result<Next> {
        if event.kind.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.tree = self.tree.anew()?;
            self.tell(Change::ListAgain(self.tree.prefix().clone()));
            return Ok(Next::Discard);
        }
        if self.tree.concerns_root(event) {
            return Ok(if self.tree.has_root() { Next::Go } else { Next::End });
        }
        if event.kind.contains(ReadFlags::UNMOUNT) {
            self.tree.places(event.number).iter().for_each(|place| self.list_again(place));
        }
        if event.kind.contains(ReadFlags::IGNORED) {
            self.tree.ignored(event.number);
        }
        let Some(name) = &event.name else { return Ok(Next::Go) };
        for place in self.tree.places(event.number) {
            match place.named(name) {
                Some(named) if event.kind.contains(ReadFlags::ISDIR) => self.directory(&named, event.kind)?,
                Some(named) => self.object(&named)?,
                None => {}
            }
        }
        Ok(Next::Go)
    }

    fn directory(&mut self, named: &Named, kind: ReadFlags) -> Result<()> {
        let Some(level) = &named.level else { return Ok(()) };
        if kind.intersects(GONE) {
            self.tree.gone(&named.path);
            // What was in a directory that is removed has been told before.
            if kind.contains(ReadFlags::MOVED_FROM) {
                self.list_again(level);
                self.key(named);
            }
            return Ok(());
        }
        let moved = kind.contains(ReadFlags::MOVED_TO);
        if self.tree.enter(level.clone())? || moved {
            self.list_again(level);
            if self.tree.has_object(&named.path) {
                self.key(named);
            }
        }
        Ok(())
    }

    /// A name that is no directory's was touched, or a link leads elsewhere.
    fn object(&mut self, named: &Named) -> Result<()> {
        let before = self.tree.let_go(&named.path).is_some_and(|link| link.target.is_level());
        let now = self.tree.is_link(&named.path) && self.tree.take_up(named)?.is_level();
        if let Some(level) = &named.level
            && (before || now)
        {
            self.list_again(level);
        }
        self.key(named);
        Ok(())
    }

    /// Tells what is there now.
    fn key(&self, named: &Named) {
        if let Some(key) = &named.key {
            self.tell(match self.tree.has_object(&named.path) {
                true => Change::Changed(key.clone()),
                false => Change::Removed(key.clone()),
            });
        }
    }

    fn list_again(&self, place: &Place) {
        if let Some(prefix) = place.prefix() {
            self.tell(Change::ListAgain(prefix));
        }
    }

    fn tell(&self, change: Change) {
        // Whether anybody reads shows when the thread waits next.
        self.sender.tell(change);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use storage_core::{ChangeFeed as _, Key, Prefix, WatchOptions, change_queue};

    use super::*;
    use crate::options::LocalOptions;
    use crate::root::Root;

    #[tokio::test]
    async fn v03_events_that_the_kernel_lost_are_listed_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir(path.join("old")).unwrap();
        fs::write(path.join("one"), "x").unwrap();
        let root = Root::new(path.to_owned(), LocalOptions::new());
        let tree = Tree::armed(root.current().unwrap().unwrap(), path, Prefix::root(), false).unwrap();
        let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let most: usize = most.trim().parse().unwrap();
        // Two events each, while nobody takes them.
        for _ in 0..=most / 4 {
            fs::rename(path.join("one"), path.join("other")).unwrap();
            fs::rename(path.join("other"), path.join("one")).unwrap();
        }
        // What comes now the kernel has no room for.
        fs::create_dir(path.join("lost")).unwrap();
        fs::rename(path.join("old"), path.join("moved")).unwrap();

        let (sender, mut receiver) = change_queue(Prefix::root(), &WatchOptions::new());
        let (ended, alive) = std::io::pipe().unwrap();
        let thread = std::thread::spawn(move || Follower::new(tree, sender).run(&ended));
        while receiver.next().await.unwrap() != Some(Change::ListAgain(Prefix::root())) {}
        for key in ["lost/x", "moved/x"] {
            fs::write(path.join(key), "x").unwrap();
            let told = Some(Change::Changed(Key::new(key).unwrap()));
            while receiver.next().await.unwrap() != told {}
        }
        drop(alive);
        thread.join().unwrap();
        while receiver.next().await.unwrap().is_some() {}
    }
}
