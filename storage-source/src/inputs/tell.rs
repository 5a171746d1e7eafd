//! Telling what a text is.

use std::io;
use std::path::{Path, PathBuf};

use storage_core::{Error, ErrorKind, Location, Registry, Result};

use super::policy::{Allowed, InputPolicy};
use super::{Input, Reading};

/// Tells what one text is, by the rules of [`Inputs`](super::Inputs).
pub(super) async fn tell(registry: &Registry, policy: &InputPolicy, text: &str, reading: Reading) -> Result<Input> {
    if text.is_empty() {
        return Err(Error::invalid_input("an input is empty"));
    }
    match reading {
        Reading::Text => Ok(Input::Text(text.to_owned())),
        Reading::Path => match existing(policy, text).await? {
            Some(path) => Ok(Input::Path(path)),
            None => Err(missing(text)),
        },
        Reading::ByForm => by_form(registry, policy, text).await,
    }
}

async fn by_form(registry: &Registry, policy: &InputPolicy, text: &str) -> Result<Input> {
    if Location::has_scheme(text) {
        let location = Location::parse(text)?;
        registry.driver(&location)?;
        return match &location {
            Location::File(_) => existing(policy, text).await?.map(Input::Path).ok_or_else(|| missing(text)),
            Location::Object(object) => policy.check_location(object).map(|()| Input::Location(location)),
            _ => Err(Error::invalid_input(format!("{location} is no place that can be read"))),
        };
    }
    let trimmed = text.trim_start();
    if trimmed.len() < text.len() && Location::has_scheme(trimmed) && !trimmed.contains(char::is_whitespace) {
        return Err(Error::invalid_input(format!("there is white space before the location {trimmed:?}"))
            .with_help("remove it, or if it is meant as text, say so"));
    }
    let path_like = looks_like_path(text.trim());
    if !path_like && !policy.has_paths() {
        return Ok(Input::Text(text.to_owned()));
    }
    match existing(policy, text).await {
        Ok(Some(path)) => Ok(Input::Path(path)),
        Ok(None) if path_like && text.trim() != text => {
            Err(Error::invalid_input(format!("there is white space around the path {text:?}"))
                .with_help("remove it, or if it is meant as text, say so"))
        }
        Ok(None) if path_like => Err(missing(text)),
        Err(error) if path_like || error.kind() != ErrorKind::PermissionDenied => Err(error),
        _ => Ok(Input::Text(text.to_owned())),
    }
}

/// The path that a text names, where something is there that may be read. A text too long for a path, or holding a NUL,
/// names none.
async fn existing(policy: &InputPolicy, text: &str) -> Result<Option<PathBuf>> {
    let Ok(Location::File(path)) = Location::parse(text) else {
        return Ok(None);
    };
    match policy.check_path(&path).await? {
        Allowed::Missing => Ok(None),
        Allowed::Under { .. } => Ok(Some(path)),
        Allowed::AsIs => Ok(is_there(&path).await?.then_some(path)),
    }
}

pub(super) async fn is_there(path: &Path) -> Result<bool> {
    match tokio::fs::metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let message = format!("cannot look at {}", path.display());
            Err(Error::from(error).with_message(message))
        }
        Err(_) => Ok(false),
    }
}

pub(super) fn missing(text: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no file or directory {text:?}"))
        .with_help("if it is meant as text, say so")
}

/// Whether a text without white space around it has the form of a path. One that has spaces inside must begin like a path and
/// end like a file or a directory, so that prose stays text.
fn looks_like_path(text: &str) -> bool {
    match text.contains(char::is_whitespace) {
        false => text.contains('/') || has_extension(text),
        true => !text.contains(['\n', '\r']) && begins_like_path(text) && ends_like_path(text),
    }
}

/// Whether a text begins as only paths do: at a root, here, above, at home or at a drive.
fn begins_like_path(text: &str) -> bool {
    let drive = || matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start)) || drive()
}

fn ends_like_path(text: &str) -> bool {
    let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
    last.is_empty() || has_extension(last)
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
        for path in ["a/b", "report.pdf", "x.7z", "../x", "/", "a.tar.gz", "notes.TXT", "/My Docs/a b.pdf", "~/a b/"] {
            assert!(looks_like_path(path), "{path}");
        }
        for path in ["./a b.txt", "../a b/c.md", r"C:\My Docs\a b.pdf", "d:/a b.pdf"] {
            assert!(looks_like_path(path), "{path}");
        }
        for text in [
            "/ is the root. Look there",
            "/ or ~/x, no dot",
            "./a b\nc.txt",
            "it is in /a/b.txt",
            "~ is home.",
            "buy a/b c.txt",
        ] {
            assert!(!looks_like_path(text), "{text}");
        }
        for text in
            ["note", "buy milk and a/b", "3.14", "Yes.", "...", ".env", "Hello. World", "a\tb.txt", "x.sentences"]
        {
            assert!(!looks_like_path(text), "{text}");
        }
    }
}
