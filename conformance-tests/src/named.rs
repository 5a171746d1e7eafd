//! Rules as named tests: what the macros call.

use std::sync::Arc;

use async_trait::async_trait;
use storage_core::Storage;

use crate::apart::runtime;
use crate::context::{Context, seed_of_tests};
use crate::harness::{Fixture, Harness};
use crate::process::{self, WorkerCommand};
use crate::report::Outcome;
use crate::rule::Rule;
use crate::run::{Held, hold};
use crate::selection::WATCHDOG;
use crate::service::Service;
use crate::shortage::{Cramped, Shortage};

/// Runs one rule as a test, and panics where it does not hold; [`conformance!`](crate::conformance) calls it with the path
/// of the module that it stands in. What it leaves out is told on standard error. `CONFORMANCE_SEED` is the seed of
/// everything random.
pub fn run_rule(harness: impl Harness, module: &str, rule: &Rule) {
    let context = Context::loud(seed_of_tests());
    context.enter();
    let hosted = Hosted { harness, worker: WorkerCommand::of_tests(module) };
    let held = runtime(&context).block_on(hold(&hosted, rule, WATCHDOG));
    let said = context.said();
    match held {
        Held::Ended => {
            let outcome = Outcome::of(said.whole, said.parts);
            if !outcome.reason().is_empty() {
                eprintln!("{} {}: {}", rule.id, outcome.word(), outcome.reason());
            }
        }
        Held::Broken => panic!("{} ({}) is broken; CONFORMANCE_SEED={}", rule.id, rule.title, context.seed),
        Held::Hung => panic!("{} ({}) hangs; CONFORMANCE_SEED={}", rule.id, rule.title, context.seed),
    }
}

/// Serves as another process where the environment says so, else returns at once.
pub fn run_worker(harness: impl Harness) {
    let context = Context::loud(seed_of_tests());
    runtime(&context).block_on(process::serve_if_asked(&harness));
}

/// A harness that knows the worker of the test binary that it runs in.
struct Hosted<H> {
    harness: H,
    worker: WorkerCommand,
}

#[async_trait]
impl<H: Harness> Harness for Hosted<H> {
    async fn fresh(&self) -> Fixture {
        self.harness.fresh().await
    }

    async fn missing(&self) -> Option<Storage> {
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

    async fn cramped(&self, shortage: Shortage) -> Result<Cramped, String> {
        self.harness.cramped(shortage).await
    }

    fn part_size(&self) -> Option<u64> {
        self.harness.part_size()
    }

    fn worker(&self) -> Option<WorkerCommand> {
        Some(self.harness.worker().unwrap_or_else(|| self.worker.clone()))
    }

    fn location(&self) -> Option<String> {
        self.harness.location()
    }
}
