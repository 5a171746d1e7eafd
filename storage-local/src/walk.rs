//! A walk over directories in the order of keys, with memory bounded by the directories it is in.

use std::ops::Bound;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Stat, statat};
use rustix::io::Errno;
use storage_core::{Entry, ErrorKind, Key, ListOptions, Page, Prefix, Result, Skipped, Token, past_level};

use crate::errors::{doing, failed};
use crate::level::{Item, Kind, Level, open_level};
use crate::locate::{open_object, open_parent};
use crate::names::{self, split};
use crate::root::OpenRoot;
use crate::stat::{self, Inode, is_file};

/// The entries of a page when nobody says otherwise.
const PAGE_SIZE: usize = 1000;

/// So many skipped names end a page as well, so that a directory of nothing else is not held whole.
const MOST_SKIPPED: usize = 1000;

/// A walk under way.
pub(crate) struct Walk {
    root: Arc<OpenRoot>,
    query: ListOptions,
    from: Bound<String>,
    /// The directories from the query's level down to where the walk is.
    levels: Vec<Level>,
    /// Directories above the walk, which a link must not lead back to.
    above: Vec<Inode>,
    /// It looks ahead for another walk.
    ahead: bool,
    skipped: Vec<Skipped>,
    next: Option<Bound<String>>,
}

impl Walk {
    /// Opens the level that the query's prefix lies in; a missing one is an empty listing (rule L07).
    pub(crate) fn begin(root: Arc<OpenRoot>, query: ListOptions, from: Bound<String>) -> Result<Self> {
        let prefix = query.prefix.as_str();
        let (level, start) = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1));
        let path = level.strip_suffix('/').map(names::path).unwrap_or_default();
        let (level, start, path) = (level.to_owned(), start.to_owned(), path.into_owned());
        let above = above(&root, &path)?;
        let mut walk =
            Self { root, query, from, levels: Vec::new(), above, ahead: false, skipped: Vec::new(), next: None };
        walk.enter(path, level, &start, false)?;
        Ok(walk)
    }

    /// The next entries, and the names skipped on the way.
    pub(crate) fn page(&mut self) -> Result<Page> {
        let most = self.query.page_size.unwrap_or(PAGE_SIZE).max(1);
        let mut entries = Vec::new();
        while entries.len() < most && !self.has_skipped_enough() {
            let Some(level) = self.levels.last_mut() else {
                self.next = None;
                return Ok(Page { entries, skipped: std::mem::take(&mut self.skipped), resume: None });
            };
            match level.next(&self.root)? {
                Some(item) => entries.extend(self.visit(item)?),
                None => {
                    self.levels.pop();
                }
            }
        }
        let skipped = std::mem::take(&mut self.skipped);
        let last = match entries.len() < most {
            true => skipped.last().map(|last| (last.name.as_str(), false)),
            false => entries.last().map(|last: &Entry| (last.as_str(), matches!(last, Entry::Prefix(_)))),
        };
        self.next = last.map(|(last, is_level)| match is_level {
            true => Bound::Included(past_level(last)),
            false => Bound::Excluded(last.to_owned()),
        });
        let resume = last.map(|(last, _)| Token::seal(&self.query, last));
        Ok(Page { entries, skipped, resume })
    }

    /// From where on another walk would go on behind the last page; `None` where that was the last one.
    pub(crate) fn next(&self) -> Option<Bound<String>> {
        self.next.clone()
    }

    /// Whether a page ends with the name that was skipped last. One that is no key is no place to go on from.
    fn has_skipped_enough(&self) -> bool {
        let is_key = |last: &Skipped| Key::new(last.name.as_str()).is_ok();
        !self.ahead && self.skipped.len() >= MOST_SKIPPED && self.skipped.last().is_some_and(is_key)
    }

    /// What a name adds to the listing now; a level that is walked adds nothing by itself.
    fn visit(&mut self, item: Item) -> Result<Option<Entry>> {
        let Some(level) = self.levels.last() else { return Ok(None) };
        let (text, path) = (format!("{}{}", level.prefix, item.segment), item.path_in(&level.path));
        match item.kind {
            Kind::Object | Kind::Twin if self.is_wanted(&text) => {
                self.object(text, &path, item.path.is_none(), item.kind == Kind::Twin)
            }
            Kind::Level if self.query.delimited => {
                let text = text + "/";
                match self.is_wanted(&text) && self.holds_key(&path, &text)? {
                    true => Prefix::new(text).map(|prefix| Some(Entry::Prefix(prefix))),
                    false => Ok(None),
                }
            }
            Kind::Level => {
                let text = text + "/";
                if self.may_hold_wanted(&text) {
                    self.enter(path, text, "", false)?;
                }
                Ok(None)
            }
            Kind::Inexpressible(reason) if self.is_wanted(&text) => {
                self.skip(text, &reason);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn object(&mut self, text: String, path: &str, in_level: bool, is_twin: bool) -> Result<Option<Entry>> {
        match self.stat(path, in_level) {
            Ok(Found::Object(stat)) => Ok(Some(Entry::Object(stat::meta(&Key::new(text)?, &stat)))),
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::Dangling) => {
                self.skip(text, "the symbolic link leads nowhere");
                Ok(None)
            }
            Err(Errno::XDEV) => {
                self.skip(text, "the symbolic link leads out of the root");
                Ok(None)
            }
            Err(errno) if self.passes(errno) => {
                // A directory is named once, as the level.
                if !is_twin {
                    self.skip(text, Skipped::UNREADABLE);
                }
                Ok(None)
            }
            Err(errno) => Err(failed("cannot look at an object of the listing", errno)),
        }
    }

    /// The object at a path, looked up now: it may have become a directory since the directory was read.
    fn stat(&self, path: &str, in_level: bool) -> rustix::io::Result<Found> {
        if in_level
            && let Some(level) = self.levels.last()
            && let Ok(stat) = statat(&level.directory, split(path).1, AtFlags::SYMLINK_NOFOLLOW)
            && is_file(&stat)
        {
            return Ok(Found::Object(stat));
        }
        let parent = match open_parent(&self.root, path) {
            Err(errno) if crate::errors::is_missing(errno) => return Ok(Found::Nothing),
            parent => parent?,
        };
        let plain = match statat(&parent, split(path).1, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_file(&stat) => return Ok(Found::Object(stat)),
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno),
        };
        if let Some((_, stat)) = open_object(&self.root, path)? {
            return Ok(Found::Object(stat));
        }
        let is_link = plain.is_some_and(|stat| stat::is_symlink(&stat));
        Ok(if is_link && open_level(&self.root, path)?.is_none() { Found::Dangling } else { Found::Nothing })
    }

    /// Goes down into a directory, unless it is gone, or a link leads back to where the walk came from.
    fn enter(&mut self, path: String, prefix: String, start: &str, any: bool) -> Result<()> {
        let directory = match open_level(&self.root, &path) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(()),
            // A link out of the root has been named as an object; as the place to begin it is an error.
            Err(Errno::XDEV) if !self.levels.is_empty() || self.ahead => return Ok(()),
            Err(errno) if self.passes(errno) && !path.is_empty() => {
                self.skip(prefix, Skipped::UNREADABLE);
                return Ok(());
            }
            Err(errno) => return Err(failed("cannot open a directory of the listing", errno)),
        };
        let inode = Inode::of_open(directory.as_fd()).map_err(doing("cannot look at the directory"))?;
        if self.above.contains(&inode) || self.levels.iter().any(|level| level.inode == inode) {
            self.skip(prefix, "the symbolic link leads back to a directory above it");
            return Ok(());
        }
        match Level::read(&self.root, directory, path, prefix.clone(), start, any) {
            Ok(level) => self.levels.push(level),
            // Its names may be read, but nothing may be looked at.
            Err(error) if self.query.past_unreadable && error.kind() == ErrorKind::PermissionDenied => {
                self.skip(prefix, Skipped::UNREADABLE);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the walk goes on past a thing that answers so.
    fn passes(&self, errno: Errno) -> bool {
        self.query.past_unreadable && matches!(errno, Errno::ACCESS | Errno::PERM)
    }

    /// Whether there is any key under a directory; an empty one is no common prefix (rule L08). For who goes on past what
    /// cannot be read, a name that is skipped is enough.
    fn holds_key(&self, path: &str, text: &str) -> Result<bool> {
        // The first file that a look meets may be deleted before it is listed; then all of them are looked at.
        Ok(self.finds_key(path, text, true)? || self.finds_key(path, text, false)?)
    }

    fn finds_key(&self, path: &str, text: &str, any: bool) -> Result<bool> {
        let mut query = ListOptions::new().page_size(1);
        query.past_unreadable = self.query.past_unreadable;
        let mut walk = Walk {
            root: Arc::clone(&self.root),
            query,
            from: Bound::Unbounded,
            levels: Vec::new(),
            above: self.above.iter().copied().chain(self.levels.iter().map(|level| level.inode)).collect(),
            ahead: true,
            skipped: Vec::new(),
            next: None,
        };
        walk.enter(path.to_owned(), text.to_owned(), "", any)?;
        let page = walk.page()?;
        Ok(!page.entries.is_empty() || (self.query.past_unreadable && !page.skipped.is_empty()))
    }

    fn is_wanted(&self, text: &str) -> bool {
        match &self.from {
            Bound::Included(from) => text >= from.as_str(),
            Bound::Excluded(from) => text > from.as_str(),
            Bound::Unbounded => true,
        }
    }

    /// Whether a key under `level` can be wanted.
    fn may_hold_wanted(&self, level: &str) -> bool {
        match &self.from {
            Bound::Included(from) | Bound::Excluded(from) => level > from.as_str() || from.starts_with(level),
            Bound::Unbounded => true,
        }
    }

    fn skip(&mut self, name: String, reason: &str) {
        self.skipped.push(Skipped { name, reason: reason.to_owned() });
    }
}

/// The directories on the way to a level, the root first: what a link in it may lead back to.
pub(crate) fn above(root: &OpenRoot, path: &str) -> Result<Vec<Inode>> {
    let ends = path.match_indices('/').map(|(end, _)| end);
    let ways = (!path.is_empty()).then_some(0).into_iter().chain(ends).map(|end| &path[..end]);
    let mut above = Vec::new();
    for way in ways {
        match open_level(root, way) {
            Ok(Some(directory)) => {
                above.push(Inode::of_open(directory.as_fd()).map_err(doing("cannot look at the directory"))?);
            }
            Ok(None) => break,
            // The level itself is still to be opened, and says what is wrong with the way to it.
            Err(Errno::XDEV | Errno::ACCESS | Errno::PERM) => break,
            Err(errno) => return Err(failed("cannot open a directory of the listing", errno)),
        }
    }
    Ok(above)
}

enum Found {
    Object(Stat),
    Nothing,
    Dangling,
}
