//! Settings: where each value comes from, and what a wrong one is answered with.
//!
//! Later wins: the file, `.env`, the environment, the program. Names are taken in any case. There is no process-global
//! state: two differently built [`Settings`] live side by side, and nothing is written to the environment.

mod builder;
mod files;
mod roots;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::location::without_userinfo;

pub use builder::SettingsBuilder;
pub use roots::{Origin, Root, RootName};

/// Where the data root lies: a [`Location`](crate::Location).
pub const DATA_ROOT_DIRECTORY: &str = "DATA_ROOT_DIRECTORY";
/// Where the system root lies: a [`Location`](crate::Location).
pub const SYSTEM_ROOT_DIRECTORY: &str = "SYSTEM_ROOT_DIRECTORY";
/// Where the cache root lies: a [`Location`](crate::Location).
pub const CACHE_ROOT_DIRECTORY: &str = "CACHE_ROOT_DIRECTORY";
/// The driver that every root must use, by its name in any case.
pub const STORAGE_BACKEND: &str = "STORAGE_BACKEND";
/// The bucket of roots that have no setting of their own, for drivers with buckets.
pub const STORAGE_BUCKET_NAME: &str = "STORAGE_BUCKET_NAME";
/// What an Ok of the local driver means after a crash of the machine: `full` or `fast`.
pub const STORAGE_LOCAL_DURABILITY: &str = "STORAGE_LOCAL_DURABILITY";

/// The names that are checked when settings are built, and whose values may be shown.
const KNOWN: [&str; 6] = [
    DATA_ROOT_DIRECTORY,
    SYSTEM_ROOT_DIRECTORY,
    CACHE_ROOT_DIRECTORY,
    STORAGE_BACKEND,
    STORAGE_BUCKET_NAME,
    STORAGE_LOCAL_DURABILITY,
];

/// Names and values from all sources, each value with the source it came from. Cloning is cheap.
///
/// Names that this crate does not know are kept for drivers and hosts, and are checked only when they are asked for.
/// `Debug` shows no value of such a name, since it may be a secret.
///
/// ```
/// use storage_core::{Settings, settings::DATA_ROOT_DIRECTORY};
/// let settings = Settings::builder()
///     .environment_from([("data_root_directory", "memory://data")])
///     .build()?;
/// let data = settings.get(DATA_ROOT_DIRECTORY)?.unwrap();
/// assert_eq!(data.value(), "memory://data");
/// assert_eq!(data.source().to_string(), "the environment");
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    entries: Arc<Entries>,
    directory: PathBuf,
}

/// By name in upper case.
type Entries = BTreeMap<String, std::result::Result<Setting, Fault>>;

impl Settings {
    /// No settings: every root is its driver's default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Settings from sources that are named one by one.
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// The setting of a name in any case; `None` where no source has it. Fails with `Configuration` where its value is
    /// empty or no text, or where its source has it in two spellings with two values.
    pub fn get(&self, name: &str) -> Result<Option<&Setting>> {
        match self.entries.get(&name.to_ascii_uppercase()) {
            None => Ok(None),
            Some(Ok(setting)) => Ok(Some(setting)),
            Some(Err(fault)) => Err(fault.error()),
        }
    }

    /// The names, in upper case, that begin with `start` in any case and have a value or a fault in some source; so that a
    /// driver can tell a name that it does not know from none at all.
    pub fn names_under(&self, start: &str) -> impl Iterator<Item = &str> {
        let start = start.to_ascii_uppercase();
        self.entries.keys().map(String::as_str).filter(move |name| name.starts_with(&start))
    }

    /// The directory that relative paths of this setting count from: that of the file which names it, else the current
    /// one.
    pub fn directory_of<'a>(&'a self, setting: &'a Setting) -> &'a Path {
        match &setting.source {
            Source::File(file) | Source::DotEnv(file) => file.parent().unwrap_or(&self.directory),
            Source::Environment | Source::Program => &self.directory,
        }
    }

    /// The directory that relative paths count from when no file names them.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.entries.iter().map(|(name, entry)| match entry {
            Ok(setting) if setting.public => (name, format!("{:?} in {}", setting.shown(), setting.source)),
            Ok(setting) => (name, format!("… in {}", setting.source)),
            Err(fault) => (name, fault.message.clone()),
        });
        f.debug_map().entries(shown).finish()
    }
}

/// One value, with where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    name: String,
    value: String,
    source: Source,
    /// Messages may show the value.
    public: bool,
}

impl Setting {
    /// The name as its source spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value; never empty.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where it came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The position of the value in `choices`, compared in any case. Fails with `Configuration` and the choices.
    pub fn choose(&self, choices: &[&str]) -> Result<usize> {
        let chosen = choices.iter().position(|choice| choice.eq_ignore_ascii_case(&self.value));
        chosen.ok_or_else(|| self.refused("it is none of the values it may have", choices.join(" or ")))
    }

    /// For drivers: the same setting, of a name that holds no secret, so that messages show its value.
    #[must_use]
    pub fn public(&self) -> Self {
        Self { public: true, ..self.clone() }
    }

    /// The error of a value that cannot be used: what is wrong with it, and what is expected. It shows the value only
    /// of names that hold no secret.
    pub fn refused(&self, why: &str, expected: impl fmt::Display) -> Error {
        let value = if self.public { format!(" = {:?}", self.shown()) } else { String::new() };
        Error::configuration(format!("{}{value}, set in {}: {why}", self.name, self.source))
            .with_help(format!("expected: {expected}"))
    }

    /// The value as it may be shown: hidden where the name may be that of a secret, and a location that was given a password
    /// in spite of all without it.
    pub fn shown(&self) -> String {
        if self.public { without_userinfo(&self.value) } else { "(hidden)".to_owned() }
    }

    /// An error that came of this setting, as one that names it.
    pub fn blame(&self, error: Error) -> Error {
        let message = format!("{}, set in {}: {}", self.name, self.source, error.message());
        error.with_kind(ErrorKind::Configuration).with_message(message)
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.name, self.source)
    }
}

/// Where a setting came from, in the order in which later ones win.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A settings file, by its absolute path.
    File(PathBuf),
    /// A `.env` file, by its absolute path.
    DotEnv(PathBuf),
    /// The environment of the process.
    Environment,
    /// The program itself, through the builder.
    Program,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::DotEnv(path) => write!(f, "the file {}", path.display()),
            Self::Environment => f.write_str("the environment"),
            Self::Program => f.write_str("the program"),
        }
    }
}

/// Why an entry cannot be used; told when somebody asks for it. Holds no value.
#[derive(Clone)]
struct Fault {
    message: String,
    help: &'static str,
}

impl Fault {
    fn error(&self) -> Error {
        Error::configuration(self.message.clone()).with_help(self.help)
    }
}
