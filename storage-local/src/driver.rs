//! The driver of paths and `file:` URLs.

use async_trait::async_trait;
use storage_core::settings::STORAGE_LOCAL_DURABILITY;
use storage_core::{Access, Driver, Error, Location, OpenOptions, Result, RootName, Settings, Storage};

use crate::{Durability, Local, LocalOptions};

/// Opens directories. `STORAGE_LOCAL_DURABILITY` says what an Ok of a write means after a crash of the machine: `full`
/// (the default) or `fast`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDriver;

impl LocalDriver {
    /// The driver; it holds nothing.
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Driver for LocalDriver {
    fn name(&self) -> &str {
        "local"
    }

    fn schemes(&self) -> &[&str] {
        &["file"]
    }

    fn default_root(&self, root: RootName, _: &Settings) -> Result<Location> {
        Location::parse(&format!(".storage/{root}"))
    }

    fn access(&self, location: &Location, _: &Settings) -> Result<Access> {
        match location {
            Location::File(path) => Ok(Access::directory(Location::File(std::path::absolute(path)?))),
            _ => Err(Error::invalid_input(format!("{location} is no directory"))),
        }
    }

    async fn open(&self, container: &Location, options: &OpenOptions) -> Result<Storage> {
        let Location::File(path) = container else {
            return Err(Error::invalid_input(format!("{container} is no directory")));
        };
        Ok(Storage::new(Local::open(path, local_options(options)?)?))
    }
}

fn local_options(options: &OpenOptions) -> Result<LocalOptions> {
    let durability = match options.settings.get(STORAGE_LOCAL_DURABILITY)? {
        Some(setting) if setting.choose(&["full", "fast"])? == 1 => Durability::Fast,
        _ => Durability::Full,
    };
    Ok(LocalOptions::new().create(options.create).durability(durability))
}
