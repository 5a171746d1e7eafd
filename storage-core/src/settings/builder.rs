//! Sources put together in their order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entries, Fault, KNOWN, Setting, Settings, Source, files};
use crate::error::{Error, Result};

/// The settings files that are looked for in a directory.
const FILE_NAMES: [&str; 4] = ["storage.toml", "storage.yaml", "storage.yml", "storage.json"];

/// Names the sources of [`Settings`]. The order of the calls does not matter: the program wins over the environment,
/// the environment over `.env`, `.env` over the file.
#[derive(Clone, Default)]
pub struct SettingsBuilder {
    directory: Option<PathBuf>,
    file: Option<PathBuf>,
    dotenv: Option<PathBuf>,
    discover: bool,
    environment: Vec<(OsString, OsString)>,
    program: Vec<(String, String)>,
}

impl SettingsBuilder {
    /// The directory that relative paths count from, instead of the current one.
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// A file of names and values: TOML, YAML or JSON by its extension. It must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// A file of `NAME=value` lines. It must exist. `$NAME` in a value is replaced by what the environment or an earlier
    /// line gives; single quotes prevent it.
    #[must_use]
    pub fn dotenv(mut self, path: impl Into<PathBuf>) -> Self {
        self.dotenv = Some(path.into());
        self
    }

    /// Takes `storage.toml`, `.yaml`, `.yml` or `.json`, and `.env`, of the directory, where they exist and no other is
    /// named. Two settings files side by side are an error.
    #[must_use]
    pub fn discover(mut self) -> Self {
        self.discover = true;
        self
    }

    /// The environment of the process, as it is now.
    #[must_use]
    pub fn environment(self) -> Self {
        self.environment_from(std::env::vars_os())
    }

    /// These names and values in the place of the environment.
    #[must_use]
    pub fn environment_from<N, V>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        self.environment.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// One value from the program, which wins over every other source.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.program.push((name.into(), value.into()));
        self
    }

    /// Reads the files and puts everything together. Fails with `Configuration`, naming the file or the setting and its
    /// source; no message holds a line of a file.
    pub fn build(mut self) -> Result<Settings> {
        let directory = self.absolute_directory()?;
        if self.discover {
            self.find_files(&directory)?;
        }
        let mut entries = BTreeMap::new();
        if let Some(path) = &self.file {
            Layer::of_file(directory.join(path))?.merge(&mut entries)?;
        }
        if let Some(path) = &self.dotenv {
            Layer::of_dotenv(directory.join(path))?.merge(&mut entries)?;
        }
        Layer::of_environment(self.environment).merge(&mut entries)?;
        Layer::of_program(self.program).merge(&mut entries)?;
        Ok(Settings { entries: Arc::new(entries), directory })
    }

    fn absolute_directory(&self) -> Result<PathBuf> {
        let given = self.directory.as_deref().unwrap_or(Path::new(""));
        if given.is_absolute() {
            return Ok(given.to_owned());
        }
        let current = std::env::current_dir().map_err(|error| {
            Error::configuration("the current directory cannot be told, and relative paths count from it")
                .with_source(error)
        })?;
        Ok(current.join(given))
    }

    fn find_files(&mut self, directory: &Path) -> Result<()> {
        let there = |name: &&str| directory.join(name).exists();
        if self.file.is_none() {
            let found: Vec<_> = FILE_NAMES.into_iter().filter(there).collect();
            if let [one, two, ..] = found[..] {
                return Err(Error::configuration(format!(
                    "there are two settings files in {}: {one} and {two}",
                    directory.display()
                ))
                .with_help("keep one of them, or name the one to use"));
            }
            self.file = found.first().map(PathBuf::from);
        }
        if self.dotenv.is_none() && there(&".env") {
            self.dotenv = Some(PathBuf::from(".env"));
        }
        Ok(())
    }
}

/// What one source holds.
struct Layer {
    source: Source,
    entries: Entries,
}

impl Layer {
    fn new(source: Source) -> Self {
        Self { source, entries: Entries::new() }
    }

    fn of_file(path: PathBuf) -> Result<Self> {
        let values = files::read_file(&path)?;
        let mut layer = Self::new(Source::File(path));
        for (name, value) in values {
            layer.add(&name, value.ok_or("is no single text, number or truth value"));
        }
        Ok(layer)
    }

    fn of_dotenv(path: PathBuf) -> Result<Self> {
        let values = files::read_dotenv(&path)?;
        let mut layer = Self::new(Source::DotEnv(path));
        for (name, value) in values {
            layer.add(&name, Ok(value));
        }
        Ok(layer)
    }

    fn of_environment(pairs: Vec<(OsString, OsString)>) -> Self {
        let mut layer = Self::new(Source::Environment);
        for (name, value) in pairs {
            // A name that is not UTF-8 is none that anybody asks for.
            if let Ok(name) = name.into_string() {
                layer.add(&name, value.into_string().map_err(|_| "is not UTF-8 text"));
            }
        }
        layer
    }

    fn of_program(pairs: Vec<(String, String)>) -> Self {
        let mut layer = Self::new(Source::Program);
        for (name, value) in pairs {
            layer.add(&name, Ok(value));
        }
        layer
    }

    /// Adds a value, or why it is none. Of two with one spelling the later counts; two spellings must agree.
    fn add(&mut self, name: &str, value: std::result::Result<String, &'static str>) {
        let value = value.and_then(|value| if value.is_empty() { Err("is empty") } else { Ok(value) });
        let upper = name.to_ascii_uppercase();
        let new = match value {
            Ok(value) => {
                let public = KNOWN.contains(&&*upper);
                Ok(Setting { name: name.to_owned(), value, source: self.source.clone(), public })
            }
            Err(why) => Err(Fault {
                message: format!("{name}, set in {}, {why}", self.source),
                help: "give it a value, or remove it",
            }),
        };
        let entry = match (self.entries.get(&upper), new) {
            (Some(Ok(old)), Ok(new)) if old.name != new.name && old.value != new.value => Err(Fault {
                message: format!("{} and {} in {} have different values", old.name, new.name, self.source),
                help: "names count in any case: keep one of the two",
            }),
            (Some(Err(_)), Ok(_)) => return,
            (_, new) => new,
        };
        self.entries.insert(upper, entry);
    }

    /// Puts this layer over the ones before; a fault of a known name comes out at once, others when asked for.
    fn merge(self, entries: &mut Entries) -> Result<()> {
        for name in KNOWN {
            if let Some(Err(fault)) = self.entries.get(name) {
                return Err(fault.error());
            }
        }
        entries.extend(self.entries);
        Ok(())
    }
}
