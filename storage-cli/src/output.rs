//! Standard output: aligned columns for people, tabs for pipes, JSON for programs.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufWriter, IsTerminal as _, Stdout, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::failure::Failure;

/// Where results go. Line by line, so that a long listing takes no memory.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    people: bool,
}

/// One cell of a row; the last one of a row is never padded.
pub(crate) enum Cell<'a> {
    Text(&'a str, usize),
    Size(Option<u64>),
    Time(Option<SystemTime>),
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = std::io::stdout();
        let people = stdout.is_terminal() && !json;
        Self { out: BufWriter::with_capacity(64 * 1024, stdout), json, people }
    }

    /// Whether programs read the output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Writes one JSON object.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, object).map_err(std::io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        if !self.people {
            return Ok(writeln!(self.out, "{line}")?);
        }
        writeln!(self.out, "{}", harmless(line))?;
        Ok(self.out.flush()?)
    }

    /// Writes one line that begins with a word, which is coloured where a person sees it.
    pub(crate) fn marked(&mut self, word: &str, colour: AnsiColor, line: &str) -> Result<(), Failure> {
        if !self.people || anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never {
            return self.line(&format!("{word} {line}"));
        }
        let style = Style::new().bold().fg_color(Some(colour.into()));
        writeln!(self.out, "{style}{}{style:#} {}", harmless(word), harmless(line))?;
        Ok(self.out.flush()?)
    }

    /// Writes one row: aligned, with sizes to read, on a terminal; else parted by tabs, with sizes in bytes.
    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), Failure> {
        let row = self.row_text(cells);
        self.line(&row)
    }

    /// Writes one row that begins with a word, which is padded to `width` and coloured where a person sees it.
    pub(crate) fn marked_row(
        &mut self,
        (word, width, colour): (&str, usize, AnsiColor),
        cells: &[Cell<'_>],
    ) -> Result<(), Failure> {
        let row = self.row_text(cells);
        match self.people {
            true => self.marked(&format!("{word:<width$}"), colour, &row),
            false => self.line(&format!("{word}\t{row}")),
        }
    }

    fn row_text(&self, cells: &[Cell<'_>]) -> String {
        let mut line = String::new();
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                line.push_str(if self.people { "  " } else { "\t" });
            }
            let width = if self.people && i + 1 < cells.len() { cell.width() } else { 0 };
            let text = cell.text(self.people);
            let _ = match cell {
                Cell::Size(_) => write!(line, "{text:>width$}"),
                _ => write!(line, "{text:<width$}"),
            };
        }
        line
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

impl Cell<'_> {
    fn width(&self) -> usize {
        match self {
            Self::Text(_, width) => *width,
            Self::Size(_) => 10,
            Self::Time(_) => 20,
        }
    }

    fn text(&self, people: bool) -> String {
        match self {
            Self::Text(text, _) => (*text).to_owned(),
            Self::Size(Some(size)) if people => BinaryBytes(*size).to_string(),
            Self::Size(Some(size)) => size.to_string(),
            Self::Time(Some(time)) => timestamp(*time),
            Self::Size(None) | Self::Time(None) => "-".to_owned(),
        }
    }
}

/// A text without what a terminal would obey: keys may hold C1 controls.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let escaped = text.chars().map(|c| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() });
    escaped.collect::<String>().into()
}

/// A time as RFC 3339 in UTC, to the second; `-` for one that it cannot express.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let mut text = String::new();
    let known = time >= UNIX_EPOCH && write!(text, "{}", humantime::format_rfc3339_seconds(time)).is_ok();
    if known { text } else { "-".to_owned() }
}

/// How many of something: `1 object`, `2 objects`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{harmless, timestamp};

    #[test]
    fn a_terminal_is_given_nothing_to_obey() {
        assert_eq!(harmless("a\u{9b}31m\u{1b}é"), "a\\u{9b}31m\\u{1b}é");
    }

    #[test]
    fn a_time_that_no_timestamp_expresses_is_a_dash() {
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(1)), "1970-01-01T00:00:01Z");
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), "-");
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(400_000_000_000)), "-");
    }
}
