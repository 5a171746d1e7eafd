//! A place that is held to the contract: how roots below it are opened.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use conformance_tests::{LiveHarness, WorkerCommand};
use futures::FutureExt as _;
use futures::stream::TryStreamExt as _;
use storage::{Error, ErrorKind, ListOptions, Location, OpenOptions, Registry, Result, Storage};

use crate::session::Session;

/// A place that can be reached.
#[derive(Debug)]
pub(super) struct Place {
    location: Location,
    opener: Opener,
    worker: WorkerCommand,
}

/// Opens roots as the program does.
#[derive(Debug, Clone)]
struct Opener {
    registry: Registry,
    options: OpenOptions,
    create: bool,
}

impl Place {
    /// The place that a text names, where it is there and can be listed; `create` makes one that is missing.
    pub(super) async fn check(text: &str, create: bool, session: &Session) -> Result<Self> {
        let place = Self::unchecked(text, create, session)?;
        if let Location::File(path) = &place.location {
            exists(path, create)?;
        }
        let opener = Opener { options: session.options(), ..place.opener.clone() };
        let opened = opener.open(&place.location).await?;
        opened.list(ListOptions::new().limit(1)).await?.try_next().await?;
        Ok(place)
    }

    /// The place that a text names, which somebody has looked at already: nothing is asked.
    pub(super) fn unchecked(text: &str, create: bool, session: &Session) -> Result<Self> {
        let location = named(session.located_root(text)?);
        let opener = Opener { registry: session.registry().clone(), options: session.unchecked_options(), create };
        let program = std::env::current_exe()
            .map_err(|error| Error::from(error).with_message("the program does not know its own path"))?;
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(file) = session.settings_file() {
            arguments.extend(["--settings".into(), file.into()]);
        }
        arguments.extend(["conformance", "--worker", text].map(OsString::from));
        Ok(Self { location, opener, worker: WorkerCommand { program, arguments } })
    }

    /// What the suite needs to work there.
    pub(super) async fn harness(&self) -> Result<LiveHarness> {
        let harness = self.roots();
        let Some(missing) = self.missing(harness.scratch()).await? else { return Ok(harness) };
        let opener = self.opener.clone();
        Ok(harness.missing(move || {
            let (opener, missing) = (opener.clone(), missing.clone());
            async move { opener.open_existing(&missing).await }.boxed()
        }))
    }

    /// The same without a root that is missing, which takes a look at the service to find.
    pub(super) fn roots(&self) -> LiveHarness {
        let (opener, location) = (self.opener.clone(), self.location.clone());
        let open = move |name: &str| {
            let (opener, location) = (opener.clone(), location.join(name));
            async move { opener.open(&location).await }.boxed()
        };
        LiveHarness::new(open).at(self.to_string()).worker(self.worker.clone())
    }

    /// A root of the kind of this one that does not exist; none where a service does not say so to this user.
    async fn missing(&self, scratch: &str) -> Result<Option<Location>> {
        let missing = match &self.location {
            Location::File(path) => return Ok(Some(Location::File(path.join(format!("{scratch}-missing"))))),
            Location::Object(object) => {
                let mut object = object.clone();
                object.container = scratch.to_owned();
                Location::Object(object)
            }
            _ => return Ok(None),
        };
        let opened = self.opener.open_existing(&missing).await?;
        let head = opened.head("x").await;
        let denied = |error: &Error| matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unauthenticated);
        Ok(Some(missing).filter(|_| !head.as_ref().is_err_and(denied)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)
    }
}

impl Opener {
    /// Opens a root; below a directory and in a store of memory it is made, as its first write would.
    async fn open(&self, location: &Location) -> Result<Storage> {
        if let Location::File(path) = location {
            std::fs::create_dir_all(path)?;
        }
        let create = self.create || location.scheme() == "memory";
        self.registry.open(location, &self.options.clone().create(create && location.scheme() != "file")).await
    }

    async fn open_existing(&self, location: &Location) -> Result<Storage> {
        self.registry.open(location, &self.options).await
    }
}

/// A private store of memory has no address under which the suite could open it again.
fn named(location: Location) -> Location {
    match location {
        Location::Object(mut object) if object.scheme == "memory" && object.container.is_empty() => {
            object.container = "conformance".to_owned();
            Location::Object(object)
        }
        location => location,
    }
}

fn exists(path: &PathBuf, create: bool) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::invalid_input(format!("{} is a file", path.display()))
            .with_help("name a directory; the suite works in a directory of its own below it")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !create => {
            let message = format!("there is no directory {}", path.display());
            Err(Error::new(ErrorKind::BackendNotFound, message).with_help("use --create to make it"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(std::fs::create_dir_all(path)?),
        Err(error) => Err(error.into()),
    }
}
