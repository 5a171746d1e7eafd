//! What a run of the suite found.

use std::time::Duration;

use serde::Serialize;
use storage_core::Capabilities;

use crate::rule::{Elsewhere, GROUPS, Rule};

/// What a run of the suite on one backend found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The suite's version.
    pub suite: &'static str,
    /// What was tested; `None` where not even a root could be made.
    pub backend: Option<Backend>,
    /// The seed of everything random.
    pub seed: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many rules ended how.
    pub totals: Totals,
    /// The rules that were selected, in the order of the contract.
    pub rules: Vec<RuleReport>,
    /// How the removal of what the suite has made ended, as its host says it; `None` where it says nothing. It is no part of
    /// whether the rules hold.
    pub clean_up: Option<CleanUp>,
}

/// How the removal of what the suite has made ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[must_use]
pub enum CleanUp {
    /// Nothing is left.
    Done,
    /// Nothing is left that this user can see; there may be what it may not.
    Unseen {
        /// What that is, in one line.
        reason: String,
    },
    /// Something is left, or may be.
    Failed {
        /// What the first failure says, in one line.
        reason: String,
    },
}

impl CleanUp {
    /// What is to be said of it; `None` where nothing is left.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Unseen { reason } | Self::Failed { reason } => Some(reason),
        }
    }

    /// Whether something could not be removed.
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// A backend that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// The driver's name.
    pub driver: String,
    /// Where its root lies, where it has an address. No address holds a secret (rule S09).
    pub location: Option<String>,
    /// What it declares, after a probe.
    pub capabilities: Capabilities,
}

/// How many rules ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Held.
    pub pass: usize,
    /// Broken.
    pub fail: usize,
    /// Waived by a capability.
    pub waived: usize,
    /// Not asked, since the harness gives nothing to ask.
    pub not_asked: usize,
    /// Proved elsewhere.
    pub elsewhere: usize,
}

/// How one rule ended.
#[derive(Debug, Clone, Serialize)]
pub struct RuleReport {
    /// The rule's id.
    pub id: &'static str,
    /// The name of its test; the id in lower case for a rule that is proved elsewhere.
    pub name: String,
    /// The title of its group.
    pub group: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What every driver promises.
    pub text: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a rule ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass {
        /// What was left out of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<Note>,
    },
    /// It is broken.
    Fail {
        /// What went wrong, in one line.
        reason: String,
        /// Every failed assertion, whole, in the order in which they failed; a rule of random histories tells its
        /// shortest script here.
        steps: Vec<Step>,
    },
    /// The driver declares that it lacks what the rule is about, and refuses it as it should.
    Waived {
        /// The capability that says so.
        capability: &'static str,
        /// What that means.
        reason: String,
    },
    /// The harness gives nothing that the rule could ask.
    NotAsked {
        /// What is missing.
        reason: String,
    },
    /// It is proved elsewhere.
    Elsewhere {
        /// Where.
        place: &'static str,
    },
}

/// Why a part of a rule, or all of it, was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The capability that waives it; `None` where the harness gives nothing to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<&'static str>,
    /// What that means.
    pub reason: String,
}

/// An assertion that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it says, maybe in many lines.
    pub message: String,
    /// File, line and column.
    pub place: String,
}

impl Note {
    pub(crate) fn waived(capability: &'static str, reason: &str) -> Self {
        Self { capability: Some(capability), reason: reason.to_owned() }
    }

    pub(crate) fn not_asked(reason: &str) -> Self {
        Self { capability: None, reason: reason.to_owned() }
    }

    fn outcome(self) -> Outcome {
        match self.capability {
            Some(capability) => Outcome::Waived { capability, reason: self.reason },
            None => Outcome::NotAsked { reason: self.reason },
        }
    }
}

impl Outcome {
    /// What a rule that came to its end has said.
    pub(crate) fn of(whole: Option<Note>, parts: Vec<Note>) -> Self {
        whole.map_or(Self::Pass { left_out: parts }, Note::outcome)
    }

    /// The outcome in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::Waived { .. } => "waived",
            Self::NotAsked { .. } => "not asked",
            Self::Elsewhere { .. } => "elsewhere",
        }
    }

    /// The reason in one line; empty for a rule that holds whole.
    pub fn reason(&self) -> String {
        match self {
            Self::Pass { left_out } => left_out.iter().map(|note| note.reason.as_str()).collect::<Vec<_>>().join("; "),
            Self::Fail { reason, .. } | Self::NotAsked { reason } => reason.clone(),
            Self::Waived { capability, reason } => format!("{capability}: {reason}"),
            Self::Elsewhere { place } => (*place).to_owned(),
        }
    }
}

impl Totals {
    fn of(rules: &[RuleReport]) -> Self {
        let mut totals = Self::default();
        for rule in rules {
            let count = match rule.outcome {
                Outcome::Pass { .. } => &mut totals.pass,
                Outcome::Fail { .. } => &mut totals.fail,
                Outcome::Waived { .. } => &mut totals.waived,
                Outcome::NotAsked { .. } => &mut totals.not_asked,
                Outcome::Elsewhere { .. } => &mut totals.elsewhere,
            };
            *count += 1;
        }
        totals
    }
}

impl RuleReport {
    pub(crate) fn new(rule: &Rule, outcome: Outcome, took: Duration) -> Self {
        Self {
            id: rule.id,
            name: rule.name.to_owned(),
            group: group_title(rule.group()),
            title: rule.title,
            text: rule.text,
            why: rule.why,
            seconds: took.as_secs_f64(),
            outcome,
        }
    }

    pub(crate) fn elsewhere(rule: &Elsewhere) -> Self {
        Self {
            id: rule.id,
            name: rule.id.to_lowercase(),
            group: group_title(rule.group()),
            title: rule.title,
            text: rule.text,
            why: rule.why,
            seconds: 0.0,
            outcome: Outcome::Elsewhere { place: rule.place },
        }
    }
}

fn group_title(letter: char) -> &'static str {
    GROUPS.iter().find(|(group, _)| *group == letter).map_or("", |(_, title)| title)
}

/// Where an id stands in the order of the contract.
pub(crate) fn order(id: &str) -> (usize, &str) {
    let group = GROUPS.iter().position(|(letter, _)| id.starts_with(*letter));
    (group.unwrap_or(GROUPS.len()), id)
}

impl Report {
    pub(crate) fn new(backend: Option<Backend>, seed: u64, mut rules: Vec<RuleReport>, took: Duration) -> Self {
        rules.sort_by(|a, b| order(a.id).cmp(&order(b.id)).then_with(|| a.name.cmp(&b.name)));
        let totals = Totals::of(&rules);
        Self {
            suite: env!("CARGO_PKG_VERSION"),
            backend,
            seed,
            seconds: took.as_secs_f64(),
            totals,
            rules,
            clean_up: None,
        }
    }

    /// Whether no rule failed.
    pub fn is_conformant(&self) -> bool {
        self.totals.fail == 0
    }

    /// The rules that failed.
    pub fn failed(&self) -> impl Iterator<Item = &RuleReport> {
        self.rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Fail { .. }))
    }
}
