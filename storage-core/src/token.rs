//! Continuation tokens: opaque to hosts, bound to their query, good after a restart (rule L06).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::options::ListOptions;

/// Where a listing goes on. Its text may be stored and handed in again, by another process too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(String);

impl Token {
    /// A token from its text, as [`Token::as_str`] gave it; whether it is one shows when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For drivers: a token for a position, which only the same query opens again.
    pub fn seal(query: &ListOptions, position: &str) -> Self {
        Self(format!("1{:016x}{}", fingerprint(query), BASE64.encode(position)))
    }

    /// For drivers: the position of a token that this query sealed, else `InvalidInput`.
    pub fn open(&self, query: &ListOptions) -> Result<String> {
        let foreign = |why: &'static str| {
            Error::invalid_input(format!("the continuation token is refused: {why}"))
                .with_help("a token goes on with the listing it came from: same prefix, same kind, same start")
        };
        let (bound, position) = self
            .0
            .strip_prefix('1')
            .and_then(|rest| rest.split_at_checked(16))
            .ok_or_else(|| foreign("it is not one of ours"))?;
        if u64::from_str_radix(bound, 16) != Ok(fingerprint(query)) {
            return Err(foreign("it belongs to another listing"));
        }
        let position = BASE64.decode(position).map_err(|_| foreign("it is damaged"))?;
        String::from_utf8(position).map_err(|_| foreign("it is damaged"))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A hash (FNV-1a) of what makes two listings the same one; it must not differ between builds.
fn fingerprint(query: &ListOptions) -> u64 {
    let start = query.start_after.as_deref().unwrap_or_default();
    let parts: [&[u8]; 3] = [query.prefix.as_str().as_bytes(), &[u8::from(query.delimited)], start.as_bytes()];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.iter().chain(&[0])) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
