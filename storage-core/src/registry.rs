//! From a location to a handle: which driver opens which scheme.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::access::Access;
use crate::error::{Error, Operation, Result};
use crate::location::Location;
use crate::settings::{Origin, Root, RootName, STORAGE_BACKEND, Setting, Settings};
use crate::storage::Storage;

/// What makes backends of locations.
#[async_trait]
pub trait Driver: fmt::Debug + Send + Sync + 'static {
    /// The name by which `STORAGE_BACKEND` chooses the driver, in lower case: `local`.
    fn name(&self) -> &str;

    /// The schemes that it opens, in lower case; `file` stands for every path.
    fn schemes(&self) -> &[&str];

    /// Where a root lies that has no setting of its own. A relative path counts from the directory of the settings.
    fn default_root(&self, root: RootName, settings: &Settings) -> Result<Location>;

    /// Opens a root: a directory, a bucket or store, or what is under a path of one. Nothing is made yet: where `create`
    /// says so, the first write makes what is missing.
    ///
    /// The path is the driver's to apply, since it may hold what no key may (rule K04): `s3://bucket/a//`. A driver
    /// that has nothing of the kind opens the container and takes [`Storage::sub`] of it. Handles that can copy inside one
    /// another are told so by [`Storage::part_of`].
    async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage>;

    /// How a program that does not know this library reaches the same root, by the same settings. No request.
    /// `Unsupported`, as here, where no other program can.
    fn access(&self, location: &Location, _settings: &Settings) -> Result<Access> {
        Err(Error::unsupported(format!("no other program can reach {location}"))
            .with_help("read it through this library"))
    }
}

/// How a location is opened.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// A missing root is an empty one, which the first write makes; without it every operation is `BackendNotFound`.
    pub create: bool,
    /// What the driver reads its own settings from.
    pub settings: Settings,
    /// Ask a remote service, within so long, whether the root can be reached and its credentials are good. A failure
    /// comes from the opening then and names the setting to look at, instead of from the first operation after all its
    /// retries. Drivers without a service have nothing to ask.
    pub check: Option<Duration>,
}

impl OpenOptions {
    /// Opens what exists, without settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the first write make what is missing.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Asks the service, within so long, whether the root can be reached.
    #[must_use]
    pub fn check(mut self, deadline: Duration) -> Self {
        self.check = Some(deadline);
        self
    }

    /// Gives the driver settings to read.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

/// The drivers of a host. The first one is the default when `STORAGE_BACKEND` is not set.
///
/// A registry is a value like any other: two of them share nothing, and a host adds its own drivers to its own.
///
/// ```
/// # use storage_core::{Location, OpenOptions, Registry, Result};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let registry = Registry::new().with(storage_memory::MemoryDriver::new())?;
/// let notes = registry.open(&Location::parse("memory://app/notes")?, &OpenOptions::new().create(true)).await?;
/// notes.put("today.txt", "buy milk").await?;
/// assert_eq!(notes.uri("today.txt")?, "memory://app/notes/today.txt");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry {
    drivers: Vec<Arc<dyn Driver>>,
}

impl Registry {
    /// No driver yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a driver. Fails with `InvalidInput` where its name or one of its schemes is taken.
    pub fn with(mut self, driver: impl Driver) -> Result<Self> {
        for other in &self.drivers {
            let shared = other.schemes().iter().find(|scheme| driver.schemes().contains(scheme));
            let what = match shared {
                Some(scheme) => format!("the scheme {scheme}"),
                None if other.name() == driver.name() => "this name".to_owned(),
                None => continue,
            };
            let message = format!("the driver {} cannot be added: {} has {what} already", driver.name(), other.name());
            return Err(Error::invalid_input(message));
        }
        self.drivers.push(Arc::new(driver));
        Ok(self)
    }

    /// The schemes that are known, in the order of the drivers.
    pub fn schemes(&self) -> Vec<&str> {
        self.drivers.iter().flat_map(|driver| driver.schemes().iter().copied()).collect()
    }

    /// The driver of a location. Fails with `InvalidInput` and the known schemes.
    pub fn driver(&self, location: &Location) -> Result<&Arc<dyn Driver>> {
        let scheme = location.scheme();
        self.drivers
            .iter()
            .find(|driver| driver.schemes().contains(&scheme))
            .ok_or_else(|| self.unknown("scheme", scheme, &self.schemes()))
    }

    /// Opens a root: a directory, a container, or what is under a path of a container. No object is read or written.
    pub async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Storage> {
        let driver = self.driver(location)?;
        let opened = driver.open(location, options).await;
        opened.map_err(|error| error.in_context(Operation::Open, driver.name(), None))
    }

    /// How a program that does not know this library reaches a place, by the same settings: see [`Access`]. No request.
    pub fn access(&self, location: &Location, settings: &Settings) -> Result<Access> {
        let driver = self.driver(location)?;
        driver.access(location, settings).map_err(|error| error.in_context(Operation::Open, driver.name(), None))
    }

    /// Opens the container that a location lies in, and says which key or prefix it names there; an empty text is the
    /// container itself.
    ///
    /// A directory that exists is a container, unless an object has its very name; of any other path the container is
    /// the nearest directory above that exists. What exists of a path is made canonical first, so that a symbolic link
    /// which the caller names is followed.
    pub async fn resolve(&self, location: &Location, options: &OpenOptions) -> Result<(Storage, String)> {
        self.driver(location)?;
        let (container, text) = match location {
            Location::File(path) => split_path(path).await?,
            Location::Object(_) => location.split(),
        };
        if text.is_empty()
            && !location.is_level()
            && let Some(object) = self.object_beside(&container, options).await
        {
            return Ok(object);
        }
        Ok((self.open(&container, options).await?, text))
    }

    /// The object that has the name of a directory, where there is one: the keys `a` and `a/b` may both exist.
    async fn object_beside(&self, directory: &Location, options: &OpenOptions) -> Option<(Storage, String)> {
        let (above, name) = directory.split();
        if name.is_empty() {
            return None;
        }
        let above = self.open(&above, options).await.ok()?;
        let exists = above.exists(&name).await.is_ok_and(|exists| exists);
        exists.then_some((above, name))
    }

    /// Where a root lies by these settings: its own setting, else the default of the driver that `STORAGE_BACKEND` names,
    /// else that of the first driver. Fails with `Configuration`, naming the setting, its source and what is expected.
    pub fn root(&self, name: RootName, settings: &Settings) -> Result<Root> {
        let forced = self.forced(settings)?;
        match settings.get(name.setting())? {
            Some(setting) => self.root_as_set(name, setting, forced, settings),
            None => self.default_root(name, forced, settings),
        }
    }

    /// Opens a root; the first write makes what is missing. An error names the setting that put the root there.
    pub async fn open_root(&self, root: &Root, settings: &Settings) -> Result<Storage> {
        let options = OpenOptions::new().create(true).settings(settings.clone());
        self.open(&root.location, &options).await.map_err(|error| root.blame(error))
    }

    fn root_as_set(
        &self,
        name: RootName,
        setting: &Setting,
        forced: Option<(&Arc<dyn Driver>, &Setting)>,
        settings: &Settings,
    ) -> Result<Root> {
        let location = Location::parse(setting.value()).map_err(|error| setting.blame(error))?;
        let location = plain(location.relative_to(settings.directory_of(setting)));
        let driver = self.driver(&location).map_err(|error| setting.blame(error))?;
        if let Some((forced, backend)) = forced
            && !forced.schemes().contains(&location.scheme())
        {
            return Err(Error::configuration(format!(
                "{}, set in {}, is {location}, but {} = {:?}, set in {}, takes {} only",
                setting.name(),
                setting.source(),
                backend.name(),
                backend.value(),
                backend.source(),
                schemes_in_words(forced.schemes()),
            ))
            .with_help("change one of the two, or remove it"));
        }
        let origin = Origin::Setting { name: setting.name().to_owned(), source: setting.source().clone() };
        Ok(Root::new(name, location, driver.name(), origin))
    }

    fn default_root(
        &self,
        name: RootName,
        forced: Option<(&Arc<dyn Driver>, &Setting)>,
        settings: &Settings,
    ) -> Result<Root> {
        let driver = forced.map(|(driver, _)| driver).or(self.drivers.first());
        let driver = driver.ok_or_else(|| Error::configuration("this build has no driver at all"))?;
        let location = driver.default_root(name, settings)?.relative_to(settings.directory());
        let origin = Origin::Default { backend: forced.map(|(_, setting)| setting.source().clone()) };
        Ok(Root::new(name, plain(location), driver.name(), origin))
    }

    /// The driver that `STORAGE_BACKEND` names, with the setting.
    fn forced<'a>(&'a self, settings: &'a Settings) -> Result<Option<(&'a Arc<dyn Driver>, &'a Setting)>> {
        let Some(setting) = settings.get(STORAGE_BACKEND)? else {
            return Ok(None);
        };
        let wanted = setting.value();
        match self.drivers.iter().find(|driver| driver.name().eq_ignore_ascii_case(wanted)) {
            Some(driver) => Ok(Some((driver, setting))),
            None => {
                let names: Vec<_> = self.drivers.iter().map(|driver| driver.name()).collect();
                Err(setting.blame(self.unknown("backend", wanted, &names)))
            }
        }
    }

    fn unknown(&self, what: &str, wanted: &str, known: &[&str]) -> Error {
        let known = format!("this build knows {}", known.join(", "));
        match wanted.to_ascii_lowercase().as_str() {
            "s3" => Error::invalid_input("this build has no S3 driver")
                .with_help(format!("build it with the feature s3 of the storage crate; {known}")),
            "s3a" | "s3n" => Error::invalid_input(format!("the {what} {wanted:?} is not known"))
                .with_help(format!("buckets are s3://bucket/prefix; {known}")),
            _ => Error::invalid_input(format!("the {what} {wanted:?} is not known")).with_help(known),
        }
    }
}

fn schemes_in_words(schemes: &[&str]) -> String {
    let words = schemes.iter().map(|scheme| match *scheme {
        "file" => "directories".to_owned(),
        scheme => format!("{scheme}://"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A path without `.` segments and doubled slashes; other locations as they are.
fn plain(location: Location) -> Location {
    match location {
        Location::File(path) => Location::File(path.components().collect()),
        object => object,
    }
}

/// The directory that a path lies in, and its name there; a directory that exists is one itself.
async fn split_path(path: &Path) -> Result<(Location, String)> {
    let level = Location::File(path.to_owned()).is_level();
    let (directory, name) = match look(path).await? {
        Some((found, true)) => (found, PathBuf::new()),
        Some((found, false)) => match (found.parent(), found.file_name()) {
            (Some(parent), Some(name)) => (parent.to_owned(), PathBuf::from(name)),
            _ => (found, PathBuf::new()),
        },
        None => {
            let (above, rest) = nearest(path).await?;
            if level { (above.join(rest), PathBuf::new()) } else { (above, rest) }
        }
    };
    match name.into_os_string().into_string() {
        Ok(name) => Ok((Location::File(directory), name)),
        Err(_) => Err(Error::invalid_input(format!("the name {} is not UTF-8 text", path.display()))
            .with_help("rename it: a key is UTF-8 text")),
    }
}

/// The nearest directory above a path that exists, made canonical, and the rest of the path from there.
async fn nearest(path: &Path) -> Result<(PathBuf, PathBuf)> {
    for above in path.ancestors().skip(1) {
        let named = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        if let (Some((found, _)), Ok(rest)) = (look(named).await?, path.strip_prefix(above)) {
            return Ok((found, rest.to_owned()));
        }
    }
    Ok((path.to_owned(), PathBuf::new()))
}

/// A path that exists, made canonical, and whether it is a directory.
async fn look(path: &Path) -> Result<Option<(PathBuf, bool)>> {
    use std::io::ErrorKind as Io;
    let looked = async {
        let directory = tokio::fs::metadata(path).await?.is_dir();
        Ok::<_, std::io::Error>((tokio::fs::canonicalize(path).await?, directory))
    };
    match looked.await {
        Ok(found) => Ok(Some(found)),
        // A name that is too long for the file system is a key all the same.
        Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::InvalidFilename) => Ok(None),
        Err(error) => {
            let error = Error::from(error);
            let message = format!("cannot look at {}: {}", path.display(), error.message());
            Err(error.with_message(message).with_operation(Operation::Open))
        }
    }
}
