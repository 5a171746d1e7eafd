//! What every operation of a backend works with.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use storage_core::{Error, Key, Result, Support};

use crate::client::{Client, Expect, Failure, Request, Target};
use crate::errors;
use crate::options::{Encryption, S3Options};
use crate::probe::Known;
use crate::single::Single;

/// A backend's client, options, and what it has found out about its service.
pub(crate) struct Core {
    pub(crate) client: Client,
    pub(crate) options: S3Options,
    /// What every key stands behind in the bucket: empty, or ending in `/`.
    pub(crate) root: String,
    /// What is known of the service's conditions, checksums and versions.
    pub(crate) known: Known,
    /// The requests that opendal builds.
    pub(crate) single: Single,
    /// The headers of every request.
    common: HeaderMap,
    /// The headers of every request that makes an object.
    write: HeaderMap,
}

impl Core {
    pub(crate) fn new(options: S3Options) -> Result<Self> {
        let (client, known) = (Client::new(&options)?, Known::new(&options));
        Self::of(options, client, known, Single::new()?)
    }

    /// Another prefix of the same bucket, with the same connections and the same knowledge of the service.
    pub(crate) fn under(&self, prefix: &str) -> Result<Self> {
        let options = S3Options { prefix: prefix.to_owned(), ..self.options.clone() };
        Self::of(options, self.client.clone(), self.known.share(), self.single.clone())
    }

    fn of(options: S3Options, client: Client, known: Known, single: Single) -> Result<Self> {
        let mut root = options.prefix.clone();
        if !root.is_empty() && !root.ends_with('/') {
            root.push('/');
        }
        let (common, write) = (common_headers(&options), write_headers(&options)?);
        Ok(Self { client, options, root, known, single, common, write })
    }

    /// An object's whole name in the bucket.
    pub(crate) fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.root)
    }

    /// An object as the target of a request.
    pub(crate) fn object(&self, key: &Key) -> Target {
        Target::Object(self.name(key))
    }

    /// A request with the headers that every one has.
    pub(crate) fn request(&self, operation: &'static str, method: Method, target: Target, expect: Expect) -> Request {
        let mut request = Request::new(operation, method, target, expect);
        request.headers.clone_from(&self.common);
        request
    }

    /// The headers of every request.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.common.clone()
    }

    /// The headers of every request that makes an object (PutObject, CopyObject, CreateMultipartUpload): those of every
    /// request, the storage class, and how the service encrypts.
    pub(crate) fn write_headers(&self) -> HeaderMap {
        self.write.clone()
    }

    /// The version that a write is said to have made. Where a bucket is known to keep none it is no version: Garage names
    /// one for every write, and finds none by it (rule W13).
    pub(crate) fn kept(&self, version: Option<String>) -> Option<String> {
        version.filter(|_| self.known.versions() != Support::No)
    }

    /// The error that a failure is to the caller.
    pub(crate) fn error(&self, failure: Failure) -> Error {
        errors::explain(failure, &self.options)
    }
}

fn common_headers(options: &S3Options) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if options.requester_pays {
        headers.insert("x-amz-request-payer", HeaderValue::from_static("requester"));
    }
    headers
}

fn write_headers(options: &S3Options) -> Result<HeaderMap> {
    let mut headers = common_headers(options);
    let mut add = |name: &'static str, setting: &'static str, text: &str| {
        let value = HeaderValue::from_str(text).map_err(|_| {
            Error::configuration(format!("{setting} is refused: {text:?} cannot stand in a header"))
                .with_help("it may hold visible ASCII only")
        })?;
        headers.insert(HeaderName::from_static(name), value);
        Ok::<_, Error>(())
    };
    if let Some(class) = &options.storage_class {
        add("x-amz-storage-class", "the storage class (STORAGE_S3_STORAGE_CLASS)", class)?;
    }
    match &options.encryption {
        None => {}
        Some(Encryption::Aes256) => add(ENCRYPTION, "the encryption", "AES256")?,
        Some(Encryption::Kms { key_id }) => {
            add(ENCRYPTION, "the encryption", "aws:kms")?;
            if let Some(id) = key_id {
                add(
                    "x-amz-server-side-encryption-aws-kms-key-id",
                    "the encryption key's id (STORAGE_S3_KMS_KEY_ID)",
                    id,
                )?;
            }
        }
    }
    Ok(headers)
}

const ENCRYPTION: &str = "x-amz-server-side-encryption";

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("options", &self.options).finish_non_exhaustive()
    }
}
