//! What presigning gives: a URL, and what must be sent with it.

use std::fmt;
use std::time::SystemTime;

use crate::options::PresignMethod;

/// A URL that does one thing with one object for whoever holds it, until it expires. It is a secret: `Debug` shows it
/// without its query.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    /// What it does.
    pub method: PresignMethod,
    /// The whole URL.
    pub url: String,
    /// Headers that must be sent with it, as they are.
    pub headers: Vec<(String, String)>,
    /// When it ends.
    pub expires: SystemTime,
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Presigned")
            .field("method", &self.method)
            .field("url", &format_args!("{shown}?…"))
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
