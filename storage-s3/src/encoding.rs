//! Whether the names of a listing are encoded (S3 API, "ListObjectsV2": `EncodingType`).
//!
//! Some services say that they are and give them as they are. A name that is no outcome of the encoding gives that away.
//! Where every name could be one and some would be another when decoded, the service is asked for an object by its decoded
//! name: one request more, or two, once for a bucket of a service of which nothing is known.

use http::Method;
use storage_core::Result;

use crate::client::{Expect, Target};
use crate::core::Core;
use crate::list::{malformed, request, send};
use crate::names::Name;
use crate::page::ListPage;

/// Takes back the encoding of a page's names, if there is one.
pub(crate) async fn decode(core: &Core, page: &mut ListPage<'_>) -> Result<()> {
    if page.encoded && is_meant(core, page).await? {
        page.decode().map_err(|what| malformed(core, "ListObjectsV2", what))?;
    }
    Ok(())
}

async fn is_meant(core: &Core, page: &ListPage<'_>) -> Result<bool> {
    if let Some(known) = core.known.names_encoded() {
        return Ok(known);
    }
    let objects = || page.objects.iter().map(|object| &object.name);
    if !objects().chain(&page.prefixes).all(Name::may_be_encoded) {
        core.known.set_names_encoded(false);
        return Ok(false);
    }
    let told = match (objects().find_map(readings), page.prefixes.iter().find_map(readings)) {
        (Some((plain, decoded)), _) => told(is_object(core, &decoded).await?, is_object(core, plain).await?),
        (None, Some((plain, decoded))) => told(is_level(core, &decoded).await?, is_level(core, plain).await?),
        (None, None) => None,
    };
    if let Some(encoded) = told {
        core.known.set_names_encoded(encoded);
    }
    Ok(told.unwrap_or(true))
}

/// A name as it is and decoded, where the two are different texts.
fn readings<'n>(name: &'n Name<'_>) -> Option<(&'n str, String)> {
    let mut decoded = name.clone();
    decoded.decode().ok()?;
    let (plain, decoded) = (name.as_str()?, decoded.as_str()?);
    (plain != decoded).then(|| (plain, decoded.to_owned()))
}

/// What it says of the names that there is something by the decoded one, and by the plain one.
fn told(decoded: bool, plain: bool) -> Option<bool> {
    (decoded != plain).then_some(decoded)
}

async fn is_object(core: &Core, name: &str) -> Result<bool> {
    let target = Target::Object(name.to_owned());
    match core.client.send(core.request("HeadObject", Method::HEAD, target, Expect::Nothing)).await {
        Ok(_) => Ok(true),
        // Who may not read is not told; the S3 API reference holds then.
        Err(failure) if matches!(failure.status(), Some(400..=499)) => Ok(false),
        Err(failure) => Err(core.error(failure)),
    }
}

async fn is_level(core: &Core, prefix: &str) -> Result<bool> {
    let document = send(core, request(core, prefix, 1)).await?;
    let page = ListPage::parse(&document).map_err(|what| malformed(core, "ListObjectsV2", what))?;
    Ok(!page.objects.is_empty())
}
