//! `storage conformance`: holds places to the contract, and tells which rules hold.

mod again;
mod file;
mod page;
mod place;
mod table;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use conformance_tests::{CleanUp, DEFAULT_SEED, LiveHarness, Progress, Report, Selection, serve_if_asked};
use indicatif::{ProgressBar, ProgressStyle};
use storage::Error;

use crate::args::ConformanceArgs;
use crate::failure::{Failure, note};
use crate::output::Output;
use crate::session::Session;
use again::Again;
use file::PageFile;
use place::Place;

/// How many rules are asked at once.
const AT_ONCE: usize = 4;

/// How long a rule may take: some make thousands of requests, and a service may be far.
const LONGEST: Duration = Duration::from_secs(900);

/// How often what an interrupted run has made is tried to be removed, in case the place cannot be reached for a moment.
const CLEAN_UPS: usize = 3;

pub(super) async fn run(args: ConformanceArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let selection = args.rules.as_deref().map_or_else(|| Ok(Selection::all()), Selection::of)?;
    let selection = selection.seed(args.seed.unwrap_or(DEFAULT_SEED)).at_once(AT_ONCE).watchdog(LONGEST);
    if args.worker {
        return serve(&args, session).await;
    }
    // What is wrong with what the user asks for is told before anything is done.
    let file = args.html.as_deref().map(PageFile::open).transpose()?;
    let mut places = Vec::with_capacity(args.locations.len());
    for text in &args.locations {
        let place = Place::check(text, args.create, session).await?;
        places.push((place.harness().await?, place.to_string()));
    }
    let again = Again::of(&args, session);
    let (mut reports, mut told) = (Vec::with_capacity(places.len()), Ok(()));
    for (harness, place) in places {
        let report = hold(harness, &selection, &place, output.is_json()).await;
        // Where nobody reads the table any more, the page and the exit code are of all places still.
        told = told.and_then(|()| tell(&report, &again, output));
        reports.push(report);
    }
    let written = file.map_or(Ok(()), |file| file.write(&reports, output.is_json()));
    verdict(&reports, told.and(written))
}

fn tell(report: &Report, again: &Again, output: &mut Output) -> Result<(), Failure> {
    match output.is_json() {
        true => output.object(report)?,
        false => table::print(report, again, output)?,
    }
    output.flush()
}

/// A report that fails is a failure of the program, also where nobody has read it to its end.
fn verdict(reports: &[Report], told: Result<(), Failure>) -> Result<(), Failure> {
    match told {
        Ok(()) | Err(Failure::Closed) if !reports.iter().all(is_well) => Err(Failure::Told(1)),
        told => told,
    }
}

/// Whether every rule holds and nothing of the suite is left.
fn is_well(report: &Report) -> bool {
    report.is_conformant() && !report.clean_up.as_ref().is_some_and(CleanUp::has_failed)
}

/// As another process of a run: opens roots of the one place, and does what the standard input says.
async fn serve(args: &ConformanceArgs, session: &Session) -> Result<(), Failure> {
    let [text] = &args.locations[..] else { return Err(Error::invalid_input("a worker has one place").into()) };
    match serve_if_asked(&Place::unchecked(text, args.create, session)?.roots()).await {
        true => Ok(()),
        false => Err(Error::invalid_input("--worker is for the processes that a run starts itself").into()),
    }
}

/// Runs the suite on one place, and removes all that it has made; the report says how that ended.
async fn hold(harness: LiveHarness, selection: &Selection, location: &str, json: bool) -> Report {
    let mut live = Scratch { harness: Arc::new(harness), told: false };
    let bar = bar(json, selection.rules().len());
    bar.set_message(location.to_owned());
    let tell = |progress: Progress<'_>| match progress {
        Progress::Began(rule) => bar.set_message(format!("{} {}", rule.id, rule.title)),
        Progress::Ended(_) => bar.inc(1),
        _ => {}
    };
    let mut report = conformance_tests::run(live.harness.clone(), selection, tell).await;
    bar.set_message("removing what the suite has made");
    report.clean_up = Some(live.harness.clean_up().await);
    live.told = true;
    bar.finish_and_clear();
    report
}

/// Silent where standard error is no terminal, or programs read the output.
fn bar(json: bool, rules: usize) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(rules as u64);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} rules  {bar:30}  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What a run has made; it goes with this, also when the run is interrupted.
struct Scratch {
    harness: Arc<LiveHarness>,
    /// It was removed, and what is left is told in the report.
    told: bool,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.told || self.harness.is_clean() {
            return;
        }
        let harness = Arc::clone(&self.harness);
        // On a thread of its own, since this one may be a runtime's.
        let cleaned = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let again =
                |cleaned: CleanUp| if cleaned.has_failed() { runtime.block_on(harness.clean_up()) } else { cleaned };
            Ok::<_, std::io::Error>(
                (1..CLEAN_UPS).fold(runtime.block_on(harness.clean_up()), |cleaned, _| again(cleaned)),
            )
        });
        if let Ok(Ok(cleaned)) = cleaned.join()
            && let Some(reason) = cleaned.reason()
        {
            note(reason, false);
        }
    }
}
