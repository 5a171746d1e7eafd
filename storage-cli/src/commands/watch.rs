//! `storage watch`: what differs from the last time under a place, and then each change as it comes.

mod kept;

use std::io::IsTerminal as _;

use anstyle::AnsiColor;
use serde_json::json;
use storage::{Error, ErrorKind};
use storage_source::{Outcome, ScanReport, SourceFile, Watch, WatchEvent, WatchMode, WatchState, Watched, Watching};

use self::kept::{Keeper, Kept};
use super::filter::FilterArgs;
use super::walk_report::{tell_names, unreadable};
use crate::failure::{Failure, ends_all, note};
use crate::output::{Cell, Output, count, timestamp};
use crate::place::Place;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "First comes what differs from the state, in order: without one, all there is. Then each change, until \
                  Ctrl-C.\n\
                  put is an object that is new or another one, removed one that is gone, or that the filter takes no \
                  longer. A listing that failed or was not complete removes nothing.\n\
                  JSON: event (put, removed), key (the path from PLACE on), uri; of a put also size, etag, fingerprint, \
                  modified, content_type; after the first listing, and others that were not complete, one object: report."
)]
pub(crate) struct WatchArgs {
    /// What to watch
    #[arg(default_value = "@data")]
    pub(crate) place: String,
    /// Where to keep what was told, so that the next run tells only what differs: a file, or an object anywhere
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: Option<String>,
    /// List the place from time to time, also where it tells its changes itself
    #[arg(long)]
    pub(crate) poll: bool,
    /// How long after a listing the next one begins, where the place is listed: 30s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) interval: humantime::Duration,
    /// Tell what differs from the state, and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

pub(super) async fn run(args: WatchArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let filter = args.filter.filter();
    // A wrong pattern is told before anything is asked.
    filter.compile()?;
    let place = session.place(&args.place, false).await?;
    let keeper = match &args.state {
        Some(text) => Some(Keeper::new(text, &place, session).await?),
        None => None,
    };
    let state = match &keeper {
        Some(keeper) => keeper.load().await?,
        None => WatchState::new(),
    };
    let mode = if args.poll || args.once { WatchMode::Poll } else { WatchMode::Auto };
    let watch = Watch::new(&place.storage).prefix(place.level()?).filter(filter).mode(mode);
    let watching = watch.interval(*args.interval).state(state).start()?;
    let kept = Kept::new(keeper, watching.progress(), output.is_json());
    Following { watching, kept, place: &place, session, output, once: args.once }.run().await
}

struct Following<'a> {
    watching: Watching,
    kept: Kept,
    place: &'a Place,
    session: &'a Session,
    output: &'a mut Output,
    once: bool,
}

impl Following<'_> {
    /// Follows the watch, for ever but for what cannot pass.
    async fn run(mut self) -> Result<(), Failure> {
        loop {
            // A call that is dropped has taken nothing.
            match tokio::time::timeout_at(self.kept.due(), self.watching.next()).await {
                Err(_) => {}
                Ok(Ok(Watched::Event(event))) => {
                    show(&event, self.place, self.output).await?;
                    self.output.flush()?;
                    event.ack();
                }
                Ok(Ok(Watched::Scanned(report))) => {
                    self.scanned(&report).await?;
                    if self.once {
                        self.kept.keep().await?;
                        return ended(&report);
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.failed(error)?,
            }
            self.kept.keep_if_due().await;
        }
    }

    /// Tells of a listing that came to its end.
    async fn scanned(&mut self, report: &ScanReport) -> Result<(), Failure> {
        if report.first {
            self.check_place(report).await?;
        }
        if !report.first && report.walk.complete {
            return Ok(());
        }
        if self.output.is_json() {
            self.output.object(&json!({ "report": report }))?;
            return self.output.flush();
        }
        tell_names(&report.walk);
        if report.withheld > 0 {
            let withheld = count(report.withheld, "object");
            note(&format!("nothing is said of {withheld} that the listing may have missed"), false);
        }
        if std::io::stderr().is_terminal() {
            note(&self.summary(report), false);
        }
        Ok(())
    }

    fn summary(&self, report: &ScanReport) -> String {
        let known = count(report.put + report.unchanged, "object");
        let end = if report.walk.complete { "" } else { "; not complete: there are names that cannot be read" };
        let then = match (self.once, self.watching.is_live()) {
            (true, _) => "",
            (false, true) => "; waiting for changes",
            (false, false) => "; listing from time to time",
        };
        format!("{known}, {} of them told, {} removed{end}{then}", report.put, report.removed)
    }

    /// Fails where the place is an object, under which nothing will ever be.
    async fn check_place(&self, report: &ScanReport) -> Result<(), Failure> {
        let walk = &report.walk;
        if walk.scanned > 0 || walk.pruned_directories > 0 || report.removed > 0 || self.place.is_level() {
            return Ok(());
        }
        match SourceFile::at(&self.place.storage, self.place.key()?).await {
            Ok(_) => {
                let message = format!("{} is an object: there is nothing under it", self.place.written);
                Err(Error::invalid_input(message).with_help("watch the level that it is in, with --include").into())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells an error that can pass, or that is of one object alone, which will be tried again; any other one ends the
    /// program.
    fn failed(&self, error: Error) -> Result<(), Failure> {
        if error.kind() == ErrorKind::Unsupported {
            note(&format!("{}; it is listed from time to time", error.message()), self.output.is_json());
            return Ok(());
        }
        let is_of_one_object = error.key().is_some() && !ends_all(&error);
        let goes_on = error.is_retryable() || is_of_one_object;
        let failure = Failure::from(error);
        if self.once || !goes_on {
            return Err(failure);
        }
        self.session.explain(failure).report(self.output.is_json());
        Ok(())
    }
}

/// The end of a single listing.
fn ended(report: &ScanReport) -> Result<(), Failure> {
    match unreadable(&report.walk).filter(|_| report.walk.outcome == Outcome::Unreadable) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

async fn show(event: &WatchEvent, place: &Place, output: &mut Output) -> Result<(), Failure> {
    let (word, colour) = match event.file() {
        Some(_) => ("put", AnsiColor::Green),
        None => ("removed", AnsiColor::Red),
    };
    let meta = event.file().and_then(SourceFile::known);
    if !output.is_json() {
        let (size, time) = (meta.as_ref().map(|meta| meta.size), meta.as_ref().map(|meta| meta.last_modified));
        let cells = [Cell::Size(size), Cell::Time(time), Cell::Text(event.path.as_str(), 0)];
        return output.marked_row((word, "removed".len(), colour), &cells);
    }
    let uri = place.uri(&event.key);
    let (Some(file), Some(meta)) = (event.file(), meta) else {
        return output.object(&json!({ "event": word, "key": event.path, "uri": uri }));
    };
    output.object(&json!({
        "event": word,
        "key": event.path,
        "uri": uri,
        "size": meta.size,
        "etag": meta.etag,
        "fingerprint": file.fingerprint().await?,
        "modified": timestamp(meta.last_modified),
        "content_type": file.content_type_by_name(),
    }))
}
