//! What was told, kept from one run to the next.

use std::thread;
use std::time::Duration;

use storage::{Error, Key, Result, Storage};
use storage_source::{WatchProgress, WatchState};
use tokio::time::Instant;

use crate::failure::note;
use crate::place::Place;
use crate::session::Session;

/// How often it is kept at most, while the program runs.
const OFTEN: Duration = Duration::from_secs(10);

/// How long keeping it at the end of the program may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Where the state is kept.
#[derive(Clone)]
pub(super) struct Keeper {
    storage: Storage,
    key: Key,
}

impl Keeper {
    /// The object that a text names, which must not be one of those that are watched.
    pub(super) async fn new(text: &str, watched: &Place, session: &Session) -> Result<Self> {
        let place = session.place(text, true).await?;
        let key = place.key()?;
        let level = watched.level_uri(&watched.level()?);
        let is_watched = |(level, uri): (String, String)| uri.starts_with(&format!("{}/", level.trim_end_matches('/')));
        if level.zip(place.uri(&key)).is_some_and(is_watched) {
            let message = format!("the state {text} lies in {}, and would be watched itself", watched.written);
            return Err(Error::invalid_input(message).with_help("keep it elsewhere"));
        }
        Ok(Self { storage: place.storage, key })
    }

    /// What was kept the last time; nothing known the first time.
    pub(super) async fn load(&self) -> Result<WatchState> {
        WatchState::load(&self.storage, &self.key).await
    }
}

/// The state of a watch under way. It is kept when this goes too, also when the program is interrupted.
pub(super) struct Kept {
    keeper: Option<Keeper>,
    progress: WatchProgress,
    /// How much was acknowledged when it was kept last.
    acknowledged: Option<u64>,
    due: Instant,
    json: bool,
}

impl Kept {
    pub(super) fn new(keeper: Option<Keeper>, progress: WatchProgress, json: bool) -> Self {
        Self { keeper, progress, acknowledged: None, due: Instant::now() + OFTEN, json }
    }

    /// When to keep it next, whatever happens.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Keeps it, where that is due; a failure is told, and tried again.
    pub(super) async fn keep_if_due(&mut self) {
        if Instant::now() < self.due {
            return;
        }
        if let Err(error) = self.keep().await {
            note(&format!("the state is not kept: {error}"), self.json);
        }
    }

    /// Keeps it, where something was acknowledged since the last time.
    pub(super) async fn keep(&mut self) -> Result<()> {
        self.due = Instant::now() + OFTEN;
        let acknowledged = self.progress.acknowledged();
        if let Some(keeper) = self.keeper.as_ref().filter(|_| self.acknowledged != Some(acknowledged)) {
            self.progress.state().save(&keeper.storage, &keeper.key).await?;
        }
        self.acknowledged = Some(acknowledged);
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        if self.acknowledged.unwrap_or_default() == self.progress.acknowledged() {
            return;
        }
        let state = self.progress.state();
        // On a thread of its own, since this one may be a runtime's.
        let kept = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let save = async { tokio::time::timeout(FAREWELL, state.save(&keeper.storage, &keeper.key)).await };
            runtime.block_on(save).map_err(std::io::Error::from)?
        });
        match kept.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => note(&format!("the state is not kept: {error}"), self.json),
            Err(_) => note("the state is not kept", self.json),
        }
    }
}
