//! Opening: what is there of an earlier session, and what the object is now.

use std::path::Path;

use storage_core::{Capabilities, Error, ErrorKind, GetOptions, IntoKey, Result, Storage, Support};

use super::change::{Stat, blocking, journal, look};
use super::lease::Heartbeat;
use super::pull::{Changes, Pulled};
use super::state::{Place, Record};
use super::{Opened, WorkingCopy, WorkingCopyOptions};

impl WorkingCopy {
    /// Makes a file of this machine the working copy of an object, which need not exist yet; or goes on with the working
    /// copy that an earlier session, or a crash, left there. [`WorkingCopy::opened`] says which.
    ///
    /// Missing directories are made. Fails with `AlreadyExists` where there is a file that is no working copy of this
    /// object, with `Conflict` where the file is worked on already or the lease is held, with `Unsupported` where the
    /// backend keeps no conditions and nobody vouched. A lease that was taken is given back where it fails.
    pub async fn open(
        storage: &Storage,
        key: impl IntoKey,
        path: impl AsRef<Path>,
        options: WorkingCopyOptions,
    ) -> Result<Self> {
        let key = key.into_key()?;
        if !options.exclusive {
            require_conditions(&storage.capabilities()).map_err(|error| error.with_key(key.as_str()))?;
        }
        let place = Place::new(path.as_ref())?;
        let object = storage.uri(&key).unwrap_or_else(|_| format!("{}:{key}", storage.name()));
        let (lock, record) = {
            let place = place.clone();
            blocking(move || {
                let lock = place.lock()?;
                let record = found(&place, object)?;
                Ok((lock, record))
            })
            .await?
        };
        let heartbeat = match &options.lease {
            Some(lease) => Some(Heartbeat::start(storage, &key, lease).await?),
            None => None,
        };
        let storage = storage.clone();
        let mut copy = Self { storage, key, place, record, options, opened: Opened::New, heartbeat, _lock: lock };
        match copy.catch_up().await {
            Ok(opened) => copy.opened = opened,
            Err(error) => {
                // Nobody is to wait for a lease under which nothing is done. Where this fails too, it expires.
                let _ = copy.close().await;
                return Err(error);
            }
        }
        Ok(copy)
    }

    /// Settles what was under way, and pulls the object unless the file has changes.
    async fn catch_up(&mut self) -> Result<Opened> {
        self.settle_pull().await?;
        if self.record.discarding {
            self.discard().await?;
            return Ok(if self.record.base.is_some() { Opened::Pulled } else { Opened::New });
        }
        if !self.record.sent.is_empty() {
            self.settle().await?;
        }
        let exists = self.file_exists()?;
        if !exists {
            self.no_journal_alone()?;
        } else if self.changed().await? {
            return Ok(Opened::Uncommitted);
        }
        let mut read = GetOptions::new();
        if exists && let Some(base) = &self.record.base {
            read = read.if_none_match(base.etag.clone());
        }
        match self.storage.get(&self.key, read).await {
            Ok(result) => {
                // The download takes its time, and a program may have used it.
                match self.pull(result, Changes::None { exists }).await? {
                    Pulled::Replaced => Ok(Opened::Pulled),
                    Pulled::Overtaken => Ok(Opened::Uncommitted),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotModified => Ok(Opened::Current),
            Err(error) if error.is_not_found() && exists => Ok(Opened::Deleted),
            Err(error) if error.is_not_found() => {
                self.start_new().await?;
                Ok(Opened::New)
            }
            Err(error) => Err(error),
        }
    }

    /// Fails where a journal is all that is left of a database.
    pub(super) fn no_journal_alone(&self) -> Result<()> {
        let Some(journal) = journal(&self.place.file) else {
            return Ok(());
        };
        let message = format!("{} is there, and the database it belongs to is not", journal.display());
        Err(Error::new(ErrorKind::Conflict, message).with_help("restore the database, or remove it"))
    }

    pub(super) fn file_exists(&self) -> Result<bool> {
        let stat = Stat::of(&self.place.file).map_err(|error| self.place.failed("look at", &self.place.file, error))?;
        Ok(stat.is_some())
    }

    /// A record of a file that the program is to make.
    pub(super) async fn start_new(&mut self) -> Result<()> {
        let object = std::mem::take(&mut self.record.object);
        self.record = Record { object, attributes: self.options.attributes.clone(), ..Record::default() };
        self.save().await
    }

    /// A download that was under way either has replaced the file or has not.
    async fn settle_pull(&mut self) -> Result<()> {
        let Some(version) = self.record.pulling.clone() else {
            return Ok(());
        };
        let place = self.place.clone();
        match blocking(move || look(&place)).await? {
            Some(looked) if Some(&looked.content) == version.content.as_ref() => {
                return self.rebase(version, Some(looked.seen)).await;
            }
            Some(_) => {}
            None => self.record.base = None,
        }
        self.record.pulling = None;
        self.save().await
    }
}

/// The record that is there, or a new one where neither record nor file is.
fn found(place: &Place, object: String) -> Result<Record> {
    let file = place.file.display();
    match place.load()? {
        Some(record) if record.object == object => Ok(record),
        Some(record) => {
            Err(Error::new(ErrorKind::AlreadyExists, format!("{file} is the working copy of {}", record.object))
                .with_help("choose another path"))
        }
        None => match Stat::of(&place.file).map_err(|error| place.failed("look at", &place.file, error))? {
            None => Ok(Record { object, ..Record::default() }),
            Some(_) => {
                Err(Error::new(ErrorKind::AlreadyExists, format!("there is a file {file} that is no working copy"))
                    .with_help("move it away, or choose another path"))
            }
        },
    }
}

fn require_conditions(capabilities: &Capabilities) -> Result<()> {
    if [capabilities.put_create_only, capabilities.put_if_match].contains(&Support::No) {
        return Err(Error::unsupported(
            "this backend keeps no conditions, so that a change by somebody else would be lost",
        )
        .with_help("vouch for being alone with WorkingCopyOptions::exclusive"));
    }
    Ok(())
}
