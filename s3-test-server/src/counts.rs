//! How many requests came, by operation.

use std::collections::BTreeMap;
use std::fmt;

/// How many requests of each operation were answered, or failed by a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Requests of one operation, by its API name (`"PutObject"`).
    pub fn of(&self, operation: &str) -> u64 {
        self.0.get(operation).copied().unwrap_or_default()
    }

    /// Operations and their requests, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(operation, count)| (*operation, *count))
    }

    pub(crate) fn add(&mut self, operation: &'static str) {
        *self.0.entry(operation).or_default() += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (operation, count)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{operation} {count}")?;
        }
        Ok(())
    }
}
