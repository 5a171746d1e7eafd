//! What an answer says of an object.

use http::{HeaderMap, HeaderName};
use opendal::Metadata;
use storage_core::{ETag, Key, ObjectHead, ObjectMeta};

use crate::attributes;

/// The header that names an object's version.
pub(crate) const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");

/// Metadata and attributes, out of what opendal read and the headers that it does not read. Fails with what is missing:
/// an etag (rule M02) or a date (rule M04).
pub(crate) fn head(key: &Key, found: &Metadata, headers: &HeaderMap) -> Result<ObjectHead, &'static str> {
    let last_modified = found.last_modified().ok_or("it has no Last-Modified")?;
    let meta = ObjectMeta {
        key: key.clone(),
        size: found.content_length(),
        etag: found.etag().and_then(etag).ok_or("it has no ETag")?,
        last_modified: last_modified.into(),
        version: version(found),
    };
    Ok(ObjectHead { meta, attributes: attributes::read(headers) })
}

/// An etag as it came, without the mark of a weak one; `None` where it is empty.
pub(crate) fn etag(text: &str) -> Option<ETag> {
    let strong = text.strip_prefix("W/").unwrap_or(text);
    (!strong.trim_matches('"').is_empty()).then(|| ETag::new(strong))
}

/// The version's id; an object that was written while the bucket kept no versions has none.
pub(crate) fn version(found: &Metadata) -> Option<String> {
    found.version().filter(|version| !version.is_empty()).map(str::to_owned)
}
