//! Counts and times of every call, through the `metrics` crate.

use std::future::Future;
use std::sync::Arc;

use metrics::{SharedString, Unit, counter, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

use super::intercepted::{Answer, Call, Intercepted, Policy};
use crate::backend::StorageBackend;
use crate::error::Result;

const CALLS: &str = "storage_calls_total";
const SECONDS: &str = "storage_call_seconds";
const READ: &str = "storage_read_bytes_total";
const WRITTEN: &str = "storage_written_bytes_total";

/// Reports every call to the recorder that the host has installed for the `metrics` crate; without one it costs next to
/// nothing.
///
/// | name | kind | labels |
/// |---|---|---|
/// | `storage_calls_total` | counter | `backend`, `operation`, `outcome` |
/// | `storage_call_seconds` | histogram, seconds | `backend`, `operation`, `outcome` |
/// | `storage_read_bytes_total` | counter, bytes of content that came | `backend`, `operation` |
/// | `storage_written_bytes_total` | counter, bytes of content that went, of calls that were Ok | `backend`, `operation` |
///
/// `backend` is the driver's name, `operation` is [`Operation::as_str`](crate::Operation::as_str) (each piece of a
/// streamed body is a `read`), `outcome` is `ok`, the error's [kind in words](crate::ErrorKind::as_str), or `dropped` for
/// a call that its caller gave up. Keys are never in labels.
#[derive(Debug)]
pub struct Metrics {
    backend: SharedString,
}

impl Metrics {
    /// Reports the calls of a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>) -> Intercepted<Self> {
        describe_counter!(CALLS, Unit::Count, "Calls of storage backends");
        describe_histogram!(SECONDS, Unit::Seconds, "How long calls of storage backends took");
        describe_counter!(READ, Unit::Bytes, "Bytes of content read from storage backends");
        describe_counter!(WRITTEN, Unit::Bytes, "Bytes of content written to storage backends");
        let backend = SharedString::from_shared(inner.name().into());
        Intercepted::around(inner, Self { backend })
    }
}

impl Policy for Metrics {
    async fn call<T: Answer>(&self, call: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let mut report = Report {
            backend: self.backend.clone(),
            operation: call.operation.as_str(),
            outcome: "dropped",
            started: Instant::now(),
        };
        let result = attempt.await;
        report.outcome = match &result {
            Ok(answer) => {
                report.bytes(READ, answer.bytes());
                report.bytes(WRITTEN, call.bytes);
                "ok"
            }
            Err(error) => error.kind().as_str(),
        };
        result
    }
}

/// Reports when it is dropped, so that calls which are given up count too.
struct Report {
    backend: SharedString,
    operation: &'static str,
    outcome: &'static str,
    started: Instant,
}

impl Report {
    fn bytes(&self, name: &'static str, bytes: u64) {
        if bytes > 0 {
            counter!(name, "backend" => self.backend.clone(), "operation" => self.operation).increment(bytes);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let labels = [
            ("backend", self.backend.clone()),
            ("operation", SharedString::const_str(self.operation)),
            ("outcome", SharedString::const_str(self.outcome)),
        ];
        counter!(CALLS, &labels).increment(1);
        histogram!(SECONDS, &labels).record(self.started.elapsed().as_secs_f64());
    }
}
