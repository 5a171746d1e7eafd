//! Buckets: creating, deleting, naming, and their settings.

use s3s::path::check_bucket_name;

use super::{Operations, Request, body, document, empty, set};
use crate::clock::listing_date;
use crate::error::{Failure, Outcome};
use crate::store::{Bucket, Versioning};
use crate::xml::{Element, Node};

impl Operations {
    pub(super) fn list_buckets(&self, request: &Request) -> Outcome {
        let prefix = request.query("prefix").unwrap_or_default();
        let buckets = self.store.all(|buckets| {
            let mut list = Element::new("Buckets");
            for (name, bucket) in buckets.iter().filter(|(name, _)| name.starts_with(prefix)) {
                let entry =
                    Element::new("Bucket").text("Name", name).text("CreationDate", listing_date(bucket.created));
                list.push(entry.text("BucketRegion", &bucket.region));
            }
            list
        });
        Ok(document(Element::new("ListAllMyBucketsResult").child(owner("Owner")).child(buckets)))
    }

    pub(super) async fn create_bucket(&self, mut request: Request) -> Outcome {
        let body = body::read_document(&mut request).await?;
        let name = request.bucket();
        if !check_bucket_name(name) {
            let message = "The specified bucket is not valid.";
            return Err(Failure::new(400, "InvalidBucketName", message).detail("BucketName", name));
        }
        let region = match body.bytes.is_empty() {
            true => None,
            false => {
                let configuration = Node::parse(&body.bytes, "CreateBucketConfiguration")?;
                configuration.get("LocationConstraint").map(str::to_owned).filter(|region| !region.is_empty())
            }
        };
        let region = region.unwrap_or_else(|| self.options.region.clone());
        self.store.all(|buckets| {
            if buckets.contains_key(name) {
                let message = "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(Failure::new(409, "BucketAlreadyOwnedByYou", message).detail("BucketName", name));
            }
            buckets.insert(name.to_owned(), Bucket::new(region, self.clock.now()));
            Ok(())
        })?;
        let mut response = empty(200);
        set(response.headers_mut(), "location", format!("/{name}"));
        Ok(response)
    }

    pub(super) fn head_bucket(&self, request: &Request) -> Outcome {
        let region = self.store.bucket(request.bucket(), |bucket| Ok(bucket.region.clone()))?;
        let mut response = empty(200);
        set(response.headers_mut(), "x-amz-bucket-region", region);
        Ok(response)
    }

    pub(super) fn delete_bucket(&self, request: &Request) -> Outcome {
        let name = request.bucket();
        self.store.all(|buckets| {
            let bucket = buckets.get(name).ok_or_else(|| Failure::no_such_bucket(name))?;
            if !bucket.is_empty() {
                let message = "The bucket you tried to delete is not empty";
                return Err(Failure::new(409, "BucketNotEmpty", message).detail("BucketName", name));
            }
            buckets.remove(name);
            Ok(empty(204))
        })
    }

    pub(super) fn bucket_location(&self, request: &Request) -> Outcome {
        let region = self.store.bucket(request.bucket(), |bucket| Ok(bucket.region.clone()))?;
        let region = if region == "us-east-1" { "" } else { &region };
        Ok(document(Element::leaf("LocationConstraint", region)))
    }

    pub(super) fn bucket_versioning(&self, request: &Request) -> Outcome {
        let status = match self.store.bucket(request.bucket(), |bucket| Ok(bucket.versioning))? {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        Ok(document(Element::new("VersioningConfiguration").maybe("Status", status)))
    }

    pub(super) async fn put_bucket_versioning(&self, mut request: Request) -> Outcome {
        let body = body::read_document(&mut request).await?;
        let versioning = match Node::parse(&body.bytes, "VersioningConfiguration")?.get("Status") {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => {
                let message = "The Versioning element must be specified";
                return Err(Failure::new(400, "IllegalVersioningConfigurationException", message));
            }
        };
        self.store.bucket(request.bucket(), |bucket| {
            bucket.versioning = versioning;
            Ok(empty(200))
        })
    }
}

/// The one owner of everything here.
pub(crate) fn owner(name: &'static str) -> Element {
    Element::new(name).text("ID", "s3-test-server").text("DisplayName", "s3-test-server")
}
