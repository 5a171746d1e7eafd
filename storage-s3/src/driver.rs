//! The driver of `s3:` locations.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use storage_core::settings::STORAGE_BUCKET_NAME;
use storage_core::{
    Access, Driver, Error, ErrorKind, Location, OpenOptions, Prefix, Result, RootName, Settings, Storage,
    StorageBackend,
};

use crate::S3;
use crate::options::{BUCKET_HELP, S3Options, check_bucket};

/// Opens `s3://bucket` and `s3://bucket/prefix`, by the settings that [`S3Options::from_settings`] reads. The prefix may
/// hold what no key may: `s3://bucket/a//` (rule K04).
///
/// A bucket that is missing is `BackendNotFound`, whatever `create` says: no write makes one, since whose it is and where it
/// lies are not for a write to decide. [`S3::create_bucket`] does.
///
/// What one driver opens for one bucket and the same settings shares connections, credentials and what was found out about
/// the service, and copies from one such root to another take one request (rule X07).
#[derive(Clone, Default)]
pub struct S3Driver {
    opened: Arc<Mutex<Vec<Opened>>>,
}

/// A bucket that somebody still uses.
struct Opened {
    options: S3Options,
    bucket: Weak<S3>,
}

impl S3Driver {
    /// A driver that has opened nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole bucket of options that name no prefix, shared with everybody who uses it.
    fn bucket(&self, options: S3Options) -> Result<Arc<S3>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|other| other.bucket.strong_count() > 0);
        let same = opened.iter().find(|other| other.options == options).and_then(|other| other.bucket.upgrade());
        if let Some(bucket) = same {
            return Ok(bucket);
        }
        let bucket = Arc::new(S3::new(options.clone())?);
        opened.push(Opened { options, bucket: Arc::downgrade(&bucket) });
        Ok(bucket)
    }
}

impl fmt::Debug for S3Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Driver")
    }
}

#[async_trait]
impl Driver for S3Driver {
    fn name(&self) -> &str {
        "s3"
    }

    fn schemes(&self) -> &[&str] {
        &["s3"]
    }

    /// `s3://{STORAGE_BUCKET_NAME}/data`, `…/system`, `…/cache`.
    fn default_root(&self, root: RootName, settings: &Settings) -> Result<Location> {
        let Some(bucket) = settings.get(STORAGE_BUCKET_NAME)? else {
            let help = format!("set {STORAGE_BUCKET_NAME} to a bucket, or {} to s3://bucket/prefix", root.setting());
            return Err(Error::configuration(format!(
                "the {root} root is to be in a bucket, and {STORAGE_BUCKET_NAME} is not set"
            ))
            .with_help(help));
        };
        if let Err(why) = check_bucket(bucket.value()) {
            // What stands before an '@' may be a password.
            let shown = if bucket.value().contains('@') { bucket.clone() } else { bucket.public() };
            return Err(shown.refused(why, BUCKET_HELP));
        }
        Location::parse(&format!("s3://{}/{root}", bucket.value())).map_err(|error| bucket.blame(error))
    }

    fn access(&self, location: &Location, settings: &Settings) -> Result<Access> {
        let Location::Object(place) = location else {
            return Err(Error::invalid_input(format!("{location} is no bucket")));
        };
        S3Options::from_settings(&place.container, &place.path, settings)?.access()
    }

    async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage> {
        let Location::Object(place) = location else {
            return Err(Error::invalid_input(format!("{location} is no bucket")));
        };
        let settings = S3Options::from_settings(&place.container, "", &options.settings)?;
        let bucket = self.bucket(settings)?;
        let root = match place.path.as_str() {
            "" => Arc::clone(&bucket),
            path => Arc::new(bucket.under(path)?),
        };
        if let Some(deadline) = options.check {
            check(&root, deadline).await?;
        }
        let storage = Storage::from_arc(Arc::clone(&root) as Arc<dyn StorageBackend>);
        // A root that no prefix of keys leads to is a whole of its own.
        match Prefix::new(root.prefix()) {
            Ok(prefix) => Ok(storage.part_of(bucket, prefix)),
            Err(_) => Ok(storage),
        }
    }
}

/// Asks the service once, without repeating anything, within a deadline.
async fn check(root: &S3, deadline: Duration) -> Result<()> {
    match tokio::time::timeout(deadline, root.check()).await {
        Ok(checked) => checked,
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            format!("{} did not answer within {}", root.endpoint(), humantime::format_duration(deadline)),
        )
        .with_help("look at AWS_ENDPOINT_URL, and at what is between this machine and the endpoint")),
    }
}
