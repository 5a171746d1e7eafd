//! How long a peer may say nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::stream::Activity;

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// No byte moved either way for as long as an answer may take.
    Answer,
    /// The operation has taken as long as it may.
    Operation,
}

/// Bounds the silence of a connection, and the time of the operation that waits on it.
pub(crate) struct Watch<'a> {
    limit: Duration,
    deadline: Option<Instant>,
    sleep: Pin<&'a mut Sleep>,
}

impl<'a> Watch<'a> {
    /// `sleep` is the timer it goes by, set to any time.
    pub(crate) fn new(limit: Duration, deadline: Option<Instant>, sleep: Pin<&'a mut Sleep>) -> Self {
        Self { limit, deadline, sleep }
    }

    /// A timer for a watch that begins now.
    pub(crate) fn timer(limit: Duration, deadline: Option<Instant>) -> Sleep {
        let silent = Instant::now() + limit;
        sleep_until(deadline.map_or(silent, |deadline| deadline.min(silent)))
    }

    /// Ready when a bound is reached. The timer is set anew only when it fires, not with every byte.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, activity: &Activity) -> Poll<Silence> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(Silence::Operation);
            }
            let silent = activity.last() + self.limit;
            if silent <= now {
                return Poll::Ready(Silence::Answer);
            }
            let next = self.deadline.map_or(silent, |deadline| deadline.min(silent));
            self.sleep.as_mut().reset(next);
        }
    }
}
