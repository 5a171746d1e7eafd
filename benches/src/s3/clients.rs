//! The same four operations by each library.

use std::path::Path;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _, PutPayload};
use storage_core::{ListOptions, Storage};
use storage_s3::{ChecksumPolicy, Credentials, PayloadSigning, S3, S3Options};

const KEY: &str = "tenant-42/documents/2026/11/object.json";
static CONTENT: [u8; 1024] = [7; 1024];

#[async_trait(?Send)]
pub trait Client {
    fn name(&self) -> &'static str;
    async fn get(&self) -> usize;
    async fn put(&self);
    async fn head(&self) -> u64;
    async fn list(&self) -> usize;
}

/// Ours first, then object_store, to which the ratios are.
pub fn all(endpoint: &str, certificates: Option<&Path>) -> Vec<Rc<dyn Client>> {
    vec![
        Rc::new(Ours::new(endpoint, certificates)),
        Rc::new(ObjectStore::new(endpoint, certificates)),
        Rc::new(OpenDal::new(endpoint, certificates)),
    ]
}

struct Ours(Storage);

impl Ours {
    fn new(endpoint: &str, certificates: Option<&Path>) -> Self {
        let mut options = S3Options::new("bench");
        options.endpoint = Some(endpoint.to_owned());
        options.region = Some("us-east-1".to_owned());
        options.credentials = Credentials::keys("bench-key", "bench-secret");
        options.payload_signing = PayloadSigning::Unsigned;
        options.checksum = ChecksumPolicy::None;
        options.tls.ca_bundle = certificates.map(|path| path.join("cert.pem"));
        Self(Storage::new(S3::new(options).unwrap()))
    }
}

#[async_trait(?Send)]
impl Client for Ours {
    fn name(&self) -> &'static str {
        "storage-s3"
    }

    async fn get(&self) -> usize {
        self.0.bytes(KEY).await.unwrap().len()
    }

    async fn put(&self) {
        self.0.put(KEY, Bytes::from_static(&CONTENT)).await.unwrap();
    }

    async fn head(&self) -> u64 {
        self.0.head(KEY).await.unwrap().meta.size
    }

    async fn list(&self) -> usize {
        let mut pages = self.0.pages(ListOptions::new()).await.unwrap();
        let mut keys = 0;
        while let Some(page) = pages.next_page().await.unwrap() {
            keys += page.entries.len();
        }
        keys
    }
}

struct ObjectStore {
    store: AmazonS3,
    key: object_store::path::Path,
}

impl ObjectStore {
    fn new(endpoint: &str, certificates: Option<&Path>) -> Self {
        let mut client = ClientOptions::new().with_allow_http(true);
        if let Some(path) = certificates {
            let pem = std::fs::read(path.join("cert.pem")).unwrap();
            client = client.with_root_certificate(object_store::Certificate::from_pem(&pem).unwrap());
        }
        let store = AmazonS3Builder::new()
            .with_bucket_name("bench")
            .with_region("us-east-1")
            .with_endpoint(endpoint)
            .with_access_key_id("bench-key")
            .with_secret_access_key("bench-secret")
            .with_unsigned_payload(true)
            .with_client_options(client)
            .build()
            .unwrap();
        Self { store, key: KEY.into() }
    }
}

#[async_trait(?Send)]
impl Client for ObjectStore {
    fn name(&self) -> &'static str {
        "object_store"
    }

    async fn get(&self) -> usize {
        self.store.get(&self.key).await.unwrap().bytes().await.unwrap().len()
    }

    async fn put(&self) {
        self.store.put(&self.key, PutPayload::from_static(&CONTENT)).await.unwrap();
    }

    async fn head(&self) -> u64 {
        self.store.head(&self.key).await.unwrap().size
    }

    async fn list(&self) -> usize {
        let listed = self.store.list(None);
        listed.try_fold(0, |keys, _| async move { Ok(keys + 1) }).await.unwrap()
    }
}

struct OpenDal(opendal::Operator);

impl OpenDal {
    fn new(endpoint: &str, certificates: Option<&Path>) -> Self {
        let mut client = reqwest::Client::builder();
        if let Some(path) = certificates {
            let pem = std::fs::read(path.join("cert.pem")).unwrap();
            client = client.add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
        }
        let service = opendal::services::S3::default()
            .bucket("bench")
            .region("us-east-1")
            .endpoint(endpoint)
            .access_key_id("bench-key")
            .secret_access_key("bench-secret")
            .disable_config_load()
            .disable_ec2_metadata();
        let transport = opendal::HttpTransporter::new(opendal_http_transport_reqwest::ReqwestTransport::new(
            client.build().unwrap(),
        ));
        let operator = opendal::Operator::new(service).unwrap();
        let context = operator.context().clone().with_http_transport(transport);
        Self(operator.with_context(context))
    }
}

#[async_trait(?Send)]
impl Client for OpenDal {
    fn name(&self) -> &'static str {
        "opendal"
    }

    async fn get(&self) -> usize {
        self.0.read(KEY).await.unwrap().len()
    }

    async fn put(&self) {
        self.0.write(KEY, Bytes::from_static(&CONTENT)).await.unwrap();
    }

    async fn head(&self) -> u64 {
        self.0.stat(KEY).await.unwrap().content_length()
    }

    async fn list(&self) -> usize {
        let entries = self.0.lister_with("").recursive(true).await.unwrap();
        entries.fold(0, |keys, entry| async move { keys + usize::from(entry.is_ok()) }).await
    }
}
