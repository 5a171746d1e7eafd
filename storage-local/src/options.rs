//! How a directory is opened.

use crate::folding::FoldingProbe;

/// What an Ok of a write means after a crash of the machine (rule W16).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The change is on the medium: file, directory and every directory newly made are synced.
    #[default]
    Full,
    /// The change is in the system's cache: it survives the end of the process, `kill -9` too, but a crash of the
    /// machine may lose the last seconds of writes, or leave an object of them empty.
    Fast,
}

/// Options of [`Local::open`](crate::Local::open).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// The first write makes the directory where it is missing; until then the root is empty. Without it a missing
    /// directory is `BackendNotFound`. Reading never makes one.
    pub create: bool,
    /// What an Ok means after a crash.
    pub durability: Durability,
    /// Use only calls that every Unix has, none of Linux's own; taken by itself where the system or the file system lacks
    /// these. All handles on a directory should take the same way: there, an object whose key becomes a level as well has
    /// no name for a moment, for which only handles that take this way wait.
    pub portable: bool,
    /// How it is found out whether the file system takes different names for one (rule K10).
    pub folding: FoldingProbe,
}

impl LocalOptions {
    /// An existing directory, durable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the first write make the directory.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Chooses what an Ok means after a crash.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Replaces the probe for file systems that take different names for one.
    #[must_use]
    pub fn folding(mut self, probe: FoldingProbe) -> Self {
        self.folding = probe;
        self
    }

    /// Uses only calls that every Unix has.
    #[must_use]
    pub fn portable(mut self, portable: bool) -> Self {
        self.portable = portable;
        self
    }
}
