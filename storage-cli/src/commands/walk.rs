//! `storage walk`: what lies under a place and passes a filter, with a report at the end.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant, SystemTime};

use futures::stream::StreamExt as _;
use serde_json::json;
use storage::{Error, ErrorKind};
use storage_source::{Filter, Outcome, SourceFile, Walk, WalkItem, WalkItems, WalkReport};

use crate::failure::{Failure, note};
use crate::output::{Cell, Output, count, timestamp};
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

/// Which objects are taken.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Filter")]
pub(crate) struct FilterArgs {
    /// Take only paths that match this glob, or another include: 'docs/**/*.{md,txt}'
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out paths that match this glob; with '!' in front: unless they match this one
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Take only names with these extensions: pdf,tar.gz
    #[arg(long, value_name = "EXT", value_delimiter = ',')]
    ext: Vec<String>,
    /// Leave out what is smaller: 1, 10k, 4MiB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    min_size: Option<u64>,
    /// Leave out what is larger
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_size: Option<u64>,
    /// Take what was modified since a time, or within an age: 2026-01-31, 2026-01-31T12:00:00Z, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    newer: Option<SystemTime>,
    /// Take what was modified before a time, or longer ago than an age
    #[arg(long, value_name = "TIME", value_parser = time)]
    older: Option<SystemTime>,
    /// Take so many, the first in order
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Whether '*' and '?' stop at '/'
    #[arg(
        long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = clap::ArgAction::Set
    )]
    literal_separator: bool,
}

impl FilterArgs {
    /// The filter that the arguments make up.
    pub(crate) fn filter(self) -> Filter {
        let mut filter = Filter::new().literal_separator(self.literal_separator);
        (filter.include, filter.exclude, filter.extensions) = (self.include, self.exclude, self.ext);
        (filter.min_size, filter.max_size, filter.limit) = (self.min_size, self.max_size, self.limit);
        (filter.modified_after, filter.modified_before) = (self.newer, self.older);
        filter
    }
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
    match report.outcome {
        Outcome::Unreadable => Err(unreadable(report).into()),
        _ => Ok(()),
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

/// Tells what the walk says of itself: to programs on standard output, to people beside it. Where nobody
/// looks, names that were left out are all of it.
fn tell(report: &WalkReport, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!({ "report": report }));
    }
    output.flush()?;
    for left in &report.names {
        note(&format!("left out {:?}: {}", left.name, left.detail), false);
    }
    let unnamed = report.exceptions.values().sum::<u64>() - report.names.len() as u64;
    if unnamed > 0 {
        note(&format!("left out {} more", count(unnamed, "name")), false);
    }
    if std::io::stderr().is_terminal() {
        note(&summary(report), false);
    }
    Ok(())
}

/// The report in a line.
fn summary(report: &WalkReport) -> String {
    let mut text = format!("{} of {} scanned", count(report.matched, "object"), report.scanned);
    let reasons = report.left_out.iter().map(|(reason, count)| format!("{count} {reason}"));
    let pruned = match report.pruned_directories {
        0 => None,
        1 => Some("1 excluded directory not listed".to_owned()),
        many => Some(format!("{many} excluded directories not listed")),
    };
    for part in reasons.chain(pruned) {
        text = format!("{text}, {part}");
    }
    let end = match report.outcome {
        Outcome::Complete => "complete",
        Outcome::Limited => "there is more, which the limit leaves out",
        Outcome::Unreadable => "not complete: there are names that cannot be read",
        _ => "not complete: the walk failed",
    };
    format!("{text}; {end}")
}

/// The error of a place that is no level: it is an object, or not there.
async fn nothing_under(place: &Place) -> Result<(), Failure> {
    SourceFile::at(&place.storage, place.key()?).await?;
    let message = format!("{} is an object: there is nothing under it", place.written);
    Err(Error::invalid_input(message).with_help("look at it with storage stat").into())
}

fn unreadable(report: &WalkReport) -> Error {
    let names = report.left_out.get(&storage_source::Reason::Unreadable).copied().unwrap_or_default();
    let message = format!("{} cannot be read, so not everything was seen", count(names, "name"));
    Error::new(ErrorKind::PermissionDenied, message).with_help("run as a user who may read them, or exclude them")
}

/// A number of bytes: `500`, `10k`, `1.5MB` (powers of 1000), `4MiB` (powers of 1024).
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size such as 500, 10k, 1.5MB or 4MiB");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (base, unit) = unit.strip_suffix('i').map_or((1000_f64, unit), |unit| (1024_f64, unit));
    let power = match unit {
        "" if base == 1000_f64 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    if power == 0 {
        return number.parse().map_err(|_| wrong());
    }
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * base.powi(power);
    // Whole bytes, far from where a float has no room for them.
    if bytes < (1_u64 << 53) as f64 { Ok(bytes.round() as u64) } else { Err(wrong()) }
}

/// A time, a day, or an age counted back from now.
fn time(text: &str) -> Result<SystemTime, String> {
    let day = (text.len() == 10).then(|| format!("{text}T00:00:00Z"));
    if let Ok(time) = humantime::parse_rfc3339(day.as_deref().unwrap_or(text)) {
        return Ok(time);
    }
    let age = humantime::parse_duration(text).ok().and_then(|age| SystemTime::now().checked_sub(age));
    age.ok_or_else(|| format!("{text:?} is neither a time such as 2026-01-31T12:00:00Z nor an age such as 7d"))
}

#[cfg(test)]
mod tests {
    use storage_source::{Outcome, Reason, WalkReport};

    use super::{bytes, summary, time};

    #[test]
    fn the_report_is_a_line() {
        let mut report = WalkReport::default();
        (report.outcome, report.scanned, report.matched) = (Outcome::Complete, 0, 0);
        assert_eq!(summary(&report), "0 objects of 0 scanned; complete");
        (report.outcome, report.scanned, report.matched) = (Outcome::Limited, 7, 1);
        (report.left_out, report.pruned_directories) = ([(Reason::TooLarge, 5), (Reason::OverLimit, 1)].into(), 2);
        let line = "1 object of 7 scanned, 5 too large, 1 over the limit, 2 excluded directories not listed; there is more, \
                    which the limit leaves out";
        assert_eq!(summary(&report), line);
    }

    #[test]
    fn sizes_have_units_of_1000_and_of_1024() {
        let cases = [
            ("0", 0),
            ("500", 500),
            ("500B", 500),
            ("10k", 10_000),
            ("1.5MB", 1_500_000),
            ("4MiB", 4 << 20),
            ("1Ki", 1024),
            ("2 GiB", 2 << 30),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-1", "1x", "1.5", "1e3", "9999999T", "i", "1i"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_absolute_or_ages() {
        assert_eq!(time("2026-01-31"), time("2026-01-31T00:00:00Z"));
        assert!(time("1h").unwrap() > time("2h").unwrap());
        for text in ["", "noon", "2026-13-01", "99999999999999999999y"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
