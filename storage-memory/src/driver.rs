//! The driver of `memory:` locations.

use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{Driver, Error, Location, OpenOptions, Result, RootName, Settings, StorageBackend};

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

    async fn open(&self, container: &Location, options: &OpenOptions) -> Result<Arc<dyn StorageBackend>> {
        match container {
            Location::Object(object) if object.container.is_empty() => Ok(Arc::new(Memory::new())),
            Location::Object(object) => Ok(Arc::new(self.stores.open(&object.container, options.create))),
            _ => Err(Error::invalid_input(format!("{container} is no place in memory"))),
        }
    }
}
