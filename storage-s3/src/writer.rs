//! Streaming writes: in one request where they are small, else in parts.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{BackendWriter, Error, ErrorKind, Key, PayloadBuilder, PutOptions, PutResult, Result};

use crate::core::Core;
use crate::part_plan::PartPlan;
use crate::parts::Parts;
use crate::{put, upload};

/// Opens a streaming write. No request, save the probe of a condition of which nothing is known yet.
///
/// One part's worth and less is one request, at the end. More is one request for each part, one before them and one
/// behind; each part has the time that options allow an operation.
pub(crate) async fn open(core: &Arc<Core>, key: &Key, options: PutOptions) -> Result<Box<dyn BackendWriter>> {
    let plan = PartPlan::new(&core.options, options.length)?;
    upload::require(core, &options.mode).await?;
    Ok(Box::new(S3Writer::new(core.clone(), key.clone(), options, plan)))
}

struct S3Writer {
    core: Arc<Core>,
    key: Key,
    options: PutOptions,
    plan: PartPlan,
    /// The part that is being filled.
    held: PayloadBuilder,
    /// Bytes of the whole so far.
    taken: u64,
    /// Of the part that is being filled.
    number: u32,
    /// `None` until there is more than one part.
    parts: Option<Parts>,
    /// A call failed, or was dropped half-way, so that bytes may be missing.
    lost: bool,
}

#[async_trait]
impl BackendWriter for S3Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.check_whole()?;
        self.lost = true;
        match self.take(bytes).await {
            Ok(()) => {
                self.lost = false;
                Ok(())
            }
            Err(error) => {
                self.discard(&error).await;
                Err(error)
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<PutResult> {
        let result = self.commit().await;
        if let Err(error) = &result {
            self.discard(error).await;
        }
        result
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        match self.parts {
            Some(parts) => parts.abort().await,
            None => Ok(()),
        }
    }
}

impl S3Writer {
    fn new(core: Arc<Core>, key: Key, options: PutOptions, plan: PartPlan) -> Self {
        let held = PayloadBuilder::new();
        Self { core, key, options, plan, held, taken: 0, number: 1, parts: None, lost: false }
    }

    fn check_whole(&self) -> Result<()> {
        match self.lost {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Closed, "an earlier call of the writer failed, or was dropped half-way")
                .with_help("open a new writer")),
        }
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        self.taken += bytes.len() as u64;
        if self.options.length.is_some_and(|declared| self.taken > declared) {
            return Err(self.mismatch());
        }
        while !bytes.is_empty() {
            let room = self.plan.size(self.number).saturating_sub(self.held.len());
            let piece = bytes.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
            self.held.push(piece);
            // A part that is all there is goes in one request, at the end.
            let full = self.held.len() >= self.plan.size(self.number);
            if full && (self.parts.is_some() || !bytes.is_empty()) {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends the part that is being filled.
    async fn send(&mut self) -> Result<()> {
        self.plan.check(self.number)?;
        let body = std::mem::take(&mut self.held).finish();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let (name, options) = (self.core.name(&self.key), &self.options);
                let parts = Parts::begin(&self.core, name, &options.attributes, options.mode.clone()).await?;
                self.parts.insert(parts)
            }
        };
        parts.send(self.number, body, self.plan.at_once(self.number)).await?;
        self.number += 1;
        Ok(())
    }

    async fn commit(&mut self) -> Result<PutResult> {
        self.check_whole()?;
        if self.options.length.is_some_and(|declared| self.taken != declared) {
            return Err(self.mismatch());
        }
        if self.parts.is_some() && !self.held.is_empty() {
            self.send().await?;
        }
        match &mut self.parts {
            Some(parts) => parts.complete(self.taken).await,
            None => {
                let payload = std::mem::take(&mut self.held).finish();
                put::put(&self.core, &self.key, payload, self.options.clone()).await
            }
        }
    }

    /// Ends the upload of a write that failed. Where the service answers it is gone when this returns; else a task goes on
    /// for a while.
    async fn discard(&mut self, error: &Error) {
        self.lost = true;
        let Some(parts) = self.parts.take() else {
            return;
        };
        match error.kind() {
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Configuration => drop(parts),
            _ => drop(parts.abort().await),
        }
    }

    fn mismatch(&self) -> Error {
        let (declared, taken) = (self.options.length.unwrap_or_default(), self.taken);
        Error::new(ErrorKind::LengthMismatch, format!("{declared} bytes were declared, {taken} came"))
            .with_help("declare the length that will come, or none")
    }
}

#[cfg(test)]
mod tests;
