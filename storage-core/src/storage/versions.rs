//! Listing the versions of objects.

use super::Storage;
use crate::error::{Error, Operation, Result};
use crate::options::ListOptions;
use crate::versions::{VersionLister, VersionPage};

impl Storage {
    /// All versions under a prefix, keys in ascending order of bytes and of each key the newest first (rule V01). One
    /// request for each page read. `Unsupported` where the backend keeps no versions.
    ///
    /// Of the options prefix and page size count; any other is `InvalidInput`.
    pub async fn versions(&self, options: ListOptions) -> Result<VersionPages> {
        let checked = self.capabilities().versions.require("versions").and_then(|()| {
            match options.delimited
                || options.start_after.is_some()
                || options.token.is_some()
                || options.limit.is_some()
            {
                true => Err(Error::invalid_input("a listing of versions takes a prefix and a page size only")),
                false => Ok(()),
            }
        });
        checked.map_err(|error| self.context(error, Operation::List, None))?;
        let lister = self.run(Operation::List, None, self.backend.list_versions(options)).await?;
        Ok(VersionPages { storage: self.clone(), lister })
    }
}

/// A listing of versions page by page.
pub struct VersionPages {
    storage: Storage,
    lister: Box<dyn VersionLister>,
}

impl VersionPages {
    /// The next page; `None` at the end. After an error the same page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<VersionPage>> {
        self.storage.run(Operation::List, None, self.lister.next_page()).await
    }
}
