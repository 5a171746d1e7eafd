//! `storage cp` and `storage mv`: objects from any place to any place.

use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use storage::{
    CopyOptions, DeleteOptions, ETag, Entry, Error, ErrorKind, GetOptions, Key, ListOptions, Prefix, PutOptions,
    Result, Support,
};

use super::{report, tell_skipped};
use crate::args::TransferArgs;
use crate::failure::{Failure, Failures, ends_all};
use crate::output::Output;
use crate::place::Place;
use crate::progress::Progress;
use crate::session::Session;

/// How many objects are on their way at once.
const AT_ONCE: usize = 8;

/// Whether the source stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Copy,
    Move,
}

pub(super) async fn run(args: TransferArgs, kind: Kind, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let mut from = session.place(&args.from, false).await?;
    let to = session.place(&args.to, true).await?;
    let within = from.storage.location().is_some() && from.storage.location() == to.storage.location();
    if within {
        // One handle for both, so that the bytes stay inside.
        from.storage = to.storage.clone();
    }
    let transfer = Transfer { from, to, within, kind, progress: Progress::new(output.is_json()) };
    let done = if args.recursive { transfer.level(output).await } else { transfer.object(output).await };
    transfer.progress.end();
    done
}

struct Transfer {
    from: Place,
    to: Place,
    /// Both places lie in one container.
    within: bool,
    kind: Kind,
    progress: Progress,
}

impl Transfer {
    /// One object, to the key of the target or under its name.
    async fn object(&self, output: &mut Output) -> Result<(), Failure> {
        let from = self.from.key()?;
        let to = self.to.target(from.name())?;
        let size = self.one(&from, &to, None).await?;
        self.tell(&from, &to, size, output)
    }

    /// Everything under a level, each at the same key under the target's level.
    async fn level(&self, output: &mut Output) -> Result<(), Failure> {
        let (level, target) = (self.from.level()?, self.to.level()?);
        self.refuse_inside()?;
        let mut entries = self.from.storage.list(ListOptions::new().prefix(level.clone())).await?;
        let (mut failures, mut empty) = (Failures::default(), true);
        let moves = entries.by_ref().map(|entry| async { Ok::<_, Error>(self.entry(entry?, &level, &target).await) });
        let mut moves = moves.buffered(AT_ONCE).boxed_local();
        while let Some(moved) = moves.try_next().await? {
            empty = false;
            match moved {
                Ok((from, to, size)) => self.tell(&from, &to, size, output)?,
                Err(error) if ends_all(&error) => return Err(error.into()),
                Err(error) => self.progress.aside(|| failures.add(&error, output.is_json())),
            }
        }
        drop(moves);
        let report = report(&entries);
        if self.progress.aside(|| tell_skipped(&report, output))? {
            failures.left_out();
        }
        if empty && !self.from.is_level() && report.skipped == 0 {
            return self.object(output).await;
        }
        failures.end()
    }

    /// One entry of a listing of `level`, to its key under `target`.
    async fn entry(&self, entry: Entry, level: &Prefix, target: &Prefix) -> Result<(Key, Key, u64)> {
        let Entry::Object(meta) = entry else {
            return Err(Error::new(ErrorKind::Other, "a flat listing held a common prefix"));
        };
        let rest = meta.key.as_str().strip_prefix(level.as_str()).unwrap_or(meta.key.as_str());
        let to = Key::new(format!("{target}{rest}"))?;
        let size = self.one(&meta.key, &to, Some(meta.size)).await?;
        Ok((meta.key, to, size))
    }

    /// Transfers an object and says how many bytes it has.
    async fn one(&self, from: &Key, to: &Key, size: Option<u64>) -> Result<u64> {
        self.progress.show(from.as_str());
        if let Some(size) = size {
            self.progress.expect(size);
        }
        if self.within || self.is_same(from, to).await {
            let bytes = self.inside(from, to, size).await?;
            if size.is_none() {
                self.progress.expect(bytes);
            }
            self.progress.add(bytes);
            return Ok(bytes);
        }
        if self.from.storage.shares_backend(&self.to.storage) {
            return self.between_parts(from, to, size).await;
        }
        let source = self.from.storage.get(from, GetOptions::new()).await?;
        let (etag, bytes) = (source.meta.etag, source.meta.size);
        if size.is_none() {
            self.progress.expect(bytes);
        }
        let options = PutOptions::new().attributes(source.attributes).length(bytes);
        let body = source.body.into_stream().inspect_ok(|chunk| self.progress.add(chunk.len() as u64));
        self.to.storage.put_stream(to, body, options).await?;
        if self.kind == Kind::Move {
            self.remove_source(from, etag).await?;
        }
        Ok(bytes)
    }

    /// A transfer between two parts of one container, which can do it inside.
    async fn between_parts(&self, from: &Key, to: &Key, size: Option<u64>) -> Result<u64> {
        let head = self.from.storage.head(from).await?;
        if size.is_none() {
            self.progress.expect(head.meta.size);
        }
        let options = CopyOptions::new().if_source_match(head.meta.etag.clone());
        self.from.storage.copy_to(from, &self.to.storage, to, options).await?;
        if self.kind == Kind::Move {
            self.remove_source(from, head.meta.etag).await?;
        }
        self.progress.add(head.meta.size);
        Ok(head.meta.size)
    }

    /// A transfer whose source and target are in one container, or are one object.
    async fn inside(&self, from: &Key, to: &Key, size: Option<u64>) -> Result<u64> {
        let storage = &self.from.storage;
        let size = match size {
            Some(size) => size,
            None => storage.head(from).await?.meta.size,
        };
        match self.kind {
            _ if !self.within => {}
            Kind::Copy => drop(storage.copy_with(from, to, CopyOptions::new()).await?),
            Kind::Move => drop(storage.rename_with(from, to, CopyOptions::new()).await?),
        }
        Ok(size)
    }

    /// Removes what was moved, unless somebody has changed it since it was read.
    async fn remove_source(&self, key: &Key, etag: ETag) -> Result<()> {
        let storage = &self.from.storage;
        let removed = match storage.capabilities().delete_if_match {
            Support::No => storage.delete(key).await,
            _ => match storage.delete_with(key, DeleteOptions::new().if_match(etag)).await {
                // Only the asking has shown that the service does not keep the condition.
                Err(error) if error.kind() == ErrorKind::Unsupported => storage.delete(key).await,
                removed => removed,
            },
        };
        removed.map_err(|error| {
            let stays = match (error.kind(), error.help()) {
                (ErrorKind::PreconditionFailed, _) => "it was copied, and changed since: the source stays".to_owned(),
                (_, Some(help)) => format!("{help}; it was copied, and the source stays"),
                (_, None) => "it was copied, and the source stays".to_owned(),
            };
            error.with_help(stays)
        })
    }

    /// Whether two keys of different containers are one object after all: a directory seen as two roots.
    async fn is_same(&self, from: &Key, to: &Key) -> bool {
        let files = [&self.from.storage, &self.to.storage].map(|storage| storage.capabilities().local_path);
        if files != [true, true] {
            return self.from.uri(from).is_some() && self.from.uri(from) == self.to.uri(to);
        }
        let (Ok(from), Ok(to)) = (self.from.storage.local_path(from).await, self.to.storage.local_path(to).await)
        else {
            return false;
        };
        match (tokio::fs::canonicalize(from).await, tokio::fs::canonicalize(to).await) {
            (Ok(from), Ok(to)) => from == to,
            _ => false,
        }
    }

    /// Refuses a target under the source, which would grow while it is read.
    fn refuse_inside(&self) -> Result<()> {
        let target =
            self.to.storage.location().map(|root| root.join(self.to.level().as_ref().map_or("", AsRef::as_ref)));
        match target.and_then(|target| self.from.inside(&target)) {
            None => Ok(()),
            Some(_) => Err(Error::invalid_input(format!("{} lies inside {}", self.to.written, self.from.written))
                .with_help("choose a target outside of what is copied")),
        }
    }

    fn tell(&self, from: &Key, to: &Key, size: u64, output: &mut Output) -> Result<(), Failure> {
        if !output.is_json() {
            return Ok(());
        }
        let shown = |place: &Place, key: &Key| place.uri(key).unwrap_or_else(|| key.to_string());
        output.object(&json!({ "from": shown(&self.from, from), "to": shown(&self.to, to), "size": size }))
    }
}
