//! Reading a request's body, and the checks that go with it.

use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::Request;
use crate::checksum::{self, Checksum};
use crate::error::{Failure, Outcome};

/// The most a document may hold; a request to complete 10,000 parts has less.
const DOCUMENT: u64 = 4 << 20;

/// A body whose checksums were right.
pub(crate) struct Verified {
    pub(crate) bytes: Bytes,
    pub(crate) md5: Vec<u8>,
    pub(crate) checksum: Option<Checksum>,
}

/// Reads a body of at most `limit` bytes and verifies `Content-MD5` and the `x-amz-checksum-` header or trailer.
pub(crate) async fn read(request: &mut Request, limit: u64) -> Outcome<Verified> {
    let bytes = collect(request, limit).await?;
    let md5 = checksum::verify_md5(&request.headers, &bytes)?;
    let trailers = request.trailers.as_ref().and_then(|trailers| trailers.take()).unwrap_or_default();
    let expected = match checksum::expected(&request.headers)? {
        Some(expected) => Some(expected),
        None => checksum::expected(&trailers)?,
    };
    let checksum = expected.map(|(algorithm, value)| checksum::verify(algorithm, &value, &bytes)).transpose()?;
    Ok(Verified { bytes, md5, checksum })
}

/// Reads a document.
pub(crate) async fn read_document(request: &mut Request) -> Outcome<Verified> {
    read(request, DOCUMENT).await
}

async fn collect(request: &mut Request, limit: u64) -> Outcome<Bytes> {
    let declared = request.header("x-amz-decoded-content-length").or(request.header("content-length"));
    let declared = declared.and_then(|length| length.parse::<u64>().ok());
    if let Some(size) = declared.filter(|declared| *declared > limit) {
        return Err(too_large(size, limit));
    }
    let mut body = Vec::with_capacity(declared.unwrap_or_default() as usize);
    while let Some(frame) = request.body.frame().await {
        let frame = frame.map_err(|error| broken(&error.to_string()))?;
        if let Some(data) = frame.data_ref() {
            body.extend_from_slice(data);
        }
        if body.len() as u64 > limit {
            return Err(too_large(body.len() as u64, limit));
        }
    }
    if declared.is_some_and(|declared| declared != body.len() as u64) {
        return Err(broken("Incomplete"));
    }
    Ok(body.into())
}

fn too_large(size: u64, limit: u64) -> Failure {
    Failure::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .detail("ProposedSize", size)
        .detail("MaxSizeAllowed", limit)
}

/// `s3s` names the kind of a body's failure in its text only.
fn broken(error: &str) -> Failure {
    if error.contains("Sha256Mismatch") {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        Failure::new(400, "XAmzContentSHA256Mismatch", message)
    } else if error.contains("SignatureMismatch") {
        let code = "SignatureDoesNotMatch";
        Failure::new(403, code, crate::error::standard_message(code))
    } else {
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
        Failure::new(400, "IncompleteBody", message)
    }
}
