//! Plays a history on a driver and on the model, and compares what they say.

use std::fmt::Debug;

use bytes::Bytes;
use futures::stream::TryStreamExt as _;
use std::time::Duration;
use storage_core::{
    Attributes, ByteRange, Conditions, CopyOptions, DeleteOptions, ETag, Entry, ErrorKind, GetOptions, HeadOptions,
    Key, ListOptions, MultipartOrder, Page, Prefix, PutMode, PutOptions, Result, Storage, SweepOptions, Writer,
};

use super::model::{Model, ReadIf, Verdict};
use super::steps::{Data, Listing, Mode, SLOTS, Step, Which};
use crate::support;

/// What a driver did otherwise than the model.
pub(crate) type Played<T = ()> = std::result::Result<T, String>;

/// A writer that is open.
struct Opened {
    writer: Writer,
    key: Key,
    mode: PutMode,
    attributes: Attributes,
    content: Vec<u8>,
    /// How many writes of the key there had been when it was opened.
    writes_before: usize,
}

/// A root and what must be in it.
pub(crate) struct Play<'a> {
    storage: &'a Storage,
    model: Model,
    opened: [Option<Opened>; SLOTS],
    by_start: bool,
}

/// Plays the steps on an empty root, and compares all of it at the end; says at which step they differ, and how.
pub(crate) async fn play(storage: &Storage, steps: &[Step]) -> std::result::Result<(), (usize, String)> {
    let capabilities = storage.probe().await.map_err(|error| (0, error.to_string()))?;
    let by_start = capabilities.multipart_order == MultipartOrder::Start;
    let mut play = Play { storage, model: Model::new(capabilities), opened: [const { None }; SLOTS], by_start };
    for (index, step) in steps.iter().enumerate() {
        play.step(step).await.map_err(|wrong| (index, wrong))?;
    }
    play.end().await.map_err(|wrong| (steps.len(), format!("at the end: {wrong}")))
}

/// The content that a step writes.
fn content(data: Data) -> Bytes {
    support::bytes(data.filling.into(), data.size)
}

/// Compares an answer with what it has to be; its value, where it is a success and is to be one.
fn judged<T: Debug>(verdict: Verdict, answer: Result<T>) -> Played<Option<T>> {
    match (verdict, answer) {
        (Ok(()), Ok(value)) => Ok(Some(value)),
        (Err(kinds), Err(error)) if kinds.contains(&error.kind()) => Ok(None),
        (Ok(()), Err(error)) => Err(format!("it ought to succeed: {error}")),
        (Err(kinds), Err(error)) => Err(format!("it ought to fail with {kinds:?}: {error}")),
        (Err(kinds), Ok(value)) => Err(format!("it ought to fail with {kinds:?}, and gave {value:?}")),
    }
}

fn same<T: PartialEq + Debug>(what: &str, is: T, must: T) -> Played {
    if is == must { Ok(()) } else { Err(format!("{what}: {is:?}, and ought to be {must:?}")) }
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) -> Played {
        match step.clone() {
            Step::Put { key, data, mode, attributes } => self.put(&key, data, mode, attributes).await,
            Step::Get { key, range, matches, differs } => {
                let read_if = self.read_if(&key, matches, differs);
                self.get(&key, range, read_if).await
            }
            Step::Head { key, matches, differs } => {
                let read_if = self.read_if(&key, matches, differs);
                self.head(&key, read_if).await
            }
            Step::List(listing) => self.list(&listing).await,
            Step::Copy { from, to, create_only, source } => {
                let options = self.copying(&from, create_only, source);
                let answer = self.storage.copy_with(&from, &to, options.clone()).await.map(|result| result.etag);
                self.copied(&from, &to, &options, answer).await.map(drop)
            }
            Step::Rename { from, to, create_only, source } => {
                let options = self.copying(&from, create_only, source);
                let answer = self.storage.rename_with(&from, &to, options.clone()).await.map(|result| result.etag);
                if self.copied(&from, &to, &options, answer).await? && from != to {
                    self.model.objects.remove(from.as_str());
                    self.gone(&from).await?;
                }
                Ok(())
            }
            Step::Delete { key, if_match } => self.delete(&key, if_match).await,
            Step::DeleteMany(keys) => self.delete_many(keys).await,
            Step::DeletePrefix(prefix) => {
                let count = match prefix.as_str() {
                    "" => self.storage.delete_all().await,
                    prefix => self.storage.delete_prefix(prefix).await,
                };
                same("how many were deleted", count.ok(), Some(self.model.delete_prefix(&prefix)))
            }
            Step::Open { slot, key, mode, attributes } => self.open(slot, key, mode, attributes).await,
            Step::Write { slot, data } => self.write(slot, data).await,
            Step::Finish { slot } => match self.opened[slot].take() {
                Some(opened) => self.finish(opened).await,
                None => Ok(()),
            },
            Step::Abort { slot } => match self.opened[slot].take() {
                Some(mut opened) => judged(Ok(()), opened.writer.abort().await).map(drop),
                None => Ok(()),
            },
            Step::Drop { slot } => {
                self.opened[slot] = None;
                Ok(())
            }
            Step::Sweep => {
                let swept = self.storage.sweep(SweepOptions::older_than(Duration::from_secs(3600))).await;
                same("what was left an hour ago", swept.ok().map(|report| report.removed), Some(0))
            }
        }
    }

    fn etag(&self, key: &Key, which: Which) -> ETag {
        let known = match which {
            Which::Current => self.model.objects.get(key.as_str()).map(|object| &object.etag),
            Which::Former(index) => self.model.etags(key.as_str()).get(index),
            Which::Foreign => None,
        };
        known.cloned().unwrap_or_else(|| ETag::new("no-such-etag"))
    }

    fn mode(&self, key: &Key, mode: Mode) -> PutMode {
        match mode {
            Mode::Overwrite => PutMode::Overwrite,
            Mode::CreateOnly => PutMode::CreateOnly,
            Mode::IfMatch(which) => PutMode::IfMatch(self.etag(key, which)),
        }
    }

    fn read_if(&self, key: &Key, matches: Option<Which>, differs: Option<Which>) -> ReadIf {
        let [matches, differs] = [matches, differs].map(|which| which.map(|which| self.etag(key, which)));
        ReadIf { matches, differs }
    }

    fn copying(&self, from: &Key, create_only: bool, source: Option<Which>) -> CopyOptions {
        let mut options = CopyOptions::new();
        options.create_only = create_only;
        options.if_source_match = source.map(|which| self.etag(from, which));
        options
    }

    async fn put(&mut self, key: &Key, data: Data, mode: Mode, attributes: Attributes) -> Played {
        let mut options = PutOptions::new().attributes(attributes.clone());
        options.mode = self.mode(key, mode);
        let verdict = self.model.may_write(key.as_str(), &options.mode, &attributes, false);
        let answer = self.storage.put_with(key, content(data), options).await;
        match judged(verdict, answer)? {
            Some(result) => {
                same("the size that put gives", result.size, data.size as u64)?;
                self.written(key, result.etag, content(data), attributes).await
            }
            None => Ok(()),
        }
    }

    /// A write took place: head tells the same of it, and the model takes it in.
    async fn written(&mut self, key: &Key, etag: ETag, content: Bytes, attributes: Attributes) -> Played {
        let head = self.storage.head(key).await.map_err(|error| format!("head after the write: {error}"))?;
        same("the key that head gives", &head.meta.key, key)?;
        same("the size that head gives", head.meta.size, content.len() as u64)?;
        same("the etag that head gives", &head.meta.etag, &etag)?;
        same("the attributes that head gives", &head.attributes, &attributes)?;
        self.model.written(&head.meta, content, attributes)
    }

    async fn gone(&self, key: &Key) -> Played {
        judged(Err(vec![ErrorKind::NotFound]), self.storage.head(key).await).map(drop)
    }

    async fn get(&self, key: &Key, range: Option<ByteRange>, read_if: ReadIf) -> Played {
        let mut options = GetOptions::new();
        options.range = range;
        options.conditions = conditions(&read_if);
        let verdict = self.model.read(key.as_str(), range, &read_if);
        let answer = self.storage.get(key, options).await;
        let (found, must) = match (judged(verdict.as_ref().map(drop).map_err(Clone::clone), answer)?, verdict) {
            (Some(found), Ok(must)) => (found, must),
            _ => return Ok(()),
        };
        let (object, bytes) = must;
        same("the range that get gives", found.range, bytes.start as u64..bytes.end as u64)?;
        same("the attributes that get gives", &found.attributes, &object.attributes)?;
        self.described(&found.meta)?;
        let pieces: Vec<Bytes> = found.body.into_stream().try_collect().await.map_err(|error| error.to_string())?;
        match pieces.concat() == object.content[bytes] {
            true => Ok(()),
            false => Err("the bytes differ".to_owned()),
        }
    }

    async fn head(&self, key: &Key, read_if: ReadIf) -> Played {
        let verdict = self.model.read(key.as_str(), None, &read_if).map(drop);
        let answer = self.storage.head_with(key, HeadOptions::new().conditions(conditions(&read_if))).await;
        match judged(verdict, answer)? {
            Some(head) => self.described(&head.meta),
            None => Ok(()),
        }
    }

    fn described(&self, meta: &storage_core::ObjectMeta) -> Played {
        self.model.differs(meta).map_or(Ok(()), Err)
    }

    /// What a copy or a move writes; whether it took place.
    async fn copied(&mut self, from: &Key, to: &Key, options: &CopyOptions, answer: Result<ETag>) -> Played<bool> {
        let Some(etag) = judged(self.model.may_copy(from.as_str(), to.as_str(), options), answer)? else {
            return Ok(false);
        };
        let source = self.model.objects[from.as_str()].clone();
        if from == to {
            same("the etag of what was copied onto itself", &etag, &source.etag)?;
            self.head(from, ReadIf::default()).await?;
        } else {
            self.written(to, etag, source.content, source.attributes).await?;
        }
        Ok(true)
    }

    async fn delete(&mut self, key: &Key, if_match: Option<Which>) -> Played {
        let mut options = DeleteOptions::new();
        options.if_match = if_match.map(|which| self.etag(key, which));
        let verdict = self.model.may_delete(key.as_str(), options.if_match.as_ref());
        if judged(verdict, self.storage.delete_with(key, options).await)?.is_some() {
            self.model.objects.remove(key.as_str());
            self.gone(key).await?;
        }
        Ok(())
    }

    async fn delete_many(&mut self, keys: Vec<Key>) -> Played {
        let results = self.storage.delete_many(&keys).await.map_err(|error| error.to_string())?;
        same("how many results there are", results.len(), keys.len())?;
        results.into_iter().try_for_each(|result| judged(Ok(()), result).map(drop))?;
        keys.iter().for_each(|key| drop(self.model.objects.remove(key.as_str())));
        for key in &keys {
            self.gone(key).await?;
        }
        Ok(())
    }

    async fn open(&mut self, slot: usize, key: Key, mode: Mode, attributes: Attributes) -> Played {
        if self.opened[slot].is_some() {
            return Ok(());
        }
        let mut options = PutOptions::new().attributes(attributes.clone());
        options.mode = self.mode(&key, mode);
        let mode = options.mode.clone();
        // Whether the condition holds is asked at the end only.
        let verdict = match self.model.may_write(key.as_str(), &mode, &attributes, true) {
            Err(kinds) if kinds.contains(&ErrorKind::Unsupported) => Err(kinds),
            _ => Ok(()),
        };
        let answer = self.storage.writer_with(&key, options).await;
        if let (Some(()), Some(writer)) = (judged(verdict, answer.as_ref().map(drop).map_err(again))?, answer.ok()) {
            let writes_before = self.model.etags(key.as_str()).len();
            self.opened[slot] = Some(Opened { writer, key, mode, attributes, content: Vec::new(), writes_before });
        }
        Ok(())
    }

    async fn write(&mut self, slot: usize, data: Data) -> Played {
        let Some(opened) = &mut self.opened[slot] else { return Ok(()) };
        opened.content.extend_from_slice(&content(data));
        judged(Ok(()), opened.writer.write(content(data)).await).map(drop)
    }

    async fn finish(&mut self, mut opened: Opened) -> Played {
        let key = opened.key;
        // A service that dates the write by its start may count it as older than what was written meanwhile.
        if self.by_start && self.model.etags(key.as_str()).len() != opened.writes_before {
            return judged(Ok(()), opened.writer.abort().await).map(drop);
        }
        let verdict = self.model.holds(key.as_str(), &opened.mode);
        match judged(verdict, opened.writer.finish().await)? {
            Some(result) => {
                same("the size that finish gives", result.size, opened.content.len() as u64)?;
                self.written(&key, result.etag, opened.content.into(), opened.attributes).await
            }
            None => Ok(()),
        }
    }

    async fn list(&self, listing: &Listing) -> Played {
        let mut options = ListOptions::new().page_size(listing.page_size);
        options.prefix = Prefix::new(listing.prefix.as_str()).map_err(|error| error.to_string())?;
        options.delimited = listing.delimited;
        options.start_after.clone_from(&listing.start_after);
        let mut must = self.model.list(&listing.prefix, listing.delimited, listing.start_after.as_deref());
        // A limit and a token count from the token on.
        if let Some(limit) = listing.limit.filter(|_| !listing.by_tokens) {
            options.limit = Some(limit);
            must.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        let pages = match listing.by_tokens {
            true => pages_by_tokens(self.storage, options).await,
            false => pages(self.storage, options).await,
        };
        let pages = pages.map_err(|error| error.to_string())?;
        for page in &pages {
            same("what a listing skips", &page.skipped, &Vec::new())?;
            same("whether a page is longer than asked for", page.entries.len() > listing.page_size, false)?;
        }
        let entries: Vec<Entry> = pages.into_iter().flat_map(|page| page.entries).collect();
        same(
            "the listing",
            entries.iter().map(Entry::as_str).collect(),
            must.iter().map(String::as_str).collect::<Vec<_>>(),
        )?;
        entries.into_iter().filter_map(Entry::object).try_for_each(|meta| self.described(&meta))
    }

    /// Nothing that was not finished shows, everything else is there, and all of it can be deleted.
    async fn end(mut self) -> Played {
        self.opened = [const { None }; SLOTS];
        let all = |delimited| Listing {
            prefix: String::new(),
            delimited,
            start_after: None,
            limit: None,
            page_size: 1000,
            by_tokens: false,
        };
        self.list(&all(false)).await?;
        self.list(&all(true)).await?;
        for key in self.model.objects.keys() {
            let wrong = |error: String| format!("{key:?}: {error}");
            let key = Key::new(key.as_str()).map_err(|error| error.to_string())?;
            self.get(&key, None, ReadIf::default()).await.map_err(wrong)?;
        }
        let count = self.storage.delete_all().await.map_err(|error| error.to_string())?;
        same("how many all are", count, self.model.delete_prefix(""))?;
        self.list(&all(false)).await
    }
}

fn conditions(read_if: &ReadIf) -> Conditions {
    Conditions { if_match: read_if.matches.clone(), if_none_match: read_if.differs.clone(), ..Conditions::default() }
}

/// The same error once more.
fn again(error: &storage_core::Error) -> storage_core::Error {
    storage_core::Error::new(error.kind(), error.to_string())
}

async fn pages(storage: &Storage, options: ListOptions) -> Result<Vec<Page>> {
    let (mut listing, mut all) = (storage.pages(options).await?, Vec::new());
    while let Some(page) = listing.next_page().await? {
        all.push(page);
    }
    Ok(all)
}

async fn pages_by_tokens(storage: &Storage, options: ListOptions) -> Result<Vec<Page>> {
    let (mut all, mut next) = (Vec::new(), Some(options.clone()));
    while let Some(query) = next.take() {
        if let Some(page) = storage.pages(query).await?.next_page().await? {
            next = page.resume.clone().map(|token| options.clone().token(token));
            all.push(page);
        }
    }
    Ok(all)
}
