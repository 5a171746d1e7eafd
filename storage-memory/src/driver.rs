//! The driver of `memory:` locations.

use async_trait::async_trait;
use storage_core::{Driver, Error, Location, OpenOptions, Result, RootName, Settings, Storage};

use crate::{Memory, Stores};

/// Opens `memory://name`, a store that everybody shares who opens it through the same driver, and `memory://`, a private
/// one (rule S08).
#[derive(Debug, Clone, Default)]
pub struct MemoryDriver {
    stores: Stores,
}

impl MemoryDriver {
    /// A driver with no store yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A driver for stores that others hold too.
    pub fn with_stores(stores: Stores) -> Self {
        Self { stores }
    }
}

#[async_trait]
impl Driver for MemoryDriver {
    fn name(&self) -> &str {
        "memory"
    }

    fn schemes(&self) -> &[&str] {
        &["memory"]
    }

    fn default_root(&self, root: RootName, _: &Settings) -> Result<Location> {
        Location::parse(&format!("memory://{root}"))
    }

    async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage> {
        let Location::Object(object) = location else {
            return Err(Error::invalid_input(format!("{location} is no place in memory")));
        };
        let store = Storage::new(match object.container.as_str() {
            "" => Memory::new(),
            name => self.stores.open(name, options.create),
        });
        match object.path.as_str() {
            "" => Ok(store),
            path => store.sub(path),
        }
    }
}
