//! What the suite needs to know of a medium that runs out: how to make it short of something, and how to end that.

use storage_core::ErrorKind;

use crate::harness::Fixture;

/// What a medium can be short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// There is no room for another object, and room again when one is deleted.
    Space,
    /// It can be read, and whoever it is may change nothing.
    ReadOnly,
    /// It can be read, and this user may change nothing.
    Permission,
}

impl Shortage {
    /// Each of them.
    pub(crate) const ALL: [Self; 3] = [Self::Space, Self::ReadOnly, Self::Permission];

    /// How a write fails meanwhile.
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Space => ErrorKind::OutOfSpace,
            Self::ReadOnly | Self::Permission => ErrorKind::PermissionDenied,
        }
    }
}

/// A root whose medium can be made short of something.
pub struct Cramped {
    /// The root; nothing is short yet.
    pub root: Fixture,
    set: Box<dyn Fn(bool) + Send + Sync>,
}

impl Cramped {
    /// A root, and what makes its medium short (`true`) and ends that (`false`), by turns. Where the root is dropped while
    /// something is short, its guard has to end it.
    pub fn new(root: Fixture, set: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self { root, set: Box::new(set) }
    }

    /// The same with another handle on the root.
    pub(crate) fn map(self, change: impl FnOnce(Fixture) -> Fixture) -> Self {
        Self { root: change(self.root), set: self.set }
    }

    /// Does something while the medium is short.
    pub(crate) async fn meanwhile<T>(&self, work: impl Future<Output = T>) -> T {
        (self.set)(true);
        let done = work.await;
        (self.set)(false);
        done
    }
}
