//! The server: its socket, and what a test does to it without HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::connection::{Control, Socket, serve};
use crate::counts::Counts;
use crate::faults::{Fault, FaultHandle};
use crate::options::ServerOptions;
use crate::record::Recorded;
use crate::service::Service;
use crate::store::{Bucket, Content, Object, SyntheticObjects, Versioning, default_headers, etag_of};

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// An S3 server on a port of 127.0.0.1, which lives until it is dropped or stopped. All it holds is in memory.
pub struct S3Server {
    service: Arc<Service>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl S3Server {
    /// Starts a server on the current tokio runtime. It has no buckets.
    ///
    /// # Errors
    /// The port is taken, or no certificate could be made.
    pub async fn start(options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        #[cfg(feature = "tls")]
        let tls = options.tls.then(|| Tls::new(options.domain.as_deref())).transpose()?;
        let service = Arc::new(Service::new(options));
        let accepting = Accepting {
            listener,
            service: Arc::clone(&service),
            #[cfg(feature = "tls")]
            tls: tls.clone(),
        };
        Ok(Self {
            service,
            address,
            accepting: tokio::spawn(accepting.run()),
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Closes the port and all connections; returns when they are closed.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// `http://127.0.0.1:PORT`, or `https://…` with TLS.
    pub fn endpoint(&self) -> String {
        let scheme = if self.service.options.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first user's access key.
    pub fn access_key(&self) -> &str {
        &self.service.options.access_key
    }

    /// The first user's secret key.
    pub fn secret_key(&self) -> &str {
        &self.service.options.secret_key
    }

    /// The certificate, in PEM, that a client has to trust; `None` without TLS.
    #[cfg(feature = "tls")]
    pub fn certificate_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(Tls::certificate_pem)
    }

    /// Creates a bucket in the server's region; one that is there stays as it is.
    pub fn create_bucket(&self, name: &str) {
        let (region, now) = (self.service.options.region.clone(), self.service.clock.now());
        self.service.store.all(|buckets| {
            buckets.entry(name.to_owned()).or_insert_with(|| Bucket::new(region, now));
        });
    }

    /// Deletes a bucket with all that is in it.
    pub fn delete_bucket(&self, name: &str) {
        self.service.store.all(|buckets| buckets.remove(name));
    }

    /// Makes a bucket keep versions, or keep no more of them; creates it if need be.
    pub fn set_versioning(&self, bucket: &str, enabled: bool) {
        let versioning = if enabled { Versioning::Enabled } else { Versioning::Suspended };
        self.change(bucket, |bucket| bucket.versioning = versioning);
    }

    /// Moves a bucket to a region; creates it if need be.
    pub fn set_bucket_region(&self, bucket: &str, region: &str) {
        self.change(bucket, |bucket| bucket.region = region.to_owned());
    }

    /// Puts `count` objects of `size` bytes into a bucket, which takes no memory: their keys are `prefix` and a number
    /// of ten digits from 0 on, their bytes those of [`synthetic_bytes`](crate::synthetic_bytes). They can be listed,
    /// read, overwritten and deleted. Creates the bucket if need be.
    pub fn synthetic_objects(&self, bucket: &str, prefix: &str, count: u64, size: u64) {
        let (prefix, modified) = (prefix.to_owned(), self.service.clock.now());
        self.change(bucket, |bucket| bucket.synthetic.push(SyntheticObjects { prefix, count, size, modified }));
    }

    /// Puts an object of any size into a bucket, which takes no memory: its bytes are those of
    /// [`synthetic_bytes`](crate::synthetic_bytes), and its copies, whole or in parts, are synthetic too. Its etag is not
    /// its MD5. Creates the bucket if need be.
    pub fn synthetic_object(&self, bucket: &str, key: &str, size: u64) {
        let content = Content::synthetic(0, size);
        let (modified, id) = (self.service.clock.now(), self.service.store.new_id());
        let (etag, headers) = (etag_of(&content), default_headers());
        let object = Object { etag, modified, content, headers, ..Object::default() };
        self.change(bucket, |bucket| drop(bucket.put(key, object, id)));
    }

    /// How many uploads of a bucket are neither completed nor aborted.
    pub fn unfinished_uploads(&self, bucket: &str) -> usize {
        self.service.store.all(|buckets| buckets.get(bucket).map_or(0, |bucket| bucket.uploads.len()))
    }

    /// Makes every session token one that has expired, or valid again.
    pub fn expire_tokens(&self, expired: bool) {
        self.service.tokens_expired.store(expired, Ordering::SeqCst);
    }

    /// How many requests were answered, or failed by a fault, by operation.
    pub fn counts(&self) -> Counts {
        self.service.log.counts()
    }

    /// Forgets counts and requests.
    pub fn reset_counts(&self) {
        self.service.log.reset();
    }

    /// The last 10,000 requests, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.service.log.requests()
    }

    /// Makes requests fail from now on.
    pub fn inject(&self, fault: Fault) -> FaultHandle {
        self.service.faults.inject(fault)
    }

    /// Takes all faults away; those that hang stay hung.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    fn change(&self, bucket: &str, change: impl FnOnce(&mut Bucket)) {
        self.create_bucket(bucket);
        self.service.store.all(|buckets| buckets.get_mut(bucket).map(change));
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl std::fmt::Debug for S3Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The loop that takes connections; they end with it.
struct Accepting {
    listener: TcpListener,
    service: Arc<Service>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Accepting {
    async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = self.listener.accept().await else {
                // There are too many open files; some will be closed.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let control = Arc::new(Control::default());
            let (socket, service) = (Socket::new(stream, Arc::clone(&control)), Arc::clone(&self.service));
            #[cfg(feature = "tls")]
            if let Some(tls) = self.tls.clone() {
                connections.spawn(async move {
                    if let Ok(stream) = tls.accept(socket).await {
                        serve(stream, control, service).await;
                    }
                });
                continue;
            }
            connections.spawn(serve(socket, control, service));
        }
    }
}
