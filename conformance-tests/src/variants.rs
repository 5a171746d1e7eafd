//! Harnesses made of others: every rule holds through a sub-root and through wrappers.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use storage_core::{ObjectMeta, Storage};

use crate::harness::{Fixture, Harness};
use crate::service::{Behind, Service};
use crate::shortage::{Cramped, Shortage};

/// Where the sub-roots lie.
const SUB_ROOT: &str = "tenant-42/deep";

/// What stands beside the sub-root, in names chosen to be mistaken for it.
const SIBLINGS: [&str; 7] = [
    "tenant-42/deep-2",
    "tenant-42/deep-2/x",
    "tenant-42/deepest/x",
    "tenant-42/dee",
    "tenant-4/deep/x",
    "deep/x",
    "x",
];

/// Every root is a sub-root beside sibling objects, which no rule may see or touch (rule S07).
pub struct SubRoot<H> {
    inner: H,
    roots: Mutex<Vec<Surroundings>>,
}

/// The root around a sub-root, and its siblings as they were.
struct Surroundings {
    whole: Storage,
    siblings: Vec<ObjectMeta>,
    /// Keeps the root until it has been checked.
    _guard: Arc<dyn Any + Send + Sync>,
}

impl<H> SubRoot<H> {
    /// Sub-roots of the roots of `inner`.
    pub fn new(inner: H) -> Self {
        Self { inner, roots: Mutex::default() }
    }
}

/// The sub-root of a root.
fn below(mut fixture: Fixture) -> Fixture {
    fixture.storage = fixture.storage.sub(SUB_ROOT).unwrap();
    fixture.sub_root = true;
    fixture.directory = fixture.directory.map(|directory| directory.join(SUB_ROOT));
    if let Some(directory) = &fixture.directory {
        std::fs::create_dir_all(directory).unwrap();
    }
    fixture
}

#[async_trait]
impl<H: Harness> Harness for SubRoot<H> {
    async fn fresh(&self) -> Fixture {
        let mut fixture = self.inner.fresh().await;
        let whole = fixture.storage.clone();
        for key in SIBLINGS {
            whole.put(key, format!("a sibling of the sub-root: {key}")).await.unwrap();
        }
        let siblings = whole.list_all("").await.unwrap();
        let _guard = Arc::clone(&fixture.guard);
        fixture = below(fixture);
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).push(Surroundings { whole, siblings, _guard });
        fixture
    }

    async fn missing(&self) -> Option<Storage> {
        self.inner.missing().await.map(|root| root.sub(SUB_ROOT).unwrap())
    }

    async fn attach(&self, address: &str) -> Storage {
        self.inner.attach(address).await.sub(SUB_ROOT).unwrap()
    }

    async fn service(&self) -> Option<Arc<dyn Service>> {
        let change = |storage: Storage| storage.sub(SUB_ROOT).unwrap();
        let inner = self.inner.service().await?;
        Some(Arc::new(Behind { inner, change, sub_root: Some(SUB_ROOT) }))
    }

    async fn versioned(&self) -> Option<Fixture> {
        self.inner.versioned().await.map(below)
    }

    async fn cramped(&self, shortage: Shortage) -> Result<Cramped, String> {
        Ok(self.inner.cramped(shortage).await?.map(below))
    }

    fn part_size(&self) -> Option<u64> {
        self.inner.part_size()
    }

    async fn finished(&self) {
        let roots = std::mem::take(&mut *self.roots.lock().unwrap_or_else(PoisonError::into_inner));
        for root in roots {
            let mut left = root.whole.list_all("").await.unwrap();
            left.retain(|object| !object.key.as_str().starts_with("tenant-42/deep/"));
            assert_eq!(left, root.siblings, "S07: what stands beside the sub-root is as it was");
            for key in SIBLINGS {
                let text = root.whole.text(key).await.unwrap();
                assert_eq!(text, format!("a sibling of the sub-root: {key}"), "S07: {key}");
            }
        }
        self.inner.finished().await;
    }
}

/// Every handle goes through `wrap`, which stacks wrappers around its backend (rule S12).
pub struct Wrapped<H> {
    inner: H,
    wrap: fn(Storage) -> Storage,
}

impl<H> Wrapped<H> {
    /// The roots of `inner` behind the wrappers that `wrap` puts around them.
    pub fn new(inner: H, wrap: fn(Storage) -> Storage) -> Self {
        Self { inner, wrap }
    }
}

#[async_trait]
impl<H: Harness> Harness for Wrapped<H> {
    async fn fresh(&self) -> Fixture {
        let mut fixture = self.inner.fresh().await;
        fixture.storage = (self.wrap)(fixture.storage);
        fixture
    }

    async fn missing(&self) -> Option<Storage> {
        self.inner.missing().await.map(self.wrap)
    }

    async fn attach(&self, address: &str) -> Storage {
        (self.wrap)(self.inner.attach(address).await)
    }

    async fn service(&self) -> Option<Arc<dyn Service>> {
        let inner = self.inner.service().await?;
        Some(Arc::new(Behind { inner, change: self.wrap, sub_root: None }))
    }

    async fn versioned(&self) -> Option<Fixture> {
        let mut fixture = self.inner.versioned().await?;
        fixture.storage = (self.wrap)(fixture.storage);
        Some(fixture)
    }

    async fn cramped(&self, shortage: Shortage) -> Result<Cramped, String> {
        let wrapped = |mut fixture: Fixture| {
            fixture.storage = (self.wrap)(fixture.storage);
            fixture
        };
        Ok(self.inner.cramped(shortage).await?.map(wrapped))
    }

    fn part_size(&self) -> Option<u64> {
        self.inner.part_size()
    }

    async fn finished(&self) {
        self.inner.finished().await;
    }
}
