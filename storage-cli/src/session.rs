//! What every command works with: settings, drivers, roots.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::{Error, ErrorKind, Location, OpenOptions, Registry, Result, Root, RootName, Settings, Storage};

use crate::args::Args;
use crate::failure::Failure;
use crate::place::Place;

/// How long a service may take to say that it is there.
const CHECK: Duration = Duration::from_secs(4);

/// Settings and drivers of one run of the program.
pub(crate) struct Session {
    settings: Settings,
    settings_file: Option<PathBuf>,
    registry: Registry,
    opened: Mutex<Opened>,
}

/// What was opened so far, for the explanation of an error.
#[derive(Default)]
struct Opened {
    roots: Vec<Root>,
    /// A place outside the roots is read.
    read_elsewhere: bool,
    /// A place outside the roots is written.
    written_elsewhere: bool,
}

impl Opened {
    fn elsewhere(&mut self, written: bool) {
        self.written_elsewhere |= written;
        self.read_elsewhere |= !written;
    }
}

impl Session {
    pub(crate) fn new(args: &Args) -> std::result::Result<Self, Failure> {
        let mut settings = Settings::builder().discover().environment();
        if let Some(file) = &args.settings {
            settings = settings.file(file);
        }
        let settings_file = args.settings.clone();
        Ok(Self { settings: settings.build()?, settings_file, registry: storage::registry(), opened: Mutex::default() })
    }

    /// The settings file that the user named.
    pub(crate) fn settings_file(&self) -> Option<&Path> {
        self.settings_file.as_deref()
    }

    /// The root that a text names: a location, or one of the roots with a path below it.
    pub(crate) fn located_root(&self, text: &str) -> Result<Location> {
        let Some(rooted) = text.strip_prefix('@') else {
            let here = std::env::current_dir()?;
            return Ok(Location::parse(text)?.relative_to(&here));
        };
        let (name, below) = rooted.split_once('/').unwrap_or((rooted, ""));
        let location = self.root(root_named(name, text)?)?.location;
        Ok(if below.is_empty() { location } else { location.join(below) })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where a root lies.
    pub(crate) fn root(&self, name: RootName) -> Result<Root> {
        self.registry.root(name, &self.settings)
    }

    /// Opens a root; the first write makes it.
    pub(crate) async fn open_root(&self, name: RootName) -> Result<Storage> {
        let root = self.root(name)?;
        let opened = self.registry.open(&root.location, &self.options().create(true)).await;
        let storage = opened.map_err(|error| root.blame(error))?;
        self.opened().roots.push(root);
        Ok(storage)
    }

    /// Opens a root to look at it; no write makes it. Its error does not name the root.
    pub(crate) async fn open_existing(&self, root: &Root) -> Result<Storage> {
        self.registry.open(&root.location, &self.options()).await
    }

    /// How places are opened: what is remote is asked first whether it can be reached, so that a wrong setting is told at
    /// once and not after many attempts.
    pub(crate) fn options(&self) -> OpenOptions {
        self.unchecked_options().check(CHECK)
    }

    /// The same without asking, for places that are opened many times.
    pub(crate) fn unchecked_options(&self) -> OpenOptions {
        OpenOptions::new().settings(self.settings.clone())
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the place that a text names; `create` lets the first write make what is missing.
    pub(crate) async fn place(&self, text: &str, create: bool) -> Result<Place> {
        if let Some(rooted) = text.strip_prefix('@') {
            let (name, key) = rooted.split_once('/').unwrap_or((rooted, ""));
            let root = root_named(name, text)?;
            return Ok(Place::new(self.open_root(root).await?, key.to_owned(), text));
        }
        self.located(&Location::parse(text)?, create, text).await
    }

    /// Opens the place of a location, which the user wrote as `text`.
    pub(crate) async fn located(&self, location: &Location, create: bool, text: &str) -> Result<Place> {
        self.opened().elsewhere(create);
        let (storage, key) = self.registry.resolve(location, &self.options().create(create)).await?;
        Ok(Place::located(storage, key, text))
    }

    /// Adds to a failure of a root where that root lies and what put it there.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let Failure::Storage(error) = failure else {
            return failure;
        };
        let opened = self.opened();
        let elsewhere = match error.operation() {
            Some(operation) if operation.is_read() => opened.read_elsewhere,
            _ => opened.written_elsewhere,
        };
        let of_key = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidKey | ErrorKind::InvalidInput);
        if elsewhere || of_key || opened.roots.is_empty() {
            return (*error).into();
        }
        let lines =
            opened.roots.iter().map(|root| format!("the {} root is {} ({})", root.name, root.location, root.origin));
        let help: Vec<String> = error.help().map(str::to_owned).into_iter().chain(lines).collect();
        error.with_help(help.join("; ")).into()
    }
}

/// The root of this name, in a text that the user wrote.
fn root_named(name: &str, text: &str) -> Result<RootName> {
    RootName::ALL.into_iter().find(|root| root.as_str() == name).ok_or_else(|| {
        Error::invalid_input(format!("{text:?} names no root"))
            .with_help(format!("the roots are @data, @system and @cache; a path of that name is ./{text}"))
    })
}
