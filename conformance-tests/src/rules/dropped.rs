//! Rule S03: futures dropped at every await.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::TryStreamExt as _;
use storage_core::{
    CopyOptions, DeleteOptions, ErrorKind, GetOptions, ListOptions, PutOptions, Result, Storage, SweepOptions,
};

use crate::Harness;
use crate::deep::effort::Effort;
use crate::rule::rule;
use crate::support::{bytes, interrupted, keys, keys_under, snapshot, sweep, version, version_of, write_streaming};

/// More awaits than any call has.
const MOST: usize = 300;

/// A call that takes fewer polls is dropped after each number of them. One that takes more, since it finds out first which
/// conditions the service keeps, is in a short run dropped after every [`STRIDE`]th number from there on.
const CLOSE: usize = 24;
const STRIDE: usize = 5;

/// The versions at the three keys of a call; `None` where nothing is.
type State = [Option<u32>; 3];

/// What they are before each call.
const BEFORE: State = [Some(1), Some(2), None];

/// The calls that rule W03 does not drop already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Create,
    Swap,
    StreamingCreate,
    StreamingSwap,
    Open,
    Abort,
    CreatingCopy,
    CreatingMove,
    ConditionalDelete,
    DeleteMany,
    DeletePrefix,
    Sweep,
    Probe,
    Head,
    Get,
}

impl Call {
    const ALL: [Self; 15] = [
        Self::Create,
        Self::Swap,
        Self::StreamingCreate,
        Self::StreamingSwap,
        Self::Open,
        Self::Abort,
        Self::CreatingCopy,
        Self::CreatingMove,
        Self::ConditionalDelete,
        Self::DeleteMany,
        Self::DeletePrefix,
        Self::Sweep,
        Self::Probe,
        Self::Head,
        Self::Get,
    ];

    /// What there is when it has ended well.
    fn after(self) -> State {
        match self {
            Self::Create | Self::StreamingCreate => [Some(1), Some(2), Some(3)],
            Self::Swap | Self::StreamingSwap => [Some(3), Some(2), None],
            Self::CreatingCopy => [Some(1), Some(2), Some(1)],
            Self::CreatingMove => [None, Some(2), Some(1)],
            Self::ConditionalDelete => [None, Some(2), None],
            Self::DeleteMany | Self::DeletePrefix => [None; 3],
            Self::Open | Self::Abort | Self::Sweep | Self::Probe | Self::Head | Self::Get => BEFORE,
        }
    }

    /// Whether what there is may be there after the call was dropped.
    fn allows(self, now: State, storage: &Storage) -> bool {
        let in_steps = match self {
            Self::DeleteMany | Self::DeletePrefix => true,
            Self::CreatingMove => !storage.capabilities().atomic_rename,
            _ => false,
        };
        let each = (0..3).all(|key| now[key] == BEFORE[key] || now[key] == self.after()[key]);
        let kept = self != Self::CreatingMove || now.contains(&Some(1));
        now == BEFORE || now == self.after() || in_steps && each && kept
    }

    async fn make(self, storage: &Storage, [x, y, z]: &[String; 3], level: &str) -> Result<()> {
        let new = || version(3);
        match self {
            Self::Create => storage.put_with(z, new(), PutOptions::new().create_only()).await.map(drop),
            Self::Swap | Self::StreamingSwap => {
                let options = PutOptions::new().if_match(storage.head(x).await?.meta.etag);
                match self {
                    Self::Swap => storage.put_with(x, new(), options).await.map(drop),
                    _ => write_streaming(storage, x, new(), options).await.map(drop),
                }
            }
            Self::StreamingCreate => {
                write_streaming(storage, z, new(), PutOptions::new().create_only()).await.map(drop)
            }
            Self::Open => storage.writer(x).await.map(drop),
            Self::Abort => {
                let mut writer = storage.writer(x).await?;
                writer.write(bytes(3, 100_000)).await?;
                writer.abort().await
            }
            Self::CreatingCopy => storage.copy_with(x, z, CopyOptions::new().create_only()).await.map(drop),
            Self::CreatingMove => storage.rename_with(x, z, CopyOptions::new().create_only()).await.map(drop),
            Self::ConditionalDelete => {
                let etag = storage.head(x).await?.meta.etag;
                storage.delete_with(x, DeleteOptions::new().if_match(etag)).await
            }
            Self::DeleteMany => storage.delete_many([x, y, z]).await?.into_iter().collect(),
            Self::DeletePrefix => storage.delete_prefix(level).await.map(drop),
            Self::Sweep => storage.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await.map(drop),
            Self::Probe => storage.probe().await.map(drop),
            Self::Head => storage.head(x).await.map(drop),
            Self::Get => storage.bytes(x).await.map(drop),
        }
    }
}

rule! {
    /// A future that is dropped at any await, of any operation, leaves every object old or new and whole, nothing visible
    /// of a write that was not finished, and nothing that a sweep does not find. A page and a piece of a body that were
    /// dropped while they were awaited can be asked for again.
    S03, s03_dropped_at_every_await, "Dropped futures",
    why: "A web host drops futures whenever a client hangs up: each await is a place where a call may end for good."
}
async fn s03_dropped_at_every_await(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let mut settled = Vec::new();
    let stride = if Effort::begin().long { 1 } else { STRIDE };
    for call in Call::ALL {
        let took = dropped(storage, call, "first", stride, &mut settled).await;
        if took >= CLOSE {
            // By now it knows what it had to find out, and takes few.
            dropped(storage, call, "again", stride, &mut settled).await;
        }
    }
    let late = storage.capabilities().late_commit;
    for (call, keys, then) in settled {
        let now = state(storage, &keys).await;
        let fits = if late { call.allows(now, storage) } else { now == then };
        assert!(fits, "{call:?} at {}: {then:?} when the drop had returned, and later {now:?}", keys[0]);
    }
    dropped_pieces(storage).await;
    dropped_pages(storage).await;
    dropped_writes(storage).await;
    sweep(storage).await;
    assert_eq!(sweep(storage).await, 0, "a sweep removes all that dropped calls leave");
}

/// Drops a call after so many polls and more, on keys of their own, until it ends; says how many it took, and adds what was
/// there when each drop had returned.
async fn dropped(
    storage: &Storage,
    call: Call,
    time: &str,
    stride: usize,
    settled: &mut Vec<(Call, [String; 3], State)>,
) -> usize {
    for polls in (0..CLOSE).chain((CLOSE..MOST).step_by(stride)) {
        let level = format!("{call:?}/{time}/{polls}/");
        let keys = ["x", "y", "z"].map(|name| format!("{level}{name}"));
        for (key, number) in [(&keys[0], 1), (&keys[1], 2)] {
            storage.put(key, version(number)).await.unwrap();
        }
        let ended = interrupted(call.make(storage, &keys, &level), polls).await;
        let refused = match &ended {
            Some(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{call:?}: {error}");
                true
            }
            _ => false,
        };
        let now = state(storage, &keys).await;
        let fits = match &ended {
            Some(Ok(())) => now == call.after(),
            _ => call.allows(now, storage) && (!refused || now == BEFORE),
        };
        assert!(fits, "{call:?}, dropped after {polls} polls, ended {}: {now:?}", ended.is_some());
        settled.push((call, keys, now));
        if ended.is_some() {
            return polls;
        }
    }
    MOST
}

/// The versions at the keys, each of them whole.
async fn state(storage: &Storage, keys: &[String; 3]) -> State {
    let mut state = [None; 3];
    for (key, found) in keys.iter().zip(&mut state) {
        *found = snapshot(storage, key).await.map(|object| version_of(&object.content));
    }
    state
}

/// A body goes on where it was, however often waiting for its next piece was given up.
async fn dropped_pieces(storage: &Storage) {
    let content = bytes(3, 700_000);
    storage.put("body", content.clone()).await.unwrap();
    for polls in 1..4 {
        let mut stream = storage.get("body", GetOptions::new()).await.unwrap().body.into_stream();
        let mut pieces: Vec<Bytes> = Vec::new();
        loop {
            let piece = match interrupted(stream.try_next(), polls).await {
                Some(piece) => piece,
                None => stream.try_next().await,
            };
            match piece.unwrap() {
                Some(piece) => pieces.push(piece),
                None => break,
            }
        }
        assert!(pieces.concat() == content, "a body whose pieces were given up after {polls} polls");
    }
}

/// A listing gives the same entries, however often waiting for a page was given up.
async fn dropped_pages(storage: &Storage) {
    for number in 0..12 {
        storage.put(format!("pages/{number:02}"), "").await.unwrap();
    }
    let whole = keys_under(storage, "pages/").await;
    for polls in 0..6 {
        let options = ListOptions::new().prefix(storage_core::Prefix::new("pages/").unwrap()).page_size(5);
        let (mut pages, mut listed) = (storage.pages(options).await.unwrap(), Vec::new());
        loop {
            let page = match interrupted(pages.next_page(), polls).await {
                Some(page) => page,
                None => pages.next_page().await,
            };
            match page.unwrap() {
                Some(page) => listed.extend(page.entries.iter().map(|entry| entry.as_str().to_owned())),
                None => break,
            }
        }
        assert_eq!(listed, whole, "pages that were given up after {polls} polls and asked for again");
    }
}

/// A writer of which a write was dropped writes all of it or refuses to go on; nothing of it shows before it has finished.
async fn dropped_writes(storage: &Storage) {
    let (first, second) = (bytes(1, 100_000), bytes(2, 300_000));
    for polls in 0..MOST {
        let key = format!("writes/{polls:03}");
        let mut writer = storage.writer(&key).await.unwrap();
        writer.write(first.clone()).await.unwrap();
        let ended = interrupted(writer.write(second.clone()), polls).await;
        assert_eq!(keys_under(storage, &key).await, Vec::<String>::new(), "seen before its finish");
        match writer.finish().await {
            Ok(_) => {
                let content = storage.bytes(&key).await.unwrap();
                let whole = content == [&first[..], &second].concat();
                assert!(whole || ended.is_none() && content == first, "{} bytes after {polls} polls", content.len());
            }
            Err(error) => {
                assert!(ended.is_none(), "a write that was Ok: {error}");
                drop(writer);
                assert!(!keys(storage).await.contains(&key), "what could not be finished is there");
            }
        }
        if ended.is_some() {
            break;
        }
    }
}
