//! What a host hands in.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use storage_core::Location;
use tokio::io::AsyncRead;

/// One input, as a host has it.
pub enum Given {
    /// A text of which only its form tells what it is: a path, a location or the text itself.
    Named(String),
    /// A file or directory of this machine.
    Path(PathBuf),
    /// An object, a prefix, a file or a directory.
    Location(Location),
    /// Text, whatever its form.
    Text(String),
    /// Bytes under a name.
    Bytes {
        /// What to call them.
        name: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// What a reader yields, under a name. It is read once.
    Reader {
        /// What to call it.
        name: String,
        /// What is read.
        reader: Box<dyn AsyncRead + Send + Unpin>,
    },
}

impl Given {
    /// Text, whatever its form.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes under a name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::Bytes { name: name.into(), bytes: bytes.into() }
    }

    /// What a reader yields, under a name.
    pub fn reader(name: impl Into<String>, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::Reader { name: name.into(), reader: Box::new(reader) }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(text) => f.debug_tuple("Named").field(text).finish(),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Location(location) => f.debug_tuple("Location").field(location).finish(),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes { name, bytes } => write!(f, "Bytes({name:?}, {} bytes)", bytes.len()),
            Self::Reader { name, .. } => write!(f, "Reader({name:?})"),
        }
    }
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Named(text.to_owned())
    }
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self::Named(text)
    }
}

impl From<&Path> for Given {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for Given {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Location> for Given {
    fn from(location: Location) -> Self {
        Self::Location(location)
    }
}
