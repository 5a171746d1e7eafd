//! Files that are named one by one: by a location, or by a storage and a key; with and without a head.

use storage_core::{Error, IntoKey, Key, Location, OpenOptions, Prefix, Registry, Result, Storage};

use super::{Known, SourceFile};

impl SourceFile {
    /// The file at a location, `s3://bucket/key` or a path. One head: `NotFound` where there is none. A location that is a
    /// level is `InvalidInput`.
    pub async fn open(registry: &Registry, location: &str, options: &OpenOptions) -> Result<Self> {
        let file = Self::open_without_head(registry, location, options).await?;
        file.head().await?;
        Ok(file)
    }

    /// The file at a location; whether there is one shows when it is read. No request to a service.
    pub async fn open_without_head(registry: &Registry, location: &str, options: &OpenOptions) -> Result<Self> {
        let place = Location::parse(location)?;
        let (storage, key) = registry.resolve(&place, options).await?;
        if key.is_empty() || key.ends_with('/') {
            return Err(Error::invalid_input(format!("{place} is a level of keys, not an object"))
                .with_help("name an object, or walk what is under the level"));
        }
        Ok(Self::unseen(storage, Key::new(key)?))
    }

    /// The file of a key. One head: `NotFound` where there is none.
    pub async fn at(storage: &Storage, key: impl IntoKey) -> Result<Self> {
        let file = Self::at_without_head(storage, key)?;
        file.head().await?;
        Ok(file)
    }

    /// The file of a key; whether there is one shows when it is read. No request.
    pub fn at_without_head(storage: &Storage, key: impl IntoKey) -> Result<Self> {
        Ok(Self::unseen(storage.clone(), key.into_key()?))
    }

    fn unseen(storage: Storage, key: Key) -> Self {
        Self::new(storage, Prefix::root(), key, Known::default())
    }
}
