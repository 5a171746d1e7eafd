//! The suite on a live S3 service that the environment names.
//!
//! | variable | holds |
//! |---|---|
//! | `STORAGE_TEST_S3_ENDPOINT` | the service's URL; without it there is nothing to test |
//! | `STORAGE_TEST_S3_BUCKET_PREFIX` | what the names of the suite's buckets begin with; `storage-suite` when unset |
//! | `STORAGE_TEST_S3_ACCESS_KEY`, `STORAGE_TEST_S3_SECRET_KEY` | who may make buckets, and delete what is in them |
//! | `STORAGE_TEST_S3_REGION` | the region; `us-east-1` when unset |
//! | `STORAGE_TEST_S3_SERVER` | which service it is, by the name of its profile: `ceph`, `moto` |
//!
//! What a service is known to do wrong is in a table with its reason; those rules are run all the same, and must fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot make a root is a failed test"
)]

#[path = "common/known_wrong.rs"]
mod known_wrong;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance_tests::{Fixture, Harness, async_trait};
use storage_core::Storage;
use storage_s3::{Addressing, Credentials, S3, S3Options, Service};

/// Buckets of a live service, one for each root. They are named after the process and stay when it ends.
struct Live {
    endpoint: String,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("STORAGE_TEST_S3_{name}")).ok().filter(|value| !value.is_empty())
}

/// The profile of this name.
fn service(name: &str) -> Service {
    const KNOWN: [Service; 5] = [Service::Aws, Service::Minio, Service::Ceph, Service::Garage, Service::Moto];
    let found = KNOWN.into_iter().find(|service| service.as_str() == name);
    found.unwrap_or_else(|| panic!("STORAGE_TEST_S3_SERVER is {name:?}, and no service of the suite"))
}

impl Live {
    /// The service that the environment names.
    fn named() -> Option<Self> {
        variable("ENDPOINT").map(|endpoint| Self { endpoint })
    }

    fn open(&self, bucket: &str) -> S3 {
        let mut options = S3Options::new(bucket);
        options.endpoint = Some(self.endpoint.clone());
        options.region = Some(variable("REGION").unwrap_or_else(|| "us-east-1".to_owned()));
        options.addressing = Addressing::Path;
        let key = |name| variable(name).unwrap_or_else(|| panic!("STORAGE_TEST_S3_{name} is not set"));
        options.credentials = Credentials::keys(key("ACCESS_KEY"), key("SECRET_KEY"));
        options.service = variable("SERVER").map(|name| service(&name));
        S3::new(options).unwrap()
    }

    fn bucket() -> String {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let prefix = variable("BUCKET_PREFIX").unwrap_or_else(|| "storage-suite".to_owned());
        format!("{prefix}-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
    }
}

#[async_trait]
impl Harness for Live {
    async fn fresh(&self) -> Fixture {
        let bucket = Self::bucket();
        let backend = self.open(&bucket);
        backend.create_bucket().await.unwrap();
        Fixture::new(Storage::new(backend), bucket)
    }

    async fn missing(&self) -> Option<Storage> {
        Some(Storage::new(self.open("storage-suite-no-such-bucket")))
    }

    async fn attach(&self, address: &str) -> Storage {
        Storage::new(self.open(address))
    }

    /// Moto dates every unfinished upload years back, so that a sweep takes those under way too.
    fn part_size(&self) -> Option<u64> {
        let dated = variable("SERVER").is_none_or(|server| server != "moto");
        dated.then(|| S3Options::new("any").part_size)
    }
}

/// Runs a rule, and turns its outcome round where the service is known to break it.
fn judge(rule: &'static str, run: impl FnOnce(Live)) {
    let Some(live) = Live::named() else {
        eprintln!("{rule}: no live service to test; STORAGE_TEST_S3_ENDPOINT would name one");
        return;
    };
    let service = variable("SERVER").unwrap_or_default();
    let Some(reason) = known_wrong::reason(&service, rule) else { return run(live) };
    match std::panic::catch_unwind(AssertUnwindSafe(|| run(live))) {
        Err(_) => eprintln!("{rule} fails on {service}, as is known: {reason}"),
        Ok(()) => panic!("{rule} holds on {service} now; take it out of the table, which says: {reason}"),
    }
}

macro_rules! live_tests {
    ($($group:ident :: $rule:ident),* $(,)?) => {
        $(
            #[test]
            fn $rule() {
                judge(stringify!($rule), |live| {
                    conformance_tests::run_rule(live, module_path!(), &conformance_tests::rules::$group::$rule::RULE);
                });
            }
        )*
    };
}

conformance_tests::for_each_rule!(live_tests);

/// Serves the rules on several processes.
#[test]
fn conformance_worker() {
    if let Some(live) = Live::named() {
        conformance_tests::run_worker(live);
    }
}
