//! What may be read.

use std::io;
use std::path::{Path, PathBuf};

use storage_core::{Error, ErrorKind, Location, ObjectLocation, Result};

/// Which paths and locations inputs may name.
///
/// [`InputPolicy::closed`], the default, suits a server: neither a path nor a location, until directories and places are
/// allowed one by one. [`InputPolicy::open`] suits a command line, whose user may read these anyway.
///
/// With directories allowed, a path is made canonical first: every symbolic link in it is resolved, and what remains must
/// lie in an allowed directory. It is then opened through that directory as its root, which a link that is swapped in
/// meanwhile does not lead out of either (rule S05). A path that is not allowed is refused alike whether anything is there
/// or not. `file:` URLs are paths.
#[derive(Debug, Clone, Default)]
pub struct InputPolicy {
    paths: Paths,
    places: Places,
}

#[derive(Debug, Clone)]
enum Paths {
    Any,
    /// Under one of these; with none, no text is ever looked up as a path.
    Under(Vec<PathBuf>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::Under(Vec::new())
    }
}

#[derive(Debug, Clone)]
enum Places {
    Any,
    Only { schemes: Vec<String>, locations: Vec<ObjectLocation> },
}

impl Default for Places {
    fn default() -> Self {
        Self::Only { schemes: Vec::new(), locations: Vec::new() }
    }
}

/// A path that may be read.
#[derive(Debug)]
pub(super) enum Allowed {
    /// As it is.
    AsIs,
    /// It exists, under this root: the rest of it, and whether it is a directory.
    Under { root: PathBuf, rest: PathBuf, directory: bool },
    /// It would be allowed, and nothing is there.
    Missing,
}

impl InputPolicy {
    /// Text, bytes and readers only, until more is allowed.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Every path of this machine and every location that the registry opens.
    pub fn open() -> Self {
        Self { paths: Paths::Any, places: Places::Any }
    }

    /// Allows what is in a directory of this machine. It is made canonical at each use, so it may be a link itself, and need
    /// not exist yet.
    #[must_use]
    pub fn allow_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        if let Paths::Under(directories) = &mut self.paths {
            directories.push(directory.into());
        }
        self
    }

    /// Allows a place and what is under it: a bucket, `s3://bucket`, or a prefix of one. A path is allowed as by
    /// [`InputPolicy::allow_directory`].
    #[must_use]
    pub fn allow_location(mut self, location: Location) -> Self {
        match (location, &mut self.places) {
            (Location::File(path), _) => return self.allow_directory(path),
            (Location::Object(object), Places::Only { locations, .. }) => locations.push(object),
            _ => {}
        }
        self
    }

    /// Allows every location of a scheme: with `s3`, every bucket that the credentials can read. Paths are not among them.
    #[must_use]
    pub fn allow_scheme(mut self, scheme: &str) -> Self {
        if let Places::Only { schemes, .. } = &mut self.places {
            schemes.push(scheme.to_ascii_lowercase());
        }
        self
    }

    /// Whether a text may be looked up as a path.
    pub(super) fn has_paths(&self) -> bool {
        !matches!(&self.paths, Paths::Under(directories) if directories.is_empty())
    }

    /// Fails with `PermissionDenied` where a location may not be read.
    pub(super) fn check_location(&self, location: &ObjectLocation) -> Result<()> {
        let allowed = match &self.places {
            Places::Any => true,
            Places::Only { schemes, locations } => {
                schemes.contains(&location.scheme) || locations.iter().any(|allowed| covers(allowed, location))
            }
        };
        match allowed {
            true => Ok(()),
            false => Err(refused(&location.to_string(), "allow_location")),
        }
    }

    /// Fails with `PermissionDenied` where a path may not be read, and says where it leads.
    pub(super) async fn check_path(&self, path: &Path) -> Result<Allowed> {
        let directories = match &self.paths {
            Paths::Any => return Ok(Allowed::AsIs),
            Paths::Under(directories) => directories,
        };
        let refused = || refused(&path.display().to_string(), "allow_directory");
        if directories.is_empty() {
            return Err(refused());
        }
        let (found, missing) = nearest(path).await.map_err(|_| refused())?;
        for directory in directories {
            let Ok(root) = tokio::fs::canonicalize(directory).await else {
                continue;
            };
            if let Ok(rest) = found.strip_prefix(&root) {
                if missing {
                    return Ok(Allowed::Missing);
                }
                let directory = tokio::fs::metadata(&found).await.is_ok_and(|metadata| metadata.is_dir());
                return Ok(Allowed::Under { rest: rest.to_owned(), root, directory });
            }
        }
        Err(refused())
    }
}

/// Whether a location is an allowed one or lies under it, by whole segments.
fn covers(allowed: &ObjectLocation, location: &ObjectLocation) -> bool {
    let above = allowed.path.strip_suffix('/').unwrap_or(&allowed.path);
    let below = || location.path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    allowed.scheme == location.scheme && allowed.container == location.container && (above.is_empty() || below())
}

/// The canonical form of a path, or of what is nearest above it where nothing is there.
async fn nearest(path: &Path) -> io::Result<(PathBuf, bool)> {
    for (steps, above) in path.ancestors().enumerate() {
        let named = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match tokio::fs::canonicalize(named).await {
            Ok(found) => return Ok((found, steps > 0)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

fn refused(what: &str, allow: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, format!("{what:?} is not among what inputs may name here"))
        .with_help(format!("allow it by the input policy ({allow}), or if it is meant as text, say so"))
}
