//! From the file to the object.

use bytes::Bytes;
use futures::stream::{self, Stream, TryStreamExt as _};
use storage_core::{ETag, Error, ErrorKind, GetOptions, ObjectMeta, PutOptions, PutResult, Result};
use tokio::io::AsyncReadExt as _;

use super::change::{CHUNK, Change, Looked, changed_meanwhile, journal};
use super::state::{Content, Place, Version};
use super::{Commit, WorkingCopy, crash};
use crate::content::{Algorithm, Hasher};

/// How often a write is repeated whose outcome is not known, or that the service asks to repeat.
const ATTEMPTS: usize = 3;

/// What the object turns out to be.
pub(super) enum Settled {
    /// What it was.
    Base,
    /// What was sent from here; it is the base now.
    Ours(PutResult),
    /// Somebody else's; none where they deleted it.
    Theirs(Option<ObjectMeta>),
}

impl WorkingCopy {
    /// Writes the file back, if it has changed and nobody else has written the object since it was pulled.
    ///
    /// Where the file did not change that is no request; else one write: create-only or if-match, up to 8 MiB in one put,
    /// beyond that streamed. After an error other than `OutcomeUnknown` the object is as it was, the file is kept, and
    /// `commit` may be called again; after that one too.
    pub async fn commit(&mut self) -> Result<Commit> {
        let looked = match self.change().await? {
            Change::None => return Ok(Commit::Unchanged),
            Change::Not(commit) => return Ok(commit),
            Change::Content(looked) => looked,
        };
        if let Some(heartbeat) = &self.heartbeat
            && !heartbeat.beat().await?
        {
            return Ok(Commit::LeaseLost);
        }
        let mut unknown = None;
        match (self.attempts(&looked, &mut unknown).await, unknown) {
            (Err(error), Some(unknown)) => Err(still_unknown(unknown, error)),
            (done, _) => done,
        }
    }

    /// Sends the file until it is known what became of it. `unknown` is the first attempt whose outcome is not known: it may
    /// have changed the object, or change it yet, whatever the later ones say of themselves.
    async fn attempts(&mut self, looked: &Looked, unknown: &mut Option<Error>) -> Result<Commit> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.attempt(looked).await {
                Ok(put) => return self.committed(put, looked).await,
                Err(error) if error.kind() == ErrorKind::OutcomeUnknown => drop(unknown.get_or_insert(error)),
                Err(error) if is_unsettled(error.kind()) => last = Some(error),
                Err(error) => return Err(error),
            }
            match self.settle().await? {
                Settled::Ours(put) if self.base_is(&looked.content) => return self.committed(put, looked).await,
                Settled::Theirs(theirs) => return Ok(Commit::Conflict { theirs }),
                // An earlier session's write has landed, and this one goes over it; or nothing has.
                Settled::Ours(_) | Settled::Base => {}
            }
        }
        Err(last.unwrap_or_else(|| {
            Error::new(ErrorKind::Conflict, "the object changed again and again").with_help("commit again")
        }))
    }

    /// Writes the file over what somebody else has written, which is named by its etag: if that has changed too, it is a
    /// conflict again. `None` writes where they deleted the object.
    pub async fn commit_over(&mut self, theirs: Option<ETag>) -> Result<Commit> {
        self.record.base = theirs.map(|etag| Version { etag, content: None });
        self.record.seen = None;
        self.record.sent.clear();
        self.save().await?;
        self.commit().await
    }

    /// Records what is about to be sent, and sends it.
    async fn attempt(&mut self, looked: &Looked) -> Result<PutResult> {
        if !self.record.sent.contains(&looked.content) {
            self.record.sent.push(looked.content.clone());
            self.save().await?;
        }
        crash::point("commit recorded");
        let options = PutOptions::new().attributes(self.record.attributes.clone()).length(looked.content.size);
        let conditional = match &self.record.base {
            Some(base) => options.clone().if_match(base.etag.clone()),
            None => options.clone().create_only(),
        };
        let put = match self.send(looked, conditional).await {
            Err(error) if error.kind() == ErrorKind::Unsupported && self.options.exclusive => {
                self.check_base().await?;
                self.send(looked, options).await
            }
            put => put,
        };
        crash::point("sent");
        put
    }

    async fn send(&self, looked: &Looked, options: PutOptions) -> Result<PutResult> {
        self.storage.put_stream(&self.key, stream_of(&self.place, &looked.content), options).await
    }

    /// What stands in for a condition.
    async fn check_base(&self) -> Result<()> {
        let now = match self.storage.head(&self.key).await {
            Ok(head) => Some(head.meta.etag),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        match now.as_ref() == self.base() {
            true => Ok(()),
            false => Err(Error::precondition_failed("the object is not the one that was pulled")),
        }
    }

    async fn committed(&mut self, put: PutResult, looked: &Looked) -> Result<Commit> {
        let base = Version { etag: put.etag.clone(), content: Some(looked.content.clone()) };
        match self.rebase(base, Some(looked.seen.clone())).await {
            Ok(()) => Ok(Commit::Committed(put)),
            Err(error) => Err(unrecorded(error)),
        }
    }

    fn base_is(&self, content: &Content) -> bool {
        self.record.base.as_ref().is_some_and(|base| base.content.as_ref() == Some(content))
    }

    /// Reads the object back and finds out whose it is. Its bytes are read only where their number is that of something
    /// that was sent from here. One request.
    pub(super) async fn settle(&mut self) -> Result<Settled> {
        let result = match self.storage.get(&self.key, GetOptions::new()).await {
            Ok(result) => result,
            Err(error) if error.is_not_found() && self.record.base.is_none() => return Ok(Settled::Base),
            Err(error) if error.is_not_found() => return Ok(Settled::Theirs(None)),
            Err(error) => return Err(error),
        };
        let meta = result.meta;
        if self.base() == Some(&meta.etag) {
            return Ok(Settled::Base);
        }
        if !self.record.sent.iter().any(|sent| sent.size == meta.size) {
            return Ok(Settled::Theirs(Some(meta)));
        }
        let (mut hasher, mut stream) = (Hasher::new(Algorithm::Sha256), result.body.into_stream());
        while let Some(bytes) = stream.try_next().await? {
            hasher.update(&bytes);
        }
        let content = Content { sha256: hasher.finish().to_string(), size: meta.size };
        if !self.record.sent.contains(&content) {
            return Ok(Settled::Theirs(Some(meta)));
        }
        self.rebase(Version { etag: meta.etag.clone(), content: Some(content) }, None).await?;
        Ok(Settled::Ours(PutResult::from(&meta)))
    }
}

/// Whether the object has to be looked at to know what happened.
fn is_unsettled(kind: ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(kind, Kind::PreconditionFailed | Kind::AlreadyExists | Kind::OutcomeUnknown | Kind::Conflict)
}

/// The error of a commit one of whose attempts may have changed the object, and of which no more can be found out.
fn still_unknown(unknown: Error, later: Error) -> Error {
    let message = format!("{}; what became of it could not be found out: {later}", unknown.message());
    unknown.with_message(message).with_source(later).with_help("commit again, which is safe and settles it")
}

/// The error of a commit that has happened, and that the next one has to settle.
fn unrecorded(error: Error) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, format!("the object was written, and that could not be recorded: {error}"))
        .with_source(error)
        .with_help("commit again, which is safe and settles it")
}

/// The file as a stream that fails at its end, before anything is visible, where it is not the content that was looked at.
fn stream_of(place: &Place, content: &Content) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let (path, expected) = (place.file.clone(), content.sha256.clone());
    let open = async move {
        let file = tokio::fs::File::open(&path).await?;
        let state = Some((file, Hasher::new(Algorithm::Sha256), path, expected));
        Ok::<_, Error>(stream::try_unfold(state, async |state| {
            let Some((mut file, mut hasher, path, expected)) = state else {
                return Ok(None);
            };
            let mut chunk = Vec::with_capacity(CHUNK);
            if file.read_buf(&mut chunk).await? > 0 {
                hasher.update(&chunk);
                return Ok(Some((Bytes::from(chunk), Some((file, hasher, path, expected)))));
            }
            match hasher.finish().as_str() == expected && journal(&path).is_none() {
                true => Ok(None),
                false => Err(changed_meanwhile(&path)),
            }
        }))
    };
    stream::once(open).try_flatten()
}
