//! `storage stat`: what is known of an object, or how much there is under a level; where no object has the key, under
//! the level of that name.

use serde_json::json;
use storage::{ObjectHead, Prefix, Usage};

use crate::failure::Failure;
use crate::output::{Output, count, timestamp};
use crate::place::Place;
use crate::session::Session;

pub(super) async fn run(place: String, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let place = session.place(&place, false).await?;
    let level = place.level()?;
    if place.is_level() {
        let usage = place.storage.usage(&level).await?;
        return show_level(&usage, &level, &place, output);
    }
    match place.storage.head(place.key()?).await {
        Ok(head) => object(&head, &place, output).await,
        Err(error) if error.is_not_found() => match place.storage.usage(&level).await? {
            usage if usage == Usage::default() => Err(error.into()),
            usage => show_level(&usage, &level, &place, output),
        },
        Err(error) => Err(error.into()),
    }
}

fn show_level(usage: &Usage, level: &Prefix, place: &Place, output: &mut Output) -> Result<(), Failure> {
    let uri = place.level_uri(level);
    if output.is_json() {
        return output.object(&json!({
            "uri": uri, "objects": usage.objects, "bytes": usage.bytes, "skipped": usage.skipped,
        }));
    }
    field(output, "uri", uri.as_deref())?;
    field(output, "objects", Some(&usage.objects.to_string()))?;
    field(output, "bytes", Some(&usage.bytes.to_string()))?;
    let skipped = (usage.skipped > 0).then(|| count(usage.skipped, "name that no key can express"));
    field(output, "skipped", skipped.as_deref())
}

async fn object(head: &ObjectHead, place: &Place, output: &mut Output) -> Result<(), Failure> {
    let meta = &head.meta;
    let uri = place.uri(&meta.key);
    let path = match place.storage.capabilities().local_path {
        true => Some(place.storage.local_path(&meta.key).await?.display().to_string()),
        false => None,
    };
    let modified = timestamp(meta.last_modified);
    if output.is_json() {
        return output.object(&json!({
            "key": place.told(meta.key.as_str()),
            "uri": uri,
            "size": meta.size,
            "etag": meta.etag,
            "last_modified": modified,
            "attributes": head.attributes,
            "path": path,
        }));
    }
    field(output, "key", Some(place.told(meta.key.as_str())))?;
    field(output, "uri", uri.as_deref())?;
    field(output, "size", Some(&meta.size.to_string()))?;
    field(output, "modified", Some(&modified))?;
    field(output, "etag", Some(meta.etag.as_str()))?;
    field(output, "path", path.as_deref())?;
    for (name, value) in head.attributes.standard() {
        field(output, name, value)?;
    }
    for (name, value) in &head.attributes.user {
        field(output, name, Some(&value.escape_debug().to_string()))?;
    }
    Ok(())
}

fn field(output: &mut Output, name: &str, value: Option<&str>) -> Result<(), Failure> {
    match value {
        Some(value) => output.line(&format!("{name:<9} {value}")),
        None => Ok(()),
    }
}
