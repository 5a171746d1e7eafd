//! The parts of an upload that are under way.

use std::sync::Arc;

use storage_core::{Attributes, Error, ErrorKind, Payload, PutMode, PutResult, Result};
use tokio::task::{JoinError, JoinSet};

use crate::checksum::Checksum;
use crate::core::Core;
use crate::upload::{self, Part, Upload};

/// An upload that is being filled. Each part is sent by a task of its own, so that it arrives in time however slowly the
/// caller brings the next one; dropping this ends the tasks and aborts the upload (rule W06).
pub(crate) struct Parts {
    core: Arc<Core>,
    upload: Arc<Upload>,
    running: JoinSet<Result<Part>>,
    sent: Vec<Part>,
    /// Neither completed nor aborted, and nothing of the two under way.
    open: bool,
}

impl Parts {
    /// Begins an upload. One request; nothing is visible.
    pub(crate) async fn begin(core: &Arc<Core>, name: String, attributes: &Attributes, mode: PutMode) -> Result<Self> {
        let upload = upload::create(core, name, attributes, mode, Checksum::sent(core)).await?;
        let (running, sent) = (JoinSet::new(), Vec::new());
        Ok(Self { core: core.clone(), upload: Arc::new(upload), running, sent, open: true })
    }

    /// Sends a part, once fewer than `most` are under way.
    pub(crate) async fn send(&mut self, number: u32, body: Payload, most: usize) -> Result<()> {
        while let Some(sent) = self.running.try_join_next() {
            self.keep(sent)?;
        }
        while self.running.len() >= most.max(1) {
            self.sent_one().await?;
        }
        let (core, upload) = (self.core.clone(), self.upload.clone());
        self.running.spawn(async move { upload::put_part(&core, &upload, number, body.into_segments()).await });
        Ok(())
    }

    /// Makes the object of the parts that were sent, `size` bytes in all.
    pub(crate) async fn complete(&mut self, size: u64) -> Result<PutResult> {
        while !self.running.is_empty() {
            self.sent_one().await?;
        }
        self.sent.sort_unstable_by_key(|part| part.number);
        // Whoever drops this now leaves a completion behind that may be under way still: an abort beside it costs the
        // object on some services. What stays is for the sweep.
        self.open = false;
        let written = upload::complete(&self.core, &self.upload, &self.sent, size).await;
        self.open = written.as_ref().is_err_and(|error| error.kind() != ErrorKind::OutcomeUnknown);
        written
    }

    async fn sent_one(&mut self) -> Result<()> {
        match self.running.join_next().await {
            Some(sent) => self.keep(sent),
            None => Ok(()),
        }
    }

    fn keep(&mut self, sent: Result<Result<Part>, JoinError>) -> Result<()> {
        let ended = |error| Error::new(ErrorKind::Other, "the task that sent a part has ended").with_source(error);
        self.sent.push(sent.map_err(ended)??);
        Ok(())
    }

    /// Discards the upload; Ok where it is gone. One request, none where its completion is in doubt.
    pub(crate) async fn abort(mut self) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        // A part that arrives behind the abort may stay.
        self.running.shutdown().await;
        upload::abort(&self.core, &self.upload).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.open {
            let mut running = std::mem::take(&mut self.running);
            upload::abandon(self.core.clone(), self.upload.clone(), async move { running.shutdown().await });
        }
    }
}
