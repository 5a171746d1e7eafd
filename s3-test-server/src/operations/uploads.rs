//! Starting, aborting and listing uploads, and listing their parts.

use super::bucket::owner;
use super::list::Asked;
use super::{Operations, Request, attributes, document, empty, set, write};
use crate::checksum::Algorithm;
use crate::clock::listing_date;
use crate::error::{Failure, Outcome};
use crate::quirk::Quirk;
use crate::store::{Entry, Upload};
use crate::xml::Element;

impl Operations {
    pub(super) fn create_upload(&self, request: &Request) -> Outcome {
        write::check_key(request.key())?;
        let algorithm = request.header("x-amz-checksum-algorithm").map(Algorithm::parse).transpose()?;
        let composite = composite(algorithm, request.header("x-amz-checksum-type"))?;
        let upload = Upload {
            initiated: self.clock.now(),
            headers: attributes::of_write(request)?,
            algorithm,
            composite,
            parts: Default::default(),
        };
        let mut response = document(Element::new("Empty"));
        for (name, value) in upload.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-server-side")) {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        if let Some(algorithm) = algorithm {
            set(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.name());
            set(response.headers_mut(), "x-amz-checksum-type", if composite { "COMPOSITE" } else { "FULL_OBJECT" });
        }
        attributes::charged(request, response.headers_mut());
        let id = self.store.new_id();
        let root = match self.options.has(Quirk::OtherUploadRoot) {
            true => "InitiateMultipartUpload",
            false => "InitiateMultipartUploadResult",
        };
        let root = Element::new(root).text("Bucket", request.bucket()).text("Key", request.key()).text("UploadId", &id);
        *response.body_mut() = document(root).into_body();
        self.store.bucket(request.bucket(), |bucket| {
            bucket.uploads.insert((request.key().to_owned(), id), upload);
            Ok(response)
        })
    }

    pub(super) fn abort_upload(&self, request: &Request) -> Outcome {
        let id = upload_id(request);
        self.store.bucket(request.bucket(), |bucket| {
            let upload = bucket.uploads.remove(&(request.key().to_owned(), id.to_owned()));
            upload.map(|_| empty(204)).ok_or_else(|| Failure::no_such_upload(id))
        })
    }

    pub(super) fn list_uploads(&self, request: &Request) -> Outcome {
        let asked = Asked::of(request, "max-uploads", self.options.limits.page_size)?;
        let key = request.query("key-marker").filter(|marker| !marker.is_empty());
        // An id marker counts together with a key marker only.
        let id = request.query("upload-id-marker").filter(|marker| !marker.is_empty() && key.is_some());
        let page = self.store.bucket(request.bucket(), |bucket| {
            let after = |(k, i): &(String, String)| match (key, id) {
                (Some(key), Some(id)) => (k.as_str(), i.as_str()) > (key, id),
                (Some(key), None) => k.as_str() > key,
                (None, _) => true,
            };
            let uploads = &bucket.uploads;
            let listing = asked.listing(None, key);
            Ok(listing.roll(|bound| {
                let past = |k: &str| match bound {
                    std::ops::Bound::Included(from) => k >= from,
                    std::ops::Bound::Excluded(from) => k > from,
                    std::ops::Bound::Unbounded => true,
                };
                let mut rest = uploads.iter().filter(|(name, _)| past(&name.0) && after(name)).peekable();
                let key = rest.peek()?.0.0.clone();
                let same = rest.take_while(|(name, _)| name.0 == key);
                Some((key.clone(), same.map(|(name, upload)| (name.1.clone(), described(upload))).collect()))
            }))
        })?;

        let last = page.entries.last().filter(|_| page.truncated);
        let last_id = last.and_then(|entry| match entry {
            Entry::Item(_, (id, _)) => Some(id),
            Entry::Prefix(_) => None,
        });
        let mut root = Element::new("ListMultipartUploadsResult")
            .text("Bucket", request.bucket())
            .text("KeyMarker", asked.name(key.unwrap_or_default()))
            .text("UploadIdMarker", id.unwrap_or_default())
            .maybe("NextKeyMarker", last.map(|entry| asked.name(entry.name())))
            .maybe("NextUploadIdMarker", last_id)
            .text("Prefix", asked.name(asked.prefix))
            .maybe("Delimiter", asked.delimiter.map(|delimiter| asked.name(delimiter)))
            .maybe("EncodingType", asked.encoded.then_some("url"))
            .text("MaxUploads", asked.limit)
            .text("IsTruncated", page.truncated);
        for entry in &page.entries {
            if let Entry::Item(key, (id, description)) = entry {
                root.push(description.element(&asked.name(key), id));
            }
        }
        asked.push_prefixes(&page, &mut root);
        Ok(document(root))
    }

    pub(super) fn list_parts(&self, request: &Request) -> Outcome {
        let asked = Asked::of(request, "max-parts", self.options.limits.page_size)?;
        let marker = request.query("part-number-marker").and_then(|marker| marker.parse::<u32>().ok()).unwrap_or(0);
        let id = upload_id(request);
        self.store.bucket(request.bucket(), |bucket| {
            let upload = bucket.uploads.get(&(request.key().to_owned(), id.to_owned()));
            let upload = upload.ok_or_else(|| Failure::no_such_upload(id))?;
            let mut rest = upload.parts.range(marker.saturating_add(1)..);
            let parts: Vec<_> = rest.by_ref().take(asked.limit).collect();
            let mut root = Element::new("ListPartsResult")
                .text("Bucket", request.bucket())
                .text("Key", asked.name(request.key()))
                .text("UploadId", id)
                .text("PartNumberMarker", marker)
                .text("NextPartNumberMarker", parts.last().map_or(0, |(number, _)| **number))
                .text("MaxParts", asked.limit)
                .text("IsTruncated", rest.next().is_some());
            if let Some(algorithm) = upload.algorithm {
                root = root.text("ChecksumAlgorithm", algorithm.name()).text("ChecksumType", kind(upload.composite));
            }
            for (number, part) in parts {
                let mut element = Element::new("Part")
                    .text("PartNumber", number)
                    .text("LastModified", listing_date(part.modified))
                    .text("ETag", format!("\"{}\"", part.etag))
                    .text("Size", part.content.size());
                if let Some(checksum) = &part.checksum {
                    element = element.text(checksum.algorithm.element(), &checksum.value);
                }
                root.push(element);
            }
            let class = described(upload).class;
            Ok(document(root.child(owner("Initiator")).child(owner("Owner")).text("StorageClass", class)))
        })
    }
}

/// What a listing says of an upload.
struct Description {
    initiated: String,
    class: String,
    checksum: Option<(&'static str, &'static str)>,
}

impl Description {
    fn element(&self, key: &str, id: &str) -> Element {
        let mut element = Element::new("Upload")
            .text("Key", key)
            .text("UploadId", id)
            .child(owner("Initiator"))
            .child(owner("Owner"))
            .text("StorageClass", &self.class)
            .text("Initiated", &self.initiated);
        if let Some((algorithm, kind)) = self.checksum {
            element = element.text("ChecksumAlgorithm", algorithm).text("ChecksumType", kind);
        }
        element
    }
}

fn described(upload: &Upload) -> Description {
    let class = upload.headers.get("x-amz-storage-class").and_then(|class| class.to_str().ok());
    Description {
        initiated: listing_date(upload.initiated),
        class: class.unwrap_or("STANDARD").to_owned(),
        checksum: upload.algorithm.map(|algorithm| (algorithm.name(), kind(upload.composite))),
    }
}

fn kind(composite: bool) -> &'static str {
    if composite { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// CRC64NVME is of full objects only, SHA of parts only, the other two are of parts unless they are asked for otherwise
/// (S3 user guide, "Checking object integrity").
fn composite(algorithm: Option<Algorithm>, kind: Option<&str>) -> Outcome<bool> {
    let refused = |kind: &str, algorithm: Algorithm| {
        let name = algorithm.name();
        Err(Failure::invalid_request(format!(
            "The {kind} checksum type cannot be used with the {name} checksum algorithm."
        )))
    };
    match (algorithm, kind) {
        (None, Some(_)) => Err(Failure::invalid_request(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        )),
        (None, None) => Ok(false),
        (Some(algorithm @ Algorithm::Crc64Nvme), Some("COMPOSITE")) => refused("COMPOSITE", algorithm),
        (Some(algorithm @ (Algorithm::Sha1 | Algorithm::Sha256)), Some("FULL_OBJECT")) => {
            refused("FULL_OBJECT", algorithm)
        }
        (Some(Algorithm::Crc64Nvme), _) | (_, Some("FULL_OBJECT")) => Ok(false),
        (Some(_), None | Some("COMPOSITE")) => Ok(true),
        (Some(_), Some(other)) => Err(Failure::invalid_argument(
            "Value for x-amz-checksum-type header is invalid.",
            "x-amz-checksum-type",
            other,
        )),
    }
}

pub(super) fn upload_id(request: &Request) -> &str {
    request.query("uploadId").unwrap_or_default()
}
