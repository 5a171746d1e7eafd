//! `storage add`: content into the data root, each once.

use futures::stream::{Stream, StreamExt as _};
use serde_json::json;
use storage::{Error, ErrorKind, Key, Location, Result, RootName};
use storage_source::{
    Candidate, ContentStore, Filter, Input, InputPolicy, Inputs, Matcher, Outcome, Reading, Reason, SourceFile, Stored,
    Verdict, Walk, WalkItem, WalkItems, WalkReport,
};

use super::filter::FilterArgs;
use super::walk_report::{left_out, tell_names, unreadable};
use crate::failure::{Failure, Failures, ends_all, note};
use crate::output::{Cell, Output, count};
use crate::place::Place;
use crate::session::Session;

/// How many objects are read and written at once.
const AT_ONCE: usize = 4;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Files are kept as <md5>/<name>, text as text_<md5>.txt, so that the same bytes are stored once.\n\
                  An input that exists is a path; scheme:// makes a location; what looks like a path and is missing \
                  is an error; all else is text.\n\
                  The filter sees the paths under each directory or prefix, of what is named itself its name, and no \
                  text; the limit counts over all inputs.\n\
                  JSON: input, key, uri, size, md5, written; at the end one object: report."
)]
pub(crate) struct AddArgs {
    /// Files, directories (for all files in them), locations of objects or prefixes, or text
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Take every input as text
    #[arg(long, conflicts_with = "path")]
    pub(crate) text: bool,
    /// Take every input as a path
    #[arg(long)]
    pub(crate) path: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

pub(super) async fn run(args: AddArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let filter = args.filter.filter();
    // A wrong pattern is told before anything is asked.
    let matcher = filter.compile()?;
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
    let mut report = WalkReport::default();
    (report.outcome, report.complete) = (Outcome::Complete, true);
    let mut adding = Adding {
        session,
        content: ContentStore::new(data),
        filter,
        matcher,
        output,
        failures: Failures::default(),
        report,
        written: 0,
        kept: 0,
    };
    for (input, text) in inputs.into_iter().zip(&args.inputs) {
        match adding.input(input, text).await {
            Ok(()) => {}
            Err(Failure::Storage(error)) => return adding.end(Some(*error)),
            Err(unspeakable) => return Err(unspeakable),
        }
    }
    adding.end(None)
}

struct Adding<'a> {
    session: &'a Session,
    content: ContentStore,
    filter: Filter,
    matcher: Matcher,
    output: &'a mut Output,
    failures: Failures,
    /// Of all inputs but texts.
    report: WalkReport,
    written: u64,
    kept: u64,
}

impl Adding<'_> {
    /// Adds what an input stands for. What is wrong with the input is told, and the others go on; an error is one after
    /// which nothing more can be added.
    async fn input(&mut self, input: Input, text: &str) -> Result<(), Failure> {
        let location = match input {
            Input::Text(text) => {
                let stored = self.content.add_text(text.as_str()).await;
                return self.added(&text, stored);
            }
            Input::Path(path) => Location::File(path),
            Input::Location(location) => location,
        };
        match self.session.located(&location, false, text).await {
            Ok(place) => self.place(&place, text).await,
            Err(error) => {
                self.wrong(&error);
                Ok(())
            }
        }
    }

    /// Adds the object of a name, and what is under it.
    async fn place(&mut self, place: &Place, text: &str) -> Result<(), Failure> {
        let object = match place.is_level() {
            true => Ok(false),
            false => self.object(place, text).await?,
        };
        let under = match has_room(place) {
            true => self.level(place).await?,
            false => Ok(false),
        };
        let found = under.and_then(|under| object.map(|object| under || object));
        match found {
            Ok(true) => {}
            Ok(false) => self.wrong(&place.nothing_there()),
            Err(error) => self.wrong(&error),
        }
        Ok(())
    }

    /// Adds the object that is named itself, if the filter takes it; whether it is there.
    async fn object(&mut self, place: &Place, text: &str) -> Result<Result<bool>, Failure> {
        let key = match place.key() {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        let file = match SourceFile::at(&place.storage, key).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(false)),
            Err(error) => return Ok(Err(error)),
        };
        let verdict = match file.known() {
            Some(meta) => self.matcher.judge(&Candidate::of(file.path().name(), &meta)),
            None => Verdict::Matched,
        };
        let over = self.filter.limit.is_some_and(|limit| self.report.matched >= limit);
        self.report.scanned += 1;
        match verdict {
            Verdict::LeftOut(reason) => *self.report.left_out.entry(reason).or_default() += 1,
            Verdict::Matched if over => {
                *self.report.left_out.entry(Reason::OverLimit).or_default() += 1;
                (self.report.outcome, self.report.complete) = (self.report.outcome.max(Outcome::Limited), false);
            }
            Verdict::Matched => {
                self.report.matched += 1;
                let stored = add_file(&self.content, &file).await;
                self.added(text, stored)?;
            }
        }
        Ok(Ok(true))
    }

    /// Adds everything under a level that the filter takes, but for what belongs to the roots themselves; whether there
    /// is anything.
    async fn level(&mut self, place: &Place) -> Result<Result<bool>, Failure> {
        let mut items = match self.walk(place) {
            Ok(items) => items,
            Err(error) => return Ok(Err(error)),
        };
        let content = self.content.clone();
        let mut done = add_all(&content, items.by_ref()).boxed_local();
        let (mut walked, mut added) = (Ok(()), Ok(()));
        while added.is_ok()
            && let Some(next) = done.next().await
        {
            match next {
                Ok((key, stored)) => {
                    let input = place.uri(&key).unwrap_or_else(|| key.to_string());
                    added = self.added(&input, stored);
                }
                Err(error) => walked = Err(error),
            }
        }
        drop(done);
        let report = items.into_report();
        let found = report.scanned + report.pruned_directories > 0;
        self.report.merge(report);
        added?;
        Ok(match walked {
            // A directory that is there may be empty, and a filter may have looked past what there is.
            Ok(()) if found || place.is_whole() => Ok(true),
            Ok(()) => place.holds_any().await,
            Err(error) => Err(error),
        })
    }

    fn walk(&self, place: &Place) -> Result<WalkItems> {
        let mut filter = self.filter.clone();
        filter.limit = filter.limit.map(|limit| limit.saturating_sub(self.report.matched));
        let mut walk = Walk::new(&place.storage).prefix(place.level()?).filter(filter);
        for own in self.own_roots(place)? {
            walk = walk.without(own);
        }
        walk.items()
    }

    /// What the keys of the host's own roots begin with, where these lie inside the place.
    fn own_roots(&self, place: &Place) -> Result<Vec<String>> {
        let mut own = Vec::new();
        for name in RootName::ALL {
            let root = self.session.root(name)?;
            if let Some(prefix) = place.inside(&root.location) {
                if prefix.is_empty() {
                    let error = storage::Error::invalid_input(format!("{} is the {name} root itself", place.written));
                    return Err(error.with_help("name what to add from elsewhere, or an object of it"));
                }
                own.push(prefix);
            }
        }
        Ok(own)
    }

    /// Tells what became of one content; fails where the next would only fail like it.
    fn added(&mut self, input: &str, stored: Result<Stored>) -> Result<(), Failure> {
        match stored {
            Ok(stored) => self.told(input, &stored),
            Err(error) if ends_all(&error) => Err(error.into()),
            Err(error) => {
                self.explained(error);
                Ok(())
            }
        }
    }

    /// Tells a failure, with where the data root lies if it is the data root's.
    fn explained(&mut self, error: Error) {
        if let Failure::Storage(error) = self.session.explain(error.into()) {
            self.failures.add(&error, self.output.is_json());
        }
    }

    /// Tells what is wrong with an input.
    fn wrong(&mut self, error: &Error) {
        self.failures.add(error, self.output.is_json());
        self.not_complete(error);
    }

    fn not_complete(&mut self, error: &Error) {
        self.report.error.get_or_insert_with(|| error.to_string());
        (self.report.outcome, self.report.complete) = (Outcome::Failed, false);
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

    /// Tells all that was done, whatever ended it.
    fn end(mut self, ended: Option<Error>) -> Result<(), Failure> {
        let json = self.output.is_json();
        if let Some(error) = &ended {
            self.not_complete(error);
        }
        if json {
            self.output.object(&json!({ "report": self.report }))?;
        } else {
            let (written, kept) = (count(self.written, "object"), self.kept);
            self.output.line(&format!("{written} written, {kept} already there"))?;
            let left_out: Vec<String> = left_out(&self.report).collect();
            if !left_out.is_empty() {
                self.output.line(&format!("left out: {}", left_out.join(", ")))?;
            }
            self.output.flush()?;
            tell_names(&self.report);
        }
        if let Some(error) = ended {
            self.explained(error);
        }
        if let Some(error) = unreadable(&self.report) {
            self.failures.add(&error, json);
        }
        if self.report.left_out.contains_key(&Reason::NotExpressible) {
            self.failures.left_out();
        }
        self.failures.end()
    }
}

/// Whether there may be keys under the name of an object: not where it is as long as a key may be.
fn has_room(place: &Place) -> bool {
    place.level().is_ok_and(|level| level.as_str().len() < place.storage.max_key_len())
}

/// Adds what a walk yields, some at once, and tells of each in the walk's order.
fn add_all<'a>(
    content: &'a ContentStore,
    items: impl Stream<Item = Result<WalkItem>> + 'a,
) -> impl Stream<Item = Result<(Key, Result<Stored>)>> + 'a {
    items
        .map(move |item| async move {
            let file = item?.file;
            let stored = add_file(content, &file).await;
            Ok((file.key().clone(), stored))
        })
        .buffered(AT_ONCE)
}

async fn add_file(content: &ContentStore, file: &SourceFile) -> Result<Stored> {
    content.add(file.path().name(), file.stream().await?).await
}
