//! The suite at run time: rules as data in, a report out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use storage_core::ErrorKind;

use crate::apart::Apart;
use crate::context::{self, Context, LeftOut};
use crate::harness::Harness;
use crate::report::{Backend, Outcome, Report, RuleReport, Step};
use crate::rule::Rule;
use crate::selection::Selection;

/// What a run tells while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A rule begins.
    Began(&'a Rule),
    /// A rule has ended.
    Ended(&'a RuleReport),
}

/// Asks the rules of a selection, each on a thread and a runtime of its own, and says how each ended. A broken rule is an
/// outcome and no panic; a rule that hangs fails when its time is over. One that fails by nothing but calls that were not
/// answered (`Throttled`, `Unavailable`, `Timeout`, `OutcomeUnknown`) is asked once more, and the second time counts.
///
/// Where the place does not answer any more after a rule has failed, the rules that are left are not asked.
///
/// Dropping the future gives up the rules that are under way, and waits a few seconds at most until their threads have
/// ended.
///
/// ```
/// # use std::sync::Arc;
/// # use conformance_tests::{CleanUp, LiveHarness, Selection, run};
/// # use storage_core::Storage;
/// # use storage_memory::Stores;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// let stores = Stores::new();
/// let live = Arc::new(LiveHarness::new(move |name| {
///     let opened = Storage::new(stores.open("notes", true)).sub(name);
///     Box::pin(async move { opened })
/// }));
/// let report = run(live.clone(), &Selection::of("K02,D02")?, |_| ()).await;
/// assert_eq!(live.clean_up().await, CleanUp::Done);
/// assert!(report.is_conformant());
/// # Ok(()) }
/// ```
pub async fn run(harness: Arc<dyn Harness>, selection: &Selection, mut progress: impl FnMut(Progress<'_>)) -> Report {
    context::silence_panics();
    let start = Instant::now();
    let backend = look(Arc::clone(&harness), selection.seed).await;
    let mut reports: Vec<RuleReport> = selection.elsewhere().into_iter().map(RuleReport::elsewhere).collect();
    let mut waiting = selection.rules().into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        for rule in waiting.by_ref().take(selection.at_once - running.len()) {
            progress(Progress::Began(rule));
            running.push(ask(Arc::clone(&harness), rule, selection));
        }
        let Some(ended) = running.next().await else { break };
        progress(Progress::Ended(&ended));
        let failed = matches!(ended.outcome, Outcome::Fail { .. });
        reports.push(ended);
        if failed && let Err(gone) = harness.answers().await {
            let reason = format!("the place does not answer any more: {gone}");
            let unasked = |rule| RuleReport::new(rule, Outcome::NotAsked { reason: reason.clone() }, Duration::ZERO);
            reports.extend(waiting.by_ref().map(unasked));
        }
    }
    Report::new(backend, selection.seed, reports, start.elapsed())
}

/// What is tested; `None` where no root can be made.
async fn look(harness: Arc<dyn Harness>, seed: u64) -> Option<Backend> {
    let described = Apart::start(Context::silent(seed), move || async move {
        let looked = AssertUnwindSafe(describe(&*harness)).catch_unwind();
        looked.await.ok()
    });
    described.ended().await.flatten()
}

async fn describe(harness: &dyn Harness) -> Backend {
    let root = harness.fresh().await;
    let capabilities = root.storage.probe().await.unwrap_or_else(|_| root.storage.capabilities());
    let own = || root.storage.location().map(|location| location.to_string());
    let location = harness.location().or_else(own);
    Backend { driver: root.storage.name().to_owned(), location, capabilities }
}

/// Asks one rule, and once more where it was the place that did not answer.
async fn ask(harness: Arc<dyn Harness>, rule: &'static Rule, selection: &Selection) -> RuleReport {
    let start = Instant::now();
    let mut ended = ask_once(Arc::clone(&harness), rule, selection).await;
    if is_of_the_place(&ended) {
        ended = ask_once(harness, rule, selection).await;
        if is_of_the_place(&ended)
            && let Outcome::Fail { reason, .. } = &mut ended
        {
            *reason = format!("the place was not answering, twice: {reason}");
        }
    }
    RuleReport::new(rule, ended, start.elapsed())
}

async fn ask_once(harness: Arc<dyn Harness>, rule: &'static Rule, selection: &Selection) -> Outcome {
    let (context, watchdog) = (Context::silent(selection.seed), selection.watchdog);
    let asked = Apart::start(Arc::clone(&context), move || async move { hold(&*harness, rule, watchdog).await });
    let held = asked.ended().await.unwrap_or(Held::Broken);
    outcome(held, &context)
}

/// Whether a rule failed by nothing but calls to which the place gave no answer: that says nothing of the rule.
fn is_of_the_place(outcome: &Outcome) -> bool {
    let Outcome::Fail { steps, .. } = outcome else { return false };
    let unanswered = |step: &Step| step.message.strip_prefix(UNWRAPPED).is_some_and(is_unanswered);
    // A thread that fails takes the one along that waits for it.
    let follows = |step: &Step| step.message == "a scoped thread panicked" || step.message.contains("Any { .. }");
    steps.iter().any(unanswered) && steps.iter().all(|step| unanswered(step) || follows(step))
}

/// Whether an error, as its `Debug` shows it, is of a kind that passes by itself, or nobody knows of.
fn is_unanswered(error: &str) -> bool {
    use ErrorKind::{OutcomeUnknown, Throttled, Timeout, Unavailable};
    [Throttled, Unavailable, Timeout, OutcomeUnknown].into_iter().any(|kind| {
        let kind = format!("{kind:?}: ");
        error.starts_with(&kind) || error.contains(&format!(": {kind}"))
    })
}

/// How a rule came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It ended; what it left out is in its context.
    Ended,
    /// It panicked; why is in its context, where panics are written down.
    Broken,
    /// The watchdog ended it.
    Hung,
}

/// Holds a driver to a rule, for so long at most.
pub(crate) async fn hold(harness: &dyn Harness, rule: &Rule, watchdog: Duration) -> Held {
    let whole = AssertUnwindSafe(async {
        (rule.run)(harness).await;
        harness.finished().await;
    });
    match tokio::time::timeout(watchdog, whole.catch_unwind()).await {
        Ok(Ok(())) => Held::Ended,
        Ok(Err(panic)) if panic.is::<LeftOut>() => Held::Ended,
        Ok(Err(_)) => Held::Broken,
        Err(_) => Held::Hung,
    }
}

fn outcome(held: Held, context: &Context) -> Outcome {
    let said = context.said();
    let hung = Step { message: "the rule has not ended in time".to_owned(), place: String::new() };
    let steps = match held {
        Held::Ended => return Outcome::of(said.whole, said.parts),
        Held::Broken => said.panics,
        Held::Hung => [vec![hung], said.panics].concat(),
    };
    let reason = steps.first().map_or_else(|| "a panic that told nothing".to_owned(), |step| one_line(&step.message));
    Outcome::Fail { reason, steps }
}

/// What begins the message of an `unwrap` that failed; the error's own words follow.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: ";

/// The message of a failed assertion in one line.
fn one_line(message: &str) -> String {
    let sides = |message: &str| -> Option<String> {
        let (what, sides) = message.split_once("\n  left: ")?;
        let (is, due) = sides.split_once("\n right: ")?;
        match what.strip_prefix("assertion `left == right` failed") {
            Some(what) => Some(format!("{}: {is}, where {due} is due", what.trim_start_matches(": "))),
            None => Some(format!("{}: both are {is}", what.rsplit(" failed: ").next()?)),
        }
    };
    let line = sides(message).unwrap_or_else(|| message.strip_prefix(UNWRAPPED).unwrap_or(message).to_owned());
    let line: String = line.trim_start_matches(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
