//! Copies and moves: inside a backend, and from one to another.

use std::sync::Arc;

use super::Storage;
use crate::backend::CopyResult;
use crate::error::{Error, Operation, Result};
use crate::key::{IntoKey, Key};
use crate::options::{Conditions, CopyOptions, GetOptions, HeadOptions, PutMode, PutOptions};

impl Storage {
    /// Copies an object within the root, content and attributes; overwrites (rules X).
    pub async fn copy(&self, from: impl IntoKey, to: impl IntoKey) -> Result<CopyResult> {
        self.copy_with(from, to, CopyOptions::new()).await
    }

    /// Copies an object within the root under conditions.
    pub async fn copy_with(&self, from: impl IntoKey, to: impl IntoKey, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (self.checked(Operation::Copy, from)?, self.checked(Operation::Copy, to)?);
        self.check_copy(&options, Operation::Copy, &from)?;
        if from == to {
            return self.onto_itself(&from, options, Operation::Copy).await;
        }
        self.run(Operation::Copy, Some(&from), self.backend.copy(&from, &to, options)).await
    }

    /// Moves an object within the root; overwrites. Never loses both; atomic where the capabilities say so.
    pub async fn rename(&self, from: impl IntoKey, to: impl IntoKey) -> Result<CopyResult> {
        self.rename_with(from, to, CopyOptions::new()).await
    }

    /// Moves an object within the root under conditions.
    pub async fn rename_with(&self, from: impl IntoKey, to: impl IntoKey, options: CopyOptions) -> Result<CopyResult> {
        let (from, to) = (self.checked(Operation::Rename, from)?, self.checked(Operation::Rename, to)?);
        self.check_copy(&options, Operation::Rename, &from)?;
        if from == to {
            return self.onto_itself(&from, options, Operation::Rename).await;
        }
        self.run(Operation::Rename, Some(&from), self.backend.rename(&from, &to, options)).await
    }

    /// Copies an object to a key of another root (rule X07). Handles of one backend copy inside it, in one request;
    /// between two backends the bytes stream with bounded memory, of one version, and the attributes go along.
    pub async fn copy_to(
        &self,
        from: impl IntoKey,
        target: &Storage,
        to: impl IntoKey,
        options: CopyOptions,
    ) -> Result<CopyResult> {
        let (from, to) = (self.checked(Operation::Copy, from)?, target.checked(Operation::Copy, to)?);
        let whole = &self.whole.backend;
        if self.shares_backend(target) {
            self.check_copy(&options, Operation::Copy, &from)?;
            let (source, copy) = (self.key_in_whole(&from)?, target.key_in_whole(&to)?);
            if source == copy {
                return self.onto_itself(&from, options, Operation::Copy).await;
            }
            return self.run(Operation::Copy, Some(&from), whole.copy(&source, &copy, options)).await;
        }
        let mut read = GetOptions::new();
        read.conditions.if_match = options.if_source_match;
        let source = self.get(&from, read).await?;
        let mut write = PutOptions::new().attributes(source.attributes).length(source.meta.size);
        if options.create_only {
            write.mode = PutMode::CreateOnly;
        }
        target.put_stream(&to, source.body.into_stream(), write).await.map(CopyResult::from)
    }

    /// Whether a copy to the other handle stays inside one backend: it moves no bytes to this machine and back.
    pub fn shares_backend(&self, other: &Storage) -> bool {
        Arc::ptr_eq(&self.whole.backend, &other.whole.backend)
    }

    fn check_copy(&self, options: &CopyOptions, operation: Operation, from: &Key) -> Result<()> {
        let checked = match options.create_only {
            true => self.capabilities().copy_create_only.require("create-only copy"),
            false => Ok(()),
        };
        checked.map_err(|error| self.context(error, operation, Some(from)))
    }

    /// Copying or moving an object onto itself changes nothing (rule X02).
    async fn onto_itself(&self, key: &Key, options: CopyOptions, operation: Operation) -> Result<CopyResult> {
        let conditions = Conditions { if_match: options.if_source_match, ..Conditions::default() };
        let head = self.head_with(key, HeadOptions::new().conditions(conditions)).await?;
        if options.create_only {
            return Err(self.context(Error::already_exists(), operation, Some(key)));
        }
        Ok(CopyResult::from(&head.meta))
    }
}
