//! `storage ls`: a listing as it comes, page by page.

use futures::stream::TryStreamExt as _;
use serde_json::json;
use storage::{Entry, ListOptions, ObjectMeta};

use super::{report, tell_skipped};
use crate::args::ListArgs;
use crate::failure::Failure;
use crate::output::{Cell, Output, timestamp};
use crate::place::Place;
use crate::session::Session;

pub(super) async fn run(args: ListArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let place = session.place(&args.place, false).await?;
    let mut options = ListOptions::new().prefix(place.level()?);
    options.delimited = !args.recursive;
    let mut entries = place.storage.list(options).await?;
    let mut empty = true;
    while let Some(entry) = entries.try_next().await? {
        empty = false;
        show(&entry, &place, output)?;
    }
    let report = report(&entries);
    if empty && report.skipped == 0 && !place.is_level() {
        let head = place.storage.head(place.key()?).await?;
        return object(&head.meta, &place, output);
    }
    output.flush()?;
    tell_skipped(&report, output).map(drop)
}

fn show(entry: &Entry, place: &Place, output: &mut Output) -> Result<(), Failure> {
    match entry {
        Entry::Object(meta) => object(meta, place, output),
        Entry::Prefix(prefix) if output.is_json() => {
            output.object(&json!({ "prefix": place.told(prefix.as_str()), "uri": place.level_uri(prefix) }))
        }
        Entry::Prefix(prefix) => {
            output.row(&[Cell::Size(None), Cell::Time(None), Cell::Text(place.told(prefix.as_str()), 0)])
        }
    }
}

fn object(meta: &ObjectMeta, place: &Place, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!({
            "key": place.told(meta.key.as_str()),
            "uri": place.uri(&meta.key),
            "size": meta.size,
            "etag": meta.etag,
            "last_modified": timestamp(meta.last_modified),
        }));
    }
    let key = place.told(meta.key.as_str());
    output.row(&[Cell::Size(Some(meta.size)), Cell::Time(Some(meta.last_modified)), Cell::Text(key, 0)])
}
