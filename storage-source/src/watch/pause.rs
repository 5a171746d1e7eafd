//! How long a watch waits.

use std::time::Duration;

use tokio::time::Instant;

/// Pauses between attempts: each twice as long as the one before, half of it random, so that many watches of one service
/// do not ask at once.
#[derive(Debug, Clone)]
pub(super) struct Pauses {
    first: Duration,
    most: Duration,
    next: Duration,
    /// The end of the last pause.
    end: Option<Instant>,
}

impl Pauses {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first, end: None }
    }

    /// When to try again after another failure. One that comes long after the last pause is the first of new ones.
    pub(super) fn after_failure(&mut self) -> Instant {
        if self.end.is_some_and(|end| end.elapsed() > self.most) {
            self.reset();
        }
        let pause = self.next;
        self.next = self.next.saturating_mul(2).min(self.most);
        let end = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.end = Some(end);
        end
    }

    /// An attempt went well.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The end of an interval that begins now, a tenth more or less.
pub(super) fn interval_end(interval: Duration) -> Instant {
    Instant::now() + interval.mul_f64(0.9 + fastrand::f64() / 5.0)
}

/// Waits for a moment, not at all where it has passed; forever where there is none.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) if moment <= Instant::now() => {}
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
