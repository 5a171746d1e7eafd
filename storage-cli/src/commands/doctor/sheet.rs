//! What a person or a program sees of an examination.

use anstyle::AnsiColor;
use serde_json::{Value, json};
use storage::Location;
use storage::diagnosis::{Finding, Given, Observer, Verdict};

use super::place::Place;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// As wide as the longest name of a check.
const CHECK: usize = 18;

/// Prints line by line, or keeps all for one document.
pub(super) struct Sheet<'a> {
    place: &'a Place,
    output: &'a mut Output,
    progress: Progress,
    given: Vec<Given>,
    found: Vec<Finding>,
    /// The output failed; nothing more is printed.
    failed: Option<Failure>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(place: &'a Place, output: &'a mut Output) -> Result<Self, Failure> {
        let progress = Progress::counting(output.is_json());
        if !output.is_json() {
            let location = place.location.as_ref().map(Location::to_string).unwrap_or_default();
            let named = if location == place.name { location } else { format!("{} {location}", place.name) };
            output.line(&format!("{}, from {}", named.trim_end(), place.origin))?;
        }
        Ok(Self { place, output, progress, given: Vec::new(), found: Vec::new(), failed: None })
    }

    /// Whether all was well, and the document of it.
    pub(super) fn end(self) -> Result<(bool, Value), Failure> {
        self.progress.end();
        let count = |verdict| self.found.iter().filter(|finding| finding.verdict == verdict).count();
        let counts = [Verdict::Good, Verdict::Note, Verdict::Failed, Verdict::NotTried].map(count);
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        if !self.output.is_json() {
            let [good, notes, failed, not_tried] = counts;
            self.output.line(&format!("{good} ok, {notes} notes, {failed} failed, {not_tried} not tried"))?;
            self.output.flush()?;
        }
        let document = json!({
            "place": self.place.name,
            "location": self.place.location.as_ref().ok().map(Location::to_string),
            "driver": self.place.driver,
            "origin": self.place.origin,
            "settings": self.given,
            "checks": self.found,
        });
        Ok((counts[2] == 0, document))
    }

    fn print(&mut self, print: impl FnOnce(&mut Output) -> Result<(), Failure>) {
        if self.output.is_json() || self.failed.is_some() {
            return;
        }
        let output = &mut *self.output;
        // Each line is handed over when it is known, to a pipe too: what follows may take seconds.
        self.failed = self.progress.aside(|| print(output).and_then(|()| output.flush())).err();
    }
}

impl Observer for Sheet<'_> {
    fn given(&mut self, given: Given) {
        let line = format!("{} = {} ({})", given.name, given.value, given.source);
        self.print(|output| output.marked("setting  ", AnsiColor::Cyan, &line));
        self.given.push(given);
    }

    fn began(&mut self, check: &'static str) {
        self.progress.show(check);
    }

    fn found(&mut self, finding: Finding) {
        let (word, colour) = match finding.verdict {
            Verdict::Good => ("ok", AnsiColor::Green),
            Verdict::Note => ("note", AnsiColor::Yellow),
            Verdict::Failed => ("fail", AnsiColor::Red),
            Verdict::NotTried => ("not tried", AnsiColor::Cyan),
        };
        let line = format!("{:<CHECK$} {}", finding.check, finding.seen);
        self.print(|output| output.marked(&format!("{word:<9}"), colour, &line));
        if let Some(fix) = finding.fix.clone() {
            self.print(|output| output.line(&format!("          {:<CHECK$} {fix}", "to do:")));
        }
        self.found.push(finding);
    }
}
