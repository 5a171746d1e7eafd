//! Locations: where a root or an object lies, as text that a person or a setting gives (rule K15).
//!
//! | text | means |
//! |---|---|
//! | `s3://bucket/prefix` | objects of a bucket, under a prefix |
//! | `memory://name` | the named store of a registry; `memory://` is a private one |
//! | `file:///dir` | a directory or file, percent-encoded (RFC 8089) |
//! | `/dir`, `./dir`, `dir`, `~/dir` | a directory or file, literal |
//!
//! Schemes are taken in any case. In object locations only `%23`, `%25` and `%3F` are decoded (`#`, `%`, `?`); any
//! other `%` is literal. A bare `?` starts options.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use crate::error::{Error, Result};
use crate::key::Key;

/// What stays as it is in a `file:` URL: RFC 3986's `pchar` without the percent sign, and `/`.
const FILE_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A parsed place: a path of this machine, or a container with a path inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Location {
    /// A directory or file; a relative path counts from the current directory until [`Location::relative_to`] says
    /// otherwise.
    File(PathBuf),
    /// Objects behind a scheme.
    Object(ObjectLocation),
}

/// A location of the form `scheme://container/path?options`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectLocation {
    /// The scheme in lower case.
    pub scheme: String,
    /// The bucket, or the store's name; empty for a private memory store.
    pub container: String,
    /// The path inside the container: no leading `/`, decoded, otherwise as written. Unlike a key it may hold `//`.
    pub path: String,
    /// Options after `?`; which ones there are is the driver's business.
    pub options: BTreeMap<String, String>,
}

impl Location {
    /// Parses a location. Fails with `InvalidInput` and what would be right; an unknown scheme is not an error here but
    /// where the location is opened.
    ///
    /// ```
    /// use storage_core::Location;
    /// let place = Location::parse("S3://bucket/100%25.txt")?;
    /// assert_eq!(place.scheme(), "s3");
    /// assert_eq!(place.path(), Some("100%.txt"));
    /// assert_eq!(place.to_string(), "s3://bucket/100%25.txt");
    /// # Ok::<(), storage_core::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(refused(text, "it is empty"));
        }
        if text.contains('\0') {
            return Err(refused(text, "it holds a NUL"));
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            return parse_path(text);
        };
        match rest.strip_prefix("//") {
            Some(rest) if scheme == "file" => parse_file_url(text, rest),
            Some(rest) => parse_object(text, scheme, rest),
            None if scheme == "file" && rest.starts_with('/') => parse_file_url(text, rest),
            None if rest.starts_with('/') || ["file", "s3", "memory"].contains(&&*scheme) => {
                Err(refused(text, "its scheme lacks the two slashes")
                    .with_help(format!("write {scheme}://…, or ./{} for a path of that name", without_userinfo(text))))
            }
            None => parse_path(text),
        }
    }

    /// Whether the text has the form of a URL, so that it is never taken for a path.
    pub fn has_scheme(text: &str) -> bool {
        split_scheme(text).is_some_and(|(_, rest)| rest.starts_with("//"))
    }

    /// The scheme in lower case; `file` for every path.
    pub fn scheme(&self) -> &str {
        match self {
            Self::File(_) => "file",
            Self::Object(object) => &object.scheme,
        }
    }

    /// The path inside the container; `None` for files.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            Self::Object(object) => Some(&object.path),
        }
    }

    /// Whether the text ended in `/`, or named a container alone: a level and not an object.
    pub fn is_level(&self) -> bool {
        match self {
            Self::File(path) => path.as_os_str().as_bytes().ends_with(b"/"),
            Self::Object(object) => object.path.is_empty() || object.path.ends_with('/'),
        }
    }

    /// The same place, with a relative path counted from `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            object => object,
        }
    }

    /// The address of a key under this root: its text opens the object again (rule K15).
    pub fn uri(&self, key: &Key) -> String {
        self.join(key.as_str()).to_string()
    }

    /// The location of `text`, a key or a prefix, under this one.
    #[must_use]
    pub fn join(&self, text: &str) -> Self {
        match self {
            Self::File(path) => Self::File(path.join(text)),
            Self::Object(object) => {
                let mut object = object.clone();
                if !object.path.is_empty() && !object.path.ends_with('/') {
                    object.path.push('/');
                }
                object.path.push_str(text);
                Self::Object(object)
            }
        }
    }

    /// The key that this location has under `root`; `None` when it is not under it, or no key.
    pub fn key_under(&self, root: &Location) -> Option<Key> {
        let rest = match (self, root) {
            (Self::File(path), Self::File(root)) => path.strip_prefix(root).ok()?.to_str()?,
            (Self::Object(object), Self::Object(root)) => {
                let same = object.scheme == root.scheme && object.container == root.container;
                let rest = object.path.strip_prefix(&root.path).filter(|_| same)?;
                if root.path.is_empty() || root.path.ends_with('/') { rest } else { rest.strip_prefix('/')? }
            }
            _ => return None,
        };
        Key::new(rest).ok()
    }

    /// The root and the key or prefix that is asked for in it: for `s3://b/x/y` the root `s3://b` and `x/y`, for
    /// `/dir/file` the root `/dir` and `file`, for `/dir/` the root itself and nothing. What no key can hold is left to
    /// the root: for `s3://b/x//y` the root `s3://b/x//` and `y` (rule K04).
    pub fn split(&self) -> (Location, String) {
        match self {
            Self::Object(object) => {
                let (above, asked) = object.path.split_at(past_empty_segment(&object.path));
                (Self::Object(ObjectLocation { path: above.to_owned(), ..object.clone() }), asked.to_owned())
            }
            Self::File(path) => {
                let name = path.file_name().and_then(|name| name.to_str());
                match (name, path.parent()) {
                    (Some(name), Some(parent)) if !self.is_level() => {
                        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                        (Self::File(parent.to_owned()), name.to_owned())
                    }
                    _ => (self.clone(), String::new()),
                }
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) if path.is_absolute() => {
                write!(f, "file://{}", percent_encode(path.as_os_str().as_bytes(), FILE_ESCAPED))
            }
            Self::File(path) => {
                let text = path.to_string_lossy();
                let ambiguous = text.starts_with('~') || split_scheme(&text).is_some() || text.is_empty();
                write!(f, "{}{text}", if ambiguous { "./" } else { "" })
            }
            Self::Object(object) => object.fmt(f),
        }
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.container)?;
        if !self.path.is_empty() {
            write!(f, "/{}", escape(&self.path))?;
        }
        for (i, (name, value)) in self.options.iter().enumerate() {
            write!(f, "{}{}={}", if i == 0 { '?' } else { '&' }, escape(name), escape(value))?;
        }
        Ok(())
    }
}

impl FromStr for Location {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// Whether a text that has no scheme was meant to have one, as ` s3://bucket` and `s3//bucket` were. Taken for a path, it
/// would put a root into a directory that nobody wants.
fn is_broken_url(text: &str) -> bool {
    let lower = text.trim_start().to_ascii_lowercase();
    let scheme_alone = ["file//", "s3//", "memory//"].iter().any(|start| lower.starts_with(start));
    scheme_alone || (text.contains("://") && !text.starts_with(['/', '.', '~']))
}

/// The scheme in lower case and what follows its colon (RFC 3986, section 3.1), where the text has one.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.bytes();
    let first = letters.next()?;
    let wellformed = first.is_ascii_alphabetic() && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    wellformed.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn parse_path(text: &str) -> Result<Location> {
    if is_broken_url(text) {
        return Err(refused(text, "it looks like a URL that is written wrong")
            .with_help(format!("write ./{} for a path of that name", without_userinfo(text))));
    }
    let Some(rest) = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return Ok(Location::File(PathBuf::from(text)));
    };
    let home = std::env::home_dir()
        .filter(|home| home.is_absolute())
        .ok_or_else(|| refused(text, "the home directory is not known").with_help("set HOME, or write the path out"))?;
    Ok(Location::File(match rest.trim_start_matches('/') {
        "" => home,
        rest => home.join(rest),
    }))
}

fn parse_file_url(text: &str, rest: &str) -> Result<Location> {
    let path = match rest.find('/') {
        Some(0) => rest,
        Some(host_end) if rest[..host_end].eq_ignore_ascii_case("localhost") => &rest[host_end..],
        _ => {
            return Err(refused(text, "a file URL has no host and its path begins with '/'")
                .with_help("write file:///dir/name, or the path alone"));
        }
    };
    if let Some(reserved) = path.chars().find(|c| ['?', '#'].contains(c)) {
        let code = if reserved == '?' { "%3F" } else { "%23" };
        return Err(refused(text, "a file URL has neither query nor fragment")
            .with_help(format!("write {code} for the character {reserved}, or the path alone")));
    }
    let bytes: Vec<u8> = percent_decode(path.as_bytes()).collect();
    if bytes.contains(&0) {
        return Err(refused(text, "it holds a NUL"));
    }
    Ok(Location::File(PathBuf::from(OsString::from_vec(bytes))))
}

fn parse_object(text: &str, scheme: String, rest: &str) -> Result<Location> {
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (container, path) = rest.split_once('/').unwrap_or((rest, ""));
    if holds_credentials(container) {
        return Err(Error::invalid_input(format!("the {scheme} location holds a user or a password"))
            .with_help("credentials belong into settings, never into a location"));
    }
    if container.is_empty() && (scheme != "memory" || !path.is_empty()) {
        let what = if scheme == "memory" { "a private memory store has no addresses" } else { "it names no container" };
        return Err(refused(text, what).with_help(format!("write {scheme}://name/…")));
    }
    let options = query.map(|query| parse_options(text, &scheme, query)).transpose()?.unwrap_or_default();
    Ok(Location::Object(ObjectLocation { scheme, container: container.to_owned(), path: unescape(path), options }))
}

/// Whether `user:password@` stands before the host; a password that itself holds a `/` hides the `@` behind it.
fn holds_credentials(container: &str) -> bool {
    let port = if container.starts_with('[') { None } else { container.split_once(':') };
    container.contains('@') || port.is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

/// The options after `?`. The built-in schemes have none; those of a host's own drivers are theirs to check.
fn parse_options(text: &str, scheme: &str, query: &str) -> Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if ["s3", "memory"].contains(&scheme) {
            return Err(refused(text, &format!("{scheme} locations have no option {name:?}"))
                .with_help("a '?' that belongs to the name is written %3F"));
        }
        options.insert(unescape(name), unescape(value));
    }
    Ok(options)
}

/// Where what a key can hold begins in a path: behind its last empty segment.
fn past_empty_segment(path: &str) -> usize {
    match path.rfind("//") {
        Some(at) => at + 2,
        None => usize::from(path.starts_with('/')),
    }
}

fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '#' => escaped.push_str("%23"),
            '%' => escaped.push_str("%25"),
            '?' => escaped.push_str("%3F"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let (c, taken) = match rest.as_bytes().get(at + 1..at + 3) {
            Some(b"23") => ('#', 3),
            Some(b"25") => ('%', 3),
            Some(b"3F" | b"3f") => ('?', 3),
            _ => ('%', 1),
        };
        plain.push(c);
        rest = &rest[at + taken..];
    }
    plain.push_str(rest);
    plain
}

fn refused(text: &str, why: &str) -> Error {
    Error::invalid_input(format!("the location {:?} is refused: {why}", without_userinfo(text)))
        .with_help("a location is s3://bucket/prefix, file:///dir, memory://name or a path")
}

/// A text that may hold a password, without it: of `scheme:user:password@rest`, however its slashes are written, what
/// stands between the first colon and the last `@` is left out.
pub(crate) fn without_userinfo(text: &str) -> String {
    match (text.find(':'), text.rfind('@')) {
        (Some(start), Some(at)) if start < at => format!("{}:…{}", &text[..start], &text[at..]),
        _ => text.to_owned(),
    }
}
