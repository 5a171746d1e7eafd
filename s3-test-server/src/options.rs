//! What a server is started with.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::quirk::Quirk;
use crate::record::Recorded;

const GIB: u64 = 1 << 30;

type OnRequest = Arc<dyn Fn(&Recorded) + Send + Sync>;

/// How a server behaves; the default is S3 in `us-east-1` as its API reference describes it.
#[derive(Clone)]
pub struct ServerOptions {
    pub(crate) users: HashMap<String, User>,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) region: String,
    pub(crate) domain: Option<String>,
    pub(crate) port: u16,
    pub(crate) limits: Limits,
    pub(crate) conditions: Conditions,
    pub(crate) quirks: Vec<Quirk>,
    pub(crate) clock_offset: i64,
    pub(crate) multipart_date: MultipartDate,
    pub(crate) repeatable_complete: bool,
    pub(crate) tls: bool,
    pub(crate) on_request: Option<OnRequest>,
}

impl ServerOptions {
    /// One user, `test-access-key` with `test-secret-key`, on a free port.
    pub fn new() -> Self {
        Self {
            users: HashMap::new(),
            access_key: "test-access-key".to_owned(),
            secret_key: "test-secret-key".to_owned(),
            region: "us-east-1".to_owned(),
            domain: None,
            port: 0,
            limits: Limits::default(),
            conditions: Conditions::default(),
            quirks: Vec::new(),
            clock_offset: 0,
            multipart_date: MultipartDate::Completion,
            repeatable_complete: false,
            tls: false,
            on_request: None,
        }
        .session_token(None)
    }

    /// The keys of the first user, who may do everything.
    pub fn credentials(mut self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let token = self.users.remove(&self.access_key).and_then(|user| user.session_token);
        self.access_key = access_key.into();
        self.secret_key = secret_key.into();
        self.session_token(token)
    }

    /// The session token that the first user's requests must carry; without it they are `InvalidAccessKeyId`, with
    /// another they are `InvalidToken`.
    pub fn session_token(mut self, token: Option<String>) -> Self {
        let user = User { secret_key: self.secret_key.clone(), session_token: token, denied: Vec::new() };
        self.users.insert(self.access_key.clone(), user);
        self
    }

    /// One more user.
    pub fn user(mut self, access_key: impl Into<String>, user: User) -> Self {
        self.users.insert(access_key.into(), user);
        self
    }

    /// The server's region, in which buckets are unless they are created elsewhere.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// A domain below which the first label is a bucket, beside `localhost` which always is one.
    pub fn virtual_host(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The port on 127.0.0.1; 0, the default, is any that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sizes and counts that the server refuses to go beyond.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Which conditional headers on writes the server keeps.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// One more deviation from the S3 API reference.
    pub fn quirk(mut self, quirk: Quirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Seconds by which the server's clock is ahead of the machine's (negative: behind); requests that are dated more
    /// than 15 minutes off it are `RequestTimeTooSkewed`.
    pub fn clock_offset(mut self, seconds: i64) -> Self {
        self.clock_offset = seconds;
        self
    }

    /// Which date an object has that was uploaded in parts.
    pub fn multipart_date(mut self, date: MultipartDate) -> Self {
        self.multipart_date = date;
        self
    }

    /// Whether completing an upload again answers what it answered first (as AWS does for a while), and not
    /// `NoSuchUpload`.
    pub fn repeatable_complete(mut self, repeatable: bool) -> Self {
        self.repeatable_complete = repeatable;
        self
    }

    /// Whether the server speaks TLS, with a certificate made for it
    /// ([`S3Server::certificate_pem`](crate::S3Server::certificate_pem)). It names the buckets below `localhost` too, but
    /// some clients trust no wildcard below a name of one label: give them a [`virtual_host`](Self::virtual_host).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Calls this with every request just before it is answered, on the connection's task.
    pub fn on_request(mut self, callback: impl Fn(&Recorded) + Send + Sync + 'static) -> Self {
        self.on_request = Some(Arc::new(callback));
        self
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("access_key", &self.access_key)
            .field("region", &self.region)
            .field("domain", &self.domain)
            .field("port", &self.port)
            .field("limits", &self.limits)
            .field("conditions", &self.conditions)
            .field("quirks", &self.quirks)
            .finish_non_exhaustive()
    }
}

/// Somebody who may send requests.
#[derive(Clone)]
pub struct User {
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) denied: Vec<String>,
}

impl User {
    /// A user with this secret, who may do everything.
    pub fn new(secret_key: impl Into<String>) -> Self {
        Self { secret_key: secret_key.into(), session_token: None, denied: Vec::new() }
    }

    /// The session token that this user's requests must carry.
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Operations, by API name (`"PutObject"`), that answer `AccessDenied` to this user. Deleting one version is a right of
    /// its own, as in S3: `"DeleteObjectVersion"`.
    pub fn deny<T: Into<String>>(mut self, operations: impl IntoIterator<Item = T>) -> Self {
        self.denied.extend(operations.into_iter().map(Into::into));
        self
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("denied", &self.denied).finish_non_exhaustive()
    }
}

/// Sizes in bytes, and counts, beyond which a request is refused (S3 user guide, "Multipart upload limits").
#[derive(Debug, Clone)]
pub struct Limits {
    /// The least size of a part that is not the last; 5 MiB.
    pub min_part_size: u64,
    /// The most a part may hold; 5 GiB.
    pub max_part_size: u64,
    /// The highest part number; 10,000.
    pub max_parts: u32,
    /// The most that one `PutObject` may hold; 5 GiB.
    pub max_single_put: u64,
    /// The most that one `CopyObject` or `UploadPartCopy` may copy; 5 GiB.
    pub max_copy_source: u64,
    /// The most an object may hold; 5 TiB.
    pub max_object_size: u64,
    /// The most entries of a listing's page; 1,000.
    pub page_size: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_part_size: 5 << 20,
            max_part_size: 5 * GIB,
            max_parts: 10_000,
            max_single_put: 5 * GIB,
            max_copy_source: 5 * GIB,
            max_object_size: 5 * 1024 * GIB,
            page_size: 1000,
        }
    }
}

/// Which conditional headers the server keeps on writes. One that it does not keep is ignored: the write is done, and
/// the answer is 200, as several services that speak S3 do.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// `If-None-Match: *` on `PutObject`.
    pub put_create_only: bool,
    /// `If-Match` on `PutObject`.
    pub put_if_match: bool,
    /// `If-None-Match: *` on `CompleteMultipartUpload`.
    pub complete_create_only: bool,
    /// `If-Match` on `CompleteMultipartUpload`.
    pub complete_if_match: bool,
    /// `If-None-Match: *` on `CopyObject`.
    pub copy_create_only: bool,
    /// `If-Match` on `CopyObject`, of the destination.
    pub copy_if_match: bool,
    /// `x-amz-copy-source-if-match` and its like, on `CopyObject` and `UploadPartCopy`.
    pub copy_source: bool,
    /// `If-Match` on `DeleteObject`.
    pub delete_if_match: bool,
}

impl Conditions {
    /// Every condition is kept.
    pub const KEPT: Self = Self::all(true);
    /// Every condition on a write is ignored.
    pub const IGNORED: Self = Self::all(false);

    const fn all(kept: bool) -> Self {
        Self {
            put_create_only: kept,
            put_if_match: kept,
            complete_create_only: kept,
            complete_if_match: kept,
            copy_create_only: kept,
            copy_if_match: kept,
            copy_source: kept,
            delete_if_match: kept,
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::KEPT
    }
}

/// Which date an object has that was uploaded in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultipartDate {
    /// When it was completed: the object that is there now is the one written last.
    Completion,
    /// When the upload was started, as AWS has it.
    Initiation,
}
