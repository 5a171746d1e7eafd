//! What was asked of the server.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::HeaderMap;

use crate::counts::Counts;

const KEPT: usize = 10_000;

/// A request as it came over the wire, and the status it was answered with.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The operation's API name (`"PutObject"`), or `"Unknown"`.
    pub operation: &'static str,
    /// The method, in capitals.
    pub method: String,
    /// Path and query, exactly as they were sent.
    pub target: String,
    /// All headers, `Authorization` too: this is a server for tests.
    pub headers: HeaderMap,
    /// The status of the answer; none where a fault left the request without one.
    pub status: Option<u16>,
    /// The `x-amz-request-id` of the answer.
    pub request_id: String,
}

impl Recorded {
    /// The value of a header, if it is there once and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The counts and the last requests of a server.
#[derive(Default)]
pub(crate) struct Log(Mutex<(Counts, VecDeque<Recorded>)>);

impl Log {
    pub(crate) fn add(&self, request: Recorded) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.0.add(request.operation);
        if log.1.len() == KEPT {
            log.1.pop_front();
        }
        log.1.push_back(request);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.iter().cloned().collect()
    }

    pub(crate) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }
}
