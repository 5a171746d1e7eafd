//! Why a bucket does not work: what an operator would try by hand, step by step, each with what was seen and what to do.
//!
//! [`Patient::meet`] goes the way of a request: settings, the endpoint's address, a connection, TLS, credentials, an answer
//! of the service, clocks, the key, the bucket, its region, the right to list. What needs a step that has failed is not tried.
//! What a backend promises is tried through [`Patient::storage`]; what only the protocol has, uploads in parts and conditional
//! writes, by methods of its own. Nothing that is told holds a secret: of a key's id its last four letters are shown.

mod certificate;
mod given;
mod road;
mod service;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use storage_core::diagnosis::{Examination, Finding};
use storage_core::{Result, Settings, Storage};

pub use writes::{CONDITIONS, UPLOADS};

use crate::S3;
use crate::core::Core;
use crate::options::S3Options;

/// The longest that one request of an examination waits for an answer, so that a silent service is told in seconds.
const ANSWER: Duration = Duration::from_secs(6);

/// How often a request of an examination is tried: a passing failure is no finding.
const ATTEMPTS: u32 = 2;

/// A bucket whose service answers, so that it can be examined further.
#[derive(Clone)]
pub struct Patient {
    backend: S3,
    core: Arc<Core>,
}

impl Patient {
    /// Goes the way of a request, and tells each step. `None` where the bucket cannot be reached with these credentials; a
    /// caller who may not list it can go on. One request, not repeated, and what the machine's credentials take.
    pub async fn meet(bucket: &str, prefix: &str, settings: &Settings, exam: &mut Examination<'_>) -> Option<Self> {
        given::tell(settings, exam);
        let core = match S3Options::from_settings(bucket, prefix, settings).and_then(prepare) {
            Ok(core) => Arc::new(core),
            Err(error) => {
                exam.add(Finding::failed("settings", &error));
                skip_after("settings", exam);
                return None;
            }
        };
        exam.add(Finding::good("settings", given::summary(&core.options)));
        match road::travel(&core, settings, exam).await {
            Ok(()) => {}
            Err(step) => {
                skip_after(step, exam);
                return None;
            }
        }
        service::ask(&core, exam).await.then(|| Self { backend: S3::of(Arc::clone(&core)), core })
    }

    /// The bucket as it is read and written, with the patience of an examination.
    pub fn storage(&self) -> Storage {
        Storage::new(self.backend.clone())
    }

    /// What stands behind a further prefix of the patient's own.
    pub fn below(&self, prefix: &str) -> Result<Self> {
        let backend = self.backend.under(&format!("{}{prefix}", self.core.root))?;
        Ok(Self { core: backend.core(), backend })
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

/// The steps to an answer, in their order.
const STEPS: [&str; 12] = [
    "settings",
    "DNS",
    "TCP",
    "TLS",
    "credentials",
    service::SERVICE,
    service::CLOCK,
    service::KEY,
    service::BUCKET,
    service::REGION,
    service::LIST,
    service::VERSIONS,
];

/// Tells what is not tried, since a step has failed.
fn skip_after(failed: &'static str, exam: &mut Examination<'_>) {
    let after = STEPS.iter().position(|step| *step == failed).map_or(STEPS.len(), |at| at + 1);
    exam.skip(&STEPS[after..], &format!("{failed} has failed"));
}

/// A client that is not patient.
fn prepare(mut options: S3Options) -> Result<Core> {
    options.check()?;
    options.retries.attempts = options.retries.attempts.min(ATTEMPTS);
    options.timeouts.answer = options.timeouts.answer.min(ANSWER);
    options.timeouts.connect = options.timeouts.connect.min(ANSWER);
    Core::new(options)
}
