//! What a walk says of itself.

use std::collections::BTreeMap;

use serde::Serialize;
use storage_core::Skipped;

use crate::filter::Reason;

/// How many names a report keeps; all are counted.
const NAMES_KEPT: usize = 1000;

/// How a walk ended, in the order in which less is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It has not: the report tells of what was met so far.
    #[default]
    Running,
    /// Every object there was has been judged, or lies in a directory that the filter excludes.
    Complete,
    /// There is at least one more object that the filter takes; the limit left it out, and nothing after it was looked at.
    Limited,
    /// The walk went to its end, past what this user may not read.
    Unreadable,
    /// A listing failed, and the walk ended there.
    Failed,
}

/// What a walk says of itself, at its end or on the way. `scanned` is `matched` and all of `left_out` together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WalkReport {
    /// Whether nothing is missing: the outcome is [`Outcome::Complete`]. What is not here may be inferred to be gone only
    /// then.
    pub complete: bool,
    /// How the walk ended.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many names the listings showed.
    pub scanned: u64,
    /// How many objects the filter took.
    pub matched: u64,
    /// How many names were left out, by reason. Of several reasons the first counts. Under the limit it is at most one:
    /// the walk ends there.
    pub left_out: BTreeMap<Reason, u64>,
    /// How many directories were not listed, since the filter takes nothing in them. What is in them is not scanned, and
    /// counted nowhere.
    pub pruned_directories: u64,
    /// How many names no key can express or this user may not read, by what the driver says of them.
    pub exceptions: BTreeMap<String, u64>,
    /// The first thousand of these names.
    pub names: Vec<LeftOut>,
}

/// A name that is no object that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The name from the prefix on, with what is not text replaced.
    pub name: String,
    /// The reason.
    pub reason: Reason,
    /// What the driver says of it.
    pub detail: String,
}

impl WalkReport {
    /// Adds what another walk says, where several make up one work: counts add up, the first thousand names are kept, and
    /// the outcome is that of the walk which ended worst, with the first error.
    pub fn merge(&mut self, other: Self) {
        self.scanned += other.scanned;
        self.matched += other.matched;
        self.pruned_directories += other.pruned_directories;
        for (reason, count) in other.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
        for (detail, count) in other.exceptions {
            *self.exceptions.entry(detail).or_default() += count;
        }
        let room = NAMES_KEPT.saturating_sub(self.names.len());
        self.names.extend(other.names.into_iter().take(room));
        self.error = self.error.take().or(other.error);
        self.outcome = self.outcome.max(other.outcome);
        self.complete = self.outcome == Outcome::Complete;
    }

    pub(super) fn leave_out(&mut self, reason: Reason) {
        self.scanned += 1;
        *self.left_out.entry(reason).or_default() += 1;
    }

    /// Counts a name that a listing skipped.
    pub(super) fn skip(&mut self, skipped: Skipped, prefix: &str) {
        let reason = if skipped.is_unreadable() { Reason::Unreadable } else { Reason::NotExpressible };
        self.leave_out(reason);
        if self.names.len() < NAMES_KEPT {
            let name = skipped.name.strip_prefix(prefix).unwrap_or(&skipped.name).to_owned();
            self.names.push(LeftOut { name, reason, detail: skipped.reason.clone() });
        }
        *self.exceptions.entry(skipped.reason).or_default() += 1;
    }

    /// Ends the report of a walk that came to its end.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = match outcome {
            Outcome::Complete if self.left_out.contains_key(&Reason::Unreadable) => Outcome::Unreadable,
            outcome => outcome,
        };
        self.complete = self.outcome == Outcome::Complete;
    }
}
