//! `PutObject`.

use super::{Operations, Request, attributes, body, empty, read, set};
use crate::checksum::{Algorithm, Checksum, hex};
use crate::conditions::WriteCondition;
use crate::error::{Failure, Outcome};
use crate::quirk::Quirk;
use crate::store::{Content, Object, Versioning};

impl Operations {
    pub(super) async fn put_object(&self, mut request: Request) -> Outcome {
        let kept = &self.options.conditions;
        let mut condition = WriteCondition::of(&request.headers, kept.put_create_only, kept.put_if_match)?;
        let headers = attributes::of_write(&request)?;
        check_key(request.key())?;
        let limit = self.options.limits.max_single_put.min(self.options.limits.max_object_size);
        let mut body = body::read(&mut request, limit).await?;
        if request.key().ends_with('/') && !body.bytes.is_empty() {
            if self.options.has(Quirk::SlashRefused) {
                return Err(Failure::new(400, "UnexpectedContent", "Unexpected request body of a directory"));
            }
            if self.options.has(Quirk::SlashFails) {
                return Err(Failure::new(500, "InternalError", "Internal Error"));
            }
            if self.options.has(Quirk::SlashEmptied) {
                body.bytes = Default::default();
                condition = WriteCondition::default();
            }
        }
        // S3 computes a CRC64NVME where the client brings no checksum.
        let found = || Checksum::full(Algorithm::Crc64Nvme, &Algorithm::Crc64Nvme.digest([body.bytes.as_ref()]));
        let object = Object {
            etag: hex(&body.md5),
            checksum: Some(body.checksum.unwrap_or_else(found)),
            content: Content::kept(body.bytes),
            headers,
            ..Object::default()
        };
        let (object, versioned) = self.commit(request.bucket(), request.key(), object, &condition)?;
        let mut response = empty(200);
        set(response.headers_mut(), "etag", object.quoted_etag());
        read::set_checksum(&object, response.headers_mut());
        attributes::written(&request, &object, versioned, response.headers_mut());
        Ok(response)
    }

    /// Checks the condition and puts the object in one step. It is dated then, unless it has a date.
    pub(super) fn commit(
        &self,
        bucket: &str,
        key: &str,
        mut object: Object,
        condition: &WriteCondition,
    ) -> Outcome<(std::sync::Arc<Object>, bool)> {
        let id = self.store.new_id();
        self.store.bucket(bucket, |bucket| {
            condition.check(key, bucket.current(key).as_deref().map(|current| current.etag.as_str()))?;
            if object.modified == 0 {
                object.modified = self.clock.now();
            }
            Ok((bucket.put(key, object, id), bucket.versioning != Versioning::Never))
        })
    }
}

/// Keys have at most 1,024 bytes.
pub(super) fn check_key(key: &str) -> Outcome<()> {
    const MOST: usize = 1024;
    if key.len() <= MOST {
        return Ok(());
    }
    let failure = Failure::new(400, "KeyTooLongError", "Your key is too long");
    Err(failure.detail("Size", key.len()).detail("MaxSizeAllowed", MOST))
}
