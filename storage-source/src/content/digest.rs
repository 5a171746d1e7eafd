//! Digests of content.

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};
use sha2::Sha256;
use storage_core::{Error, Result};

/// How content is digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5 (RFC 1321), 128 bits. It tells different content apart as long as nobody means harm: two files with one MD5
    /// can be made on purpose.
    Md5,
    /// SHA-256 (FIPS 180-4), 256 bits.
    Sha256,
}

impl Algorithm {
    /// The name in lower case, as the tools have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }

    /// The digest of bytes in memory.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }
}

/// The digest of some content, written in hexadecimal digits in lower case: 32 for MD5, 64 for SHA-256.
///
/// ```
/// use storage_source::{Algorithm, Digest};
/// let digest: Digest = "5D41402ABC4B2A76B9719D911017C592".parse()?;
/// assert_eq!(digest, Algorithm::Md5.digest(b"hello"));
/// assert_eq!(digest.to_string(), "5d41402abc4b2a76b9719d911017c592");
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// How it was computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.hex
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Takes 32 or 64 hexadecimal digits, in any case; `InvalidInput` for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let known = [Algorithm::Md5, Algorithm::Sha256].into_iter().find(|known| known.digits() == text.len());
        match known.filter(|_| text.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(algorithm) => Ok(Self { algorithm, hex: text.to_ascii_lowercase() }),
            None => Err(Error::invalid_input(format!("{text:?} is no digest"))
                .with_help("a digest is 32 (MD5) or 64 (SHA-256) hexadecimal digits")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

/// A digest under way.
pub(crate) enum Hasher {
    Md5(Md5),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(md5) => md5.update(bytes),
            Self::Sha256(sha256) => sha256.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Md5(md5) => Digest { algorithm: Algorithm::Md5, hex: hex(&md5.finalize()) },
            Self::Sha256(sha256) => Digest { algorithm: Algorithm::Sha256, hex: hex(&sha256.finalize()) },
        }
    }
}

fn hex(digest: &[u8]) -> String {
    use fmt::Write as _;
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
