//! The directories that are watched.

use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{AtFlags, Dir, FileType, fstat, stat, statat};
use rustix::io::Errno;
use storage_core::{Error, ErrorKind, Prefix, Result};

use crate::errors::{doing, failed};
use crate::level::open_level;
use crate::locate::{open_object, open_parent};
use crate::lock::DirLock;
use crate::names::split;
use crate::root::OpenRoot;
use crate::scan::CLOCK_TICK_NANOS;
use crate::stat::{Inode, changed_nanos, is_file, is_symlink, modified_nanos, now_nanos};
use crate::walk::above;
use crate::watch::links::{Link, Target};
use crate::watch::place::{Named, Place};

/// Everything that can make, change or remove an object or a directory.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What the directory around the root is watched for.
const LOSSES: WatchFlags = WatchFlags::DELETE.union(WatchFlags::MOVED_FROM).union(WatchFlags::ONLYDIR);

/// The kernel's events are read so many bytes at a time.
const BATCH: usize = 64 * 1024;

/// Watched directories, and the kernel's end of the watch.
pub(crate) struct Tree {
    root: Arc<OpenRoot>,
    path: PathBuf,
    prefix: Prefix,
    past_unreadable: bool,
    inotify: OwnedFd,
    /// The places of a directory; several where links lead to it.
    places: HashMap<i32, Vec<Arc<Place>>>,
    /// Which directory is watched at a path.
    numbers: BTreeMap<String, Watched>,
    /// The number of the directory around the root.
    around: Option<i32>,
    links: BTreeMap<String, Link>,
    /// All of the root is watched, since links may lead anywhere in it.
    everywhere: bool,
}

/// A directory by the kernel's number, and by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watched {
    number: i32,
    inode: Inode,
}

/// What the kernel says.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) number: i32,
    pub(crate) kind: ReadFlags,
    /// The name in the directory; nothing where it is not UTF-8, as no key is then.
    pub(crate) name: Option<String>,
}

impl Tree {
    /// Watches every directory in which a key of the prefix lies, or can come to lie.
    pub(crate) fn armed(root: Arc<OpenRoot>, path: &Path, prefix: Prefix, past_unreadable: bool) -> Result<Self> {
        let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
        let inotify = inotify::init(flags).map_err(|errno| match errno {
            Errno::MFILE => too_many("watches", "max_user_instances"),
            errno => failed("cannot watch the directory", errno),
        })?;
        let mut tree = Self {
            around: path.parent().and_then(|around| inotify::add_watch(&inotify, around, LOSSES).ok()),
            path: path.to_owned(),
            inotify,
            root,
            prefix,
            past_unreadable,
            places: HashMap::new(),
            numbers: BTreeMap::new(),
            links: BTreeMap::new(),
            everywhere: false,
        };
        tree.enter(Place::default())?;
        Ok(tree)
    }

    /// The same from the start, for a kernel that has lost events.
    pub(crate) fn anew(&self) -> Result<Self> {
        Self::armed(Arc::clone(&self.root), &self.path, self.prefix.clone(), self.past_unreadable)
    }

    pub(crate) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    pub(crate) fn inotify(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// What has happened since the last call; at most one batch.
    pub(crate) fn events(&self) -> Result<Vec<Event>> {
        let mut buffer = vec![MaybeUninit::uninit(); BATCH];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => events.push(Event {
                    number: event.wd(),
                    kind: event.events(),
                    name: event.file_name().and_then(|name| name.to_str().ok()).map(str::to_owned),
                }),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(events),
                Err(errno) => return Err(failed("cannot read the events of the directory", errno)),
            }
            if reader.is_buffer_empty() {
                return Ok(events);
            }
        }
    }

    /// The places of a directory.
    pub(crate) fn places(&self, number: i32) -> Vec<Arc<Place>> {
        self.places.get(&number).cloned().unwrap_or_default()
    }

    /// Whether an event is about the root itself: that its name is another's now, or nobody's.
    pub(crate) fn concerns_root(&self, event: &Event) -> bool {
        if Some(event.number) == self.around {
            return event.name.as_deref() == self.path.file_name().and_then(|name| name.to_str());
        }
        event.kind.contains(ReadFlags::MOVE_SELF)
            && self.numbers.get("").is_some_and(|root| root.number == event.number)
    }

    /// Whether the root is where it was.
    pub(crate) fn has_root(&self) -> bool {
        let there = stat(&self.path).map(|stat| Inode::of(&stat));
        there.is_ok_and(|there| Inode::of_open(self.root.fd.as_fd()) == Ok(there))
    }

    /// Watches a directory and those below it, as far as they matter; says whether it was not watched before. What has
    /// happened in one until then nobody knows, though a listing may have seen some of it.
    pub(crate) fn enter(&mut self, place: Place) -> Result<bool> {
        let mut way = above(&self.root, &place.path)?;
        let new = self.descend(place, &mut way)?;
        if !self.links.is_empty() && !self.everywhere && !self.prefix.is_empty() {
            self.everywhere = true;
            (self.places, self.numbers) = Default::default();
            self.links.clear();
            self.descend(Place::default(), &mut Vec::new())?;
        }
        Ok(new)
    }

    fn descend(&mut self, place: Place, way: &mut Vec<Inode>) -> Result<bool> {
        if !self.everywhere && !self.matters(&place.begins()) {
            return Ok(false);
        }
        let directory = match open_level(&self.root, &place.path) {
            Ok(Some(directory)) => directory,
            // It is gone, or a link that leads out.
            Ok(None) | Err(Errno::XDEV) => return Ok(true),
            Err(errno) => return self.cannot(&place, errno),
        };
        let inode = Inode::of_open(directory.as_fd()).map_err(doing("cannot look at the directory"))?;
        if way.contains(&inode) {
            return Ok(false);
        }
        match self.watch(&directory, inode, &place) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(errno) => return self.cannot(&place, errno),
        }
        way.push(inode);
        // Only now: what comes after the names were read is told.
        let names = names(&directory)?;
        drop(directory);
        for (name, kind) in names {
            match (kind, place.named(&name)) {
                (FileType::Directory, Some(Named { level: Some(level), .. })) => drop(self.descend(level, way)?),
                (FileType::Symlink, Some(named)) => self.link(named, way)?,
                _ => {}
            }
        }
        way.pop();
        Ok(true)
    }

    /// Whether keys that begin with a text can begin with the prefix.
    fn matters(&self, text: &str) -> bool {
        self.prefix.matches(text) || self.prefix.as_str().starts_with(text)
    }

    /// Adds a watch; false where there is one already.
    fn watch(&mut self, directory: &OwnedFd, inode: Inode, place: &Place) -> rustix::io::Result<bool> {
        let number = inotify::add_watch(&self.inotify, format!("/proc/self/fd/{}", directory.as_raw_fd()), CHANGES)?;
        match self.numbers.get(&place.path) {
            Some(same) if same.number == number => return Ok(false),
            Some(_) => self.leave(&place.path),
            None => {}
        }
        self.numbers.insert(place.path.clone(), Watched { number, inode });
        self.places.entry(number).or_default().push(Arc::new(place.clone()));
        Ok(true)
    }

    /// A directory cannot be watched.
    fn cannot(&self, place: &Place, errno: Errno) -> Result<bool> {
        let shown = self.path.join(&place.path);
        match errno {
            Errno::ACCESS | Errno::PERM if self.past_unreadable => Ok(true),
            Errno::NOSPC => {
                Err(too_many(&format!("directories ({} in this watch alone)", self.numbers.len()), "max_user_watches"))
            }
            Errno::NOENT => Err(Error::configuration("directories can be watched only where /proc is mounted")
                .with_help("mount it, or list again from time to time")),
            errno => Err(failed(&format!("cannot watch the directory {}", shown.display()), errno)),
        }
    }

    /// A directory has gone from a path: leaves it and all below it, unless it has come back, or another one has come that
    /// is watched already. To leave that would be to lose what is still to come of its events.
    pub(crate) fn gone(&mut self, path: &str) {
        let there = open_level(&self.root, path).ok().flatten();
        let there = there.and_then(|there| Inode::of_open(there.as_fd()).ok());
        if there.is_none() || there != self.numbers.get(path).map(|watched| watched.inode) {
            self.leave(path);
        }
    }

    /// Leaves a directory and all below it.
    fn leave(&mut self, path: &str) {
        let is_below = |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        let (from, close) = (path.to_owned().., |other: &&String| other.starts_with(path));
        let left = self.numbers.range(from.clone()).map(|(other, _)| other).take_while(close);
        let left: Vec<_> = left.filter(|other| *other == path || is_below(other)).cloned().collect();
        for other in left {
            if let Some(watched) = self.numbers.remove(&other) {
                self.forget(watched.number, &other);
            }
        }
        let links: Vec<_> = self.links.range(from).map(|(link, _)| link).take_while(close).cloned().collect();
        links.iter().filter(|link| is_below(link)).for_each(|link| drop(self.links.remove(link)));
    }

    fn forget(&mut self, number: i32, path: &str) {
        let Some(places) = self.places.get_mut(&number) else { return };
        places.retain(|place| place.path != path);
        if places.is_empty() {
            self.places.remove(&number);
            // Of a directory that was removed the kernel has forgotten the number already.
            let _ = inotify::remove_watch(&self.inotify, number);
        }
    }

    /// The kernel has given a number up: the directory is gone.
    pub(crate) fn ignored(&mut self, number: i32) {
        for place in self.places.remove(&number).unwrap_or_default() {
            if self.numbers.get(&place.path).is_some_and(|watched| watched.number == number) {
                self.numbers.remove(&place.path);
            }
        }
    }

    /// Takes a symbolic link up, and what it leads to.
    fn link(&mut self, named: Named, way: &mut Vec<Inode>) -> Result<()> {
        let (Some(key), Some(level)) = (&named.key, named.level.clone()) else { return Ok(()) };
        if !self.matters(&level.begins()) && !self.prefix.matches(key.as_str()) {
            return Ok(());
        }
        let target = Target::of(&self.root, &named.path);
        self.links.insert(named.path.clone(), Link { named, target });
        if target.is_level() {
            self.descend(level, way)?;
        }
        Ok(())
    }

    /// The same for one that has come to a name; says where it leads.
    pub(crate) fn take_up(&mut self, named: &Named) -> Result<Target> {
        let mut way = above(&self.root, &named.path)?;
        self.link(named.clone(), &mut way)?;
        // It may lead to where nothing is watched yet.
        self.enter(Place::default())?;
        Ok(self.links.get(&named.path).map_or(Target::Nothing, |link| link.target))
    }

    /// Lets a link go, and what it led to; the link, if there was one.
    pub(crate) fn let_go(&mut self, path: &str) -> Option<Link> {
        let link = self.links.remove(path)?;
        if link.target.is_level() {
            self.leave(path);
        }
        Some(link)
    }

    /// Links that lead to something else than when they were last looked at; all of them where directories were moved,
    /// which may have come back meanwhile.
    pub(crate) fn changed_links(&self, moved: bool) -> Vec<Named> {
        let changed = |(path, link): &(&String, &Link)| moved || Target::of(&self.root, path) != link.target;
        self.links.iter().filter(changed).map(|(_, link)| link.named.clone()).collect()
    }

    /// Whether the name at a path is a symbolic link.
    pub(crate) fn is_link(&self, path: &str) -> bool {
        self.at(path).is_some_and(|stat| is_symlink(&stat))
    }

    /// Whether a listing would show an object at a path.
    pub(crate) fn has_object(&self, path: &str) -> bool {
        match self.at(path) {
            Some(stat) if is_file(&stat) => true,
            Some(_) => matches!(open_object(&self.root, path), Ok(Some(_))),
            None => false,
        }
    }

    fn at(&self, path: &str) -> Option<rustix::fs::Stat> {
        let parent = open_parent(&self.root, path).ok()?;
        statat(&parent, split(path).1, AtFlags::SYMLINK_NOFOLLOW).ok()
    }
}

/// The names in a directory, none of them missed (see [`crate::scan`]).
fn names(directory: &OwnedFd) -> Result<Vec<(String, FileType)>> {
    let failed = doing("cannot read a directory of the watch");
    let stamp = || fstat(directory).map(|stat| (modified_nanos(&stat), changed_nanos(&stat)));
    let before = stamp().map_err(&failed)?;
    if now_nanos() - before.0.max(before.1) > CLOCK_TICK_NANOS {
        let names = read_names(directory).map_err(&failed)?;
        if stamp().map_err(&failed)? == before {
            return Ok(names);
        }
    }
    let _lock = DirLock::shared(directory)?;
    read_names(directory).map_err(failed)
}

fn read_names(directory: &OwnedFd) -> rustix::io::Result<Vec<(String, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            kind => kind,
        };
        names.push((name.to_owned(), kind));
    }
    Ok(names)
}

/// The error of a limit of inotify.
fn too_many(what: &str, limit: &str) -> Error {
    let most = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{limit}"));
    let most = most.map_or_else(|_| "unknown".to_owned(), |most| most.trim().to_owned());
    Error::new(
        ErrorKind::Configuration,
        format!("the system lets this user have no more {what}: fs.inotify.{limit} is {most}"),
    )
    .with_help(format!(
        "raise it (sysctl fs.inotify.{limit}), watch a narrower prefix, or list again from time to time"
    ))
}
