//! How much the rules that try at random do, and by which seed.
//!
//! The first try has the seed of the run, each further one the next number; so the seed that a failure tells, given to
//! another run, finds it at once. With `STORAGE_TEST_LONG=1` in the environment each such rule goes on for a minute instead
//! of a second, and futures are dropped at every await of every call, the long ones too.

use std::time::{Duration, Instant};

use crate::context::{self, part_not_asked};

/// How long a rule goes on where it has not tried enough: a place that is so slow ought not to count as one that hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// How often and how long a rule tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// The seed of the first try; each further one has the next number.
    pub(crate) seed: u64,
    /// Whether this is a long run.
    pub(crate) long: bool,
}

impl Effort {
    /// By the seed of the run; short, unless the environment says otherwise.
    pub(crate) fn begin() -> Self {
        let long = std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1");
        Self { seed: context::seed(), long }
    }

    /// The tries, from now on: in a short run at most `most` and those only until `time` is over, in a long one as many
    /// as a minute takes.
    pub(crate) fn tries(self, most: u64, time: Duration) -> Tries {
        let (most, time) = if self.long { (u64::MAX, Duration::from_secs(60)) } else { (most, time) };
        Tries { seed: self.seed, made: 0, most, time, began: Instant::now() }
    }
}

/// Tries under way.
#[derive(Debug)]
pub(crate) struct Tries {
    seed: u64,
    /// How many were begun.
    pub(crate) made: u64,
    most: u64,
    time: Duration,
    began: Instant,
}

impl Tries {
    /// The seed of the next try, of which there is one in any case; none where there were as many as may be, or where the
    /// time is over, which is longer while they are not enough.
    pub(crate) fn next(&mut self, enough: bool) -> Option<u64> {
        let time = if enough { self.time } else { self.time.max(LONGEST) };
        if self.made >= self.most || self.made > 0 && self.began.elapsed() >= time {
            return None;
        }
        self.made += 1;
        Some(self.seed.wrapping_add(self.made - 1))
    }

    /// Says how many tries there were where a slow place has had fewer than others, and what came of them.
    pub(crate) fn report(&self, what: &str) {
        if self.most != u64::MAX && self.made < self.most {
            let (made, most) = (self.made, self.most);
            part_not_asked(&format!("the time was over after {made} of {most} histories, {what}"));
        }
    }
}
