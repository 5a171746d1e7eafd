//! Checksums of bodies: what a client says is verified, what the server finds is kept
//! (S3 user guide, "Checking object integrity").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};

use crate::error::{Failure, Outcome};

/// An algorithm S3 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// As in documents.
    pub(crate) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    pub(crate) fn parse(name: &str) -> Outcome<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            Failure::invalid_request(
                "Checksum algorithm provided is unsupported. Please try again with any of the \
                                      valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })
    }

    /// The checksum of pieces that follow each other.
    pub(crate) fn digest<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        match self {
            Self::Crc32 => digest::<Crc32>(pieces),
            Self::Crc32c => digest::<Crc32c>(pieces),
            Self::Crc64Nvme => digest::<Crc64Nvme>(pieces),
            Self::Sha1 => digest::<Sha1>(pieces),
            Self::Sha256 => digest::<Sha256>(pieces),
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// A checksum in base64, with the number of its parts if it is made of those of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: String,
    pub(crate) composite: bool,
}

impl Checksum {
    pub(crate) fn full(algorithm: Algorithm, digest: &[u8]) -> Self {
        Self { algorithm, value: STANDARD.encode(digest), composite: false }
    }

    /// The checksum of the parts' checksums, with their number.
    pub(crate) fn composite<'a>(algorithm: Algorithm, parts: impl IntoIterator<Item = &'a str>) -> Self {
        let parts: Vec<_> = parts.into_iter().map(|part| STANDARD.decode(part).unwrap_or_default()).collect();
        let digest = algorithm.digest(parts.iter().map(Vec::as_slice));
        Self { algorithm, value: format!("{}-{}", STANDARD.encode(digest), parts.len()), composite: true }
    }

    /// As in `x-amz-checksum-type`.
    pub(crate) fn kind(&self) -> &'static str {
        if self.composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// The algorithm and value that headers or trailers name, if they do.
pub(crate) fn expected(headers: &HeaderMap) -> Outcome<Option<(Algorithm, String)>> {
    let mut found = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| Some((algorithm, headers.get(algorithm.header())?.to_str().ok()?.to_owned())));
    let first = found.next();
    if found.next().is_some() {
        return Err(Failure::invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are \
                                             not allowed.",
        ));
    }
    Ok(first)
}

/// Verifies one checksum and returns it as it will be kept.
pub(crate) fn verify(algorithm: Algorithm, expected: &str, body: &[u8]) -> Outcome<Checksum> {
    let decoded = STANDARD.decode(expected).ok().filter(|bytes| bytes.len() == algorithm.length());
    if decoded.is_none() {
        return Err(Failure::invalid_request(format!("Value for {} header is invalid.", algorithm.header())));
    }
    let found = Checksum::full(algorithm, &algorithm.digest([body]));
    if found.value == expected { Ok(found) } else { Err(mismatch(algorithm)) }
}

/// A checksum that is not the one of the data.
pub(crate) fn mismatch(algorithm: Algorithm) -> Failure {
    let name = algorithm.name();
    Failure::new(400, "BadDigest", format!("The {name} you specified did not match the calculated checksum."))
}

/// Verifies `Content-MD5`, if it is there; the MD5 itself is returned, for the etag.
pub(crate) fn verify_md5(headers: &HeaderMap, body: &[u8]) -> Outcome<Vec<u8>> {
    let found = digest::<Md5>([body]);
    let Some(expected) = headers.get("content-md5") else { return Ok(found) };
    let invalid = || Failure::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
    let expected = STANDARD.decode(expected.as_bytes()).ok().filter(|md5| md5.len() == 16).ok_or_else(invalid)?;
    if expected == found {
        Ok(found)
    } else {
        Err(Failure::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
    }
}

/// The MD5 of pieces that follow each other.
pub(crate) fn md5<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    digest::<Md5>(pieces)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digest<'a, C: s3s::crypto::Checksum>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hasher = C::new();
    pieces.into_iter().for_each(|piece| hasher.update(piece));
    hasher.finalize().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the CRC catalogue, and of FIPS 180 for "abc".
    #[test]
    fn algorithms_give_their_published_values() {
        for (algorithm, input, expected) in [
            (Algorithm::Crc32, "123456789", "cbf43926"),
            (Algorithm::Crc32c, "123456789", "e3069283"),
            (Algorithm::Crc64Nvme, "123456789", "ae8b14860a799888"),
            (Algorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(hex(&algorithm.digest([input.as_bytes()])), expected, "{algorithm:?}");
        }
    }
}
