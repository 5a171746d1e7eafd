//! The roots of a host, opened.

use storage_core::{Registry, Result, RootName, Settings, Storage};

/// Handles on the three roots. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Roots {
    /// What users gave, and what was made of it.
    pub data: Storage,
    /// What the host keeps for itself.
    pub system: Storage,
    /// What can be made again.
    pub cache: Storage,
}

impl Roots {
    /// Opens the roots where the settings say. Nothing is made yet: the first write to a root makes it.
    ///
    /// Fails with `Configuration` and the setting to change; other errors name the root and what put it there.
    pub async fn open(registry: &Registry, settings: &Settings) -> Result<Self> {
        let open = async |name| registry.open_root(&registry.root(name, settings)?, settings).await;
        Ok(Self {
            data: open(RootName::Data).await?,
            system: open(RootName::System).await?,
            cache: open(RootName::Cache).await?,
        })
    }

    /// Opens the roots by the settings file and the `.env` of the current directory, where there are any, and the
    /// environment; with the drivers of this build. Every call reads them anew and shares nothing with another.
    pub async fn from_env() -> Result<Self> {
        let settings = Settings::builder().discover().environment().build()?;
        Self::open(&crate::registry(), &settings).await
    }
}
