//! Roots of the S3 driver on servers in the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use conformance_tests::{Cramped, Fixture, Harness, Service, Shortage, async_trait};
use s3_test_server::{Conditions, Fault, FaultAction, MultipartDate, S3Server, ServerOptions};
use storage_core::Storage;
use storage_s3::{Addressing, ConditionPolicy, S3, S3Options};

use crate::s3_address::{Address, PART};
use crate::s3_service::S3Service;

/// Who opens the suite's roots.
pub(crate) const ACCESS_KEY: &str = "suite-access-key";
pub(crate) const SECRET_KEY: &str = "canary/SecretKey+of.the+suite/0123456789";

/// What stores content, and then what else changes a bucket.
const WRITES: [&str; 7] = [
    "PutObject",
    "UploadPart",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
];

/// Servers and options of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As S3 is documented.
    Plain,
    /// The root lies behind a prefix that holds what no key may.
    Behind,
    /// The bucket stands in the host's name; the driver trusts all conditions unasked.
    VirtualHost,
    /// The server ignores conditions on writes, and the driver finds that out.
    Ignoring,
    /// The server dates uploads in parts by their start.
    DatedByStart,
    /// The server closes every connection after one answer, without saying so.
    Closing,
    /// Every bucket keeps versions.
    Versioned,
}

/// Roots on a server of the process that all rules share, each in a bucket of its own.
pub(crate) struct S3Harness(pub(crate) Kind);

/// How servers of a kind behave.
pub(crate) fn server_options(kind: Kind) -> ServerOptions {
    let options = ServerOptions::new().credentials(ACCESS_KEY, SECRET_KEY);
    match kind {
        Kind::Ignoring => options.conditions(Conditions::IGNORED),
        Kind::DatedByStart => options.multipart_date(MultipartDate::Initiation),
        Kind::Plain | Kind::Behind | Kind::VirtualHost | Kind::Closing | Kind::Versioned => options,
    }
}

impl S3Harness {
    /// The server of this kind; the first call starts it, on a thread of its own, since it outlives every rule's runtime.
    fn server(&self) -> &'static S3Server {
        static SERVERS: [OnceLock<S3Server>; 7] = [const { OnceLock::new() }; 7];
        trace_if_asked();
        SERVERS[self.0 as usize].get_or_init(|| {
            let server = started(server_options(self.0));
            if self.0 == Kind::Closing {
                server.inject(Fault::new(FaultAction::DropIdleConnections));
            }
            server
        })
    }
}

/// With `STORAGE_TEST_TRACE=1` all that is logged or traced goes to standard error, as in a host that writes down
/// everything; `.ci/canary` looks for secrets in it.
fn trace_if_asked() {
    if std::env::var("STORAGE_TEST_TRACE").is_ok_and(|trace| trace == "1") {
        let all = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::stderr);
        // Another test of this process may have done it.
        let _ = all.try_init();
    }
}

/// A server that runs as long as the process.
pub(crate) fn started(options: ServerOptions) -> S3Server {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            send.send(S3Server::start(options).await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.recv().unwrap()
}

/// A name that no other bucket of this process has.
pub(crate) fn bucket_name() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("suite-{}", MADE.fetch_add(1, Ordering::Relaxed))
}

/// A bucket that is deleted with everything in it when this is dropped.
struct Bucket(&'static S3Server, String);

impl Drop for Bucket {
    fn drop(&mut self) {
        self.0.delete_bucket(&self.1);
    }
}

/// Where a kind's handles lead, and what they trust.
pub(crate) fn options(kind: Kind, address: &Address) -> S3Options {
    let mut options = address.options();
    match kind {
        Kind::Plain | Kind::Behind | Kind::Ignoring | Kind::Closing | Kind::Versioned => {
            options.conditions = ConditionPolicy::Probe;
        }
        // The profile that knows of it.
        Kind::DatedByStart => options.service = Some(storage_s3::Service::Aws),
        Kind::VirtualHost => {
            options.conditions = ConditionPolicy::All;
            options.addressing = Addressing::VirtualHost;
        }
    }
    options
}

#[async_trait]
impl Harness for S3Harness {
    async fn fresh(&self) -> Fixture {
        let (server, bucket) = (self.server(), bucket_name());
        match self.0 {
            Kind::Versioned => server.set_versioning(&bucket, true),
            _ => server.create_bucket(&bucket),
        }
        let prefix = if self.0 == Kind::Behind { "behind//a//prefix" } else { "" };
        let address = Address::new(server, self.0, &bucket, prefix);
        Fixture::new(self.attach(&address.to_string()).await, address.to_string()).guard(Bucket(server, bucket))
    }

    async fn missing(&self) -> Option<Storage> {
        let address = Address::new(self.server(), self.0, "suite-no-such-bucket", "");
        Some(self.attach(&address.to_string()).await)
    }

    async fn attach(&self, address: &str) -> Storage {
        Storage::new(S3::new(options(self.0, &address.parse().unwrap())).unwrap())
    }

    fn part_size(&self) -> Option<u64> {
        Some(PART as u64)
    }

    async fn service(&self) -> Option<std::sync::Arc<dyn Service>> {
        Some(Arc::new(S3Service::start(self.0).await))
    }

    async fn cramped(&self, shortage: Shortage) -> Result<Cramped, String> {
        let (operations, status, code) = match shortage {
            Shortage::Space => (&WRITES[..4], 507, "InsufficientStorage"),
            Shortage::Permission => (&WRITES[..], 403, "AccessDenied"),
            Shortage::ReadOnly => return Err("a bucket is never mounted read-only".to_owned()),
        };
        let service = Arc::new(S3Service::start(self.0).await);
        let root = service.fresh().await.guard(Arc::clone(&service));
        let set = move |short| match short {
            true => service.refuse(operations, status, code),
            false => service.heal(),
        };
        Ok(Cramped::new(root, set))
    }

    async fn versioned(&self) -> Option<Fixture> {
        let (server, bucket) = (self.server(), bucket_name());
        server.set_versioning(&bucket, true);
        let address = Address::new(server, self.0, &bucket, "");
        Some(Fixture::new(self.attach(&address.to_string()).await, address.to_string()).guard(Bucket(server, bucket)))
    }
}
