//! What a command says at its end of the walks that it made.

use std::io::IsTerminal as _;

use serde_json::json;
use storage::{Error, ErrorKind};
use storage_source::{Outcome, Reason, WalkReport};

use crate::failure::{Failure, note};
use crate::output::{Output, count};

/// Tells what the walk says of itself: to programs on standard output, to people beside it. Where nobody
/// looks, names that were left out are all of it.
pub(super) fn tell(report: &WalkReport, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!({ "report": report }));
    }
    output.flush()?;
    tell_names(report);
    if std::io::stderr().is_terminal() {
        note(&summary(report), false);
    }
    Ok(())
}

/// Tells the names that are no objects that can be read, on standard error.
pub(super) fn tell_names(report: &WalkReport) {
    for left in &report.names {
        note(&format!("left out {:?}: {}", left.name, left.detail), false);
    }
    let unnamed = report.exceptions.values().sum::<u64>() - report.names.len() as u64;
    if unnamed > 0 {
        note(&format!("left out {} more", count(unnamed, "name")), false);
    }
}

/// The report in a line.
fn summary(report: &WalkReport) -> String {
    let taken = format!("{} of {} scanned", count(report.matched, "object"), report.scanned);
    let end = match report.outcome {
        Outcome::Complete => "complete",
        Outcome::Limited => "there is more, which the limit leaves out",
        Outcome::Unreadable => "not complete: there are names that cannot be read",
        _ => "not complete: the walk failed",
    };
    let parts: Vec<String> = std::iter::once(taken).chain(left_out(report)).collect();
    format!("{}; {end}", parts.join(", "))
}

/// How many were left out for each reason, in words.
pub(super) fn left_out(report: &WalkReport) -> impl Iterator<Item = String> {
    let reasons = report.left_out.iter().map(|(reason, count)| format!("{count} {reason}"));
    let pruned = match report.pruned_directories {
        0 => None,
        1 => Some("1 excluded directory not listed".to_owned()),
        many => Some(format!("{many} excluded directories not listed")),
    };
    reasons.chain(pruned)
}

/// The error of names that this user may not read; none where there are none.
pub(super) fn unreadable(report: &WalkReport) -> Option<Error> {
    let names = *report.left_out.get(&Reason::Unreadable)?;
    let message = format!("{} cannot be read, so not everything was seen", count(names, "name"));
    let help = "run as a user who may read them, or exclude them";
    Some(Error::new(ErrorKind::PermissionDenied, message).with_help(help))
}

#[cfg(test)]
mod tests {
    use storage_source::{Outcome, Reason, WalkReport};

    use super::summary;

    #[test]
    fn the_report_is_a_line() {
        let mut report = WalkReport::default();
        (report.outcome, report.scanned, report.matched) = (Outcome::Complete, 0, 0);
        assert_eq!(summary(&report), "0 objects of 0 scanned; complete");
        (report.outcome, report.scanned, report.matched) = (Outcome::Limited, 7, 1);
        (report.left_out, report.pruned_directories) = ([(Reason::TooLarge, 5), (Reason::OverLimit, 1)].into(), 2);
        let line = "1 object of 7 scanned, 5 too large, 1 over the limit, 2 excluded directories not listed; there is more, \
                    which the limit leaves out";
        assert_eq!(summary(&report), line);
    }
}
