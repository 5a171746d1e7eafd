//! Which rules a run asks, and how.

use std::time::Duration;

use storage_core::{Error, Result};

use crate::context::DEFAULT_SEED;
use crate::rule::{ELSEWHERE, Elsewhere, Rule};
use crate::table::rules;

/// How long a rule may take on a machine of our own.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(120);

/// Which rules a run asks, and how.
///
/// ```
/// use conformance_tests::Selection;
/// let keys_and_one_more = Selection::of("K,W01")?.seed(7).at_once(4);
/// assert!(Selection::of("Q").is_err());
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Groups, ids and names, in lower case; empty for all rules.
    wanted: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) at_once: usize,
    pub(crate) watchdog: Duration,
}

impl Selection {
    /// All rules, one after another.
    pub fn all() -> Self {
        Self { wanted: Vec::new(), seed: DEFAULT_SEED, at_once: 1, watchdog: WATCHDOG }
    }

    /// The rules that a text names, by group (`C`), id (`W01`) or the name of a test, in any case, parted by commas. Fails
    /// with `InvalidInput` where there is no such rule.
    pub fn of(text: &str) -> Result<Self> {
        let wanted: Vec<String> =
            text.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect();
        let known = |word: &String| {
            let mut names = rules().iter().map(|rule| (rule.id, rule.name));
            names.any(|(id, name)| meant(word, id, name)) || ELSEWHERE.iter().any(|rule| meant(word, rule.id, ""))
        };
        match wanted.iter().find(|word| !known(word)) {
            None if wanted.is_empty() => Err(Error::invalid_input("no rule is named")
                .with_help("name groups, as K, or ids, as W01, parted by commas")),
            None => Ok(Self { wanted, ..Self::all() }),
            Some(word) => Err(Error::invalid_input(format!("there is no rule {word:?}"))
                .with_help("name groups, as K, or ids, as W01, parted by commas; docs/contract.md has them all")),
        }
    }

    /// The seed of everything random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many rules are asked at once, 1 at least. Each has a root and two threads of its own.
    #[must_use]
    pub fn at_once(mut self, rules: usize) -> Self {
        self.at_once = rules.max(1);
        self
    }

    /// How long a rule may take before it counts as one that hangs; two minutes where nothing is said. A distant service
    /// needs more: some rules make thousands of requests.
    #[must_use]
    pub fn watchdog(mut self, longest: Duration) -> Self {
        self.watchdog = longest;
        self
    }

    /// The rules that are asked.
    pub fn rules(&self) -> Vec<&'static Rule> {
        rules().iter().filter(|rule| self.takes(rule.id, rule.name)).collect()
    }

    /// The rules that are reported without being asked.
    pub fn elsewhere(&self) -> Vec<&'static Elsewhere> {
        ELSEWHERE.iter().filter(|rule| self.takes(rule.id, "")).collect()
    }

    fn takes(&self, id: &str, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|word| meant(word, id, name))
    }
}

/// Whether a word in lower case means a rule.
fn meant(word: &str, id: &str, name: &str) -> bool {
    let id = id.to_lowercase();
    word == id || word == name || id.strip_prefix(word).is_some_and(|number| number.len() == 2)
}
