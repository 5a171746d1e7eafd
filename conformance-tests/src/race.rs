//! Tasks that race, and counters that they raise by compare-and-swap.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;
use std::sync::Arc;

use storage_core::{ETag, ErrorKind, GetOptions, PutOptions, Result, Storage};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Runs the calls at once, each in a task of its own, none before all are ready.
pub(crate) async fn race<T: Send + 'static, F>(count: u32, call: impl Fn(u32) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count as usize));
    let mut racers = JoinSet::new();
    for number in 0..count {
        let (call, start) = (call(number), Arc::clone(&start));
        racers.spawn(async move {
            start.wait().await;
            call.await
        });
    }
    racers.join_all().await
}

/// What became of swaps; as text `done/unknown`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that were Ok.
    pub(crate) done: u64,
    /// Those of which nobody knows.
    pub(crate) unknown: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.done, self.unknown)
    }
}

impl FromStr for Tally {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(done, unknown)| Some((done.parse().ok()?, unknown.parse().ok()?)));
        let (done, unknown) = numbers.ok_or_else(|| text.to_owned())?;
        Ok(Self { done, unknown })
    }
}

/// Adds 1 to a number that is stored as text, by compare-and-swap, until so many swaps were Ok or are unknown.
pub(crate) async fn tally(storage: &Storage, key: &str, times: u32) -> Result<Tally> {
    let mut tally = Tally::default();
    while tally.done + tally.unknown < times.into() {
        let (text, etag) = text_and_etag(storage, key).await?;
        let next = text.parse::<u64>().unwrap() + 1;
        match storage.put_with(key, next.to_string(), PutOptions::new().if_match(etag)).await {
            Ok(_) => tally.done += 1,
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => tally.unknown += 1,
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
            Err(error) => return Err(error),
        }
    }
    Ok(tally)
}

/// A count that was raised by swaps is that of those which were Ok. Those of which nobody knows may have taken place too;
/// they are no more than the others.
#[track_caller]
pub(crate) fn assert_count(what: &str, count: u64, tally: Tally) {
    let possible = tally.done..=tally.done + tally.unknown;
    assert!(
        possible.contains(&count),
        "{what}: {count}, after {} swaps and {} unknown ones",
        tally.done,
        tally.unknown
    );
    assert!(tally.unknown <= tally.done, "{what}: of {} swaps nothing is known", tally.unknown);
}

/// Of all who raced for one thing one has won; where nobody knows what became of some, it may have been one of those.
#[track_caller]
pub(crate) fn assert_one(what: &str, winners: usize, unknown: usize) {
    let one = winners == 1 || winners == 0 && unknown > 0;
    assert!(one, "{what}: {winners} have won, and of {unknown} nothing is known");
}

/// A small object's text and the etag of what was read.
pub(crate) async fn text_and_etag(storage: &Storage, key: &str) -> Result<(String, ETag)> {
    let read = storage.get(key, GetOptions::new().buffered()).await?;
    let pieces: Vec<bytes::Bytes> = futures::TryStreamExt::try_collect(read.body.into_stream()).await?;
    Ok((String::from_utf8(pieces.concat()).unwrap(), read.meta.etag))
}
