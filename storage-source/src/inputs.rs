//! Mixed inputs: a path, a location or text, told apart by fixed rules.

use std::io;
use std::path::PathBuf;

use storage_core::{Error, ErrorKind, Location, Registry, Result};

/// What an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file or directory of this machine that exists.
    Path(PathBuf),
    /// A place behind a scheme; whether anything is there shows when it is read.
    Location(Location),
    /// The text itself.
    Text(String),
}

/// How inputs are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// By their form, see [`Inputs`].
    #[default]
    ByForm,
    /// All as text.
    Text,
    /// All as paths, which must exist.
    Path,
}

/// Tells inputs apart, in this order:
///
/// 1. a path that exists is a path;
/// 2. `scheme://…` is a location; an unknown scheme is `InvalidInput` with the known ones;
/// 3. what has no white space, and holds a `/` or ends in an extension, is a path that is missing: `NotFound`;
/// 4. all else is text.
///
/// ```
/// # use storage_core::{Registry, Result};
/// # use storage_source::{Input, Inputs, Reading};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let registry = Registry::new().with(storage_memory::MemoryDriver::new())?;
/// let inputs = Inputs::new(&registry);
/// assert_eq!(inputs.resolve("a note", Reading::ByForm).await?, Input::Text("a note".into()));
/// assert!(inputs.resolve("missing/report.pdf", Reading::ByForm).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    registry: &'a Registry,
}

impl<'a> Inputs<'a> {
    /// Inputs whose locations are those that the registry opens.
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry }
    }

    /// Tells what one input is. Looks at the file system, and changes nothing.
    pub async fn resolve(&self, text: &str, reading: Reading) -> Result<Input> {
        if text.is_empty() {
            return Err(Error::invalid_input("an input is empty"));
        }
        match reading {
            Reading::Text => Ok(Input::Text(text.to_owned())),
            Reading::Path => match existing(text).await? {
                Some(path) => Ok(Input::Path(path)),
                None => Err(missing(text)),
            },
            Reading::ByForm => self.by_form(text).await,
        }
    }

    /// Tells what all inputs are, before any of them is used; the first that is wrong is the error.
    pub async fn resolve_all(&self, texts: &[String], reading: Reading) -> Result<Vec<Input>> {
        let mut inputs = Vec::with_capacity(texts.len());
        for text in texts {
            inputs.push(self.resolve(text, reading).await?);
        }
        Ok(inputs)
    }

    async fn by_form(&self, text: &str) -> Result<Input> {
        if let Some(path) = existing(text).await? {
            return Ok(Input::Path(path));
        }
        if Location::has_scheme(text) {
            let location = Location::parse(text)?;
            self.registry.driver(&location)?;
            return match location {
                Location::File(_) => Err(missing(text)),
                location => Ok(Input::Location(location)),
            };
        }
        if looks_like_path(text) { Err(missing(text)) } else { Ok(Input::Text(text.to_owned())) }
    }
}

/// The path that a text names, where something is there. A text too long for a path, or holding a NUL, names none.
async fn existing(text: &str) -> Result<Option<PathBuf>> {
    let Ok(Location::File(path)) = Location::parse(text) else {
        return Ok(None);
    };
    match tokio::fs::metadata(&path).await {
        Ok(_) => Ok(Some(path)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let message = format!("cannot look at {}", path.display());
            Err(Error::from(error).with_message(message))
        }
        Err(_) => Ok(None),
    }
}

fn missing(text: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no file or directory {text:?}"))
        .with_help("if it is meant as text, say so")
}

fn looks_like_path(text: &str) -> bool {
    !text.contains(char::is_whitespace) && (text.contains('/') || has_extension(text))
}

/// Whether a text ends like a file name: up to eight letters and digits after a dot, a letter among them, and something
/// before it.
fn has_extension(text: &str) -> bool {
    let Some((stem, extension)) = text.rsplit_once('.') else {
        return false;
    };
    !stem.is_empty()
        && extension.len() <= 8
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
        && extension.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::looks_like_path;

    #[test]
    fn only_what_has_the_form_of_a_path_is_one() {
        for path in ["a/b", "report.pdf", "x.7z", "../x", "/", "a.tar.gz", "notes.TXT"] {
            assert!(looks_like_path(path), "{path}");
        }
        for text in
            ["note", "buy milk and a/b", "3.14", "Yes.", "...", ".env", "Hello. World", "a\tb.txt", "x.sentences"]
        {
            assert!(!looks_like_path(text), "{text}");
        }
    }
}
