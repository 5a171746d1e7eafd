//! One directory of a listing: its names in the order of keys, a window of them at a time.

use std::cmp::Ordering;
use std::os::fd::{AsFd, OwnedFd};

use storage_core::Result;

use crate::errors::{doing, is_missing};
use crate::promote;
use crate::root::{DIRECTORY_BENEATH, OpenRoot};
use crate::scan::{Scan, Scanned};
use crate::stat::Inode;

/// The names that are held at once. A directory of more is read again for each window, so that the memory of a listing
/// does not grow with its directories.
const WINDOW: usize = 64 * 1024;

/// A directory whose names are part of a listing.
pub(crate) struct Level {
    /// What stands before every name: empty, or ending in `/`.
    pub(crate) prefix: String,
    /// The directory's path in the root.
    pub(crate) path: String,
    pub(crate) inode: Inode,
    pub(crate) directory: OwnedFd,
    /// What every name begins with.
    start: String,
    names: std::vec::IntoIter<Item>,
    /// The last name of the window, where there are more after it.
    more_after: Option<Item>,
}

/// A name in the order of keys. A directory stands there twice: as the object of its own name, and as the level of
/// what is under it.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) segment: Box<str>,
    pub(crate) kind: Kind,
    /// The path from the level's directory, where it is not the segment itself.
    pub(crate) path: Option<Box<str>>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Maybe an object.
    Object,
    /// Maybe the object of a name that stands there as a level too.
    Twin,
    /// Maybe a directory with keys under it.
    Level,
    /// A name that no key can express, and why.
    Inexpressible(Box<str>),
}

impl Level {
    /// Reads the names of a directory that begin with `start`; with `any`, one that is a key is enough.
    pub(crate) fn read(
        root: &OpenRoot,
        directory: OwnedFd,
        path: String,
        prefix: String,
        start: &str,
        any: bool,
    ) -> Result<Self> {
        let inode = Inode::of_open(directory.as_fd()).map_err(doing("cannot look at the directory"))?;
        let (start, names) = (start.to_owned(), Vec::new().into_iter());
        let mut level = Self { prefix, path, inode, directory, start, names, more_after: None };
        level.read_window(root, any)?;
        Ok(level)
    }

    /// The next name.
    pub(crate) fn next(&mut self, root: &OpenRoot) -> Result<Option<Item>> {
        if self.names.len() == 0 && self.more_after.is_some() {
            self.read_window(root, false)?;
        }
        Ok(self.names.next())
    }

    fn read_window(&mut self, root: &OpenRoot, any: bool) -> Result<()> {
        let mut locked = root.sys.has_gaps();
        let mut recovered = false;
        let window = loop {
            let mut window = Window { after: self.more_after.clone(), ..Window::default() };
            let (prefix, start) = (&self.prefix, &self.start);
            let mut scan = Scan { prefix, start, locked, any, window: &mut window, interrupted: false };
            if scan.run(&self.directory, "", "")? == Scanned::Unsteady {
                locked = true;
            } else if scan.interrupted && !recovered {
                promote::recover(root).map_err(doing("cannot finish an interrupted write"))?;
                recovered = true;
            } else {
                break window;
            }
        };
        (self.names, self.more_after) = window.finish();
        Ok(())
    }
}

impl Item {
    /// What the item's place in the order depends on.
    fn place(&self) -> (&str, bool) {
        (&self.segment, self.kind == Kind::Level)
    }

    /// The path of the item's file in the root.
    pub(crate) fn path_in(&self, level: &str) -> String {
        join(level, self.path.as_deref().unwrap_or(&self.segment))
    }
}

pub(crate) fn join(level: &str, name: &str) -> String {
    if level.is_empty() { name.to_owned() } else { format!("{level}/{name}") }
}

/// The first names after a given one, in whatever order they come in.
#[derive(Default)]
pub(crate) struct Window {
    after: Option<Item>,
    items: Vec<Item>,
    /// The last name that can be part of the window, once there are too many.
    last: Option<Item>,
}

impl Window {
    /// Whether the segment, as an object or as a level, can be part of the window; asked before anything is made of it.
    pub(crate) fn wants(&self, segment: &str) -> bool {
        let is_before =
            self.after.as_ref().is_some_and(|after| order((segment, true), after.place()) != Ordering::Greater);
        let is_behind =
            self.last.as_ref().is_some_and(|last| order((segment, false), last.place()) == Ordering::Greater);
        !is_before && !is_behind
    }

    pub(crate) fn add(&mut self, item: Item) {
        let is_before = self.after.as_ref().is_some_and(|after| in_order(&item, after) != Ordering::Greater);
        let is_behind = self.last.as_ref().is_some_and(|last| in_order(&item, last) == Ordering::Greater);
        if is_before || is_behind {
            return;
        }
        self.items.push(item);
        if self.items.len() >= 2 * WINDOW {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.items.len() > WINDOW {
            let (_, last, _) = self.items.select_nth_unstable_by(WINDOW - 1, in_order);
            self.last = Some(last.clone());
            self.items.truncate(WINDOW);
        }
    }

    /// The window in order, and its last name if there are more after it.
    fn finish(mut self) -> (std::vec::IntoIter<Item>, Option<Item>) {
        self.cut();
        self.items.sort_unstable_by(in_order);
        (self.items.into_iter(), self.last)
    }
}

fn in_order(one: &Item, other: &Item) -> Ordering {
    order(one.place(), other.place())
}

/// The order among all keys (rule L01) of a segment, or of the level `segment/`.
fn order((one, one_is_level): (&str, bool), (other, other_is_level): (&str, bool)) -> Ordering {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let common = a.len().min(b.len());
    a[..common].cmp(&b[..common]).then_with(|| {
        let next = |bytes: &[u8], is_level: bool| bytes.get(common).copied().or(is_level.then_some(b'/'));
        next(a, one_is_level).cmp(&next(b, other_is_level))
    })
}

/// Opens a directory of the listing; `None` where it is gone meanwhile.
pub(crate) fn open_level(root: &OpenRoot, path: &str) -> rustix::io::Result<Option<OwnedFd>> {
    match root.sys.open_beneath(root.fd.as_fd(), path, DIRECTORY_BENEATH) {
        Ok(directory) => Ok(Some(directory)),
        Err(errno) if is_missing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: usize) -> Item {
        Item { segment: format!("{number:08}").into(), kind: Kind::Object, path: None }
    }

    #[test]
    fn l11_windows_in_any_order_make_up_the_whole_in_order() {
        let count = 5 * WINDOW / 2;
        // Every number once, far from its neighbours.
        let scattered = || (0..count).map(|i| item(i * 99_991 % count));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let mut window = Window { after, ..Window::default() };
            for item in scattered() {
                window.add(item);
                assert!(window.items.len() < 2 * WINDOW, "the window is bounded");
            }
            let (items, more_after) = window.finish();
            seen.extend(items.map(|item| item.segment));
            after = more_after;
            if after.is_none() {
                break;
            }
        }
        assert!(
            seen.iter().map(|segment| &**segment).eq((0..count)
                .map(|i| item(i).segment)
                .collect::<Vec<_>>()
                .iter()
                .map(|s| &**s))
        );
    }

    #[test]
    fn l01_a_level_stands_where_its_keys_do() {
        let level = |segment: &str| Item { segment: segment.into(), kind: Kind::Level, path: None };
        let object = |segment: &str| Item { segment: segment.into(), kind: Kind::Object, path: None };
        let mut items = [level("a"), object("a0"), object("a"), object("a-"), level("a-"), object("a.b"), object("é")];
        items.sort_by(in_order);
        let text = |item: &Item| format!("{}{}", item.segment, if item.kind == Kind::Level { "/" } else { "" });
        assert_eq!(items.each_ref().map(text), ["a", "a-", "a-/", "a.b", "a/", "a0", "é"]);
    }
}
