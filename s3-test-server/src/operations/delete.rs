//! `DeleteObject` and `DeleteObjects`.

use super::{Operations, Request, attributes, body, document, empty, set};
use crate::conditions;
use crate::error::{Failure, Outcome};
use crate::store::Deleted;
use crate::xml::{Element, Node};

const MOST: usize = 1000;

impl Operations {
    pub(super) fn delete_object(&self, request: &Request) -> Outcome {
        let if_match = request.header("if-match").filter(|_| self.options.conditions.delete_if_match);
        let deleted = self.delete(request.bucket(), request.key(), request.query("versionId"), if_match)?;
        let mut response = empty(204);
        if deleted.marker {
            set(response.headers_mut(), "x-amz-delete-marker", true);
        }
        if let Some(version) = deleted.version {
            set(response.headers_mut(), "x-amz-version-id", version);
        }
        attributes::charged(request, response.headers_mut());
        Ok(response)
    }

    /// A key that is not there is no failure (S3 API reference, "DeleteObject"), but with a condition it is one: a
    /// conditional delete asks whether the object exists and is unchanged (S3 user guide, "How to perform conditional
    /// deletes").
    fn delete(&self, bucket: &str, key: &str, version: Option<&str>, if_match: Option<&str>) -> Outcome<Deleted> {
        let id = self.store.new_id();
        self.store.bucket(bucket, |bucket| {
            let current = match version {
                Some(id) => bucket.version(key, id),
                None => bucket.current(key),
            };
            if let Some(tags) = if_match
                && !current.is_some_and(|current| conditions::matches(tags, &current.etag, false))
            {
                return Err(Failure::precondition("If-Match"));
            }
            Ok(match version {
                Some(id) => bucket.delete_version(key, id),
                None => bucket.delete(key, self.clock.now(), id),
            })
        })
    }

    pub(super) async fn delete_objects(&self, mut request: Request) -> Outcome {
        let body = body::read_document(&mut request).await?;
        if !request.headers.contains_key("content-md5") && body.checksum.is_none() {
            let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
            return Err(Failure::invalid_request(message));
        }
        let list = Node::parse(&body.bytes, "Delete")?;
        let quiet = list.get("Quiet") == Some("true");
        let objects: Vec<_> = list.all("Object").collect();
        if objects.is_empty() || objects.len() > MOST {
            return Err(Failure::malformed_xml());
        }
        self.store.bucket(request.bucket(), |_| Ok(()))?;
        let mut result = Element::new("DeleteResult");
        for object in objects {
            let entry = self.delete_named(request.bucket(), object)?;
            if let Some(entry) = entry.reported(quiet) {
                result.push(entry);
            }
        }
        let mut response = document(result);
        attributes::charged(&request, response.headers_mut());
        Ok(response)
    }

    fn delete_named(&self, bucket: &str, object: &Node) -> Outcome<Named> {
        let key = object.get("Key").filter(|key| !key.is_empty()).ok_or_else(Failure::malformed_xml)?;
        let version = object.get("VersionId").filter(|version| !version.is_empty());
        let if_match = object.get("ETag").filter(|_| self.options.conditions.delete_if_match);
        let outcome = self.delete(bucket, key, version, if_match);
        Ok(Named { key: key.to_owned(), version: version.map(str::to_owned), outcome })
    }
}

/// What became of one of many.
struct Named {
    key: String,
    version: Option<String>,
    outcome: Outcome<Deleted>,
}

impl Named {
    /// Its entry in the answer; a quiet answer has failures only.
    fn reported(self, quiet: bool) -> Option<Element> {
        match self.outcome {
            Ok(_) if quiet => None,
            Ok(deleted) => {
                let entry = Element::new("Deleted").text("Key", &self.key).maybe("VersionId", self.version);
                Some(if deleted.marker {
                    entry.text("DeleteMarker", true).maybe("DeleteMarkerVersionId", deleted.version)
                } else {
                    entry
                })
            }
            Err(failure) => {
                let entry = Element::new("Error").text("Key", &self.key).maybe("VersionId", self.version);
                Some(entry.text("Code", &failure.code).text("Message", &failure.message))
            }
        }
    }
}
