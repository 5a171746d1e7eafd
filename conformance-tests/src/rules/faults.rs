//! Rule E05: what the faults of a service do to each operation, at its first, a middle and its last request.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use storage_core::{ErrorKind, ListOptions, Prefix, Result, Storage};

use crate::Harness;
use crate::context::{NO_SERVICE, nothing_to_ask};
use crate::rule::rule;
use crate::service::{Fault, Hits, Patience, Request, Service};
use crate::support::{bytes, snapshot};

/// How many cells of the matrix are tried at once: most of the time they wait, unless they move large content.
const AT_ONCE: usize = 32;
const LARGE_AT_ONCE: usize = 4;

/// How often a host's own wrappers may repeat what the driver has given up.
const BY_HOST: u32 = 3;

/// What the object of every cell holds before the operation, and what a write puts in its place.
const OLD: &str = "the old object";
const NEW: &str = "the new object, of another length";

/// The operations that can fail, each with a part of its own in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Get,
    Range,
    Head,
    List,
    Put,
    Copy,
    Delete,
    DeleteMany,
    Write,
}

impl Work {
    const ALL: [Self; 9] = [
        Self::Get,
        Self::Range,
        Self::Head,
        Self::List,
        Self::Put,
        Self::Copy,
        Self::Delete,
        Self::DeleteMany,
        Self::Write,
    ];

    /// The requests of which it consists.
    fn requests(self) -> Vec<(Request, u64)> {
        match self {
            Self::Get | Self::Range => vec![(Request::Get, 1)],
            Self::Head => vec![(Request::Head, 1)],
            Self::List => vec![(Request::List, 3)],
            Self::Put => vec![(Request::Put, 1)],
            Self::Copy => vec![(Request::Copy, 1)],
            Self::Delete => vec![(Request::Delete, 1)],
            Self::DeleteMany => vec![(Request::DeleteMany, 3)],
            Self::Write => vec![(Request::StartUpload, 1), (Request::UploadPart, 3), (Request::FinishUpload, 1)],
        }
    }

    /// What can happen to one of its requests, and what is said of it if it goes on.
    fn faults(self, request: Request) -> Vec<(Fault, ErrorKind)> {
        let mut faults = vec![
            (Fault::Internal, ErrorKind::Unavailable),
            (Fault::LoseAnswer, ErrorKind::Unavailable),
            (Fault::Hang, ErrorKind::Timeout),
        ];
        // A streaming write takes its time: it has the faults that differ most.
        if self != Self::Write {
            faults.extend([
                (Fault::Unavailable, ErrorKind::Unavailable),
                (Fault::Throttled(None), ErrorKind::Throttled),
                (Fault::Reset, ErrorKind::Unavailable),
                (Fault::TooLate, ErrorKind::Timeout),
            ]);
        }
        if matches!(request, Request::List | Request::Copy | Request::DeleteMany | Request::FinishUpload) {
            faults.extend([
                (Fault::ErrorInSuccess, ErrorKind::Unavailable),
                (Fault::Truncated(60), ErrorKind::Unavailable),
            ]);
        }
        if matches!(request, Request::Get | Request::List | Request::DeleteMany) {
            faults.push((Fault::CutBody(0), ErrorKind::Unavailable));
        }
        faults
    }

    /// Whether it leaves what is stored as it is.
    fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Range | Self::Head | Self::List)
    }

    /// What it needs to find.
    async fn prepare(self, storage: &Storage) {
        storage.put("k", OLD).await.unwrap();
        match self {
            Self::List => {
                for key in ["l/1", "l/2", "l/3", "l/4", "l/5"] {
                    storage.put(key, "").await.unwrap();
                }
            }
            Self::Copy => drop(storage.put("source", NEW).await.unwrap()),
            _ => {}
        }
    }

    /// Does it; a read checks what it has read.
    async fn run(self, storage: &Storage, patience: &Patience) -> Result<()> {
        match self {
            Self::Get => assert_eq!(storage.bytes("k").await?, OLD),
            Self::Range => assert_eq!(storage.range("k", 4..7).await?, OLD[4..7]),
            Self::Head => assert_eq!(storage.head("k").await?.meta.size, OLD.len() as u64),
            Self::List => assert_eq!(listed(storage).await?, ["l/1", "l/2", "l/3", "l/4", "l/5"]),
            Self::Put => drop(storage.put("k", NEW).await?),
            Self::Copy => drop(storage.copy("source", "k").await?),
            Self::Delete => storage.delete("k").await?,
            Self::DeleteMany => {
                let rest = (0..2 * patience.page_size).map(|i| format!("no-such/{i:05}"));
                let results = storage.delete_many(std::iter::once("k".to_owned()).chain(rest)).await?;
                assert_eq!(results.len(), 2 * patience.page_size + 1, "a result for each key");
                results.into_iter().collect::<Result<()>>()?;
            }
            Self::Write => {
                let mut writer = storage.writer("k").await?;
                writer.write(three_parts(patience)).await?;
                writer.finish().await?;
            }
        }
        Ok(())
    }

    /// The object when the operation has been done; `None` where it is gone then.
    fn after(self, patience: &Patience) -> Option<Bytes> {
        match self {
            Self::Delete | Self::DeleteMany => None,
            Self::Write => Some(three_parts(patience)),
            Self::Put | Self::Copy => Some(NEW.into()),
            _ => Some(OLD.into()),
        }
    }
}

/// Made once, since it is large.
fn three_parts(patience: &Patience) -> Bytes {
    static CONTENT: OnceLock<Bytes> = OnceLock::new();
    CONTENT.get_or_init(|| bytes(5, 2 * patience.part_size + 1)).clone()
}

/// The keys of the listing, page by page.
async fn listed(storage: &Storage) -> Result<Vec<String>> {
    let options = ListOptions::new().prefix(Prefix::new("l/")?).page_size(2);
    let mut pages = storage.pages(options).await?;
    let mut keys = Vec::new();
    while let Some(page) = pages.next_page().await? {
        keys.extend(page.entries.iter().map(|entry| entry.as_str().to_owned()));
    }
    Ok(keys)
}

/// One fault at one request of one operation.
#[derive(Debug, Clone, Copy)]
struct Cell {
    work: Work,
    request: Request,
    after: u64,
    fault: Fault,
    kind: ErrorKind,
    lasting: bool,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for work in Work::ALL {
            for (request, count) in work.requests() {
                let mut places = vec![0, count / 2, count - 1];
                places.dedup();
                for (fault, kind) in work.faults(request) {
                    for after in &places {
                        for lasting in [false, true] {
                            cells.push(Self { work, request, after: *after, fault, kind, lasting });
                        }
                    }
                }
            }
        }
        cells
    }

    /// What may come of it; `None` stands for success.
    fn due(&self) -> Vec<Option<ErrorKind>> {
        let repeatable = self.work.is_read() || matches!(self.request, Request::StartUpload | Request::UploadPart);
        match (self.lasting, repeatable) {
            (false, _) => vec![None],
            (true, true) => vec![Some(self.kind)],
            // What has been sent and not been answered may have happened, and a look at the object may tell.
            (true, false) => match self.fault {
                Fault::Unavailable | Fault::Throttled(_) | Fault::Internal | Fault::ErrorInSuccess => {
                    vec![Some(self.kind), Some(ErrorKind::OutcomeUnknown)]
                }
                Fault::LoseAnswer | Fault::Truncated(_) | Fault::CutBody(_) => {
                    vec![None, Some(ErrorKind::OutcomeUnknown)]
                }
                _ => vec![Some(ErrorKind::OutcomeUnknown)],
            },
        }
    }

    /// What is not as it should be.
    async fn wrong(self, harness: &dyn Harness) -> Vec<String> {
        let Some(service) = harness.service().await else { return Vec::new() };
        let (fixture, patience) = (service.hasty().await, service.patience());
        let storage = &fixture.storage;
        self.work.prepare(storage).await;
        service.take_requests();
        let hits = Hits { times: if self.lasting { u64::MAX } else { 1 }, ..Hits::once(self.request) };
        service.inject(self.fault, hits.after(self.after));
        let start = Instant::now();
        let result = self.work.run(storage, &patience).await;
        let took = start.elapsed();
        service.heal();
        let mut wrong = self.wrong_counts(&*service, took);
        let outcome = result.as_ref().err().map(storage_core::Error::kind);
        if !self.due().contains(&outcome) {
            wrong.push(format!("{:?} are due, and it is {outcome:?}: {result:?}", self.due()));
        }
        if let Err(error) = &result
            && (error.operation().is_none() || error.help().is_none())
        {
            wrong.push(format!("an error names the operation and says what can be done: {error}"));
        }
        wrong.extend(self.wrong_object(storage, &patience, outcome).await);
        wrong.into_iter().map(|wrong| format!("{self:?}: {wrong}")).collect()
    }

    /// Requests are bounded, a failed one is sent again, and the end comes in time.
    fn wrong_counts(&self, service: &dyn Service, took: Duration) -> Vec<String> {
        let patience = service.patience();
        let sent = service.take_requests().get(&self.request).copied().unwrap_or_default();
        let count = self.work.requests().iter().find(|(request, _)| *request == self.request).map_or(0, |due| due.1);
        // What fails on a connection that was idle may be sent on another at once.
        let attempts = patience.attempts + 1;
        let most = (count - 1 + attempts) * u64::from(BY_HOST);
        let parallel = if self.request == Request::UploadPart { count * attempts } else { most };
        let mut wrong = Vec::new();
        // A service may count what is given up before it is answered, or not.
        let least = if self.fault == Fault::TooLate { 0 } else { self.after + 2 };
        if sent > most.max(parallel) || sent < least {
            wrong.push(format!("{sent} requests of this kind, at most {most} are due and {least} at least"));
        }
        let steps: u64 = self.work.requests().iter().map(|(_, count)| count).sum();
        let longest = patience.operation * u32::try_from(steps).unwrap() * BY_HOST + Duration::from_secs(5);
        if took > longest {
            wrong.push(format!("it took {took:?}, {longest:?} are allowed"));
        }
        wrong
    }

    /// The object is the old or the new one, and after an error of which the outcome is known it is the old one.
    async fn wrong_object(&self, storage: &Storage, patience: &Patience, outcome: Option<ErrorKind>) -> Vec<String> {
        let now = snapshot(storage, "k").await.map(|object| object.content);
        let (old, new) = (Some(Bytes::from(OLD)), self.work.after(patience));
        let right = match outcome {
            None => now == new,
            Some(ErrorKind::OutcomeUnknown) => now == old || now == new,
            // Of a bulk delete some batches may be done before one fails.
            Some(_) if self.work == Work::DeleteMany => now == old || now == new,
            Some(_) => now == old,
        };
        let length = now.map(|content| content.len());
        if right { Vec::new() } else { vec![format!("after {outcome:?} the object has {length:?} bytes")] }
    }
}

rule! {
    /// A fault of the service (a failure, a reset, a lost answer, a cut body or document, an error inside a success,
    /// too late an answer or none) at the first, a middle or the last request of an operation is repeated a bounded
    /// number of times within the operation's deadline. One that passes is not noticed; one that stays ends in the
    /// kind it has on every driver, or in `OutcomeUnknown` where the request may have been done, and the object is the
    /// old or the new one, whole.
    E05, e05_faults_of_the_service, "Faults of the service",
    why: "Services fail in small ways every day; each fault that is not met ends in a lost write, a false answer or a \
          hang."
}
async fn e05_faults_of_the_service(harness: &dyn Harness) {
    if harness.service().await.is_none() {
        return nothing_to_ask(NO_SERVICE);
    }
    let (large, small): (Vec<Cell>, Vec<Cell>) = Cell::all().into_iter().partition(|cell| cell.work == Work::Write);
    let mut wrong = Vec::new();
    for (cells, at_once) in [(small, AT_ONCE), (large, LARGE_AT_ONCE)] {
        let tried = stream::iter(cells).map(|cell| cell.wrong(harness)).buffer_unordered(at_once);
        wrong.extend(tried.collect::<Vec<_>>().await.concat());
    }
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
    waits_as_asked(harness).await;
    bodies_that_break_off(harness).await;
}

/// A pause that the service asks for is kept.
async fn waits_as_asked(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return };
    let fixture = service.hasty().await;
    let asked = Duration::from_secs(1);
    service.inject(Fault::Throttled(Some(asked)), Hits::once(Request::Put));
    let start = Instant::now();
    fixture.storage.put("k", NEW).await.unwrap();
    assert!(start.elapsed() >= asked, "asked to wait {asked:?}, it waited {:?}", start.elapsed());
}

/// A body that breaks off in the middle of a stream goes on where it broke off, or ends in an error; never in silence.
async fn bodies_that_break_off(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return };
    let fixture = service.hasty().await;
    let data = bytes(50, 300_000);
    fixture.storage.put("large", data.clone()).await.unwrap();
    for cut in [0, 100_000, 299_999] {
        service.inject(Fault::CutBody(cut), Hits::all(Request::Get));
        let (got, failure) = drained(&fixture.storage).await;
        service.heal();
        assert!(data.starts_with(&got), "cut after {cut} bytes: what came is of the object");
        match failure {
            Some(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "cut after {cut} bytes: {error}"),
            None => assert!(got == data, "cut after {cut} bytes: {} of {} came, and no error", got.len(), data.len()),
        }
    }
}

/// What a stream yields, and the error that ends it.
async fn drained(storage: &Storage) -> (Vec<u8>, Option<storage_core::Error>) {
    let mut got = Vec::new();
    let mut stream = match storage.stream("large").await {
        Ok(stream) => stream,
        Err(error) => return (got, Some(error)),
    };
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(error) => return (got, Some(error)),
        }
    }
    (got, None)
}
