//! The peers' stores, opened as their documentation shows it.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use opendal::Operator;
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal_http_transport_reqwest::ReqwestTransport;
use storage_core::Storage;

use crate::object_store_adapter::{Peer, documented};
use crate::opendal_adapter::OpenDal;

/// Who opens the suite's buckets.
pub const ACCESS_KEY: &str = "suite-access-key";
pub const SECRET_KEY: &str = "canary/SecretKey+of.the+suite/0123456789";

/// How long a hasty handle waits for an answer, and for all of an operation; and how often it asks.
pub const ANSWER: Duration = Duration::from_millis(400);
pub const OPERATION: Duration = Duration::from_secs(4);
pub const ATTEMPTS: usize = 4;

/// The two libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    OpenDal,
    ObjectStore,
}

/// A bucket, and by whom it is opened.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub endpoint: String,
    pub name: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    pub token: Option<String>,
    pub hasty: bool,
}

impl Bucket {
    pub fn new(endpoint: String, name: String) -> Self {
        let [access_key, secret_key, region] = [ACCESS_KEY, SECRET_KEY, "us-east-1"].map(str::to_owned);
        Self { endpoint, name, region, access_key, secret_key, token: None, hasty: false }
    }

    /// Its name for other handles.
    pub fn address(&self) -> String {
        format!("{}|{}|{}", self.endpoint, self.name, self.hasty)
    }
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('|').collect();
        let [endpoint, name, hasty] = parts[..] else { return Err(format!("{text:?} is no bucket")) };
        Ok(Self { hasty: hasty == "true", ..Self::new(endpoint.to_owned(), name.to_owned()) })
    }
}

/// A directory that exists, with opendal's writes made in another one first and moved from there.
pub fn atomic_directory(path: &Path, atomic: &Path) -> Storage {
    let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
    let service = opendal::services::Fs::default().root(&text(path)).atomic_write_dir(&text(atomic));
    opendal("opendal-fs", Operator::new(service).expect("two directories"), true)
}

/// A directory that exists.
pub fn directory(library: Library, path: &Path) -> Storage {
    match library {
        Library::OpenDal => {
            let service = opendal::services::Fs::default().root(path.to_str().expect("a path of text"));
            opendal("opendal-fs", Operator::new(service).expect("a directory"), true)
        }
        Library::ObjectStore => {
            let store = LocalFileSystem::new_with_prefix(path).expect("a directory");
            peer("object_store-local", Arc::new(store), documented("LocalFileSystem"), false)
        }
    }
}

/// A new store in memory.
pub fn memory(library: Library) -> Storage {
    match library {
        Library::OpenDal => {
            let operator = Operator::new(opendal::services::Memory::default()).expect("a store in memory");
            opendal("opendal-memory", operator, false)
        }
        Library::ObjectStore => peer("object_store-memory", Arc::new(InMemory::new()), documented("InMemory"), true),
    }
}

/// A bucket, with the time-outs and retries that each library has to offer.
pub fn bucket(library: Library, bucket: &Bucket) -> Storage {
    match library {
        Library::OpenDal => opendal("opendal-s3", opendal_bucket(bucket), true),
        Library::ObjectStore => {
            let mut options = ClientOptions::new().with_allow_http(true);
            let mut retries = RetryConfig::default();
            if bucket.hasty {
                options = options.with_timeout(ANSWER).with_connect_timeout(ANSWER);
                let (init_backoff, max_backoff) = (Duration::from_millis(2), Duration::from_millis(10));
                let backoff = BackoffConfig { init_backoff, max_backoff, ..Default::default() };
                retries = RetryConfig { backoff, max_retries: ATTEMPTS - 1, retry_timeout: OPERATION };
            }
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(&bucket.name)
                .with_region(&bucket.region)
                .with_endpoint(&bucket.endpoint)
                .with_access_key_id(&bucket.access_key)
                .with_secret_access_key(&bucket.secret_key)
                .with_client_options(options)
                .with_retry(retries);
            if let Some(token) = &bucket.token {
                builder = builder.with_token(token);
            }
            let store = Arc::new(builder.build().expect("options that are right"));
            Storage::new(Peer {
                name: "object_store-s3",
                store: store.clone(),
                signer: Some(store),
                capabilities: documented("AmazonS3"),
                ordered: true,
            })
        }
    }
}

fn opendal_bucket(bucket: &Bucket) -> Operator {
    let mut service = opendal::services::S3::default()
        .bucket(&bucket.name)
        .region(&bucket.region)
        .endpoint(&bucket.endpoint)
        .access_key_id(&bucket.access_key)
        .secret_access_key(&bucket.secret_key)
        .disable_config_load()
        .disable_ec2_metadata();
    if let Some(token) = &bucket.token {
        service = service.session_token(token);
    }
    let transport = ReqwestTransport::new(reqwest::Client::builder().build().expect("a client"));
    let operator = Operator::new(service).expect("options that are right");
    let context = operator.context().clone().with_http_transport(opendal::HttpTransporter::new(transport));
    let (mut timeouts, mut retries) = (TimeoutLayer::new(), RetryLayer::new().with_jitter());
    if bucket.hasty {
        timeouts = timeouts.with_timeout(ANSWER).with_io_timeout(ANSWER);
        retries = retries.with_min_delay(Duration::from_millis(2)).with_max_delay(Duration::from_millis(10));
        retries = retries.with_max_times(ATTEMPTS - 1);
    }
    operator.with_context(context).layer(timeouts).layer(retries)
}

fn opendal(name: &'static str, operator: Operator, persistent: bool) -> Storage {
    Storage::new(OpenDal { name, operator, persistent })
}

fn peer(
    name: &'static str,
    store: Arc<dyn object_store::ObjectStore>,
    capabilities: storage_core::Capabilities,
    ordered: bool,
) -> Storage {
    Storage::new(Peer { name, store, signer: None, capabilities, ordered })
}
