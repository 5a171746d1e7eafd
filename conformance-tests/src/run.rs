//! How a rule is run: on a runtime of its own, watched, and with the test that serves as another process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use storage_core::Storage;
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Fixture, Harness};
use crate::process;
use crate::service::Service;

/// A rule that has not ended by then hangs.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Runs one rule; [`conformance!`](crate::conformance) calls it with the path of the module that it stands in.
pub fn run_rule(
    harness: impl Harness,
    module: &str,
    rule: impl for<'a> FnOnce(&'a dyn Harness) -> LocalBoxFuture<'a, ()>,
) {
    let hosted = Hosted { harness, worker: process::worker_test(module) };
    let whole = async {
        rule(&hosted).await;
        hosted.finished().await;
    };
    runtime().block_on(async { tokio::time::timeout(WATCHDOG, whole).await.expect("the rule hangs") });
}

/// Serves as another process where the environment says so, else returns at once.
pub fn run_worker(harness: impl Harness) {
    if let Some(address) = process::address_to_serve() {
        runtime().block_on(process::serve(&harness, &address));
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A harness that knows the worker of the test binary that it runs in.
struct Hosted<H> {
    harness: H,
    worker: String,
}

#[async_trait]
impl<H: Harness> Harness for Hosted<H> {
    async fn fresh(&self) -> Fixture {
        self.harness.fresh().await
    }

    async fn missing(&self) -> Storage {
        self.harness.missing().await
    }

    async fn attach(&self, address: &str) -> Storage {
        self.harness.attach(address).await
    }

    async fn finished(&self) {
        self.harness.finished().await;
    }

    async fn service(&self) -> Option<Arc<dyn Service>> {
        self.harness.service().await
    }

    async fn versioned(&self) -> Option<Fixture> {
        self.harness.versioned().await
    }

    fn worker(&self) -> Option<String> {
        Some(self.worker.clone())
    }
}
