//! `storage walk`: what lies under a place and passes a filter, with a report at the end.

use std::time::{Duration, Instant};

use futures::stream::StreamExt as _;
use serde_json::json;
use storage::Error;
use storage_source::{Outcome, SourceFile, Walk, WalkItem, WalkItems};

use super::filter::FilterArgs;
use super::walk_report::{tell, unreadable};
use crate::failure::Failure;
use crate::output::{Cell, Output, timestamp};
use crate::place::Place;
use crate::progress::Progress;
use crate::session::Session;

/// A walk that takes longer shows how far it is, so often.
const LONG: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Paths count from PLACE and come in ascending order of their bytes. Directories that the filter excludes \
                  are not listed.\n\
                  JSON: key (the path from PLACE on), uri, size, etag, fingerprint, modified, content_type (by the \
                  extension); at the end one object: report."
)]
pub(crate) struct WalkArgs {
    /// What to walk
    #[arg(default_value = "@data")]
    pub(crate) place: String,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

pub(super) async fn run(args: WalkArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let filter = args.filter.filter();
    // A wrong pattern is told before anything is asked.
    filter.compile()?;
    let place = session.place(&args.place, false).await?;
    let mut items = Walk::new(&place.storage).prefix(place.level()?).filter(filter).items()?;
    let progress = Progress::counting(output.is_json());
    let walked = show_all(&mut items, &progress, output).await;
    progress.end();
    let report = items.report();
    if !matches!(walked, Err(Failure::Closed | Failure::Output(_))) {
        tell(report, output)?;
    }
    walked?;
    if report.scanned == 0 && report.pruned_directories == 0 && !place.is_level() {
        return nothing_under(&place).await;
    }
    match unreadable(report).filter(|_| report.outcome == Outcome::Unreadable) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

async fn show_all(items: &mut WalkItems, progress: &Progress, output: &mut Output) -> Result<(), Failure> {
    let mut shown = Instant::now();
    loop {
        match tokio::time::timeout(LONG, items.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(item)) => {
                let item = item?;
                // The listing told it.
                let fingerprint = item.file.fingerprint().await?;
                progress.aside(|| show(&item, &fingerprint, output))?;
            }
            Err(_) => {}
        }
        if shown.elapsed() >= LONG {
            shown = Instant::now();
            let report = items.report();
            progress.show(&format!("{} scanned, {} taken", report.scanned, report.matched));
        }
    }
}

fn show(item: &WalkItem, fingerprint: &str, output: &mut Output) -> Result<(), Failure> {
    let Some(meta) = item.file.known() else { return Ok(()) };
    if output.is_json() {
        return output.object(&json!({
            "key": item.path,
            "uri": item.file.uri(),
            "size": meta.size,
            "etag": meta.etag,
            "fingerprint": fingerprint,
            "modified": timestamp(meta.last_modified),
            "content_type": item.file.content_type_by_name(),
        }));
    }
    output.row(&[Cell::Size(Some(meta.size)), Cell::Time(Some(meta.last_modified)), Cell::Text(item.path.as_str(), 0)])
}

/// The error of a place that is no level: it is an object, or not there.
async fn nothing_under(place: &Place) -> Result<(), Failure> {
    SourceFile::at(&place.storage, place.key()?).await?;
    let message = format!("{} is an object: there is nothing under it", place.written);
    Err(Error::invalid_input(message).with_help("look at it with storage stat").into())
}
