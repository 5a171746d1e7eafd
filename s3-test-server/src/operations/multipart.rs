//! `UploadPart`, `UploadPartCopy` and `CompleteMultipartUpload`.

use std::sync::Arc;

use super::uploads::upload_id;
use super::{Operations, Request, attributes, body, document, empty, set};
use crate::checksum::{self, Algorithm, Checksum, hex};
use crate::clock::listing_date;
use crate::conditions::WriteCondition;
use crate::error::{Failure, Outcome};
use crate::options::MultipartDate;
use crate::range;
use crate::store::{Bucket, Content, NamedPart, Object, Part, Versioning, etag_of};
use crate::xml::{Element, Node};

impl Operations {
    pub(super) async fn upload_part(&self, mut request: Request) -> Outcome {
        let number = self.part_number(&request)?;
        let algorithm = self.upload_algorithm(&request)?;
        let body = body::read(&mut request, self.options.limits.max_part_size).await?;
        let checksum = match (algorithm, body.checksum) {
            (Some(algorithm), Some(checksum)) if checksum.algorithm != algorithm => {
                let (expected, given) = (algorithm.name().to_lowercase(), checksum.algorithm.name().to_lowercase());
                return Err(Failure::invalid_request(format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {given}"
                )));
            }
            (Some(algorithm), None) => Some(Checksum::full(algorithm, &algorithm.digest([body.bytes.as_ref()]))),
            (_, checksum) => checksum,
        };
        let etag = hex(&body.md5);
        let mut response = empty(200);
        set(response.headers_mut(), "etag", format!("\"{etag}\""));
        if let Some(checksum) = &checksum {
            set(response.headers_mut(), checksum.algorithm.header(), &checksum.value);
        }
        attributes::charged(&request, response.headers_mut());
        let part = Part { etag, content: Content::kept(body.bytes), modified: self.clock.now(), checksum };
        self.put_part(&request, number, part)?;
        Ok(response)
    }

    pub(super) fn upload_part_copy(&self, request: &Request) -> Outcome {
        let number = self.part_number(request)?;
        let algorithm = self.upload_algorithm(request)?;
        let found = self.copy_source(request)?;
        let size = found.object.content.size();
        let (from, to) = match request.header("x-amz-copy-source-range") {
            Some(header) => range::of_copy(header, size)?,
            None => (0, size),
        };
        self.check_copied(to - from)?;
        let content = found.object.content.slice(from, to);
        let checksum =
            algorithm.and_then(|algorithm| Some(Checksum::full(algorithm, &algorithm.digest(content.pieces()?))));
        let part = Part { etag: etag_of(&content), content, modified: self.clock.now(), checksum };
        let mut result = Element::new("CopyPartResult")
            .text("LastModified", listing_date(part.modified))
            .text("ETag", format!("\"{}\"", part.etag));
        if let Some(checksum) = &part.checksum {
            result = result.text(checksum.algorithm.element(), &checksum.value);
        }
        let mut response = document(result);
        if let Some(version) = found.version {
            set(response.headers_mut(), "x-amz-copy-source-version-id", version);
        }
        attributes::charged(request, response.headers_mut());
        self.put_part(request, number, part)?;
        Ok(response)
    }

    fn part_number(&self, request: &Request) -> Outcome<u32> {
        let text = request.query("partNumber").unwrap_or_default();
        let most = self.options.limits.max_parts;
        text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            let message = format!("Part number must be an integer between 1 and {most}, inclusive");
            Failure::invalid_argument(message, "partNumber", text)
        })
    }

    fn upload_algorithm(&self, request: &Request) -> Outcome<Option<Algorithm>> {
        let id = upload_id(request);
        self.store.bucket(request.bucket(), |bucket| {
            let upload = bucket.uploads.get(&(request.key().to_owned(), id.to_owned()));
            upload.map(|upload| upload.algorithm).ok_or_else(|| Failure::no_such_upload(id))
        })
    }

    fn put_part(&self, request: &Request, number: u32, part: Part) -> Outcome<()> {
        let id = upload_id(request);
        self.store.bucket(request.bucket(), |bucket| {
            let upload = bucket.uploads.get_mut(&(request.key().to_owned(), id.to_owned()));
            let upload = upload.ok_or_else(|| Failure::no_such_upload(id))?;
            upload.parts.insert(number, part);
            Ok(())
        })
    }

    pub(super) async fn complete_upload(&self, mut request: Request) -> Outcome {
        let kept = &self.options.conditions;
        let condition = WriteCondition::of(&request.headers, kept.complete_create_only, kept.complete_if_match)?;
        // A checksum header on this request is of the object, not of the document.
        let expected = checksum::expected(&request.headers)?;
        if let Some((algorithm, _)) = &expected {
            request.headers.remove(algorithm.header());
        }
        let body = body::read_document(&mut request).await?;
        let parts = named_parts(&Node::parse(&body.bytes, "CompleteMultipartUpload")?)?;
        let new_id = self.store.new_id();
        let (object, versioned) = self.store.bucket(request.bucket(), |bucket| {
            let object = self.complete(bucket, &request, &parts, &condition, expected.as_ref(), new_id)?;
            Ok((object, bucket.versioning != Versioning::Never))
        })?;

        let location =
            format!("http://{}{}", request.header("host").unwrap_or_default(), request.info.target.resource());
        let mut result = Element::new("CompleteMultipartUploadResult")
            .text("Location", location)
            .text("Bucket", request.bucket())
            .text("Key", request.key())
            .text("ETag", object.quoted_etag());
        if let Some(checksum) = &object.checksum {
            result = result.text(checksum.algorithm.element(), &checksum.value).text("ChecksumType", checksum.kind());
        }
        let mut response = document(result);
        attributes::written(&request, &object, versioned, response.headers_mut());
        Ok(response)
    }

    fn complete(
        &self,
        bucket: &mut Bucket,
        request: &Request,
        parts: &[NamedPart],
        condition: &WriteCondition,
        expected: Option<&(Algorithm, String)>,
        new_id: String,
    ) -> Outcome<Arc<Object>> {
        let (key, id) = (request.key(), upload_id(request));
        let name = (key.to_owned(), id.to_owned());
        let Some(upload) = bucket.uploads.get(&name) else {
            return bucket.completed.get(id).cloned().ok_or_else(|| Failure::no_such_upload(id));
        };
        let mut object = upload.assemble(id, parts, self.options.limits.min_part_size)?;
        self.check_whole(request, &object, expected)?;
        condition.check(key, bucket.current(key).as_deref().map(|current| current.etag.as_str()))?;
        object.modified = match self.options.multipart_date {
            MultipartDate::Completion => self.clock.now(),
            MultipartDate::Initiation => upload.initiated,
        };
        bucket.uploads.remove(&name);
        let object = bucket.put(key, object, new_id);
        if self.options.repeatable_complete {
            bucket.completed.insert(id.to_owned(), Arc::clone(&object));
        }
        Ok(object)
    }

    fn check_whole(&self, request: &Request, object: &Object, expected: Option<&(Algorithm, String)>) -> Outcome<()> {
        let (size, most) = (object.content.size(), self.options.limits.max_object_size);
        if size > most {
            let message = "Your proposed upload exceeds the maximum allowed object size.";
            return Err(Failure::new(400, "EntityTooLarge", message)
                .detail("ProposedSize", size)
                .detail("MaxSizeAllowed", most));
        }
        let declared = request.header("x-amz-mp-object-size").and_then(|size| size.parse::<u64>().ok());
        if declared.is_some_and(|declared| declared != size) {
            let message = "The provided 'x-amz-mp-object-size' header does not match what was computed.";
            return Err(Failure::invalid_request(message));
        }
        match (expected, &object.checksum) {
            (Some((algorithm, value)), Some(found)) if found.algorithm == *algorithm && found.value != *value => {
                Err(checksum::mismatch(*algorithm))
            }
            _ => Ok(()),
        }
    }
}

fn named_parts(document: &Node) -> Outcome<Vec<NamedPart>> {
    let parts: Vec<_> =
        document.all("Part").map(named_part).collect::<Option<_>>().ok_or_else(Failure::malformed_xml)?;
    if parts.is_empty() { Err(Failure::malformed_xml()) } else { Ok(parts) }
}

fn named_part(node: &Node) -> Option<NamedPart> {
    let checksum = Algorithm::ALL
        .into_iter()
        .find_map(|algorithm| node.get(algorithm.element()).map(|value| (algorithm, value.to_owned())));
    Some(NamedPart {
        number: node.get("PartNumber")?.parse().ok()?,
        etag: node.get("ETag")?.trim_matches('"').to_owned(),
        checksum,
    })
}
