//! From the object to the file.

use futures::stream::TryStreamExt as _;
use storage_core::{Error, GetOptions, GetResult, Result};
use tokio::io::AsyncWriteExt as _;

use super::change::{blocking, look, remove_journals};
use super::state::{Content, Record, Seen, Version};
use super::{WorkingCopy, crash};
use crate::content::{Algorithm, Hasher};

/// Whether the file's own changes are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// It has none, or is not there.
    None {
        exists: bool,
    },
    Discarded,
}

/// What became of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulled {
    /// It is the file now.
    Replaced,
    /// The file was changed meanwhile, and is left as it is.
    Overtaken,
}

impl WorkingCopy {
    /// Gives up what was changed: the file becomes what the object is now, and goes where there is none. One get. After a
    /// crash on the way the next [`WorkingCopy::open`] does it again.
    pub async fn discard(&mut self) -> Result<()> {
        match self.storage.get(&self.key, GetOptions::new()).await {
            Ok(result) => self.pull(result, Changes::Discarded).await.map(|_| ()),
            Err(error) if error.is_not_found() => self.remove().await,
            Err(error) => Err(error),
        }
    }

    /// Removes the file, whose object is not there.
    async fn remove(&mut self) -> Result<()> {
        self.record.discarding = true;
        self.save().await?;
        let place = self.place.clone();
        blocking(move || {
            remove_journals(&place)?;
            match std::fs::remove_file(&place.file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(place.failed("remove", &place.file, error))
                }
                _ => Ok(()),
            }
        })
        .await?;
        self.start_new().await
    }

    /// Replaces the file by what a get yields, in one step: downloaded beside it, recorded, renamed, recorded. A file whose
    /// changes are not given up is looked at again right before it would be replaced.
    pub(super) async fn pull(&mut self, result: GetResult, changes: Changes) -> Result<Pulled> {
        let (etag, attributes) = (result.meta.etag.clone(), result.attributes.clone());
        let content = self.download(result).await?;
        let version = Version { etag, content: Some(content) };
        crash::point("downloaded");
        self.record.pulling = Some(version.clone());
        self.record.discarding = changes == Changes::Discarded;
        if changes == (Changes::None { exists: false }) {
            // What a program makes from now on is not made from it.
            self.record.base = None;
        }
        self.save().await?;
        crash::point("pull recorded");
        if let Changes::None { exists } = changes
            && self.is_overtaken(exists).await?
        {
            self.give_up_pull().await?;
            return Ok(Pulled::Overtaken);
        }
        let place = self.place.clone();
        let looked = blocking(move || {
            remove_journals(&place)?;
            place.adopt()?;
            crash::point("file replaced");
            look(&place)
        })
        .await?;
        self.record.attributes = attributes;
        let seen = looked.filter(|looked| Some(&looked.content) == version.content.as_ref()).map(|looked| looked.seen);
        self.rebase(version, seen).await?;
        Ok(Pulled::Replaced)
    }

    /// Whether the file has changes that it did not have when the download began.
    async fn is_overtaken(&mut self, existed: bool) -> Result<bool> {
        match (existed, self.file_exists()?) {
            (_, false) => self.no_journal_alone().map(|()| false),
            (false, true) => Ok(true),
            (true, true) => self.changed().await,
        }
    }

    /// Leaves the file as it is, and removes what was downloaded.
    async fn give_up_pull(&mut self) -> Result<()> {
        self.record.pulling = None;
        self.save().await?;
        let place = self.place.clone();
        blocking(move || std::fs::remove_file(&place.pull).map_err(|error| place.failed("remove", &place.pull, error)))
            .await
    }

    /// Records what the file was made from; nothing is under way any more.
    pub(super) async fn rebase(&mut self, base: Version, seen: Option<Seen>) -> Result<()> {
        let Record { object, attributes, .. } = std::mem::take(&mut self.record);
        self.record = Record { object, attributes, base: Some(base), seen, ..Record::default() };
        self.save().await
    }

    /// Writes an object to the medium, beside the file.
    async fn download(&self, result: GetResult) -> Result<Content> {
        let failed = |error| self.place.failed("write", &self.place.pull, error);
        let mut file = tokio::fs::File::create(&self.place.pull).await.map_err(failed)?;
        let (mut hasher, mut size) = (Hasher::new(Algorithm::Sha256), 0);
        let mut stream = result.body.into_stream();
        while let Some(bytes) = stream.try_next().await? {
            hasher.update(&bytes);
            size += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        Ok::<_, Error>(Content { sha256: hasher.finish().to_string(), size })
    }
}
