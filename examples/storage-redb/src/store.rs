//! The file: opened once for all handles of a driver, read in snapshots, changed in transactions.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, Durability, ReadableDatabase as _};
use storage_core::{Error, ErrorKind, Result};

use crate::errors::{commit_failed, failed};
use crate::gate::Gate;
use crate::tables::{self, Snapshot, Tables};

/// What redb may keep of a file in memory, in bytes; its own measure is 1 GiB.
const CACHE: usize = 32 << 20;

/// A file, whether it exists yet or not.
pub(crate) struct Store {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
    /// The contents that writers of this process have begun. No other process can have begun one: redb locks the file.
    living: Mutex<HashSet<u64>>,
}

impl Store {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, database: Mutex::default(), living: Mutex::default() }
    }

    /// Looks at one state of the file, however long the look takes. `None` where there is no file but a write may make
    /// one; `BackendNotFound` where it may not.
    pub(crate) fn read<T>(&self, create: bool, look: impl FnOnce(Snapshot) -> Result<T>) -> Result<Option<T>> {
        match self.existing()? {
            Some(database) => {
                let transaction = database.begin_read().map_err(failed)?;
                look(Snapshot::open(&transaction)?).map(Some)
            }
            None if create => Ok(None),
            None => Err(self.missing()),
        }
    }

    /// Makes a change: all of it is durable when this returns, or none of it happened.
    pub(crate) fn change<T>(
        &self,
        create: bool,
        gate: &Gate,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact(create, gate, Durability::Immediate, work)
    }

    /// Makes a change that lasts only if a later one does; for what is not visible yet.
    pub(crate) fn prepare<T>(
        &self,
        create: bool,
        gate: &Gate,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact(create, gate, Durability::None, work)
    }

    fn transact<T>(
        &self,
        create: bool,
        gate: &Gate,
        durability: Durability,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T>,
    ) -> Result<T> {
        let database = match self.existing()? {
            Some(database) => database,
            None if create => self.made()?,
            None => return Err(self.missing()),
        };
        // redb has one writer at a time and this waits for it, so what a condition sees is what the commit replaces.
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction.set_durability(durability).map_err(failed)?;
        let result = work(&mut Tables::open(&transaction)?)?;
        let _open = gate.pass()?;
        transaction.commit().map_err(commit_failed)?;
        Ok(result)
    }

    /// The database, if there is a file.
    fn existing(&self) -> Result<Option<Arc<Database>>> {
        let mut open = self.open();
        if open.is_none() && self.path.try_exists().map_err(Error::from)? {
            let database = redb::Builder::new().set_cache_size(CACHE).open(&self.path).map_err(failed)?;
            tables::make(&database)?;
            *open = Some(Arc::new(database));
        }
        Ok(open.clone())
    }

    /// The database, and its file where there was none.
    fn made(&self) -> Result<Arc<Database>> {
        let mut open = self.open();
        if let Some(database) = &*open {
            return Ok(Arc::clone(database));
        }
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let database = redb::Builder::new().set_cache_size(CACHE).create(&self.path).map_err(failed)?;
        tables::make(&database)?;
        // The file's own name has to last too (rule W16).
        File::open(directory)?.sync_all()?;
        Ok(Arc::clone(open.insert(Arc::new(database))))
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self) -> Error {
        Error::new(ErrorKind::BackendNotFound, format!("there is no file {}", self.path.display()))
            .with_help("write to it first, or open it with create")
    }

    /// The contents that writers are still at.
    pub(crate) fn living(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
