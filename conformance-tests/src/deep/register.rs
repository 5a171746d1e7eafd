//! A key used as a register: numbers as text, calls as a client makes them, and the same calls as words for a client in
//! another process.

use std::collections::BTreeMap;

use futures::stream::TryStreamExt as _;
use storage_core::{DeleteOptions, ETag, Error, ErrorKind, GetOptions, PutOptions, Result, Storage};

use super::linear::{Ask, Told};
use crate::support::{Random, write_streaming};

/// What a client may do: what the backend's capabilities allow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Powers {
    pub(crate) create: bool,
    pub(crate) swap: bool,
    pub(crate) take: bool,
    /// Writes and deletes whatever is there. A driver sends them again where an answer was lost, so that they may take
    /// effect twice between call and return.
    pub(crate) unconditional: bool,
    /// Through a writer too, since its place is that of its `finish`.
    pub(crate) stream: bool,
}

/// A client: it remembers the etags of the numbers that it has seen, since a swap names one.
pub(crate) struct Client {
    random: Random,
    powers: Powers,
    etags: BTreeMap<u64, String>,
    /// The number that it has seen last.
    last: Option<u64>,
    next: u64,
}

/// A call in words that name the etag: `swap ETAG NEW`.
pub(crate) type Words = String;

impl Client {
    /// Each client of a history has its own number, and writes numbers of its own.
    pub(crate) fn new(number: usize, seed: u64, powers: Powers) -> Self {
        let own = 1_000_000 * (number as u64 + 1);
        Self { random: Random::new(seed ^ own), powers, etags: BTreeMap::new(), last: None, next: own }
    }

    /// The next call, by chance.
    pub(crate) fn next(&mut self) -> (Ask, Words) {
        self.next += 1;
        let new = self.next;
        let seen = self.last.and_then(|last| Some((last, self.etags.get(&last)?.clone())));
        let stream = self.powers.stream && self.random.below(3) == 0;
        let through = if stream { "stream-" } else { "" };
        match (self.random.below(10), seen) {
            (0..=2, Some((was, etag))) if self.powers.swap => {
                (Ask::Swap { was, new }, format!("{through}swap {new} {etag}"))
            }
            (3, Some((was, etag))) if self.powers.take => (Ask::Take { was }, format!("take {was} {etag}")),
            (3 | 4, _) if self.powers.create => (Ask::Create(new), format!("{through}create {new}")),
            (5, _) if self.powers.unconditional => (Ask::Delete, "delete".to_owned()),
            (0 | 1 | 6, _) if self.powers.unconditional => (Ask::Put(new), format!("{through}put {new}")),
            _ => (Ask::Get, "get".to_owned()),
        }
    }

    /// Takes the answer in: what the client was told, or nothing where nobody knows.
    pub(crate) fn heard(&mut self, ask: Ask, answer: &str) -> Option<Told> {
        let mut words = answer.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("found"), Some(number), Some(etag)) => {
                let number = number.parse().unwrap_or_else(|_| panic!("a number was stored, and {number:?} is read"));
                self.etags.insert(number, etag.to_owned());
                self.last = Some(number);
                Some(Told::Found(Some(number)))
            }
            (Some("nothing"), ..) => Some(Told::Found(None)),
            (Some("done"), etag, _) => {
                if let (Ask::Put(new) | Ask::Create(new) | Ask::Swap { new, .. }, Some(etag)) = (ask, etag) {
                    self.etags.insert(new, etag.to_owned());
                    self.last = Some(new);
                }
                Some(Told::Done)
            }
            (Some("refused"), ..) => Some(Told::Refused),
            (Some("unknown"), ..) => None,
            _ => panic!("{ask:?} is answered with {answer:?}"),
        }
    }
}

/// Makes a call that is given in words, and answers in words: `found NUMBER ETAG`, `nothing`, `done ETAG`, `refused`,
/// `unknown`, or what went wrong.
pub(crate) async fn call(storage: &Storage, key: &str, words: &str) -> String {
    let mut parts = words.split(' ');
    let (verb, number, etag) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let options = match etag {
        Some(etag) => PutOptions::new().if_match(ETag::new(etag)),
        None if verb.ends_with("create") => PutOptions::new().create_only(),
        None => PutOptions::new(),
    };
    let answer = match (verb, number) {
        ("get", _) => get(storage, key).await,
        ("delete", _) => storage.delete(key).await.map(|()| "done".to_owned()),
        ("take", _) => {
            let mut options = DeleteOptions::new();
            options.if_match = etag.map(ETag::new);
            storage.delete_with(key, options).await.map(|()| "done".to_owned())
        }
        (_, Some(number)) => {
            let written = match verb.starts_with("stream-") {
                true => write_streaming(storage, key, number.to_owned(), options).await,
                false => storage.put_with(key, number.to_owned(), options).await,
            };
            written.map(|written| format!("done {}", written.etag))
        }
        _ => return format!("no such call: {words}"),
    };
    answer.unwrap_or_else(|error| refusal(&error))
}

async fn get(storage: &Storage, key: &str) -> Result<String> {
    let read = match storage.get(key, GetOptions::new().buffered()).await {
        Ok(read) => read,
        Err(error) if error.is_not_found() => return Ok("nothing".to_owned()),
        Err(error) => return Err(error),
    };
    let etag = read.meta.etag.clone();
    let pieces: Vec<bytes::Bytes> = read.body.into_stream().try_collect().await?;
    Ok(format!("found {} {etag}", String::from_utf8_lossy(&pieces.concat())))
}

fn refusal(error: &Error) -> String {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed => "refused".to_owned(),
        ErrorKind::OutcomeUnknown => "unknown".to_owned(),
        kind => format!("failed: {kind:?}: {error}").replace('\n', " "),
    }
}
