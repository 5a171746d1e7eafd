//! What stands beside the file: its record, its lock.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage_core::{Attributes, ETag, Error, ErrorKind, Result};

use super::change::Stat;
use super::crash;

/// The names that belong to a working copy.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) file: PathBuf,
    record: PathBuf,
    record_new: PathBuf,
    pub(super) pull: PathBuf,
    lock: PathBuf,
}

/// The right to work on the file: released when it is dropped, and by the system when the process dies.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing would not do: a program that is being started by another thread has the file open too, until it runs.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// What the file was made from, and what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Which object it is a copy of.
    pub(super) object: String,
    /// What the object was when it was pulled or committed last; none where there was none.
    pub(super) base: Option<Version>,
    /// When the file was last known to have the content of the base.
    pub(super) seen: Option<Seen>,
    /// A download that may have replaced the file.
    pub(super) pulling: Option<Version>,
    /// The file is given up, and may lack the journals that belong to it.
    #[serde(default)]
    pub(super) discarding: bool,
    /// Contents that were sent over the base, and may have become the object.
    pub(super) sent: Vec<Content>,
    /// The object's attributes, which a commit stores again.
    pub(super) attributes: Attributes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) etag: ETag,
    /// None where the object was never read.
    pub(super) content: Option<Content>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) sha256: String,
    pub(super) size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) stat: Stat,
    /// Nanoseconds since 1970, just before the file was read.
    pub(super) at: u64,
}

impl Place {
    /// Fails with `InvalidInput` where the path names no file.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(Error::invalid_input(format!("the path {} names no file", path.display()))
                .with_help("give the path of a file, with a name of UTF-8 text"));
        };
        let beside = |end: &str| directory.join(format!(".{name}.{end}"));
        Ok(Self {
            directory: directory.to_owned(),
            record: beside("working"),
            record_new: beside("working.new"),
            pull: beside("pull"),
            lock: beside("lock"),
            file: path.clone(),
        })
    }

    /// Makes the directory, and takes the lock; `Conflict` where another working copy has it.
    pub(super) fn lock(&self) -> Result<Lock> {
        std::fs::create_dir_all(&self.directory).map_err(|error| self.failed("make", &self.directory, error))?;
        let opened = File::options().create(true).truncate(false).write(true).open(&self.lock);
        let lock = opened.map_err(|error| self.failed("open", &self.lock, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Lock(lock)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Conflict, format!("{} is worked on already", self.file.display()))
                    .with_help("close the other working copy, or choose another path"))
            }
            Err(TryLockError::Error(error)) => Err(self.failed("lock", &self.lock, error)),
        }
    }

    /// The record, where there is one.
    pub(super) fn load(&self) -> Result<Option<Record>> {
        let text = match std::fs::read(&self.record) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", &self.record, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Error::new(ErrorKind::Corrupted, format!("the record {} cannot be read: {error}", self.record.display()))
                .with_help("save the file beside it elsewhere, and remove the record")
        })
    }

    /// Writes the record: to the medium first, then in one step in the place of the old one.
    pub(super) fn save(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| Error::new(ErrorKind::Other, "a record cannot be written").with_source(error))?;
        let write = || {
            let mut file = File::create(&self.record_new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            crash::point("record written");
            std::fs::rename(&self.record_new, &self.record)?;
            self.sync_directory()
        };
        write().map_err(|error| self.failed("write", &self.record, error))
    }

    /// Puts the downloaded file in the place of the old one. It is on the medium already.
    pub(super) fn adopt(&self) -> Result<()> {
        let renamed = std::fs::rename(&self.pull, &self.file).and_then(|()| self.sync_directory());
        renamed.map_err(|error| self.failed("write", &self.file, error))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    pub(super) fn failed(&self, what: &str, path: &Path, error: io::Error) -> Error {
        let message = format!("cannot {what} {}: {error}", path.display());
        Error::from(error).with_message(message)
    }
}
