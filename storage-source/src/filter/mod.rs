//! Which objects are taken: a filter as data, and what it is compiled to.

mod candidate;
mod matcher;
mod pattern;
mod times;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use storage_core::Result;

pub use candidate::{Candidate, Reason, Verdict};
pub use matcher::Matcher;
pub use pattern::PatternError;

/// Which objects are taken, as data: out of settings, over a wire, or built in code. It is judged once compiled, see
/// [`Filter::compile`]; the default takes everything.
///
/// In TOML, with every field there is:
/// ```
/// # use storage_source::Filter;
/// # let toml = r#"
/// include = ["docs/**/*.md", "*.{txt,rst}"]   # none: everything
/// exclude = ["**/.git/**", "!**/.git/info/*"] # `!` rescues, wherever it stands
/// extensions = ["pdf", ".tar.gz"]             # none: all
/// min_size = 1                                # bytes; what is smaller is left out
/// max_size = 10_000_000                       # bytes; what is larger is left out
/// modified_after = "2026-01-01T00:00:00Z"     # from then on
/// modified_before = "2026-02-01T00:00:00Z"    # until just before then
/// limit = 1000                                # the first in the order of keys
/// literal_separator = true                    # `*` does not cross `/`
/// # "#;
/// # let json = r#"{"include": ["docs/**/*.md"], "extensions": ["pdf"], "modified_after": "2026-01-01T00:00:00Z"}"#;
/// # let filter: Filter = serde_json::from_str(json).unwrap();
/// # assert_eq!(serde_json::from_str::<Filter>(&serde_json::to_string(&filter).unwrap()).unwrap(), filter);
/// # let _ = toml;
/// ```
/// In code:
/// ```
/// use storage_source::{Candidate, Filter};
/// let matcher = Filter::new().include("docs/**").exclude("**/*.tmp").extension("md").max_size(1 << 20).compile()?;
/// assert!(matcher.judge(&Candidate::new("docs/a/b.MD").size(20)).is_match());
/// assert!(!matcher.judge(&Candidate::new("docs/a/b.tmp").size(20)).is_match());
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Filter {
    /// Globs on the relative path, of which one must match; none takes everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Globs on the relative path, of which none may match, unless one that begins with `!` does: that one rescues,
    /// wherever it stands. What is rescued must still match an include. A directory that matches is left out with
    /// everything beneath it, unless [`literal_separator`](Self::literal_separator) is off: `**/target` does what
    /// `**/target/**` does, and a rescue names the files that it takes back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Ends of the base name behind a dot, of which one must be there: with or without the dot, in any case, with dots
    /// inside; none takes everything. A name that is nothing else, such as `.env`, has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// What has fewer bytes is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u64>,
    /// What has more bytes is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// What was modified before this time is left out; what was modified at it is not. As text: RFC 3339.
    #[serde(with = "times", skip_serializing_if = "Option::is_none")]
    pub modified_after: Option<SystemTime>,
    /// What was modified at this time or later is left out. With [`modified_after`](Self::modified_after) that is a
    /// half-open range: of ranges that touch, every object is in one. As text: RFC 3339.
    #[serde(with = "times", skip_serializing_if = "Option::is_none")]
    pub modified_before: Option<SystemTime>,
    /// A walk takes so many objects, the first in the order of keys. A single key is never over the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether `*` and `?` stop at `/`, as CocoIndex's documents and every shell have it; the default. Without it they
    /// cross it, as CocoIndex's engine has it. The name is that of the option in `globset`.
    pub literal_separator: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            extensions: Vec::new(),
            min_size: None,
            max_size: None,
            modified_after: None,
            modified_before: None,
            limit: None,
            literal_separator: true,
        }
    }
}

impl Filter {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what matches this glob, or another include.
    #[must_use]
    pub fn include(mut self, glob: impl Into<String>) -> Self {
        self.include.push(glob.into());
        self
    }

    /// Leaves out what matches this glob, a directory with everything beneath it; with `!` in front it rescues what matches it.
    #[must_use]
    pub fn exclude(mut self, glob: impl Into<String>) -> Self {
        self.exclude.push(glob.into());
        self
    }

    /// Takes what has this extension, or another of them.
    #[must_use]
    pub fn extension(mut self, extension: impl Into<String>) -> Self {
        self.extensions.push(extension.into());
        self
    }

    /// Leaves out what has fewer bytes.
    #[must_use]
    pub fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = Some(bytes);
        self
    }

    /// Leaves out what has more bytes.
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Takes what was modified at this time or later.
    #[must_use]
    pub fn modified_after(mut self, time: SystemTime) -> Self {
        self.modified_after = Some(time);
        self
    }

    /// Takes what was modified before this time.
    #[must_use]
    pub fn modified_before(mut self, time: SystemTime) -> Self {
        self.modified_before = Some(time);
        self
    }

    /// Takes the first objects in the order of keys, so many of them.
    #[must_use]
    pub fn limit(mut self, objects: u64) -> Self {
        self.limit = Some(objects);
        self
    }

    /// Says whether `*` and `?` stop at `/`.
    #[must_use]
    pub fn literal_separator(mut self, literal: bool) -> Self {
        self.literal_separator = literal;
        self
    }

    /// Checks the filter and makes it ready to judge. Fails with `InvalidInput` that names the field and what is wrong;
    /// for a glob its source is a [`PatternError`], which points into it.
    pub fn compile(&self) -> Result<Matcher> {
        Matcher::compile(self)
    }
}
