//! Where a bucket is and how it is talked to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;
use storage_core::{Error, Result};

use crate::service::Service;

/// Everything that the driver needs to know. [`S3Options::new`] gives what suits most buckets of AWS; fields are public
/// and change one thing each.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct S3Options {
    /// The bucket.
    pub bucket: String,
    /// What every key stands behind in the bucket; a missing `/` at its end is added. It may hold what no key may: `a//`.
    pub prefix: String,
    /// The service's address, as a URL without a path, or `host:port`; unset for AWS in the region.
    pub endpoint: Option<String>,
    /// Whether an endpoint without a scheme is reached by TLS.
    pub use_ssl: bool,
    /// The region that requests are signed for; unset or `auto` where the driver is to find it out.
    pub region: Option<String>,
    /// Where the bucket's name stands in a URL.
    pub addressing: Addressing,
    /// Who asks.
    pub credentials: Credentials,
    /// Which service it is; by its endpoint when unset.
    pub service: Option<Service>,
    /// Which conditional writes are trusted.
    pub conditions: ConditionPolicy,
    /// Whose certificates are trusted.
    pub tls: TlsOptions,
    /// A proxy for all requests, `http://host:port`; nothing else makes the driver use one.
    pub proxy: Option<String>,
    /// How long what may take.
    pub timeouts: Timeouts,
    /// How often, and how patiently, a failed request is repeated.
    pub retries: Retries,
    /// At most so many connections at once; further requests wait for one.
    pub connections: usize,
    /// The size of a part of a streaming write in bytes, 5 MiB or more; larger where 10,000 parts would not hold the
    /// declared length.
    pub part_size: u64,
    /// At most so many parts of one write, or of one copy, are under way at once.
    pub part_concurrency: usize,
    /// The digest that is sent with content, stored with it and checked when it is read.
    pub checksum: ChecksumPolicy,
    /// Whether the content's SHA-256 is part of the signature.
    pub payload_signing: PayloadSigning,
    /// The storage class of what is written: `STANDARD_IA`.
    pub storage_class: Option<String>,
    /// How the service encrypts what is written.
    pub encryption: Option<Encryption>,
    /// The caller pays for requests and transfer.
    pub requester_pays: bool,
}

impl S3Options {
    /// A bucket of AWS, with the credentials that the machine offers.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            use_ssl: true,
            region: None,
            addressing: Addressing::Auto,
            credentials: Credentials::Chain(ChainOptions::default()),
            service: None,
            conditions: ConditionPolicy::Service,
            tls: TlsOptions::default(),
            proxy: None,
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            connections: 128,
            part_size: 8 << 20,
            part_concurrency: 4,
            checksum: ChecksumPolicy::Service,
            payload_signing: PayloadSigning::Auto,
            storage_class: None,
            encryption: None,
            requester_pays: false,
        }
    }

    /// What is wrong with the options, if anything; no I/O. Fails with `Configuration`.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str, why: String, help: &'static str| {
            Err(Error::configuration(format!("{what}: {why}")).with_help(help))
        };
        if let Err(why) = check_bucket(&self.bucket) {
            return wrong("the bucket's name is refused", why.to_owned(), BUCKET_HELP);
        }
        if let Err(why) = self.endpoint() {
            return wrong("the endpoint is refused", why.to_owned(), ENDPOINT_HELP);
        }
        if !PART_SIZES.contains(&self.part_size) {
            return wrong("the part size is refused", format!("it is {} bytes", self.part_size), "5 MiB to 5 GiB");
        }
        let counts = [
            ("attempts", self.retries.attempts as usize),
            ("connections", self.connections),
            ("parts under way", self.part_concurrency),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((what, _)) => wrong(&format!("the number of {what} is refused"), "it is 0".to_owned(), "1 or more"),
            None => Ok(()),
        }
    }

    /// The endpoint's scheme and host; `None` where it is AWS in the region. Fails with what is wrong.
    pub(crate) fn endpoint(&self) -> Result<Option<Endpoint>, &'static str> {
        self.endpoint.as_deref().map(|text| Endpoint::parse(text, self.use_ssl)).transpose()
    }
}

/// How large a part may be (S3 user guide, "Multipart upload limits").
pub(crate) const PART_SIZES: std::ops::RangeInclusive<u64> = 5 << 20..=5 << 30;

pub(crate) const BUCKET_HELP: &str = "a bucket's name holds letters, digits, '-', '.' and '_'";
pub(crate) const ENDPOINT_HELP: &str = "https://host, http://host:port, or host:port";

/// Whether a bucket of this name can exist anywhere. Services differ in what they allow, so that only what would make
/// another address of a URL is refused.
pub(crate) fn check_bucket(name: &str) -> Result<(), &'static str> {
    let breaks = |c: char| c.is_control() || c.is_whitespace() || "/\\?#%@".contains(c);
    match name {
        "" => Err("it is empty"),
        "." | ".." => Err("it is a step in a path"),
        _ if name.contains('/') => Err("it holds a '/'"),
        _ if name.contains(breaks) => Err("it holds a space or a sign that no service allows"),
        _ => Ok(()),
    }
}

/// Where a service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// By TLS.
    pub(crate) tls: bool,
    /// The host, with a port where one was given.
    pub(crate) authority: Authority,
}

impl Endpoint {
    /// Takes `scheme://host:port`, a trailing `/` included, and `host:port`. Fails with what is wrong, in words that hold
    /// nothing of the text.
    pub(crate) fn parse(text: &str, use_ssl: bool) -> Result<Self, &'static str> {
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return Err("its scheme is neither http nor https"),
            None => (use_ssl, text),
        };
        let host = rest.trim_end_matches('/');
        let wrong = match host {
            "" => "it names no host",
            _ if host.contains('@') => "it holds a user or a password, which belong into settings of their own",
            _ if host.contains(['?', '#']) => "it holds a query or a fragment",
            _ if host.contains('/') => "it holds a path; bucket and prefix belong into the location",
            _ => match host.parse::<Authority>() {
                Ok(authority) if plausible(&authority) => return Ok(Self { tls, authority }),
                _ => "it is no host with a port",
            },
        };
        Err(wrong)
    }

    /// The host without a port.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }
}

/// Whether there is a host, and behind it a port or nothing.
fn plausible(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    !authority.host().is_empty() && (port.is_empty() || authority.port_u16().is_some_and(|port| port > 0))
}

/// Where the bucket's name stands in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// In the host name on AWS where the name allows it, else in the path.
    Auto,
    /// In the path: `https://host/bucket/key`.
    Path,
    /// In the host name: `https://bucket.host/key`.
    VirtualHost,
}

/// Who asks. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Keys that the caller gives. Nothing else is read then: no environment, no file, no metadata service (rule S10).
    Keys {
        /// The access key id.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: String,
        /// The session token of temporary keys.
        session_token: Option<String>,
    },
    /// Nobody: requests are not signed.
    Anonymous,
    /// Whoever the machine says: the profile's file, single sign-on, web identity, container role, instance role.
    Chain(ChainOptions),
}

impl Credentials {
    /// Keys without a session token.
    pub fn keys(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self::Keys {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { access_key_id, session_token, .. } => f
                .debug_struct("Keys")
                .field("access_key_id", access_key_id)
                .field("session_token", &session_token.is_some())
                .finish_non_exhaustive(),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Chain(chain) => f.debug_tuple("Chain").field(chain).finish(),
        }
    }
}

/// What the credential chain goes by, beside the machine itself. The names and values are what the AWS tools read from
/// the environment: `AWS_PROFILE`, `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_CONTAINER_CREDENTIALS_FULL_URI` and
/// so on. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainOptions {
    /// Name and value, in the place of the process environment.
    pub environment: Vec<(String, String)>,
}

impl fmt::Debug for ChainOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.environment.iter().map(|(name, _)| name)).finish()
    }
}

/// Which conditional writes are trusted (rules C08, S13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionPolicy {
    /// What is known of the service; where it is not known, what a probe before the first conditional write shows.
    Service,
    /// All of them. Wrong on a service that answers 200 and ignores the condition: a lock is broken in silence.
    All,
    /// None: conditional writes are `Unsupported`.
    None,
    /// What the probe shows, whatever is known of the service.
    Probe,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Which authorities.
    pub roots: TlsRoots,
    /// A file of further authorities, in PEM.
    pub ca_bundle: Option<PathBuf>,
}

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsRoots {
    /// Those of the system.
    #[default]
    System,
    /// Those that Mozilla trusts, as they were when the program was built.
    Bundled,
}

/// How long what may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Connecting, TLS included.
    pub connect: Duration,
    /// From the last byte sent to the head of the answer; and the longest pause between two bytes either way.
    pub answer: Duration,
    /// A whole operation with its repetitions, up to the head of its answer, and one second more for each MiB that
    /// it sends. A streaming write has it for each part.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(30), operation: Duration::from_secs(120) }
    }
}

/// How often, and how patiently, a failed request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// At most so many attempts, the first one counted.
    pub attempts: u32,
    /// The first pause is a random one up to this; each further bound is twice the one before.
    pub base: Duration,
    /// No pause is longer than this, save one that the service asks for (`Retry-After`).
    pub longest: Duration,
    /// How many repetitions a backend may have under way or just behind it, over all operations; refilled as requests
    /// succeed. It keeps a service that is down from being asked ever more.
    pub budget: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(100), longest: Duration::from_secs(10), budget: 500 }
    }
}

/// The digest that is sent with content, stored with it and checked when it is read (rule V02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumPolicy {
    /// What the service is known to keep, or was found to by `probe`; else none.
    Service,
    /// No digest.
    None,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
}

/// Whether the content's SHA-256 is part of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadSigning {
    /// Over plain http, where nothing else protects the content; not over TLS.
    Auto,
    /// Always.
    Signed,
    /// Never.
    Unsigned,
}

/// How the service encrypts what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of the service (`AES256`).
    Aes256,
    /// With a key of the key management service (`aws:kms`); the bucket's own when unset.
    Kms {
        /// The key's id or ARN.
        key_id: Option<String>,
    },
}
