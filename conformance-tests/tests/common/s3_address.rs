//! A bucket's address as text, for handles in this process and in others.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use s3_test_server::S3Server;
use storage_s3::{Addressing, ChecksumPolicy, Credentials, S3Options};

use crate::s3_harness::{ACCESS_KEY, Kind, SECRET_KEY};

/// What stands between the parts; in no endpoint, bucket or prefix of the suite.
const BETWEEN: char = '|';

/// Where a root lies, and how patient its handles are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// Its handles wait and pause as little as they can.
    pub(crate) hasty: bool,
}

/// How long a hasty handle waits for an answer, and for all of an operation; and how often it asks.
pub(crate) const ANSWER: Duration = Duration::from_millis(400);
pub(crate) const OPERATION: Duration = Duration::from_secs(4);
pub(crate) const ATTEMPTS: u32 = 4;

/// The least that S3 takes for a part that is not the last.
pub(crate) const PART: usize = 5 << 20;

impl Address {
    pub(crate) fn new(server: &S3Server, kind: Kind, bucket: &str, prefix: &str) -> Self {
        let endpoint = match kind {
            Kind::VirtualHost => format!("http://localhost:{}", server.address().port()),
            _ => server.endpoint(),
        };
        Self { endpoint, bucket: bucket.to_owned(), prefix: prefix.to_owned(), hasty: false }
    }

    /// The same for handles that are in a hurry.
    pub(crate) fn hasty(mut self) -> Self {
        self.hasty = true;
        self
    }

    /// What the driver is opened with; everything is said, so that nothing is looked for elsewhere.
    pub(crate) fn options(&self) -> S3Options {
        let mut options = S3Options::new(&self.bucket);
        options.prefix = self.prefix.clone();
        options.endpoint = Some(self.endpoint.clone());
        options.region = Some("us-east-1".to_owned());
        options.addressing = Addressing::Path;
        options.credentials = Credentials::keys(ACCESS_KEY, SECRET_KEY);
        options.checksum = ChecksumPolicy::Crc32c;
        options.part_size = PART as u64;
        if self.hasty {
            options.timeouts.connect = ANSWER;
            options.timeouts.answer = ANSWER;
            options.timeouts.operation = OPERATION;
            options.retries.attempts = ATTEMPTS;
            options.retries.base = Duration::from_millis(2);
            options.retries.longest = Duration::from_millis(10);
        }
        options
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, bucket, prefix, hasty } = self;
        write!(f, "{endpoint}{BETWEEN}{bucket}{BETWEEN}{prefix}{BETWEEN}{hasty}")
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(BETWEEN).collect();
        let [endpoint, bucket, prefix, hasty] = parts[..] else {
            return Err(format!("{text:?} is no address of a bucket"));
        };
        let [endpoint, bucket, prefix] = [endpoint, bucket, prefix].map(str::to_owned);
        Ok(Self { endpoint, bucket, prefix, hasty: hasty == "true" })
    }
}
