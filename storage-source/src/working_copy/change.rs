//! Whether the file has changed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Result};

use super::state::{Content, Place, Seen};
use super::{Commit, WorkingCopy, crash};
use crate::content::{Algorithm, Hasher};

/// The bytes read at once.
pub(super) const CHUNK: usize = 1024 * 1024;

/// A change may leave the times as they were if it follows within so many nanoseconds: file systems count in ticks, of two
/// seconds at worst.
const TICK: u64 = 2_000_000_000;

/// What programs keep beside a database: SQLite the first two, DuckDB and Kuzu the last. These hold changes that the file
/// does not have.
const JOURNALS: [&str; 3] = ["-wal", SQLITE_JOURNAL, ".wal"];
const SQLITE_JOURNAL: &str = "-journal";

/// What a file's metadata says of its content. The time of its inode (`ctime`) cannot be set back by a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stat {
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
}

impl Stat {
    /// `None` where there is no file.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Ok(Some(Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }))
    }

    /// Whether a change since `at` would show.
    fn tells_since(&self, at: u64) -> bool {
        self.modified.max(self.changed) + i128::from(TICK) <= i128::from(at)
    }
}

/// A file whose content is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) content: Content,
    pub(super) seen: Seen,
}

/// Reads a file once. `None` where there is none; `ObjectChanged` where it is written to meanwhile.
pub(super) fn look(place: &Place) -> Result<Option<Looked>> {
    let failed = |error| place.failed("read", &place.file, error);
    let at = now();
    let Some(stat) = Stat::of(&place.file).map_err(failed)? else {
        return Ok(None);
    };
    let content = digest(&place.file).map_err(failed)?;
    if Stat::of(&place.file).map_err(failed)?.as_ref() != Some(&stat) {
        return Err(changed_meanwhile(&place.file));
    }
    Ok(Some(Looked { content, seen: Seen { stat, at } }))
}

fn digest(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let (mut hasher, mut size, mut chunk) = (Hasher::new(Algorithm::Sha256), 0, vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Content { sha256: hasher.finish().to_string(), size }),
            read => {
                hasher.update(&chunk[..read]);
                size += read as u64;
            }
        }
    }
}

/// The first journal that holds changes.
pub(super) fn journal(file: &Path) -> Option<PathBuf> {
    JOURNALS
        .iter()
        .map(|end| (beside(file, end), *end))
        .find(|(path, end)| holds_changes(path, end))
        .map(|(path, _)| path)
}

/// With `journal_mode=PERSIST` SQLite ends a transaction by zeroing the journal's header, and keeps the rest.
fn holds_changes(journal: &Path, end: &str) -> bool {
    let holds_bytes = std::fs::metadata(journal).is_ok_and(|found| found.len() > 0);
    holds_bytes && !(end == SQLITE_JOURNAL && first_byte(journal).is_ok_and(|byte| byte == 0))
}

fn first_byte(path: &Path) -> io::Result<u8> {
    let mut byte = [0];
    File::open(path)?.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Removes what programs left beside a file that is to be replaced: taken for the new file's, it would damage that.
pub(super) fn remove_journals(place: &Place) -> Result<()> {
    for end in JOURNALS.into_iter().chain(["-shm"]) {
        let journal = beside(&place.file, end);
        match std::fs::remove_file(&journal) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(place.failed("remove", &journal, error));
            }
            _ => {}
        }
    }
    crash::point("journals removed");
    Ok(())
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn changed_meanwhile(file: &Path) -> Error {
    Error::new(ErrorKind::ObjectChanged, format!("{} was written to while it was read", file.display()))
        .with_help("let its program finish, and commit again")
}

/// What there is to commit.
pub(super) enum Change {
    /// Nothing.
    None,
    /// Not now.
    Not(Commit),
    /// This.
    Content(Looked),
}

impl WorkingCopy {
    /// Finds out what there is to commit. No request.
    pub(super) async fn change(&mut self) -> Result<Change> {
        if let Some(journal) = journal(&self.place.file) {
            return Ok(Change::Not(Commit::Busy { journal }));
        }
        let stat = Stat::of(&self.place.file).map_err(|error| self.place.failed("look at", &self.place.file, error))?;
        let Some(stat) = stat else {
            return match self.record.base {
                None => Ok(Change::None),
                Some(_) => Err(Error::new(
                    ErrorKind::NotFound,
                    format!("the working copy {} was removed", self.place.file.display()),
                )
                .with_help("discard it to pull the object again, or delete the object")),
            };
        };
        if let Some(seen) = &self.record.seen
            && seen.stat == stat
            && stat.tells_since(seen.at)
        {
            return Ok(Change::None);
        }
        let place = self.place.clone();
        let Some(looked) = blocking(move || look(&place)).await? else {
            return Ok(Change::None);
        };
        let base = self.record.base.as_ref().and_then(|base| base.content.as_ref());
        if base != Some(&looked.content) {
            return Ok(Change::Content(looked));
        }
        self.record.seen = Some(looked.seen);
        self.save().await?;
        Ok(Change::None)
    }

    pub(super) async fn changed(&mut self) -> Result<bool> {
        Ok(!matches!(self.change().await?, Change::None))
    }

    pub(super) async fn save(&self) -> Result<()> {
        let (place, record) = (self.place.clone(), self.record.clone());
        blocking(move || place.save(&record)).await
    }
}

/// Runs what waits for the disk.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(ErrorKind::Other, "the work on a file was ended").with_source(error)),
    }
}
