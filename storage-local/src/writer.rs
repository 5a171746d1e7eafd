//! Streaming writes into a temporary file.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{BackendWriter, Error, ErrorKind, Payload, PutOptions, PutResult, Result};

use crate::attributes;
use crate::blocking;
use crate::commit::commit;
use crate::root::Root;
use crate::temp::Temp;

/// Writes an object in one hop.
pub(crate) async fn put(root: &Arc<Root>, path: String, payload: Payload, options: PutOptions) -> Result<PutResult> {
    let root = Arc::clone(root);
    blocking::change(move |gate| {
        let root = root.writable()?;
        let mut temp = Temp::create(&root)?;
        temp.write_all(payload.segments())?;
        attributes::store(temp.fd(), &options.attributes)?;
        commit(gate, &root, temp, &path, &options.mode)
    })
    .await
}

pub(crate) struct LocalWriter {
    root: Arc<Root>,
    path: String,
    options: PutOptions,
    /// Away while a call writes to it; a call that is dropped takes it along, and so removes it.
    temp: Option<Temp>,
}

impl LocalWriter {
    pub(crate) async fn open(root: &Arc<Root>, path: String, options: PutOptions) -> Result<Self> {
        let to = Arc::clone(root);
        let temp = blocking::change(move |_| Temp::create(&*to.writable()?)).await?;
        Ok(Self { root: Arc::clone(root), path, options, temp: Some(temp) })
    }

    fn take(&mut self) -> Result<Temp> {
        self.temp.take().ok_or_else(|| Error::new(ErrorKind::Closed, "an earlier write failed or was dropped"))
    }
}

#[async_trait]
impl BackendWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let mut temp = self.take()?;
        let written = blocking::change(move |_| {
            temp.write_all(&[bytes])?;
            Ok(temp)
        });
        self.temp = Some(written.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<PutResult> {
        let temp = self.take()?;
        let Self { root, path, options, .. } = *self;
        blocking::change(move |gate| {
            attributes::store(temp.fd(), &options.attributes)?;
            // Not the root of the beginning: another directory may have taken its place meanwhile.
            commit(gate, &*root.existing()?, temp, &path, &options.mode)
        })
        .await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let temp = self.temp.take();
        blocking::change(move |_| {
            drop(temp);
            Ok(())
        })
        .await
    }
}
