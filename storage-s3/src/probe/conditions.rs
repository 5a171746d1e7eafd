//! One probe for each conditional write: what must be refused is, what must be accepted is, and of eight at once one wins.

use std::sync::Arc;

use futures::future::join_all;
use http::HeaderValue;
use storage_core::{Error, ErrorKind};
use tokio::time::timeout;

use super::known::{Condition, Stopped, Verdict};
use super::trial::{Header, Outcome, Trial, create_only, if_match, wrong_etag};
use crate::core::Core;

/// How many write at once.
const RACERS: usize = 8;

/// How often they do: a service that looks first and writes then is found out by about every second race.
const RACES: usize = 6;

/// The same for uploads in parts, which cost three requests each. A streaming write rests on what puts show as well.
const UPLOAD_RACES: usize = 2;

/// How often a probe is begun anew, and a race run, because answers were lost on the way.
const ROUNDS: usize = 6;

/// What a step ends with: a verdict is the end of the probe, no verdict makes it begin anew.
type Step<T = ()> = std::result::Result<T, End>;

/// Why a round ended early.
enum End {
    Verdict(Verdict),
    /// An answer was lost, and what it would have said cannot be told any more.
    Unclear,
    Stopped(Stopped),
}

impl From<Stopped> for End {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// What should have been refused was done.
fn is_ignored<T>(seen: impl Into<String>) -> Step<T> {
    Err(End::Verdict(Verdict::Ignored(seen.into())))
}

/// What should have been done was not.
fn is_refused<T>(seen: impl Into<String>) -> Step<T> {
    Err(End::Verdict(Verdict::Refused(seen.into())))
}

/// Asks the service whether it keeps a condition. About sixty requests for a put or a copy, seventy for an upload in parts,
/// eight at a time; what they make is removed, after a failure too. It takes no longer than an operation may.
pub(super) async fn probe(core: &Arc<Core>, condition: Condition) -> Result<Verdict, Stopped> {
    let longest = core.options.timeouts.operation;
    let late = || Error::new(ErrorKind::Timeout, format!("it took longer than {longest:?}"));
    timeout(longest, rounds(core, condition)).await.unwrap_or_else(|_| Err(Stopped::Failed(late())))
}

async fn rounds(core: &Arc<Core>, condition: Condition) -> Result<Verdict, Stopped> {
    for _ in 0..ROUNDS {
        let trial = Trial::begin(core).await?;
        let round = match condition {
            Condition::PutCreateOnly => put_create_only(&trial).await,
            Condition::PutIfMatch => put_if_match(&trial).await,
            Condition::CompleteCreateOnly => complete_create_only(&trial).await,
            Condition::CompleteIfMatch => complete_if_match(&trial).await,
            Condition::CopyCreateOnly => copy_create_only(&trial).await,
            Condition::DeleteIfMatch => delete_if_match(&trial).await,
        };
        trial.clean_up().await;
        match round {
            Ok(()) => return Ok(Verdict::Kept),
            Err(End::Verdict(verdict)) => return Ok(verdict),
            Err(End::Unclear) => {}
            Err(End::Stopped(stopped)) => return Err(stopped),
        }
    }
    Err(Stopped::Failed(Error::new(ErrorKind::Unavailable, "too many answers were lost")))
}

async fn put_create_only(trial: &Trial) -> Step {
    let mut races = Races::new(RACES);
    let mut name = String::new();
    while races.go_on()? {
        name = trial.other_name();
        races.judge(join_all((0..RACERS).map(|_| trial.put(&name, Some(create_only())))).await)?;
    }
    must_refuse(trial.put(&name, Some(create_only())).await?, "a put that found an object")
}

async fn put_if_match(trial: &Trial) -> Step {
    let name = trial.name();
    let first = must_write(trial.put(name, None).await?, "a put")?;
    must_refuse(trial.put(name, Some(if_match(&wrong_etag()))).await?, "a put with another etag")?;
    must_refuse(trial.put(&trial.other_name(), Some(if_match(&first))).await?, "a put that found no object")?;
    must_write(trial.put(name, Some(if_match(&first))).await?, "a put with the right etag")?;
    must_refuse(trial.put(name, Some(if_match(&first))).await?, "a put with an old etag")?;
    let mut races = Races::new(RACES);
    while races.go_on()? {
        let current = must_write(trial.put(name, None).await?, "a put")?;
        races.judge(join_all((0..RACERS).map(|_| trial.put(name, Some(if_match(&current))))).await)?;
    }
    Ok(())
}

async fn complete_create_only(trial: &Trial) -> Step {
    let mut races = Races::new(UPLOAD_RACES);
    let mut name = String::new();
    while races.go_on()? {
        name = trial.other_name();
        races.judge(complete_race(trial, &name, &create_only()).await?)?;
    }
    let late = trial.upload(&name).await?;
    must_refuse(trial.complete(&name, &late, Some(create_only())).await?, "an upload that found an object")
}

async fn complete_if_match(trial: &Trial) -> Step {
    let name = trial.name();
    let first = must_write(trial.put(name, None).await?, "a put")?;
    let upload = trial.upload(name).await?;
    let wrong = Some(if_match(&wrong_etag()));
    must_refuse(trial.complete(name, &upload, wrong).await?, "an upload with another etag")?;
    let nowhere = trial.other_name();
    let lost = trial.upload(&nowhere).await?;
    must_refuse(trial.complete(&nowhere, &lost, Some(if_match(&first))).await?, "an upload that found no object")?;
    let upload = trial.upload(name).await?;
    let right = Some(if_match(&first));
    must_write(trial.complete(name, &upload, right).await?, "an upload with the right etag")?;
    let mut races = Races::new(UPLOAD_RACES);
    while races.go_on()? {
        let current = must_write(trial.put(name, None).await?, "a put")?;
        races.judge(complete_race(trial, name, &if_match(&current)).await?)?;
    }
    Ok(())
}

async fn copy_create_only(trial: &Trial) -> Step {
    let source = trial.other_name();
    must_write(trial.put(&source, None).await?, "a put")?;
    let mut races = Races::new(RACES);
    let mut name = String::new();
    while races.go_on()? {
        name = trial.other_name();
        races.judge(join_all((0..RACERS).map(|_| trial.copy(&source, &name, Some(create_only())))).await)?;
    }
    must_refuse(trial.copy(&source, &name, Some(create_only())).await?, "a copy that found an object")
}

async fn delete_if_match(trial: &Trial) -> Step {
    let name = trial.name();
    let etag = must_write(trial.put(name, None).await?, "a put")?;
    must_refuse(trial.delete(name, Some(if_match(&wrong_etag()))).await?, "a delete with another etag")?;
    if !trial.exists(name).await? {
        return is_ignored("a delete with another etag was refused and done all the same");
    }
    match trial.delete(name, Some(if_match(&etag))).await? {
        Outcome::Done(_) if !trial.exists(name).await? => {}
        Outcome::Done(_) => return is_refused("a delete with the right etag was accepted and not done"),
        other => return must_write(other, "a delete with the right etag").map(drop),
    }
    must_refuse(trial.delete(name, Some(if_match(&etag))).await?, "a delete that found no object")
}

/// Uploads in parts, begun before and completed at once.
async fn complete_race(trial: &Trial, name: &str, condition: &Header) -> Result<Vec<Told>, Stopped> {
    let begun = join_all((0..RACERS).map(|_| trial.upload(name))).await;
    let uploads = begun.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(join_all(uploads.iter().map(|upload| trial.complete(name, upload, Some(condition.clone())))).await)
}

/// What one of the racers was told.
type Told = Result<Outcome, Stopped>;

/// Races are run until as many as are wanted said something: one that says nothing for lost answers is run again.
struct Races {
    wanted: usize,
    left: usize,
}

impl Races {
    fn new(wanted: usize) -> Self {
        Self { wanted, left: wanted * ROUNDS }
    }

    fn go_on(&mut self) -> Step<bool> {
        if self.wanted == 0 {
            return Ok(false);
        }
        self.left = self.left.checked_sub(1).ok_or(End::Unclear)?;
        Ok(true)
    }

    fn judge(&mut self, told: Vec<Told>) -> Step {
        match judge(told) {
            Ok(()) => self.wanted -= 1,
            Err(End::Unclear) => {}
            Err(end) => return Err(end),
        }
        Ok(())
    }
}

/// Of writes at once under one condition, one must be accepted and the others refused. A few lost answers are no matter;
/// many say nothing.
fn judge(outcomes: Vec<Told>) -> Step {
    let (mut won, mut refused, mut lost) = (0, 0, 0);
    for outcome in outcomes {
        match outcome? {
            Outcome::Done(_) => won += 1,
            Outcome::Refused => refused += 1,
            Outcome::Lost => lost += 1,
            Outcome::Unclear => {}
            Outcome::Odd(seen) => return is_refused(seen),
        }
    }
    match (won, refused) {
        (1, 5..) => Ok(()),
        (0, RACERS) => is_refused(format!("of {RACERS} at once none was accepted")),
        (0, 0) if lost == RACERS => {
            let unanswered = format!("of {RACERS} at once none was answered");
            Err(Stopped::Failed(Error::new(ErrorKind::Unavailable, unanswered)).into())
        }
        (0 | 1, _) => Err(End::Unclear),
        _ => is_ignored(format!("of {RACERS} at once {won} were accepted")),
    }
}

fn must_refuse(outcome: Outcome, what: &str) -> Step {
    match outcome {
        // A request that is refused now has met its condition, whatever became of its earlier attempt.
        Outcome::Refused | Outcome::Unclear => Ok(()),
        Outcome::Lost => Err(End::Unclear),
        Outcome::Done(_) => is_ignored(format!("{what} was accepted")),
        Outcome::Odd(seen) => is_refused(seen),
    }
}

/// Gives the etag of what was written.
fn must_write(outcome: Outcome, what: &str) -> Step<HeaderValue> {
    match outcome {
        Outcome::Done(Some(etag)) => Ok(etag),
        Outcome::Done(None) => is_refused(format!("{what} was answered without an etag")),
        Outcome::Refused => is_refused(format!("{what} was refused")),
        Outcome::Unclear | Outcome::Lost => Err(End::Unclear),
        Outcome::Odd(seen) => is_refused(seen),
    }
}
