//! From inputs to items.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use storage_core::{
    Entries, Entry, Error, ErrorKind, Key, ListOptions, Location, OpenOptions, Prefix, Registry, Result, Skipped,
    Storage,
};

use super::item::Item;
use super::policy::{Allowed, InputPolicy};
use super::tell::{is_there, missing, tell};
use super::{Given, Input, Reading};

/// How many names that no key can express are kept; all are counted.
const NAMES_KEPT: usize = 1000;

/// The items of inputs: see [`Inputs::resolve`](super::Inputs::resolve).
pub struct Items {
    stream: BoxStream<'static, Result<Item>>,
    skipped: Arc<Mutex<SkippedNames>>,
}

#[derive(Default)]
struct SkippedNames {
    count: u64,
    names: Vec<Skipped>,
}

impl Items {
    pub(super) fn new(expander: Expander, inputs: VecDeque<Given>) -> Self {
        let (expander, skipped) = (Arc::new(expander), Arc::<Mutex<SkippedNames>>::default());
        let counted = Arc::clone(&skipped);
        let stream = stream::iter(inputs.into_iter().enumerate())
            .then(move |(input, given)| {
                let (expander, skipped) = (Arc::clone(&expander), Arc::clone(&counted));
                async move {
                    let opened = expander.open(input, given, skipped).await;
                    opened.unwrap_or_else(|error| stream::iter([Err(error)]).boxed())
                }
            })
            .flatten()
            .boxed();
        Self { stream, skipped }
    }

    /// How many names were met so far that no key can express (rule L12) or this user may not read
    /// ([`Skipped::is_unreadable`]), and the first thousand of them. They are not among the items.
    pub fn skipped(&self) -> (u64, Vec<Skipped>) {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        (skipped.count, skipped.names.clone())
    }
}

impl Stream for Items {
    type Item = Result<Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Items")
    }
}

/// Makes items of one input after the other.
pub(super) struct Expander {
    pub(super) registry: Registry,
    pub(super) policy: InputPolicy,
    pub(super) reading: Reading,
    pub(super) one_level: bool,
    pub(super) options: OpenOptions,
}

/// A place that is to be read.
struct Asked {
    storage: Storage,
    /// The key, or the prefix that ends in `/`; empty for the whole root.
    text: String,
    /// It is known to exist, so that it may hold nothing.
    exists: bool,
}

impl Expander {
    async fn open(
        &self,
        input: usize,
        given: Given,
        skipped: Arc<Mutex<SkippedNames>>,
    ) -> Result<BoxStream<'static, Result<Item>>> {
        let told = match given {
            Given::Text(text) => Input::Text(text),
            Given::Bytes { name, bytes } => return Ok(one(Item::bytes_of(input, name, bytes))),
            Given::Reader { name, reader } => return Ok(one(Item::reader(input, name, reader))),
            Given::Named(text) => tell(&self.registry, &self.policy, &text, self.reading).await?,
            Given::Path(path) | Given::Location(Location::File(path)) => Input::Path(path),
            Given::Location(location) => Input::Location(location),
        };
        let asked = match told {
            Input::Text(text) => return Ok(one(Item::text(input, text))),
            Input::Path(path) => self.path(&path).await?,
            Input::Location(location) => self.location(&location).await?,
        };
        self.expand(input, asked, skipped).await
    }

    async fn location(&self, location: &Location) -> Result<Asked> {
        if let Location::Object(object) = location {
            self.policy.check_location(object)?;
        }
        let (storage, text) = self.registry.resolve(location, &self.options).await?;
        Ok(Asked { exists: text.is_empty(), storage, text })
    }

    async fn path(&self, path: &Path) -> Result<Asked> {
        let absent = || missing(&path.display().to_string());
        match self.policy.check_path(path).await? {
            Allowed::AsIs if is_there(path).await? => self.location(&Location::File(path.to_owned())).await,
            Allowed::AsIs | Allowed::Missing => Err(absent()),
            Allowed::Under { root, rest, directory } => {
                let Some(text) = rest.to_str() else {
                    return Err(Error::invalid_input(format!("the name {} is not UTF-8 text", path.display()))
                        .with_help("rename it: a key is UTF-8 text"));
                };
                let storage = self.registry.open(&Location::File(root), &self.options).await?;
                Ok(Asked { storage, text: text.to_owned(), exists: directory })
            }
        }
    }

    /// The object of the name, and the objects under it.
    async fn expand(
        &self,
        input: usize,
        asked: Asked,
        skipped: Arc<Mutex<SkippedNames>>,
    ) -> Result<BoxStream<'static, Result<Item>>> {
        let Asked { storage, text, exists } = asked;
        let mut level = text.clone();
        let mut object = None;
        if !text.is_empty() && !text.ends_with('/') {
            let key = Key::new(text.as_str())?;
            level.push('/');
            object = match storage.head(&key).await {
                Ok(head) => Some(Item::object(input, storage.clone(), head.meta, Key::new(key.name())?)),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error),
            };
        }
        // Under a name that is as long as a key may be there is nothing, and nothing that could be asked.
        let entries = if level.len() < storage.max_key_len() {
            let mut options = ListOptions::new().prefix(Prefix::new(level.as_str())?).past_unreadable();
            options.delimited = self.one_level;
            Some(storage.list(options).await?)
        } else {
            None
        };
        let found = exists || object.is_some();
        let walk = Walk { input, storage, level, asked: text, entries, found, skipped };
        if walk.entries.is_none() && !found {
            return Err(walk.nothing());
        }
        Ok(stream::iter(object.map(Ok)).chain(stream::unfold(walk, Walk::next)).boxed())
    }
}

fn one(item: Item) -> BoxStream<'static, Result<Item>> {
    stream::iter([Ok(item)]).boxed()
}

/// A listing under way.
struct Walk {
    input: usize,
    storage: Storage,
    level: String,
    asked: String,
    /// `None` once it has ended.
    entries: Option<Entries>,
    found: bool,
    skipped: Arc<Mutex<SkippedNames>>,
}

impl Walk {
    async fn next(mut self) -> Option<(Result<Item>, Self)> {
        loop {
            let entry = self.entries.as_mut()?.next().await;
            match entry {
                Some(Ok(Entry::Object(meta))) => {
                    self.found = true;
                    let path = Key::new(meta.key.as_str().get(self.level.len()..).unwrap_or_default());
                    let item = path.map(|path| Item::object(self.input, self.storage.clone(), meta, path));
                    return Some((item, self));
                }
                Some(Ok(Entry::Prefix(_))) => self.found = true,
                Some(Err(error)) => {
                    self.entries = None;
                    return Some((Err(error), self));
                }
                None => {
                    self.count_skipped();
                    self.entries = None;
                    return match self.found {
                        true => None,
                        false => Some((Err(self.nothing()), self)),
                    };
                }
            }
        }
    }

    fn count_skipped(&mut self) {
        let Some(report) = self.entries.as_ref().and_then(Entries::report) else {
            return;
        };
        self.found |= report.skipped > 0;
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.count += report.skipped;
        let room = NAMES_KEPT.saturating_sub(skipped.names.len());
        skipped.names.extend(report.skipped_names.iter().take(room).cloned());
    }

    fn nothing(&self) -> Error {
        let place = self.storage.location().map_or_else(|| self.storage.name().to_owned(), |place| place.to_string());
        let tried = match self.asked.ends_with('/') {
            true => format!("there is nothing under {:?} in {place}", self.level),
            false => {
                format!("there is neither an object {:?} nor anything under {:?} in {place}", self.asked, self.level)
            }
        };
        Error::new(ErrorKind::NotFound, tried).with_help("list what there is, or check the name")
    }
}
