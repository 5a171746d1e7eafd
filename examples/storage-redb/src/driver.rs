//! The driver of `redb:` locations.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use storage_core::{Driver, Error, Location, ObjectLocation, OpenOptions, Result, RootName, Settings, Storage};

use crate::Redb;
use crate::store::Store;

/// Names the directory of the files.
const DIRECTORY: &str = "REDB_DIRECTORY";

/// Where the files lie when no setting says so, counted from the settings' own directory.
const DEFAULT_DIRECTORY: &str = ".storage/redb";

/// Opens `redb://name/prefix`: the objects under a prefix in the file `name.redb` of the directory that the setting
/// `REDB_DIRECTORY` names, by default `.storage/redb`.
///
/// Handles that one driver opens on one file share it (rule S08); the file is closed with the last of them.
#[derive(Debug, Clone, Default)]
pub struct RedbDriver {
    stores: Arc<Mutex<HashMap<PathBuf, Weak<Store>>>>,
}

impl RedbDriver {
    /// A driver with no file open.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one store of a file, opened by its first use.
    fn store(&self, path: PathBuf) -> Arc<Store> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.retain(|_, store| store.strong_count() > 0);
        if let Some(store) = stores.get(&path).and_then(Weak::upgrade) {
            return store;
        }
        let store = Arc::new(Store::at(path.clone()));
        stores.insert(path, Arc::downgrade(&store));
        store
    }
}

#[async_trait]
impl Driver for RedbDriver {
    fn name(&self) -> &str {
        "redb"
    }

    fn schemes(&self) -> &[&str] {
        &["redb"]
    }

    fn default_root(&self, root: RootName, _: &Settings) -> Result<Location> {
        Location::parse(&format!("redb://storage/{root}"))
    }

    async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage> {
        let Location::Object(place) = location else {
            return Err(Error::invalid_input(format!("{location} is no redb location")));
        };
        if let Some(option) = place.options.keys().next() {
            return Err(Error::invalid_input(format!("redb locations have no option {option:?}"))
                .with_help("write %3F for a question mark in a key"));
        }
        let path = directory(&options.settings)?.join(file_name(&place.container)?);
        let whole = Location::Object(ObjectLocation { path: String::new(), ..place.clone() });
        let store = Storage::new(Redb::opened(self.store(path), options.create, Some(whole)));
        match place.path.as_str() {
            "" => Ok(store),
            path => store.sub(path),
        }
    }
}

/// The directory of the files, as the settings have it, in one spelling.
fn directory(settings: &Settings) -> Result<PathBuf> {
    let named = match settings.get(DIRECTORY)? {
        Some(setting) => settings.directory_of(setting).join(setting.value()),
        None => settings.directory().join(DEFAULT_DIRECTORY),
    };
    std::path::absolute(&named)
        .map_err(|error| Error::configuration(format!("{DIRECTORY}: {}: {error}", named.display())).with_source(error))
}

/// The file that a name stands for; a name is no path, so that no location leads out of the directory.
fn file_name(name: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    match name.bytes().all(plain) {
        true => Ok(format!("{name}.redb")),
        false => Err(Error::invalid_input(format!("the name {name:?} of a redb file is refused"))
            .with_help("a name is of letters, digits, '_' and '-'; REDB_DIRECTORY says where the file lies")),
    }
}
