//! How much the rules that try at random do, and by which seed.
//!
//! The first try has the seed of the run, each further one the next number; so the seed that a failure tells, given to
//! another run, finds it at once. With `STORAGE_TEST_LONG=1` in the environment each such rule goes on for a minute instead
//! of a second, and futures are dropped at every await of every call, the long ones too.

use std::time::{Duration, Instant};

use crate::context;

/// How often and how long a rule tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// The seed of the first try; each further one has the next number.
    pub(crate) seed: u64,
    /// Whether this is a long run.
    pub(crate) long: bool,
    began: Instant,
}

impl Effort {
    /// By the seed of the run; short, unless the environment says otherwise.
    pub(crate) fn begin() -> Self {
        let long = std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1");
        Self { seed: context::seed(), long, began: Instant::now() }
    }

    /// The seeds of the tries: in a short run at most `tries` and those only until `time` is over, in a long one as many
    /// as a minute takes; one in any case.
    pub(crate) fn seeds(self, tries: u64, time: Duration) -> impl Iterator<Item = u64> {
        let (tries, time) = if self.long { (u64::MAX, Duration::from_secs(60)) } else { (tries, time) };
        let in_time = move |index: &u64| *index == 0 || *index < tries && self.began.elapsed() < time;
        (0..).take_while(in_time).map(move |index| self.seed.wrapping_add(index))
    }
}
