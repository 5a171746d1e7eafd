//! A filter that was compiled.

use std::time::SystemTime;

use globset::{Glob, GlobSet};
use storage_core::{Error, Result};

use super::pattern::Pattern;
use super::{Candidate, Filter, Reason, Verdict};
use crate::prune::{Descent, Pruning};

/// A filter, compiled: one answer for what a listing shows, for what a walk meets, for a single key and for an event.
/// Cloning is cheap enough to hand it around.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// `None` takes everything.
    include: Option<GlobSet>,
    exclude: GlobSet,
    rescue: GlobSet,
    /// In lower case, each with its dot.
    extensions: Vec<String>,
    sizes: (Option<u64>, Option<u64>),
    times: (Option<SystemTime>, Option<SystemTime>),
    pub(crate) limit: Option<u64>,
    pub(crate) pruning: Pruning,
}

impl Matcher {
    pub(super) fn compile(filter: &Filter) -> Result<Self> {
        check_ranges(filter)?;
        let compile = |field, given: &str, glob: &str| Pattern { field, given, glob }.compile(filter.literal_separator);
        let include = filter.include.iter().map(|given| compile("include", given, given));
        let include: Vec<Glob> = include.collect::<Result<_>>()?;
        let (mut exclude, mut rescue) = (Vec::new(), Vec::new());
        for given in &filter.exclude {
            match given.strip_prefix('!') {
                Some(glob) => rescue.push(compile("exclude", given, glob)?),
                None => {
                    exclude.push(compile("exclude", given, given)?);
                    // In CocoIndex's documentation an excluded directory takes everything beneath it along.
                    if filter.literal_separator && given != "**" && !given.ends_with("/**") {
                        exclude.push(compile("exclude", given, &format!("{given}/**"))?);
                    }
                }
            }
        }
        Ok(Self {
            include: (!include.is_empty()).then(|| set("include", &include)).transpose()?,
            exclude: set("exclude", &exclude)?,
            rescue: set("exclude", &rescue)?,
            extensions: filter
                .extensions
                .iter()
                .map(|extension| checked_extension(extension))
                .collect::<Result<_>>()?,
            sizes: (filter.min_size, filter.max_size),
            times: (filter.modified_after, filter.modified_before),
            limit: filter.limit,
            pruning: Pruning::new(&include, &exclude, &rescue),
        })
    }

    /// Says whether a candidate is taken, and if not, why. The limit is the walk's business and not asked here.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Verdict {
        self.reason(candidate).map_or(Verdict::Matched, Verdict::LeftOut)
    }

    /// Whether the patterns leave out a name that a listing skipped, so that nobody misses it: of a directory that cannot be
    /// read only where they take nothing beneath it.
    pub(crate) fn excludes_skipped(&self, name: &str, unreadable: bool) -> bool {
        let takes_none_beneath = name.ends_with('/') && self.pruning.descent(name) == Descent::Pruned;
        let path = name.trim_end_matches('/');
        let excludes = || self.exclude.is_match(path) && !self.rescue.is_match(path);
        takes_none_beneath || (!(unreadable && name.ends_with('/')) && excludes())
    }

    fn reason(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        let path = candidate.path;
        if path.ends_with('/') {
            return Some(Reason::Marker);
        }
        if storage_core::Key::new(path).is_err() {
            return Some(Reason::NotExpressible);
        }
        if self.exclude.is_match(path) && !self.rescue.is_match(path) {
            return Some(Reason::ExcludedByPattern);
        }
        if self.include.as_ref().is_some_and(|include| !include.is_match(path)) {
            return Some(Reason::NotIncluded);
        }
        if !self.has_extension(path) {
            return Some(Reason::WrongExtension);
        }
        let beyond = |found: Option<u64>, edge: Option<u64>, is: fn(&u64, &u64) -> bool| {
            found.zip(edge).is_some_and(|(found, edge)| is(&found, &edge))
        };
        if beyond(candidate.size, self.sizes.0, u64::lt) {
            return Some(Reason::TooSmall);
        }
        if beyond(candidate.size, self.sizes.1, u64::gt) {
            return Some(Reason::TooLarge);
        }
        let modified = candidate.modified?;
        if self.times.0.is_some_and(|after| modified < after) {
            return Some(Reason::TooOld);
        }
        self.times.1.is_some_and(|before| modified >= before).then_some(Reason::TooNew)
    }

    fn has_extension(&self, path: &str) -> bool {
        if self.extensions.is_empty() {
            return true;
        }
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        self.extensions.iter().any(|extension| name.ends_with(extension.as_str()))
    }
}

fn set(field: &'static str, globs: &[Glob]) -> Result<GlobSet> {
    GlobSet::new(globs).map_err(|error| {
        Error::invalid_input(format!("the {field} patterns are too many or too large together: {error}"))
            .with_help("write fewer, or simpler ones")
    })
}

fn checked_extension(given: &str) -> Result<String> {
    // As a list of them is written: "py, js".
    let trimmed = given.trim();
    let extension = trimmed.strip_prefix('.').unwrap_or(trimmed);
    let why = if extension.is_empty() {
        "it is empty"
    } else if extension.contains('/') {
        "it holds a '/', and only the base name is looked at"
    } else if extension.starts_with('*') {
        "it begins with '*'"
    } else {
        return Ok(format!(".{}", extension.to_lowercase()));
    };
    Err(Error::invalid_input(format!("the extension {given:?} is refused: {why}"))
        .with_help("write it as pdf, .pdf or tar.gz; patterns belong into include"))
}

fn check_ranges(filter: &Filter) -> Result<()> {
    if let (Some(min), Some(max)) = (filter.min_size, filter.max_size)
        && min > max
    {
        return Err(Error::invalid_input(format!("min_size {min} is above max_size {max}: nothing has such a size"))
            .with_help("exchange them, or leave one out"));
    }
    if let (Some(after), Some(before)) = (filter.modified_after, filter.modified_before)
        && after >= before
    {
        let message = "modified_after is not before modified_before: nothing was modified in between";
        return Err(Error::invalid_input(message).with_help("exchange them, or leave one out"));
    }
    Ok(())
}
