//! What can go wrong, how it is told, and with which code the program ends.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde_json::json;
use storage::{Error, ErrorKind};

/// The exit code after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code after a request to terminate, or when the terminal is gone.
pub(crate) const TERMINATED: u8 = 143;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const DENIED: u8 = 4;

/// Why a command did not do all of its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage says no.
    Storage(Box<Error>),
    /// The program's own input or output failed.
    Output(io::Error),
    /// Nobody reads the output any more; that is no error.
    Closed,
    /// Failures that were told as they came; the code to end with.
    Told(u8),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Storage(Box::new(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Output(error),
        }
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Storage(error) => code(error.kind()),
            Self::Output(_) => FAILED,
            Self::Closed => 0,
            Self::Told(code) => *code,
        }
    }

    /// Tells the failure on standard error, and says with which code to end.
    pub(crate) fn report(&self, json: bool) -> u8 {
        match self {
            Self::Storage(error) => report_error(error, json),
            Self::Output(error) if json => say(json!({ "error": error.to_string() })),
            Self::Output(error) => say(format_args!("{}: {error}", styled("error", AnsiColor::Red))),
            Self::Closed | Self::Told(_) => {}
        }
        self.code()
    }
}

fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Configuration | ErrorKind::InvalidKey | ErrorKind::InvalidInput => USAGE,
        ErrorKind::NotFound | ErrorKind::BackendNotFound => NOT_FOUND,
        ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => DENIED,
        _ => FAILED,
    }
}

/// Whether an error is that of a place and not of one object, so that the objects behind it would only fail like it, each
/// after all of its repetitions.
pub(crate) fn ends_all(error: &Error) -> bool {
    use ErrorKind::*;
    matches!(
        error.kind(),
        BackendNotFound | Unauthenticated | Configuration | Timeout | Unavailable | OutcomeUnknown | OutOfSpace
    )
}

/// Failures of single objects, told as they come while the rest goes on.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    code: Option<u8>,
}

impl Failures {
    /// Tells one failure.
    pub(crate) fn add(&mut self, error: &Error, json: bool) {
        report_error(error, json);
        self.count(code(error.kind()));
    }

    /// Counts names that were left out because no key can express them; they were told already.
    pub(crate) fn left_out(&mut self) {
        self.count(FAILED);
    }

    fn count(&mut self, code: u8) {
        self.code = Some(match self.code {
            None => code,
            Some(same) if same == code => same,
            Some(_) => FAILED,
        });
    }

    /// Ok where nothing failed; else the one code of all failures, or that of mixed ones.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.code.map_or(Ok(()), |code| Err(Failure::Told(code)))
    }
}

fn report_error(error: &Error, json: bool) {
    if json {
        let fields = json!({
            "error": text(error), "kind": error.kind().as_str(), "status": error.status(), "hint": error.help(),
        });
        return say(fields);
    }
    say(format_args!("{}: {}", styled("error", AnsiColor::Red), text(error)));
    if let Some(help) = error.help() {
        say(format_args!("{}: {help}", styled("hint", AnsiColor::Cyan)));
    }
}

/// The error's line without what to do about it, which has a line of its own.
fn text(error: &Error) -> String {
    let text = error.to_string();
    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
    text.strip_suffix(&help).map(str::to_owned).unwrap_or(text)
}

/// A line on standard error that is no error.
pub(crate) fn note(text: &str, json: bool) {
    match json {
        true => say(json!({ "note": text })),
        false => say(format_args!("{}: {text}", styled("note", AnsiColor::Yellow))),
    }
}

/// A line on standard error; there may be nobody to read it any more, as of a terminal that is gone.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

fn styled(word: &str, colour: AnsiColor) -> impl std::fmt::Display {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    format!("{style}{word}{style:#}")
}
