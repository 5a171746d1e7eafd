//! Globs: compiled by `globset`, and refused with the place that is wrong.

use globset::{ErrorKind as Kind, Glob, GlobBuilder};
use storage_core::{Error, Result};

/// What is wrong with a glob, and where: the source of the error of [`Filter::compile`](crate::Filter::compile).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {field} pattern {pattern:?} is wrong at character {position}: {reason}")]
#[non_exhaustive]
pub struct PatternError {
    /// The field of the filter: `include` or `exclude`.
    pub field: &'static str,
    /// The pattern as it was given.
    pub pattern: String,
    /// The character that is wrong, counted from 1.
    pub position: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A pattern of a field.
pub(super) struct Pattern<'a> {
    pub(super) field: &'static str,
    /// As it was given.
    pub(super) given: &'a str,
    /// Without the `!` of a rescue.
    pub(super) glob: &'a str,
}

impl Pattern<'_> {
    pub(super) fn compile(&self, literal_separator: bool) -> Result<Glob> {
        if literal_separator {
            self.check()?;
        }
        let mut glob = GlobBuilder::new(self.glob);
        // In the other mode all other options are those that CocoIndex has, too.
        glob.literal_separator(literal_separator).backslash_escape(true).empty_alternates(literal_separator);
        glob.build().map_err(|error| self.explain(&error))
    }

    /// Refuses what can match no path, or not what its writer means.
    fn check(&self) -> Result<()> {
        if self.glob.is_empty() {
            return Err(self.wrong(0, "it is empty", "a pattern matches whole paths: ** is everything"));
        }
        if self.field == "include" && self.glob.starts_with('!') {
            let help = "put what is to be left out into exclude; a name that begins with '!' is written \\!";
            return Err(self.wrong(0, "'!' rescues from excludes and means nothing in an include", help));
        }
        if self.glob.starts_with('/') {
            return Err(self.wrong(0, "no relative path begins with '/'", "leave the '/' out"));
        }
        if self.glob.ends_with('/') {
            let help = format!("everything under a directory is {}**", self.glob);
            return Err(self.wrong(self.glob.len() - 1, "no path of an object ends in '/'", help));
        }
        if let Some((at, segment)) = segments(self.glob).find(|(_, segment)| ["", ".", ".."].contains(segment)) {
            let reason = match segment {
                "" => "no path has an empty segment".to_owned(),
                dots => format!("no relative path has a segment {dots:?}"),
            };
            return Err(self.wrong(at, reason, "write the path from the prefix on, with one '/' between its segments"));
        }
        match classes(self.glob).find_map(|(start, class)| Some(start + class.find(|c: char| !c.is_ascii())?)) {
            Some(at) => Err(self.wrong(
                at,
                "a class holds single bytes, and this character has several",
                "write the characters as {é,è}",
            )),
            None => Ok(()),
        }
    }

    fn explain(&self, error: &globset::Error) -> Error {
        let (at, reason, help) = match error.kind() {
            Kind::UnclosedClass => {
                (unclosed_class(self.glob), "the class is not closed", "close it with ']', or write \\[")
            }
            Kind::InvalidRange(first, last) => {
                let range = format!("{first}-{last}");
                let reason = format!("the range {range} runs backwards");
                let help = format!("write {last}-{first}");
                let at = classes(self.glob).find_map(|(start, class)| Some(start + class.find(&range)?));
                return self.wrong(at.unwrap_or(0), reason, help);
            }
            Kind::UnopenedAlternates => {
                (unbalanced(self.glob), "nothing opens this '}'", "open it with '{', or write \\}")
            }
            Kind::UnclosedAlternates => {
                (unbalanced(self.glob), "this '{' is not closed", "close it with '}', or write \\{")
            }
            Kind::DanglingEscape => {
                (self.glob.len() - 1, "nothing follows the backslash", "a backslash itself is \\\\")
            }
            other => return self.wrong(0, other.to_string(), "write a simpler pattern, or several"),
        };
        self.wrong(at, reason, help)
    }

    /// The error of the character at a byte of the glob.
    fn wrong(&self, at: usize, reason: impl Into<String>, help: impl Into<String>) -> Error {
        let before = self.given.len() - self.glob.len();
        let position = self.given.get(..before + at).map_or(0, |before| before.chars().count()) + 1;
        let error = PatternError { field: self.field, pattern: self.given.to_owned(), position, reason: reason.into() };
        Error::invalid_input(error.to_string()).with_help(help.into()).with_source(error)
    }
}

/// What is between the `/` of a pattern, with where it is.
fn segments(glob: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    glob.split('/').map(move |segment| {
        let start = at;
        at += segment.len() + 1;
        (start, segment)
    })
}

/// What of a pattern is outside of classes, and the classes in it: where each starts, and its text.
fn classes(glob: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + plain(&glob[at..]).find_map(|(at, c)| (c == '[').then_some(at))?;
        // A ']' that is the first of its class stands for itself.
        let first = start + 1 + usize::from(glob[start + 1..].starts_with(['!', '^']));
        let skipped = first + usize::from(glob[first..].starts_with(']'));
        at = glob[skipped..].find(']').map_or(glob.len(), |end| skipped + end + 1);
        Some((start, &glob[start..at]))
    })
}

/// The characters that are not escaped, with where they are.
fn plain(glob: &str) -> impl Iterator<Item = (usize, char)> {
    let mut escaped = false;
    glob.char_indices().filter(move |(_, c)| {
        let is_plain = !escaped && *c != '\\';
        escaped = !escaped && *c == '\\';
        is_plain
    })
}

fn unclosed_class(glob: &str) -> usize {
    classes(glob).last().map_or(0, |(start, _)| start)
}

/// The first brace that has no other.
fn unbalanced(glob: &str) -> usize {
    let in_class = |at: usize| classes(glob).any(|(start, class)| (start..start + class.len()).contains(&at));
    let mut open = Vec::new();
    for (at, c) in plain(glob).filter(|(at, _)| !in_class(*at)) {
        match c {
            '{' => open.push(at),
            '}' if open.pop().is_none() => return at,
            _ => {}
        }
    }
    open.first().copied().unwrap_or(0)
}
