//! A file of this machine that holds an object's content.

use std::io;
use std::path::{Path, PathBuf};

use futures::stream::{BoxStream, TryStreamExt as _};
use storage_core::{Error, Result};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;

use super::path::RelativePath;

/// Suffixes over so many bytes are no suffixes, and file systems may not take them.
const LONGEST_SUFFIX: usize = 64;

/// A copy of an object in the directory for temporary files, readable by this user alone. Dropping it removes it.
#[derive(Debug)]
pub struct TempFile {
    path: TempPath,
}

impl TempFile {
    /// Where it lies. Its name ends as the object's does.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file: it is the caller's to remove.
    pub fn keep(self) -> Result<PathBuf> {
        self.path.keep().map_err(|error| failed(error.error))
    }

    /// Writes what a stream yields. Nothing is left where it fails.
    pub(super) async fn write(
        path: &RelativePath,
        mut content: BoxStream<'static, Result<bytes::Bytes>>,
    ) -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("storage-").suffix(&suffix(path)).tempfile().map_err(failed)?;
        let (file, path) = temporary.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        while let Some(bytes) = content.try_next().await? {
            file.write_all(&bytes).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(Self { path })
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

/// The suffixes that programs tell a file's kind by: all of them, else the last one, else none.
fn suffix(path: &RelativePath) -> String {
    let all = path.suffixes().concat();
    let fits = |suffix: &str| suffix.len() <= LONGEST_SUFFIX;
    [all.as_str(), path.suffix()].into_iter().find(|suffix| fits(suffix)).unwrap_or_default().to_owned()
}

fn failed(error: io::Error) -> Error {
    let message = format!("the temporary file in {} cannot be written: {error}", std::env::temp_dir().display());
    Error::from(error).with_message(message).with_help("make room there, or set TMPDIR to another directory")
}
