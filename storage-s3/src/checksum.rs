//! Digests that are sent with content, stored with it and checked when it is read (rule V02).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::core::Core;

/// A digest of the S3 API that can cover a whole object however it was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// CRC-32, as zip has it; read where another program wrote it.
    Crc32,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
}

impl Checksum {
    /// The digest that goes with what is written, if any.
    pub(crate) fn sent(core: &Core) -> Option<Self> {
        core.known.checksum()
    }

    /// The name in the S3 API, as in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
        }
    }

    /// The header that carries it.
    pub(crate) fn header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
        })
    }

    /// Adds the digest of a body to the headers of a write. One pass over the bytes.
    pub(crate) fn write(self, body: &[Bytes], headers: &mut HeaderMap) {
        let mut running = Running::new(self);
        body.iter().for_each(|segment| running.update(segment));
        if let Ok(value) = HeaderValue::try_from(running.value()) {
            headers.insert(self.header(), value);
        }
    }
}

/// A digest while the bytes pass.
pub(crate) struct Running {
    checksum: Checksum,
    digest: Digest,
}

impl Running {
    pub(crate) fn new(checksum: Checksum) -> Self {
        let algorithm = match checksum {
            Checksum::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Checksum::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Checksum::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        };
        Self { checksum, digest: Digest::new(algorithm) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The digest as headers have it: its bytes, the highest first, in base64.
    pub(crate) fn value(&self) -> String {
        let bytes = self.digest.finalize().to_be_bytes();
        match self.checksum {
            Checksum::Crc32 | Checksum::Crc32c => STANDARD.encode(&bytes[4..]),
            Checksum::Crc64Nvme => STANDARD.encode(bytes),
        }
    }
}

/// Asks for the stored digest along with the object.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert("x-amz-checksum-mode", HeaderValue::from_static("ENABLED"));
}

/// The check of a whole object against the digest that was stored with it.
pub(crate) struct Check {
    running: Running,
    stored: String,
}

impl Check {
    /// What the headers of an answer ask for; `None` where they have no digest of the whole object. One that covers the
    /// digests of parts (`COMPOSITE`, `-n` at its end) cannot be checked without the parts.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(HeaderName::from_static("x-amz-checksum-type"));
        if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("COMPOSITE")) {
            return None;
        }
        [Checksum::Crc64Nvme, Checksum::Crc32c, Checksum::Crc32].into_iter().find_map(|checksum| {
            let stored = text(checksum.header()).filter(|stored| !stored.contains('-'))?;
            Some(Self { running: Running::new(checksum), stored: stored.to_owned() })
        })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.running.update(bytes);
    }

    /// What is wrong, where the bytes are not those that were stored.
    pub(crate) fn wrong(&self) -> Option<String> {
        let read = self.running.value();
        let name = self.running.checksum.name();
        (read != self.stored).then(|| format!("the bytes have the {name} {read}, {} was stored", self.stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the CRC catalogue, for the text `123456789`.
    const KNOWN: [(Checksum, u64, usize); 3] = [
        (Checksum::Crc32, 0xcbf4_3926, 4),
        (Checksum::Crc32c, 0xe306_9283, 4),
        (Checksum::Crc64Nvme, 0xae8b_1486_0a79_9888, 8),
    ];

    #[test]
    fn digests_are_those_of_the_catalogue_in_the_form_of_headers() {
        for (checksum, value, width) in KNOWN {
            let mut headers = HeaderMap::new();
            checksum.write(&[Bytes::from_static(b"1234"), Bytes::from_static(b"56789")], &mut headers);
            assert_eq!(headers[checksum.header()], STANDARD.encode(&value.to_be_bytes()[8 - width..]));
        }
    }

    #[test]
    fn a_stored_digest_is_checked_unless_it_is_one_of_parts() {
        let mut headers = HeaderMap::new();
        Checksum::Crc32c.write(&[Bytes::from_static(b"right")], &mut headers);
        let mut check = Check::read(&headers).unwrap();
        check.update(b"right");
        assert_eq!(check.wrong(), None);
        let mut check = Check::read(&headers).unwrap();
        check.update(b"wrong");
        assert!(check.wrong().unwrap().contains("CRC32C"));
        headers.insert("x-amz-checksum-type", HeaderValue::from_static("COMPOSITE"));
        assert!(Check::read(&headers).is_none());
        let parts = [(Checksum::Crc32.header(), HeaderValue::from_static("abcdef==-3"))];
        assert!(Check::read(&parts.into_iter().collect()).is_none());
    }
}
