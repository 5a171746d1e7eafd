//! Streaming writes: bytes go into the file as they come, as chunks that no object names before `finish`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use storage_core::{BackendWriter, Error, ErrorKind, Key, ObjectMeta, PutOptions, PutResult, Result, SweepReport};

use crate::gate::{Gate, change};
use crate::store::Store;
use crate::tables::{CHUNK, Tables};

/// So many chunks are gathered before they go into the file in one transaction.
const GATHERED: usize = 8;

pub(crate) struct RedbWriter {
    store: Arc<Store>,
    create: bool,
    key: Key,
    options: PutOptions,
    buffer: BytesMut,
    /// What is in the file; none before the first chunks.
    spool: Option<Spool>,
    /// A write of chunks is under way, or did not come to its end: what was taken is not known any more.
    lost: bool,
}

/// Chunks in the file that belong to no object yet.
struct Spool {
    store: Arc<Store>,
    content: u64,
    chunks: u64,
    size: u64,
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.store.living().remove(&self.content);
    }
}

impl RedbWriter {
    pub(crate) fn new(store: Arc<Store>, create: bool, key: Key, options: PutOptions) -> Self {
        Self { store, create, key, options, buffer: BytesMut::new(), spool: None, lost: false }
    }

    /// Moves all whole chunks of the buffer into the file.
    async fn spill(&mut self) -> Result<()> {
        let whole = self.buffer.len() / CHUNK * CHUNK;
        let mut bytes = self.buffer.split_to(whole).freeze();
        let (store, create, spool) = (Arc::clone(&self.store), self.create, self.spool.take());
        let spilled = change(move |gate| {
            let opened = Arc::clone(&store);
            store.prepare(create, gate, |tables| {
                let mut spool = match spool {
                    Some(spool) => spool,
                    None => {
                        // So that what dropped writers left does not gather where nobody sweeps.
                        sweep(&opened, tables, Duration::ZERO)?;
                        let content = tables.begin()?;
                        opened.living().insert(content);
                        Spool { store: opened, content, chunks: 0, size: 0 }
                    }
                };
                while !bytes.is_empty() {
                    let chunk = bytes.split_to(CHUNK);
                    tables.append(spool.content, spool.chunks, &chunk)?;
                    spool.chunks += 1;
                    spool.size += chunk.len() as u64;
                }
                Ok(spool)
            })
        });
        self.lost = true;
        self.spool = Some(spilled.await?);
        self.lost = false;
        Ok(())
    }
}

#[async_trait]
impl BackendWriter for RedbWriter {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        while bytes.has_remaining() {
            let room = GATHERED * CHUNK - self.buffer.len();
            self.buffer.extend_from_slice(&bytes.split_to(bytes.len().min(room)));
            if self.buffer.len() == GATHERED * CHUNK {
                self.spill().await?;
            }
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PutResult> {
        let Self { store, create, key, options, buffer, spool, lost } = *self;
        if lost {
            return Err(Error::new(ErrorKind::Closed, "an earlier write of this writer failed"));
        }
        change(move |gate| {
            let finished = store.change(create, gate, |tables| {
                tables.allow(&key, &options.mode)?;
                let (content, size) = match &spool {
                    None => (tables.store(&buffer.clone().freeze().into())?, 0),
                    Some(spool) => {
                        for (number, chunk) in (spool.chunks..).zip(buffer.chunks(CHUNK)) {
                            tables.append(spool.content, number, chunk)?;
                        }
                        tables.end(spool.content)?;
                        (spool.content, spool.size)
                    }
                };
                tables.commit(&key, content, size + buffer.len() as u64, &options.attributes)
            });
            match (finished, &spool) {
                // What may have been committed must not be discarded.
                (Err(error), Some(spool)) if error.kind() != ErrorKind::OutcomeUnknown => {
                    discard(&store, create, gate, spool)?;
                    Err(error)
                }
                (finished, _) => finished.map(|meta: ObjectMeta| PutResult::from(&meta)),
            }
        })
        .await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { store, create, spool: Some(spool), .. } = *self else {
            return Ok(());
        };
        change(move |gate| discard(&store, create, gate, &spool)).await
    }
}

fn discard(store: &Store, create: bool, gate: &Gate, spool: &Spool) -> Result<()> {
    store.prepare(create, gate, |tables| {
        tables.end(spool.content)?;
        tables.discard(spool.content).map(drop)
    })
}

/// Removes the contents of writers that are gone (rule W06).
pub(crate) fn sweep(store: &Store, tables: &mut Tables<'_>, older_than: Duration) -> Result<SweepReport> {
    let mut report = SweepReport::default();
    for content in tables.begun(older_than)? {
        if !store.living().contains(&content) {
            tables.end(content)?;
            report.bytes += tables.discard(content)?;
            report.removed += 1;
        }
    }
    Ok(report)
}
