//! The file of the page, which is opened before anything is asked: a run may take an hour.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use conformance_tests::Report;
use storage::Error;

use super::page;
use crate::failure::{Failure, note};

/// A file that can be written. It keeps what it holds until the page is written; one that was not there before goes when
/// it is dropped without a page.
pub(super) struct PageFile {
    path: PathBuf,
    file: File,
    /// It was made for the page, and has none.
    bare: bool,
}

impl PageFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let fresh = OpenOptions::new().write(true).create_new(true).open(path);
        let opened = match fresh {
            Ok(file) => Ok((file, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).open(path).map(|file| (file, false))
            }
            Err(error) => Err(error),
        };
        let (file, bare) = opened.map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), file, bare })
    }

    /// Writes the page of these reports, and says where it is.
    pub(super) fn write(mut self, reports: &[Report], json: bool) -> Result<(), Failure> {
        let written = self.replace(page::page(reports).as_bytes());
        written.map_err(|error| unwritable(&self.path, error))?;
        self.bare = false;
        note(&format!("the page is in {}", self.path.display()), json);
        Ok(())
    }

    fn replace(&mut self, page: &[u8]) -> io::Result<()> {
        // A pipe or a device has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(page)
    }
}

impl Drop for PageFile {
    fn drop(&mut self) {
        if self.bare {
            // An empty file is no page; one that cannot be removed does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Never that nobody reads the output: that speaks of the standard output alone.
fn unwritable(path: &Path, error: io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", path.display());
    Error::from(error).with_message(message).into()
}
