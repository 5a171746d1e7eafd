//! `storage walk`: what lies under a place and passes a filter, with a report at the end.

use std::time::{Duration, Instant};

use futures::stream::StreamExt as _;
use serde_json::json;
use storage::{Error, ObjectMeta};
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
        return output.object(&object(item, &meta, fingerprint));
    }
    output.row(&[Cell::Size(Some(meta.size)), Cell::Time(Some(meta.last_modified)), Cell::Text(item.path.as_str(), 0)])
}

fn object(item: &WalkItem, meta: &ObjectMeta, fingerprint: &str) -> serde_json::Value {
    json!({
        "key": item.path,
        "uri": item.file.uri(),
        "size": meta.size,
        "etag": meta.etag,
        "fingerprint": fingerprint,
        "modified": timestamp(meta.last_modified),
        "content_type": item.file.content_type_by_name(),
    })
}

/// The error of a place that is no level: it is an object, or not there.
async fn nothing_under(place: &Place) -> Result<(), Failure> {
    SourceFile::at(&place.storage, place.key()?).await?;
    let message = format!("{} is an object: there is nothing under it", place.written);
    Err(Error::invalid_input(message).with_help("look at it with storage stat").into())
}

#[cfg(test)]
mod tests {
    use futures::stream::TryStreamExt as _;
    use s3_test_server::{S3Server, ServerOptions};
    use serde_json::json;
    use storage::{Location, OpenOptions, Settings, Storage};
    use storage_source::{Filter, Walk};

    use super::object;

    const KEYS: [&str; 12] = [
        "a-b/x.md",
        "a.md",
        "a/b",
        "a/b.md",
        "a/b/c.md",
        "a0.MD",
        "b #?%/x&y=z.tar.gz",
        "node_modules/x/index.js",
        "tmp/cache/1.md",
        "é/ü.md",
        "\u{ff5e}.md",
        "😀/x.md",
    ];

    /// What `storage walk --json` prints, as text, without what may differ between backends.
    async fn printed(storage: &Storage, filter: &Filter) -> String {
        let mut items = Walk::new(storage).prefix("in").filter(filter.clone()).items().unwrap();
        let mut text = String::new();
        while let Some(item) = items.try_next().await.unwrap() {
            let mut line = object(&item, &item.file.known().unwrap(), &item.file.fingerprint().await.unwrap());
            for name in ["uri", "etag", "fingerprint", "modified"] {
                assert!(line.as_object_mut().unwrap().remove(name).is_some_and(|value| value.is_string()), "{name}");
            }
            text += &format!("{line}\n");
        }
        text + &json!({ "report": items.report() }).to_string()
    }

    /// Proves that a walk prints the same bytes in the same order in memory, on a directory and on S3.
    #[tokio::test]
    async fn a_walk_prints_the_same_on_every_driver() {
        let server = S3Server::start(ServerOptions::new()).await.unwrap();
        server.create_bucket("bucket");
        let settings = Settings::builder()
            .set("AWS_ENDPOINT_URL", server.endpoint())
            .set("AWS_ACCESS_KEY_ID", server.access_key())
            .set("AWS_SECRET_ACCESS_KEY", server.secret_key())
            .build()
            .unwrap();
        let (registry, options) = (storage::registry(), OpenOptions::new().settings(settings).create(true));
        let directory = tempfile::tempdir().unwrap();
        let locations =
            ["memory://walked".to_owned(), directory.path().display().to_string(), "s3://bucket/root".to_owned()];
        let mut roots = Vec::new();
        for location in locations {
            let root = registry.open(&Location::parse(&location).unwrap(), &options).await.unwrap();
            for key in KEYS {
                root.put(format!("in/{key}"), key).await.unwrap();
            }
            root.put("in2/beside", "x").await.unwrap();
            roots.push(root);
        }
        for filter in [
            Filter::new(),
            Filter::new().extension("md").limit(3),
            Filter::new().include("a/**").include("*/*.js").max_size(6),
            Filter::new().exclude("**/cache/**").exclude("node_modules/**").exclude("!**/index.*"),
            Filter::new().exclude("a*").literal_separator(false),
        ] {
            let expected = printed(&roots[0], &filter).await;
            assert!(expected.lines().count() > 2, "{expected}");
            for root in &roots[1..] {
                assert_eq!(printed(root, &filter).await, expected, "{} {filter:?}", root.name());
            }
        }
    }
}
