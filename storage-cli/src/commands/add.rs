//! `storage add`: content into the data root, each once.

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use storage::{Entry, Key, ListOptions, ListReport, Location, Result, RootName, Storage};
use storage_source::{ContentStore, Input, InputPolicy, Inputs, Reading, Stored};

use super::{report, tell_skipped};
use crate::args::AddArgs;
use crate::failure::{Failure, Failures, ends_all, note};
use crate::output::{Cell, Output, count};
use crate::place::Place;
use crate::session::Session;

/// How many objects are read and written at once.
const AT_ONCE: usize = 4;

pub(super) async fn run(args: AddArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let reading = match (args.text, args.path) {
        (true, _) => Reading::Text,
        (_, true) => Reading::Path,
        _ => Reading::ByForm,
    };
    let inputs = Inputs::new(session.registry()).with_policy(InputPolicy::open());
    let inputs = inputs.resolve_all(&args.inputs, reading).await;
    let inputs = inputs.map_err(|error| match error.is_not_found() {
        true => error.with_help("to add it as text, use --text"),
        false => error,
    })?;
    let data = session.open_root(RootName::Data).await?;
    if !data.capabilities().persistent {
        let location = session.root(RootName::Data)?.location;
        let text = format!("the data root {location} is in memory: nothing of this remains when the program ends");
        note(&text, output.is_json());
    }
    let mut adding = Adding {
        session,
        content: ContentStore::new(data),
        output,
        failures: Failures::default(),
        written: 0,
        kept: 0,
    };
    for (input, text) in inputs.into_iter().zip(&args.inputs) {
        adding.input(input, text).await?;
    }
    adding.end()
}

struct Adding<'a> {
    session: &'a Session,
    content: ContentStore,
    output: &'a mut Output,
    failures: Failures,
    written: u64,
    kept: u64,
}

impl Adding<'_> {
    async fn input(&mut self, input: Input, text: &str) -> Result<(), Failure> {
        let location = match input {
            Input::Text(text) => {
                let stored = self.content.add_text(text.as_str()).await?;
                return self.told(&text, &stored);
            }
            Input::Path(path) => Location::File(path),
            Input::Location(location) => location,
        };
        let place = self.session.located(&location, false, text).await?;
        if place.is_level() {
            return self.level(&place).await;
        }
        let key = place.key()?;
        let stored = add_object(&self.content, &place.storage, &key).await?;
        self.told(text, &stored)
    }

    /// Adds everything under a level, but for what belongs to the roots themselves.
    async fn level(&mut self, place: &Place) -> Result<(), Failure> {
        let own = self.own_roots(place)?;
        let level = place.level()?;
        let mut entries = place.storage.list(ListOptions::new().prefix(level.clone())).await?;
        let content = self.content.clone();
        let mut done = add_all(&content, &place.storage, entries.by_ref(), |key| {
            let rest = key.as_str().strip_prefix(level.as_str()).unwrap_or_default();
            !own.iter().any(|own| rest.starts_with(own.as_str()))
        })
        .boxed_local();
        while let Some(added) = done.next().await {
            match added? {
                (key, Ok(stored)) => {
                    let input = place.uri(&key).unwrap_or_else(|| key.to_string());
                    self.told(&input, &stored)?;
                }
                (_, Err(error)) if ends_all(&error) => return Err(error.into()),
                (_, Err(error)) => self.failures.add(&error, self.output.is_json()),
            }
        }
        drop(done);
        self.skipped(&report(&entries))
    }

    /// What the keys of the host's own roots begin with, where these lie inside the place.
    fn own_roots(&self, place: &Place) -> Result<Vec<String>, Failure> {
        let mut own = Vec::new();
        for name in RootName::ALL {
            let root = self.session.root(name)?;
            if let Some(prefix) = place.inside(&root.location) {
                if prefix.is_empty() {
                    let error = storage::Error::invalid_input(format!("{} is the {name} root itself", place.written));
                    return Err(error.with_help("name what to add from elsewhere, or an object of it").into());
                }
                own.push(prefix);
            }
        }
        Ok(own)
    }

    fn skipped(&mut self, report: &ListReport) -> Result<(), Failure> {
        if tell_skipped(report, self.output)? {
            self.failures.left_out();
        }
        Ok(())
    }

    fn told(&mut self, input: &str, stored: &Stored) -> Result<(), Failure> {
        let written = stored.put.is_written();
        *(if written { &mut self.written } else { &mut self.kept }) += 1;
        if self.output.is_json() {
            let uri = self.content.storage().uri(&stored.key).ok();
            return self.output.object(&json!({
                "input": input,
                "key": stored.key,
                "uri": uri,
                "size": stored.size,
                "md5": stored.digest.as_str(),
                "written": written,
            }));
        }
        let what = if written { "written" } else { "kept" };
        self.output.row(&[Cell::Text(what, 7), Cell::Size(Some(stored.size)), Cell::Text(stored.key.as_str(), 0)])
    }

    fn end(self) -> Result<(), Failure> {
        if !self.output.is_json() {
            let (written, kept) = (count(self.written, "object"), self.kept);
            self.output.line(&format!("{written} written, {kept} already there"))?;
        }
        self.failures.end()
    }
}

/// Adds the objects of a listing, some at once, and tells of each in the listing's order.
fn add_all<'a>(
    content: &'a ContentStore,
    from: &'a Storage,
    entries: impl Stream<Item = Result<Entry>> + 'a,
    wanted: impl Fn(&Key) -> bool + 'a,
) -> impl Stream<Item = Result<(Key, Result<Stored>)>> + 'a {
    let objects = entries.try_filter_map(move |entry| {
        let key = entry.object().map(|object| object.key).filter(&wanted);
        std::future::ready(Ok(key))
    });
    objects
        .map(move |key| async move {
            let key = key?;
            let stored = add_object(content, from, &key).await;
            Ok((key, stored))
        })
        .buffered(AT_ONCE)
}

async fn add_object(content: &ContentStore, from: &Storage, key: &Key) -> Result<Stored> {
    let opened = stream::once(from.stream(key)).try_flatten();
    content.add(key.name(), opened).await
}
