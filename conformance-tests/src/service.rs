//! What the suite needs to know of a remote service, where a driver has one: how to make it fail, and what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::Storage;

use crate::harness::Fixture;

/// A running service of which no other rule knows, that fails when it is told to.
///
/// Whoever implements it has a server in the process, or stands between the driver and a real one.
#[async_trait]
pub trait Service: Send + Sync {
    /// A fresh, empty root on the service.
    async fn fresh(&self) -> Fixture;

    /// The same, with a handle that waits and pauses as little as the driver lets it, so that a rule which makes it run
    /// out of patience ends soon.
    async fn hasty(&self) -> Fixture;

    /// What the handles of [`hasty`](Self::hasty) are set to.
    fn patience(&self) -> Patience;

    /// Makes requests fail from now on; several such orders stand beside each other.
    fn inject(&self, fault: Fault, hits: Hits);

    /// Answers everything as it should again.
    fn heal(&self);

    /// How many requests of each kind came since this was last asked, those that were made to fail too.
    fn take_requests(&self) -> Requests;

    /// A handle on the root of this address that has something wrong with it; `None` where the service knows no such
    /// mistake.
    async fn broken(&self, address: &str, mistake: Mistake) -> Option<Storage>;

    /// Makes so many objects under a prefix that ends in `/`, without a request that counts.
    async fn fill(&self, address: &str, prefix: &str, objects: u64);

    /// Makes an empty object of a name that no key expresses, without the driver; false where there can be none.
    async fn plant(&self, _address: &str, _name: &str) -> bool {
        false
    }

    /// What must never be shown: the secrets of every handle of this service, broken ones too, and parts of them that
    /// are as good as the whole.
    fn secrets(&self) -> Vec<String>;

    /// Variables of the environment, and files in a directory, that lead whoever reads them to the trap instead of the
    /// service.
    fn poison(&self, trap: &Trap<'_>) -> Vec<(String, String)>;
}

/// How long, how often and in which pieces a handle tries.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The longest that one request may wait for its answer.
    pub answer: Duration,
    /// The longest that an operation of one request may take, with everything that is repeated.
    pub operation: Duration,
    /// How often a request is sent at most, the first time counted.
    pub attempts: u64,
    /// The size of a piece of a streaming write in bytes; a write of more is made of several requests.
    pub part_size: usize,
    /// How many objects a page of a listing holds, and a bulk delete takes.
    pub page_size: usize,
}

/// Where a handle that reads more than it was given ends up.
#[derive(Debug, Clone, Copy)]
pub struct Trap<'a> {
    /// A URL at which somebody listens who counts as an intruder.
    pub url: &'a str,
    /// An empty directory for files that nobody may read.
    pub directory: &'a Path,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service says that it has failed (500).
    Internal,
    /// The service says that it cannot do it now (503).
    Unavailable,
    /// The service asks to slow down, and maybe how long to wait (429, or 503 with a code that says so).
    Throttled(Option<Duration>),
    /// The connection is reset before the request is read.
    Reset,
    /// The request is done and the connection reset in the place of an answer.
    LoseAnswer,
    /// The body of the answer, or the document in it, ends after so many bytes with the connection.
    CutBody(usize),
    /// The answer comes when nobody waits for it any more.
    TooLate,
    /// The connection stays open and nothing is ever said.
    Hang,
    /// The answer says that all is well, and holds an error in the place of its document.
    ErrorInSuccess,
    /// The answer's document is cut short, and its length is that of what is left.
    Truncated(usize),
    /// A range is ignored: the whole object comes.
    IgnoreRange,
    /// The service met a concurrent change, did nothing, and asks to do it again.
    Conflict,
    /// A byte of the content is another one on its way to the caller.
    FlipByte,
}

/// Which requests fail.
#[derive(Debug, Clone, Copy)]
pub struct Hits {
    /// Only requests of this kind.
    pub request: Option<Request>,
    /// So many of them pass first.
    pub after: u64,
    /// Then so many fail.
    pub times: u64,
    /// Of those only one in so many, by a draw from a seed.
    pub one_in: Option<(u64, u64)>,
}

impl Hits {
    /// Every request of a kind.
    pub fn all(request: Request) -> Self {
        Self { request: Some(request), after: 0, times: u64::MAX, one_in: None }
    }

    /// The next request of a kind.
    pub fn once(request: Request) -> Self {
        Self { times: 1, ..Self::all(request) }
    }

    /// Lets so many pass first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Only one in so many, by a draw from a seed.
    #[must_use]
    pub fn one_in(mut self, share: u64, seed: u64) -> Self {
        self.one_in = Some((share, seed));
        self
    }
}

/// What a service is asked, whatever it calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// An object, or a range of it.
    Get,
    /// An object's metadata.
    Head,
    /// A write in one request.
    Put,
    /// A page of a listing.
    List,
    /// A copy within the service.
    Copy,
    /// A delete of one object.
    Delete,
    /// A delete of many objects.
    DeleteMany,
    /// The opening of a write in pieces.
    StartUpload,
    /// A piece of it.
    UploadPart,
    /// What makes its pieces an object.
    FinishUpload,
    /// What discards them.
    AbortUpload,
    /// Anything else.
    Other,
}

/// How many requests of each kind came.
pub type Requests = BTreeMap<Request, u64>;

/// What may be wrong with a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// An access key that the service does not know.
    WrongKey,
    /// A secret that is not the key's.
    WrongSecret,
    /// A user who may do nothing.
    NoPermission,
    /// A container that does not exist.
    MissingRoot,
    /// Another region than the container's.
    WrongRegion,
    /// A clock that is hours off.
    SkewedClock,
    /// A session that is over.
    ExpiredToken,
    /// An endpoint at which nobody listens.
    NobodyListens,
    /// An endpoint that accepts connections and says nothing.
    NobodyAnswers,
    /// TLS spoken to an endpoint that does not.
    PlainHttp,
}

/// A service whose handles stand behind something else.
pub(crate) struct Behind {
    pub(crate) inner: Arc<dyn Service>,
    pub(crate) change: fn(Storage) -> Storage,
    pub(crate) sub_root: Option<&'static str>,
}

impl Behind {
    fn changed(&self, mut fixture: Fixture) -> Fixture {
        fixture.storage = (self.change)(fixture.storage);
        fixture.sub_root |= self.sub_root.is_some();
        fixture
    }
}

#[async_trait]
impl Service for Behind {
    async fn fresh(&self) -> Fixture {
        self.changed(self.inner.fresh().await)
    }

    async fn hasty(&self) -> Fixture {
        self.changed(self.inner.hasty().await)
    }

    fn patience(&self) -> Patience {
        self.inner.patience()
    }

    fn inject(&self, fault: Fault, hits: Hits) {
        self.inner.inject(fault, hits);
    }

    fn heal(&self) {
        self.inner.heal();
    }

    fn take_requests(&self) -> Requests {
        self.inner.take_requests()
    }

    async fn broken(&self, address: &str, mistake: Mistake) -> Option<Storage> {
        self.inner.broken(address, mistake).await.map(self.change)
    }

    async fn fill(&self, address: &str, prefix: &str, objects: u64) {
        let prefix = self.sub_root.map_or_else(|| prefix.to_owned(), |root| format!("{root}/{prefix}"));
        self.inner.fill(address, &prefix, objects).await;
    }

    async fn plant(&self, address: &str, name: &str) -> bool {
        let name = self.sub_root.map_or_else(|| name.to_owned(), |root| format!("{root}/{name}"));
        self.inner.plant(address, &name).await
    }

    fn secrets(&self) -> Vec<String> {
        self.inner.secrets()
    }

    fn poison(&self, trap: &Trap<'_>) -> Vec<(String, String)> {
        self.inner.poison(trap)
    }
}
