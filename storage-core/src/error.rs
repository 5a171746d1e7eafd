//! The one error type: what kind of failure, in which operation, on which backend and key, and what to do about it.

use std::borrow::Cow;
use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, the same for the same scenario on every driver (rule E01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist.
    NotFound,
    /// The bucket, directory or store behind the handle does not exist.
    BackendNotFound,
    /// A create-only write met an object that exists.
    AlreadyExists,
    /// An if-match or if-unmodified-since condition did not hold; nothing was changed.
    PreconditionFailed,
    /// An if-none-match or if-modified-since condition says that the caller's copy is current.
    NotModified,
    /// The service met a concurrent change and asks to start the whole operation again.
    Conflict,
    /// The object changed while it was read in more than one request (rule R07).
    ObjectChanged,
    /// The key or prefix breaks the key rules (rules K01–K06); no I/O was done.
    InvalidKey,
    /// An option or argument is out of bounds; no I/O was done.
    InvalidInput,
    /// The range starts at or past the end of the object.
    RangeNotSatisfiable {
        /// The size of the whole object in bytes.
        size: u64,
    },
    /// The bytes given do not add up to the declared length, or a body ended early.
    LengthMismatch,
    /// The backend cannot do this; it said so in its capabilities and changed nothing.
    Unsupported,
    /// The credentials are missing, wrong or expired (HTTP 401).
    Unauthenticated,
    /// The credentials are good but do not allow this (HTTP 403); also a symbolic link out of a local root.
    PermissionDenied,
    /// The service asks to slow down (HTTP 429, or 503 SlowDown).
    Throttled,
    /// No answer within the time allowed.
    Timeout,
    /// The service cannot be reached or answers with a passing failure.
    Unavailable,
    /// The medium or the quota is full.
    OutOfSpace,
    /// Stored bytes do not match their checksum, or a stored record cannot be read.
    Corrupted,
    /// A write was sent and its answer was lost: it may or may not have happened (rule C06).
    OutcomeUnknown,
    /// A writer was used after it was finished or aborted.
    Closed,
    /// A setting is missing, unknown or contradicts another.
    Configuration,
    /// Anything else; the source says more.
    Other,
}

impl ErrorKind {
    /// The HTTP status that a web host can pass on for this kind.
    pub fn status(self) -> u16 {
        match self {
            Self::NotModified => 304,
            Self::InvalidKey | Self::InvalidInput | Self::LengthMismatch => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound | Self::BackendNotFound => 404,
            Self::AlreadyExists | Self::Conflict | Self::ObjectChanged => 409,
            Self::PreconditionFailed => 412,
            Self::RangeNotSatisfiable { .. } => 416,
            Self::Throttled => 429,
            Self::Unsupported => 501,
            Self::OutcomeUnknown => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::OutOfSpace => 507,
            Self::Corrupted | Self::Closed | Self::Configuration | Self::Other => 500,
        }
    }

    /// Whether the same call may succeed later without anybody's help (rule E02).
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Unavailable)
    }

    /// The kind in words, as it stands in messages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::BackendNotFound => "root not found",
            Self::AlreadyExists => "already exists",
            Self::PreconditionFailed => "precondition failed",
            Self::NotModified => "not modified",
            Self::Conflict => "conflict",
            Self::ObjectChanged => "object changed while it was read",
            Self::InvalidKey => "invalid key",
            Self::InvalidInput => "invalid input",
            Self::RangeNotSatisfiable { .. } => "range not satisfiable",
            Self::LengthMismatch => "length mismatch",
            Self::Unsupported => "unsupported",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission denied",
            Self::Throttled => "throttled",
            Self::Timeout => "timed out",
            Self::Unavailable => "unavailable",
            Self::OutOfSpace => "out of space",
            Self::Corrupted => "corrupted",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Closed => "closed",
            Self::Configuration => "configuration error",
            Self::Other => "failed",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The operation that an error, a span or a metric speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Opening a root.
    Open,
    /// Asking a backend for its capabilities.
    Probe,
    /// Reading an object, or a range of it.
    Get,
    /// Reading the next piece of a body that is streamed.
    Read,
    /// Reading an object's metadata.
    Head,
    /// Writing an object in one call.
    Put,
    /// Opening a writer.
    OpenWriter,
    /// Writing a piece to a writer.
    Write,
    /// Committing a writer.
    Finish,
    /// Discarding a writer.
    Abort,
    /// Opening a listing, or reading a page of it.
    List,
    /// Copying an object.
    Copy,
    /// Renaming an object.
    Rename,
    /// Deleting an object, several, or all under a prefix.
    Delete,
    /// Removing what interrupted writes left behind.
    Sweep,
    /// Asking for a file's path.
    LocalPath,
    /// Making a URL.
    Presign,
    /// Opening a watch, or waiting for the next change.
    Watch,
}

impl Operation {
    /// The name in snake case, as in spans and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probe => "probe",
            Self::Get => "get",
            Self::Read => "read",
            Self::Head => "head",
            Self::Put => "put",
            Self::OpenWriter => "open_writer",
            Self::Write => "write",
            Self::Finish => "finish",
            Self::Abort => "abort",
            Self::List => "list",
            Self::Copy => "copy",
            Self::Rename => "rename",
            Self::Delete => "delete",
            Self::Sweep => "sweep",
            Self::LocalPath => "local_path",
            Self::Presign => "presign",
            Self::Watch => "watch",
        }
    }

    /// Whether the operation changes nothing, so that it can be repeated whatever happened to the first attempt.
    pub fn is_read(self) -> bool {
        matches!(
            self,
            Self::Open
                | Self::Probe
                | Self::Get
                | Self::Read
                | Self::Head
                | Self::List
                | Self::LocalPath
                | Self::Presign
                | Self::Watch
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure of a storage operation.
///
/// Its `Display` is one line for people: operation, key, backend, what happened, what to do. The parts are available
/// one by one, and the cause through [`std::error::Error::source`]. Its `Debug` is the same line with the kind as it is named
/// in code and with the causes, so that an `unwrap` that fails reads well. It is one pointer wide.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Detail>);

#[derive(thiserror::Error)]
struct Detail {
    kind: ErrorKind,
    message: Cow<'static, str>,
    help: Option<Cow<'static, str>>,
    operation: Option<Operation>,
    backend: Option<Cow<'static, str>>,
    key: Option<Box<str>>,
    source: Option<Source>,
    unsent: bool,
}

impl Detail {
    /// One line, with these words for the kind.
    fn line(&self, kind: &str) -> String {
        let words = [
            self.operation.map(|operation| operation.to_string()),
            self.key.as_ref().map(|key| format!("{key:?}")),
            self.backend.as_ref().map(|backend| format!("on {backend}")),
        ];
        let context = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let told = [&*context, kind, &self.message].into_iter().filter(|part| !part.is_empty());
        let line = told.collect::<Vec<_>>().join(": ");
        match &self.help {
            Some(help) => format!("{line}; {help}"),
            None => line,
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(self.kind.as_str()))
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.line(&format!("{:?}", self.kind));
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(now) = cause {
            let told = now.to_string();
            // Many a message is that of its cause.
            if !line.contains(&told) {
                line = format!("{line}; caused by {told}");
            }
            cause = now.source();
        }
        f.write_str(&line)?;
        f.write_str(if self.unsent { "; nothing was sent" } else { "" })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error {
    /// An error of a kind; `message` says what is wrong in this case.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Detail {
            kind,
            message: message.into(),
            help: None,
            operation: None,
            backend: None,
            key: None,
            source: None,
            unsent: false,
        }))
    }

    /// Says what the user can do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names the operation.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Names the key, as its caller wrote it.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Box<str>>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Declares that nothing of the request left this machine, so that even a write can be repeated.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.0.unsent = true;
        self
    }

    /// Takes [`Error::unsent`] back: the call has sent something else before, so that it is not repeated as a whole.
    #[must_use]
    pub fn sent(mut self) -> Self {
        self.0.unsent = false;
        self
    }

    /// Says what is wrong in other words, and keeps everything else.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Gives the error another kind, and keeps everything else.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Fills in what is not yet known of where the error came from; what a driver said stays.
    #[must_use]
    pub fn in_context(mut self, operation: Operation, backend: &str, key: Option<&str>) -> Self {
        let detail = &mut *self.0;
        detail.operation.get_or_insert(operation);
        if detail.backend.is_none() {
            detail.backend = Some(Cow::Owned(backend.to_owned()));
        }
        if detail.key.is_none() {
            detail.key = key.map(Into::into);
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong in this case, without operation, key and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the user can do, where there is something to say.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The name of the backend that failed.
    pub fn backend(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// The key that the operation was for, as its caller wrote it.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the same call may succeed later without anybody's help (rule E02).
    ///
    /// This speaks of the failure, not of the operation: whether a write may be repeated depends on whether it was
    /// sent, see [`Error::is_unsent`].
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// Whether it is proven that nothing of the request left this machine.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// The HTTP status that a web host can pass on.
    pub fn status(&self) -> u16 {
        self.0.kind.status()
    }

    /// Whether the object (not its root) is missing.
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// The error of an operation that the backend's capabilities rule out.
    pub fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, what).with_help("the backend's capabilities say what it can do")
    }

    /// The error of an argument out of bounds.
    pub fn invalid_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The error of a setting.
    pub fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// The error of a missing object.
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "no such object").with_help("list what there is, or check the key")
    }

    /// The error of a create-only write that met an object.
    pub fn already_exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "an object with this key exists")
            .with_help("overwrite it, or choose another key")
    }

    /// The error of an etag condition that did not hold.
    pub fn precondition_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::PreconditionFailed, message).with_help("read the object again and repeat the change")
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// For streams of files and sockets; an error of ours that went through I/O comes out as it was.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let error = match error.downcast::<Error>() {
            Ok(ours) => return ours,
            Err(error) => error,
        };
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied => ErrorKind::PermissionDenied,
            Io::TimedOut => ErrorKind::Timeout,
            Io::StorageFull | Io::QuotaExceeded => ErrorKind::OutOfSpace,
            _ => ErrorKind::Other,
        };
        let ours = Self::new(kind, error.to_string()).with_source(error);
        match kind {
            ErrorKind::PermissionDenied => ours.with_help("check owner and mode: this user has no right to it"),
            _ => ours,
        }
    }
}

/// For the `AsyncRead` and `AsyncWrite` sides; the error stays reachable through [`std::io::Error::get_ref`].
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            ErrorKind::NotFound | ErrorKind::BackendNotFound => Io::NotFound,
            ErrorKind::AlreadyExists => Io::AlreadyExists,
            ErrorKind::InvalidKey | ErrorKind::InvalidInput | ErrorKind::RangeNotSatisfiable { .. } => Io::InvalidInput,
            ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => Io::PermissionDenied,
            ErrorKind::Timeout => Io::TimedOut,
            ErrorKind::OutOfSpace => Io::StorageFull,
            ErrorKind::Corrupted => Io::InvalidData,
            ErrorKind::LengthMismatch => Io::UnexpectedEof,
            ErrorKind::Unsupported => Io::Unsupported,
            _ => Io::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_unwrap_shows_names_the_kind_and_the_causes_once_each() {
        let cause = Error::from(std::io::Error::other("the line is cut"));
        let error = Error::new(ErrorKind::Unavailable, "no answer").with_help("look at the network").with_source(cause);
        let error = error.in_context(Operation::Put, "s3", Some("a b")).unsent();
        assert_eq!(error.to_string(), "put \"a b\" on s3: unavailable: no answer; look at the network");
        let due = "put \"a b\" on s3: Unavailable: no answer; look at the network; caused by failed: the line is cut; \
                   nothing was sent";
        assert_eq!(format!("{error:?}"), due);
        assert_eq!(format!("{:?}", Error::new(ErrorKind::Closed, "")), "Closed");
    }
}
