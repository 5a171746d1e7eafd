//! What a program that does not know this library needs to reach a root by itself.

use std::fmt;

use crate::location::Location;

/// Where a root lies and how it is reached, in words that every client of such a place has its own spelling for. A
/// driver gives it by [`Driver::access`](crate::Driver::access). `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// The root. A path is absolute.
    pub location: Location,
    /// The service behind it; none where the root is a directory.
    pub service: Option<ServiceAccess>,
}

/// How an object service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAccess {
    /// `https://host:port`; unset for AWS.
    pub endpoint: Option<String>,
    /// The region, where it is known.
    pub region: Option<String>,
    /// The bucket's name stands in the path of a URL, not in its host.
    pub path_style: bool,
    /// Who asks.
    pub credentials: AccessCredentials,
}

/// Who asks a service. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessCredentials {
    /// Whoever has these keys.
    Keys {
        /// The access key id.
        id: String,
        /// The secret access key.
        secret: String,
        /// The session token of temporary keys.
        token: Option<String>,
    },
    /// Nobody: requests are not signed.
    Anonymous,
    /// Whoever the machine says.
    Machine {
        /// The profile in the files of the AWS tools, where one is named.
        profile: Option<String>,
    },
}

impl Access {
    /// A root that is a directory.
    pub fn directory(location: Location) -> Self {
        Self { location, service: None }
    }

    /// A root behind a service.
    pub fn service(location: Location, service: ServiceAccess) -> Self {
        Self { location, service: Some(service) }
    }
}

impl ServiceAccess {
    /// AWS, by the credentials that are given.
    pub fn new(credentials: AccessCredentials) -> Self {
        Self { endpoint: None, region: None, path_style: false, credentials }
    }
}

impl fmt::Debug for AccessCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { id, token, .. } => {
                f.debug_struct("Keys").field("id", id).field("token", &token.is_some()).finish_non_exhaustive()
            }
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Machine { profile } => f.debug_struct("Machine").field("profile", profile).finish(),
        }
    }
}
