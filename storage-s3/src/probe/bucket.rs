//! What is asked of a bucket as a whole.

use http::Method;
use storage_core::{ErrorKind, Result};

use crate::client::{Answer, AnswerBody, Expect, Failure, Request, Target};
use crate::core::Core;
use crate::service::Service;
use crate::xml::Elements;

/// Asks for one name under the root. Fails with what the service says, but for `AccessDenied`: the credentials are good
/// then, and whether they may read or write shows when it is tried. One request, which is not repeated.
pub(crate) async fn check(core: &Core) -> Result<()> {
    judge(core, core.client.send_once(one_name(core)).await)
}

/// The same, repeated where the failure can pass.
pub(super) async fn reach(core: &Core) -> Result<()> {
    judge(core, core.client.send(one_name(core)).await)
}

/// The question of the check.
pub(crate) fn one_name(core: &Core) -> Request {
    core.request("ListObjectsV2", Method::GET, Target::Bucket, Expect::Document("ListBucketResult"))
        .query("list-type", "2")
        .query("max-keys", "1")
        .query("prefix", &*core.root)
}

fn judge(core: &Core, answer: Result<Answer, Failure>) -> Result<()> {
    let Err(failure) = answer else { return Ok(()) };
    let denied = failure.code() == "AccessDenied";
    match core.error(failure) {
        error if denied && error.kind() == ErrorKind::PermissionDenied => Ok(()),
        error => Err(error),
    }
}

/// Whether the bucket keeps versions; `None` where that is not told. One request (S3 API, "GetBucketVersioning").
pub(crate) async fn versions(core: &Core) -> Option<bool> {
    let expect = Expect::Document("VersioningConfiguration");
    let request = core.request("GetBucketVersioning", Method::GET, Target::Bucket, expect).query("versioning", "");
    let AnswerBody::Document(document) = core.client.send(request).await.ok()?.body else {
        return None;
    };
    let mut elements = Elements::new(&document, "VersioningConfiguration").ok()?;
    while let Some(name) = elements.next().ok()? {
        if name == "Status" {
            return Some(elements.text().ok()? == "Enabled");
        }
        elements.skip().ok()?;
    }
    Some(false)
}

/// Makes the bucket, in the region that is set (S3 API, "CreateBucket"). One request.
pub(crate) async fn create_bucket(core: &Core) -> Result<()> {
    let mut request = core.request("CreateBucket", Method::PUT, Target::Bucket, Expect::Nothing);
    if let Some(region) = constraint(core) {
        let document = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        );
        request = request.body(vec![document.into()]);
    }
    match core.client.send(request).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == "BucketAlreadyOwnedByYou" => Ok(()),
        Err(failure) if failure.code() == "BucketAlreadyExists" => {
            let error = core.error(failure).with_kind(ErrorKind::AlreadyExists);
            Err(error.with_help("somebody else has a bucket of this name: choose another"))
        }
        Err(failure) => Err(core.error(failure)),
    }
}

/// The region to make the bucket in, where it must be said: AWS takes none for `us-east-1`, other services have one region
/// of their own.
fn constraint(core: &Core) -> Option<&str> {
    let region = core.options.region.as_deref().filter(|region| !["auto", "us-east-1"].contains(region))?;
    let plain = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (plain && Service::of(&core.options) == Some(Service::Aws)).then_some(region)
}
