//! Mixed inputs: told apart by fixed rules, within a policy, and read one by one.

mod expand;
mod given;
mod item;
mod policy;
mod tell;

use std::path::PathBuf;

use storage_core::{Location, OpenOptions, Registry, Result};

pub use expand::Items;
pub use given::Given;
pub use item::{Item, Origin, Place};
pub use policy::InputPolicy;

/// What a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file or directory of this machine that exists.
    Path(PathBuf),
    /// A place behind a scheme; whether anything is there shows when it is read.
    Location(Location),
    /// The text itself.
    Text(String),
}

/// How texts are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// By their form, see [`Inputs`].
    #[default]
    ByForm,
    /// All as text.
    Text,
    /// All as paths, which must exist.
    Path,
}

/// Takes a mixed list of inputs and reads what is there: [`Inputs::resolve`].
///
/// What an input is, is mostly known from its type ([`Given`]). A plain text is told by its form, in this order:
///
/// 1. a path that exists is a path;
/// 2. `scheme://…` is a location; an unknown scheme is `InvalidInput` with the known ones;
/// 3. what has no white space, and holds a `/` or ends in an extension, is a path that is missing: `NotFound`; so is one line
///    that begins with `/`, `./`, `../`, `~/` or a drive and ends in an extension or a `/`, whatever spaces it has; with
///    white space around it, either is `InvalidInput`;
/// 4. all else is text.
///
/// Whether a text may be a path at all, and which paths and locations may be read, is the [`InputPolicy`]'s to say. It
/// allows none until somebody loosens it, so that what strangers hand in reads nothing of this machine and of no bucket.
/// What it does not allow is `PermissionDenied` and never text.
///
/// ```
/// # use futures::TryStreamExt;
/// # use storage_core::{Location, OpenOptions, Registry, Result};
/// # use storage_source::{Given, InputPolicy, Inputs};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let registry = Registry::new().with(storage_memory::MemoryDriver::new())?;
/// let notes = registry.open(&Location::parse("memory://notes")?, &OpenOptions::new().create(true)).await?;
/// notes.put("docs/a.md", "first").await?;
/// notes.put("docs/b/c.md", "second").await?;
///
/// let policy = InputPolicy::closed().allow_location(Location::parse("memory://notes/docs")?);
/// let inputs = Inputs::new(&registry).with_policy(policy);
/// let given = [Given::from("memory://notes/docs/"), Given::from("a note"), Given::bytes("x.bin", "bytes")];
/// let items: Vec<_> = inputs.resolve(given).try_collect().await?;
/// let names: Vec<_> = items.iter().map(|item| (item.origin().input, item.name().unwrap_or("-"))).collect();
/// assert_eq!(names, [(0, "a.md"), (0, "c.md"), (1, "-"), (2, "x.bin")]);
///
/// let refused = inputs.resolve(["/etc/passwd"]).try_collect::<Vec<_>>().await.unwrap_err();
/// assert_eq!(refused.status(), 403);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    registry: &'a Registry,
    policy: InputPolicy,
    reading: Reading,
    one_level: bool,
    options: OpenOptions,
}

impl<'a> Inputs<'a> {
    /// Inputs whose locations are those that the registry opens; nothing but text, bytes and readers is allowed yet.
    pub fn new(registry: &'a Registry) -> Self {
        Self {
            registry,
            policy: InputPolicy::closed(),
            reading: Reading::ByForm,
            one_level: false,
            options: OpenOptions::new(),
        }
    }

    /// Says which paths and locations may be read.
    #[must_use]
    pub fn with_policy(mut self, policy: InputPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Says how plain texts are read.
    #[must_use]
    pub fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// Takes of a directory or a prefix only what lies in it directly; without it, everything below.
    #[must_use]
    pub fn one_level(mut self) -> Self {
        self.one_level = true;
        self
    }

    /// Says how locations are opened: with which settings, credentials among them.
    #[must_use]
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        self.options = options;
        self
    }

    /// What the inputs hold, one item after the other in the order of the inputs and of the keys under each, lazily: an
    /// input is looked at when those before it are read to their ends.
    ///
    /// A location or path that ends in `/` stands for what is under it; one that does not, for the object of that name
    /// and for what is under it, both where both are there, and never for a neighbour whose name only begins alike. Where
    /// there is nothing the error `NotFound` says what was tried. An error is one of its input alone: the stream goes on
    /// with the next one.
    ///
    /// A text costs nothing; an object one head and one listing; a prefix one request a page of its listing.
    pub fn resolve<G: Into<Given>>(&self, inputs: impl IntoIterator<Item = G>) -> Items {
        Items::new(
            expand::Expander {
                registry: self.registry.clone(),
                policy: self.policy.clone(),
                reading: self.reading,
                one_level: self.one_level,
                options: self.options.clone(),
            },
            inputs.into_iter().map(Into::into).collect(),
        )
    }

    /// Tells what all texts are, before any of them is used; the first that is wrong is the error. Looks at the file system
    /// where the policy allows paths, and changes nothing.
    pub async fn resolve_all(&self, texts: &[String], reading: Reading) -> Result<Vec<Input>> {
        let mut inputs = Vec::with_capacity(texts.len());
        for text in texts {
            inputs.push(tell::tell(self.registry, &self.policy, text, reading).await?);
        }
        Ok(inputs)
    }
}
