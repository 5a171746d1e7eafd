//! The tables of a file, and what can be done with them inside one transaction.
//!
//! | table | key | value |
//! |---|---|---|
//! | `objects` | key | content, size, etag, time, attributes |
//! | `chunks` | content, number | at most [`CHUNK`] bytes |
//! | `writes` | content | when the streaming write of it began |
//! | `counters` | name | the last number given |

use std::ops::Bound;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition,
    WriteTransaction,
};
use storage_core::{
    Attributes, CopyOptions, ETag, Error, Key, ObjectMeta, Payload, Prefix, PutMode, Result, past_level,
};

use crate::errors::{damaged, failed};

/// Content identifier, size, etag, nanoseconds since 1970, attributes as JSON.
type Stored = (u64, u64, u64, u64, &'static str);

const OBJECTS: TableDefinition<&str, Stored> = TableDefinition::new("objects");
const CHUNKS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("chunks");
const WRITES: TableDefinition<u64, u64> = TableDefinition::new("writes");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

/// The bytes of a chunk. redb rounds a value with its head up to a power of two, so it is a little under one.
pub(crate) const CHUNK: usize = (256 << 10) - 512;

/// How many objects a delete by prefix takes out in one transaction.
pub(crate) const BATCH: usize = 1000;

/// What is known of an object besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) content: u64,
    pub(crate) size: u64,
    etag: u64,
    nanos: u64,
    attributes: String,
}

impl Record {
    fn load((content, size, etag, nanos, attributes): (u64, u64, u64, u64, &str)) -> Self {
        Self { content, size, etag, nanos, attributes: attributes.to_owned() }
    }

    pub(crate) fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta {
            key: key.clone(),
            size: self.size,
            etag: ETag::new(format!("{:x}", self.etag)),
            last_modified: UNIX_EPOCH + Duration::from_nanos(self.nanos),
            version: None,
        }
    }

    pub(crate) fn attributes(&self) -> Result<Attributes> {
        match self.attributes.as_str() {
            "" => Ok(Attributes::new()),
            text => serde_json::from_str(text).map_err(|error| damaged("an object's attributes").with_source(error)),
        }
    }

    fn matches(&self, etag: &ETag) -> bool {
        *etag == ETag::new(format!("{:x}", self.etag))
    }
}

/// One state of a file, which later writes do not touch.
pub(crate) struct Snapshot {
    pub(crate) objects: ReadOnlyTable<&'static str, Stored>,
    pub(crate) chunks: ReadOnlyTable<(u64, u64), &'static [u8]>,
}

/// Begins every text under a prefix, in the table's order.
pub(crate) type From = Bound<String>;

impl Snapshot {
    pub(crate) fn open(transaction: &ReadTransaction) -> Result<Self> {
        let open = || Ok::<_, redb::TableError>((transaction.open_table(OBJECTS)?, transaction.open_table(CHUNKS)?));
        let (objects, chunks) = open().map_err(failed)?;
        Ok(Self { objects, chunks })
    }

    pub(crate) fn record(&self, key: &Key) -> Result<Record> {
        let stored = self.objects.get(key.as_str()).map_err(failed)?.ok_or_else(Error::not_found)?;
        Ok(Record::load(stored.value()))
    }

    /// The objects from a key on, in ascending order of bytes.
    pub(crate) fn from(&self, from: &From) -> Result<impl Iterator<Item = Result<(Key, Record)>> + use<>> {
        let bound = (from.as_ref().map(String::as_str), Bound::Unbounded);
        let range = self.objects.range::<&str>(bound).map_err(failed)?;
        Ok(range.map(|entry| {
            let (key, stored) = entry.map_err(failed)?;
            let key = Key::new(key.value()).map_err(|error| damaged("a key in the table").with_source(error))?;
            Ok((key, Record::load(stored.value())))
        }))
    }
}

/// Makes the tables of a new file. One that has them is left as it is.
pub(crate) fn make(database: &Database) -> Result<()> {
    let transaction = database.begin_read().map_err(failed)?;
    match transaction.open_table(OBJECTS) {
        Ok(_) => Ok(()),
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let transaction = database.begin_write().map_err(failed)?;
            drop(Tables::open(&transaction)?);
            transaction.commit().map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The tables inside a transaction that writes.
pub(crate) struct Tables<'t> {
    objects: Table<'t, &'static str, Stored>,
    chunks: Table<'t, (u64, u64), &'static [u8]>,
    writes: Table<'t, u64, u64>,
    counters: Table<'t, &'static str, u64>,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self> {
        let open = || {
            Ok::<_, redb::TableError>(Self {
                objects: transaction.open_table(OBJECTS)?,
                chunks: transaction.open_table(CHUNKS)?,
                writes: transaction.open_table(WRITES)?,
                counters: transaction.open_table(COUNTERS)?,
            })
        };
        open().map_err(failed)
    }

    pub(crate) fn record(&self, key: &Key) -> Result<Option<Record>> {
        let stored = self.objects.get(key.as_str()).map_err(failed)?;
        Ok(stored.map(|stored| Record::load(stored.value())))
    }

    /// Judges when a write may take place (rules C01 to C04).
    pub(crate) fn allow(&self, key: &Key, mode: &PutMode) -> Result<()> {
        match mode {
            PutMode::Overwrite => Ok(()),
            PutMode::CreateOnly if self.record(key)?.is_some() => Err(Error::already_exists()),
            PutMode::CreateOnly => Ok(()),
            PutMode::IfMatch(etag) => check_match(etag, self.record(key)?.as_ref()),
        }
    }

    /// A number that was never given before: the id of a content, or an etag.
    fn number(&mut self) -> Result<u64> {
        let last = self.counters.get("last").map_err(failed)?.map_or(0, |last| last.value());
        self.counters.insert("last", last + 1).map_err(failed)?;
        Ok(last + 1)
    }

    /// Stores the bytes of a new content.
    pub(crate) fn store(&mut self, payload: &Payload) -> Result<u64> {
        let content = self.number()?;
        let mut chunk = Vec::with_capacity(CHUNK.min(usize::try_from(payload.len()).unwrap_or(CHUNK)));
        let mut number = 0;
        for segment in payload.segments() {
            let mut rest = &segment[..];
            while !rest.is_empty() {
                let (taken, left) = rest.split_at(rest.len().min(CHUNK - chunk.len()));
                chunk.extend_from_slice(taken);
                rest = left;
                if chunk.len() == CHUNK {
                    self.append(content, number, &chunk)?;
                    number += 1;
                    chunk.clear();
                }
            }
        }
        if !chunk.is_empty() {
            self.append(content, number, &chunk)?;
        }
        Ok(content)
    }

    pub(crate) fn append(&mut self, content: u64, number: u64, chunk: &[u8]) -> Result<()> {
        self.chunks.insert((content, number), chunk).map_err(failed)?;
        Ok(())
    }

    /// Makes a content the object of a key, with an etag of its own and a time that does not go back (rules M03, M04).
    pub(crate) fn commit(&mut self, key: &Key, content: u64, size: u64, attributes: &Attributes) -> Result<ObjectMeta> {
        let attributes = match attributes.is_empty() {
            true => String::new(),
            false => serde_json::to_string(attributes).map_err(|error| damaged("the attributes").with_source(error))?,
        };
        self.replace(key, Record { content, size, etag: 0, nanos: 0, attributes })
    }

    fn replace(&mut self, key: &Key, mut record: Record) -> Result<ObjectMeta> {
        let old = self.record(key)?;
        record.etag = self.number()?;
        record.nanos = now().max(old.as_ref().map_or(0, |old| old.nanos));
        let Record { content, size, etag, nanos, attributes } = &record;
        self.objects.insert(key.as_str(), (*content, *size, *etag, *nanos, attributes.as_str())).map_err(failed)?;
        if let Some(old) = old {
            self.discard(old.content)?;
        }
        Ok(record.meta(key))
    }

    /// Copies an object, or moves it: then its content stays where it is and gets another name.
    pub(crate) fn copy(&mut self, from: &Key, to: &Key, options: &CopyOptions, take: bool) -> Result<ObjectMeta> {
        let mut source = self.record(from)?.ok_or_else(Error::not_found)?;
        if let Some(etag) = &options.if_source_match {
            check_match(etag, Some(&source))?;
        }
        if options.create_only && self.record(to)?.is_some() {
            return Err(Error::already_exists());
        }
        if from == to {
            return Ok(source.meta(from));
        }
        match take {
            true => drop(self.objects.remove(from.as_str()).map_err(failed)?),
            false => source.content = self.duplicate(source.content)?,
        }
        self.replace(to, source)
    }

    /// A content of its own with the same bytes, a chunk at a time.
    fn duplicate(&mut self, content: u64) -> Result<u64> {
        let copy = self.number()?;
        for number in 0.. {
            let chunk = self.chunks.get((content, number)).map_err(failed)?.map(|chunk| chunk.value().to_vec());
            match chunk {
                Some(chunk) => self.append(copy, number, &chunk)?,
                None => break,
            }
        }
        Ok(copy)
    }

    /// Deletes an object, where there is one.
    pub(crate) fn delete(&mut self, key: &Key, if_match: Option<&ETag>) -> Result<()> {
        let old = self.record(key)?;
        if let Some(etag) = if_match {
            check_match(etag, old.as_ref())?;
        }
        if let Some(old) = old {
            self.objects.remove(key.as_str()).map_err(failed)?;
            self.discard(old.content)?;
        }
        Ok(())
    }

    /// Deletes the first objects under a prefix, [`BATCH`] at most, and says how many that were.
    pub(crate) fn delete_some(&mut self, prefix: &Prefix) -> Result<usize> {
        let end = if prefix.is_empty() { None } else { Some(past_level(prefix.as_str())) };
        let bounds = (Bound::Included(prefix.as_str()), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let mut doomed = Vec::new();
        for entry in self.objects.range::<&str>(bounds).map_err(failed)?.take(BATCH) {
            let (key, stored) = entry.map_err(failed)?;
            doomed.push((key.value().to_owned(), stored.value().0));
        }
        for (key, content) in &doomed {
            self.objects.remove(key.as_str()).map_err(failed)?;
            self.discard(*content)?;
        }
        Ok(doomed.len())
    }

    /// Removes the chunks of a content; how many bytes that were.
    pub(crate) fn discard(&mut self, content: u64) -> Result<u64> {
        let mut bytes = 0;
        let none = |_: (u64, u64), chunk: &[u8]| {
            bytes += chunk.len() as u64;
            false
        };
        self.chunks.retain_in((content, 0)..=(content, u64::MAX), none).map_err(failed)?;
        Ok(bytes)
    }

    /// Notes that a streaming write has begun, so that a sweep finds it if it never ends.
    pub(crate) fn begin(&mut self) -> Result<u64> {
        let content = self.number()?;
        self.writes.insert(content, now()).map_err(failed)?;
        Ok(content)
    }

    /// The streaming write is over; its content belongs to an object, or is discarded.
    pub(crate) fn end(&mut self, content: u64) -> Result<()> {
        self.writes.remove(content).map_err(failed)?;
        Ok(())
    }

    /// The streaming writes that began at least so long ago.
    pub(crate) fn begun(&self, older_than: Duration) -> Result<Vec<u64>> {
        let latest = now().saturating_sub(u64::try_from(older_than.as_nanos()).unwrap_or(u64::MAX));
        let mut begun = Vec::new();
        for entry in self.writes.iter().map_err(failed)? {
            let (content, time) = entry.map_err(failed)?;
            if time.value() <= latest {
                begun.push(content.value());
            }
        }
        Ok(begun)
    }
}

fn check_match(etag: &ETag, record: Option<&Record>) -> Result<()> {
    match record {
        Some(record) if record.matches(etag) => Ok(()),
        Some(_) => Err(Error::precondition_failed("the object has another etag")),
        None => Err(Error::precondition_failed("there is no object")),
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
