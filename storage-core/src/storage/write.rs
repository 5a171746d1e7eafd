//! Writing in one call: bytes, text, streams, files.

use std::path::Path;

use bytes::Bytes;
use futures::stream::{Stream, TryStreamExt};
use tokio::io::AsyncReadExt as _;

use super::{Storage, Writer};
use crate::backend::PutResult;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{IntoKey, Key};
use crate::options::{PutMode, PutOptions};
use crate::payload::{Payload, PayloadBuilder};

/// A stream that ends within so many bytes is written in one request; a longer one through a writer.
const ONE_REQUEST: u64 = 8 * 1024 * 1024;

/// The bytes read from a file at once.
const FILE_CHUNK: usize = 1024 * 1024;

/// The answer of a write that keeps what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The object was written.
    Written(PutResult),
    /// An object was there and was kept; nothing was written.
    KeptExisting,
}

impl Put {
    /// Reads the answer of a create-only write as one that keeps what is there.
    pub fn keeping(result: Result<PutResult>) -> Result<Self> {
        match result {
            Ok(written) => Ok(Self::Written(written)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self::KeptExisting),
            Err(error) => Err(error),
        }
    }

    /// Whether the object was written.
    pub fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

impl Storage {
    /// Writes bytes or text; overwrites. One request, atomic (rules W01–W03).
    pub async fn put(&self, key: impl IntoKey, data: impl Into<Payload>) -> Result<PutResult> {
        self.put_with(key, data, PutOptions::new()).await
    }

    /// Writes bytes or text with every option. One request, atomic.
    pub async fn put_with(
        &self,
        key: impl IntoKey,
        data: impl Into<Payload>,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (key, payload) = (self.checked(Operation::Put, key)?, data.into());
        let length = payload.len();
        let capabilities = self.capabilities();
        let checked = match &options.mode {
            PutMode::Overwrite => Ok(()),
            PutMode::CreateOnly => capabilities.put_create_only.require("create-only put"),
            PutMode::IfMatch(_) => capabilities.put_if_match.require("put with if-match"),
        };
        let options = checked
            .and_then(|()| check_declared(options.length, length))
            .and_then(|()| self.check_put(options, Some(length)))
            .map_err(|error| self.context(error, Operation::Put, Some(&key)))?;
        self.run(Operation::Put, Some(&key), self.backend.put(&key, payload, options)).await
    }

    /// Writes bytes or text unless an object has the key, and says which. One request; of many at once exactly one
    /// writes (rule C01).
    pub async fn put_if_absent(&self, key: impl IntoKey, data: impl Into<Payload>) -> Result<Put> {
        Put::keeping(self.put_with(key, data, PutOptions::new().create_only()).await)
    }

    /// Writes what a stream yields. If the stream fails, its error comes back and nothing is visible (rule W10). Up to
    /// 8 MiB are one request; more goes through a writer with bounded memory.
    pub async fn put_stream<S, E>(&self, key: impl IntoKey, stream: S, options: PutOptions) -> Result<PutResult>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Error>,
    {
        let key = self.checked(Operation::Put, key)?;
        let declared = options.length;
        let options =
            self.check_put(options, declared).map_err(|error| self.context(error, Operation::Put, Some(&key)))?;
        let mut stream = std::pin::pin!(stream);
        let mut held = PayloadBuilder::new();
        while held.len() <= ONE_REQUEST {
            match stream.try_next().await.map_err(|error| self.context(error.into(), Operation::Put, Some(&key)))? {
                None => return self.put_with(&key, held.finish(), options).await,
                Some(bytes) => held.push(bytes),
            }
        }
        let mut writer = self.writer_with(&key, options).await?;
        for segment in held.finish().into_segments() {
            writer.write(segment).await?;
        }
        loop {
            match stream.try_next().await {
                Ok(Some(bytes)) => writer.write(bytes).await?,
                Ok(None) => return writer.finish().await,
                Err(error) => {
                    let error = self.context(error.into(), Operation::Put, Some(&key));
                    // The stream's error is what the caller must see; leftovers are for the sweep.
                    let _ = writer.abort().await;
                    return Err(error);
                }
            }
        }
    }

    /// Writes the content of a file of this machine. A file that changes its length meanwhile is `LengthMismatch`.
    pub async fn put_file(
        &self,
        key: impl IntoKey,
        path: impl AsRef<Path>,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let key = self.checked(Operation::Put, key)?;
        let path = path.as_ref();
        let failed = |error: std::io::Error| {
            let message = format!("cannot read the file {}", path.display());
            self.context(Error::from(error).with_message(message), Operation::Put, Some(&key))
        };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        options.length.get_or_insert(length);
        let chunks = futures::stream::try_unfold(file, async |mut file| {
            let mut chunk = Vec::with_capacity(FILE_CHUNK);
            let read = file.read_buf(&mut chunk).await?;
            Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
        });
        self.put_stream(&key, chunks.map_err(failed), options).await
    }

    /// Opens a streaming write that overwrites. Nothing is visible before `finish` (rule W04).
    pub async fn writer(&self, key: impl IntoKey) -> Result<Writer> {
        self.writer_with(key, PutOptions::new()).await
    }

    /// Opens a streaming write with every option; a condition is judged at `finish` (rule C04).
    pub async fn writer_with(&self, key: impl IntoKey, options: PutOptions) -> Result<Writer> {
        let key = self.checked(Operation::OpenWriter, key)?;
        let capabilities = self.capabilities();
        let checked = match &options.mode {
            PutMode::Overwrite => Ok(()),
            PutMode::CreateOnly => capabilities.writer_create_only.require("create-only streaming write"),
            PutMode::IfMatch(_) => capabilities.writer_if_match.require("streaming write with if-match"),
        };
        let length = options.length;
        let options = checked
            .and_then(|()| self.check_put(options, length))
            .map_err(|error| self.context(error, Operation::OpenWriter, Some(&key)))?;
        let inner = self.run(Operation::OpenWriter, Some(&key), self.backend.writer(&key, options)).await?;
        Ok(Writer::new(self.clone(), key, inner, length))
    }

    /// Attributes and size, against the rules and the backend.
    fn check_put(&self, mut options: PutOptions, length: Option<u64>) -> Result<PutOptions> {
        let capabilities = self.capabilities();
        options.attributes = options.attributes.checked()?;
        if !capabilities.attributes && !options.attributes.is_empty() {
            return Err(Error::unsupported("it stores no attributes"));
        }
        let most = capabilities.max_object_size;
        match length {
            Some(length) if length > most => {
                Err(Error::invalid_input(format!("{length} bytes are more than the largest object, {most}")))
            }
            _ => {
                options.length = length;
                Ok(options)
            }
        }
    }

    pub(super) fn finish_context(&self, error: Error, operation: Operation, key: &Key) -> Error {
        self.context(error, operation, Some(key))
    }
}

pub(super) fn check_declared(declared: Option<u64>, got: u64) -> Result<()> {
    match declared {
        Some(declared) if declared != got => {
            Err(Error::new(ErrorKind::LengthMismatch, format!("{declared} bytes were declared, {got} came"))
                .with_help("declare the length that will come, or none"))
        }
        _ => Ok(()),
    }
}
