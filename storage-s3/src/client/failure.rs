//! Why a request failed, with everything that the answer said.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A request that did not succeed, after all of its attempts.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The operation by its name in the S3 API.
    pub(crate) operation: &'static str,
    /// Why the last attempt failed.
    pub(crate) cause: Cause,
    /// What is known of the service's state over all attempts.
    pub(crate) effect: Effect,
}

/// What the attempts of a request may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// No byte of any attempt left this machine.
    Unsent,
    /// The service said of every attempt that it did nothing.
    None,
    /// An attempt was sent whose outcome is not known.
    Unknown,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The service answered with a status that is no success, or with an error inside a success.
    Answer(Box<ServiceError>),
    /// The host name has no address.
    Resolve(std::io::Error),
    /// No connection to the host: refused, unreachable.
    Connect(std::io::Error),
    /// A connection, and no TLS on it: a certificate that is not trusted, or no TLS at the other end.
    Tls(Box<dyn Error + Send + Sync>),
    /// No answer in time; what was waited for.
    Timeout(&'static str, Duration),
    /// The connection ended before the answer was whole.
    Broken(Box<dyn Error + Send + Sync>),
    /// The other end answered, and not in HTTP.
    NotHttp(Box<dyn Error + Send + Sync>),
    /// An answer that is not what the S3 API says: what is wrong with it.
    Malformed(String),
    /// The credentials could not be had.
    Credentials(Box<dyn Error + Send + Sync>),
}

/// What the service said.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    /// The S3 error code; empty where the answer had no document (every HEAD).
    pub(crate) code: String,
    pub(crate) message: String,
    /// The region that the service names.
    pub(crate) region: Option<String>,
    pub(crate) request_id: Option<String>,
    /// How long the service asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The object's size, where a range was refused with it.
    pub(crate) object_size: Option<u64>,
    /// When the service answered, by its clock.
    pub(crate) date: Option<std::time::SystemTime>,
}

impl Failure {
    /// The HTTP status; `None` where there was no answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match &self.cause {
            Cause::Answer(error) => Some(error.status),
            _ => None,
        }
    }

    /// The S3 error code; empty where there is none.
    pub(crate) fn code(&self) -> &str {
        match &self.cause {
            Cause::Answer(error) => &error.code,
            _ => "",
        }
    }
}

impl Effect {
    /// What two attempts may have done together.
    pub(crate) fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.inner()
    }
}

impl Cause {
    fn inner(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Connect(error) => Some(error),
            Self::Tls(error) | Self::Broken(error) | Self::NotHttp(error) | Self::Credentials(error) => {
                Some(error.as_ref())
            }
            Self::Answer(_) | Self::Timeout(..) | Self::Malformed(_) => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => error.fmt(f),
            Self::Resolve(error) => write!(f, "the host name has no address: {error}"),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Tls(error) => write!(f, "no TLS connection: {error}"),
            Self::Timeout(what, limit) => write!(f, "{what} took longer than {limit:?}"),
            Self::Broken(error) => write!(f, "the connection broke: {}", Chain(error.as_ref())),
            Self::NotHttp(error) => write!(f, "the answer is not HTTP: {error}"),
            Self::Malformed(what) => f.write_str(what),
            Self::Credentials(error) => write!(f, "no credentials: {error}"),
        }
    }
}

/// An error with its causes, since the HTTP library says of its own errors little more than their kind.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service answered {}", self.status)?;
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => {}
            ("", said) | (said, "") => write!(f, " {said}")?,
            (code, message) => write!(f, " {code}: {message}")?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}
