//! Deleting: one, many, a level, everything.

use super::Storage;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{IntoKey, IntoPrefix, Prefix};
use crate::options::DeleteOptions;

impl Storage {
    /// Deletes an object; Ok when there is none (rule D01). One request.
    pub async fn delete(&self, key: impl IntoKey) -> Result<()> {
        self.delete_with(key, DeleteOptions::new()).await
    }

    /// Deletes an object under a condition.
    pub async fn delete_with(&self, key: impl IntoKey, options: DeleteOptions) -> Result<()> {
        let key = self.checked(Operation::Delete, key)?;
        let capabilities = self.capabilities();
        let checked = match options.if_match {
            Some(_) => capabilities.delete_if_match.require("delete with if-match"),
            None => Ok(()),
        };
        let checked = checked.and_then(|()| match options.version {
            Some(_) => capabilities.versions.require("versions"),
            None => Ok(()),
        });
        checked.map_err(|error| self.context(error, Operation::Delete, Some(&key)))?;
        self.run(Operation::Delete, Some(&key), self.backend.delete(&key, options)).await
    }

    /// Deletes objects, any number, with a result for each in order (rule D03); an invalid key fails alone.
    pub async fn delete_many<K: IntoKey>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Result<()>>> {
        let checked: Vec<_> = keys.into_iter().map(|key| self.checked(Operation::Delete, key)).collect();
        let valid: Vec<_> = checked.iter().filter_map(|key| key.as_ref().ok().cloned()).collect();
        let done = self.run(Operation::Delete, None, self.backend.delete_many(valid)).await?;
        let mut done = done.into_iter();
        let lost = || Err(Error::new(ErrorKind::Other, "the backend gave no result for this key"));
        let results = checked.into_iter().map(|key| {
            let key = key?;
            let result = done.next().unwrap_or_else(lost);
            result.map_err(|error| self.context(error, Operation::Delete, Some(&key)))
        });
        Ok(results.collect())
    }

    /// Deletes everything under a prefix that ends in `/`, and says how many objects that were (rule D04). It can be
    /// repeated.
    pub async fn delete_prefix(&self, prefix: impl IntoPrefix) -> Result<u64> {
        let prefix = self.checked_prefix(Operation::Delete, prefix)?;
        if prefix.is_empty() || !prefix.is_level() {
            let help = match prefix.as_str() {
                "" => "to delete everything under the root, say so: delete_all".to_owned(),
                prefix => {
                    format!("write \"{prefix}/\" for what is under it; \"{prefix}\" would take its neighbours too")
                }
            };
            let error =
                Error::invalid_input("a prefix to delete ends in '/'").with_key(prefix.as_str()).with_help(help);
            return Err(self.context(error, Operation::Delete, None));
        }
        self.run(Operation::Delete, None, self.backend.delete_prefix(&prefix)).await
    }

    /// Deletes everything under the root, and says how many objects that were.
    pub async fn delete_all(&self) -> Result<u64> {
        self.run(Operation::Delete, None, self.backend.delete_prefix(&Prefix::root())).await
    }
}
