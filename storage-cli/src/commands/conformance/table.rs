//! A report as a table, by group.

use anstyle::AnsiColor;
use conformance_tests::{CleanUp, Outcome, Report, RuleReport};

use super::again::Again;
use crate::failure::Failure;
use crate::output::Output;

/// The longest reason that stands in a row.
const REASON: usize = 120;

/// Prints the table of a report, what failed in full, and the totals.
pub(super) fn print(report: &Report, again: &Again, output: &mut Output) -> Result<(), Failure> {
    let place = report.backend.as_ref().and_then(|backend| backend.location.as_deref()).unwrap_or("?");
    let driver = report.backend.as_ref().map_or("no root could be made", |backend| &backend.driver);
    output.line(&format!("{place} ({driver})"))?;
    for group in report.rules.chunk_by(|a, b| a.group == b.group) {
        output.line("")?;
        output.line(group[0].group)?;
        group.iter().try_for_each(|rule| row(rule, output))?;
    }
    for rule in report.failed() {
        output.line("")?;
        failure(rule, output)?;
    }
    output.line("")?;
    report.clean_up.iter().try_for_each(|cleaned| clean_up(cleaned, output))?;
    output.line(&totals(report))?;
    if report.is_conformant() {
        return Ok(());
    }
    output.line(&format!("again: {}", again.command(place, report)))
}

fn row(rule: &RuleReport, output: &mut Output) -> Result<(), Failure> {
    let reason: String = rule.outcome.reason().chars().take(REASON).collect();
    let line = format!("{}  {:<32} {reason}", rule.id, rule.title);
    output.marked(&format!("{:<9}", rule.outcome.word()), colour(&rule.outcome), line.trim_end())
}

fn colour(outcome: &Outcome) -> AnsiColor {
    match outcome {
        Outcome::Pass { .. } => AnsiColor::Green,
        Outcome::Fail { .. } => AnsiColor::Red,
        Outcome::Waived { .. } => AnsiColor::Yellow,
        Outcome::NotAsked { .. } | Outcome::Elsewhere { .. } => AnsiColor::Cyan,
    }
}

/// What is left of the suite; nothing where nothing is.
fn clean_up(cleaned: &CleanUp, output: &mut Output) -> Result<(), Failure> {
    let (word, colour) = match cleaned.has_failed() {
        true => ("fail     ", AnsiColor::Red),
        false => ("note     ", AnsiColor::Yellow),
    };
    cleaned.reason().map_or(Ok(()), |reason| output.marked(word, colour, &format!("clean up  {reason}")))
}

/// What a rule says, why, and each assertion that failed.
fn failure(rule: &RuleReport, output: &mut Output) -> Result<(), Failure> {
    output.marked("fail", AnsiColor::Red, &format!("{} {} ({})", rule.id, rule.title, rule.name))?;
    output.line(&format!("  promised: {}", rule.text))?;
    output.line(&format!("  because:  {}", rule.why))?;
    let Outcome::Fail { steps, .. } = &rule.outcome else { return Ok(()) };
    for step in steps {
        output.line(&format!("  at {}", step.place))?;
        step.message.lines().try_for_each(|line| output.line(&format!("    {line}")))?;
    }
    Ok(())
}

/// How many rules ended how, in one line.
pub(super) fn totals(report: &Report) -> String {
    let totals = &report.totals;
    let counts = [
        (totals.pass, "pass"),
        (totals.fail, "fail"),
        (totals.waived, "waived"),
        (totals.not_asked, "not asked"),
        (totals.elsewhere, "proved elsewhere"),
    ];
    let told = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    format!("{}; {:.1} s, seed {}", told.collect::<Vec<_>>().join(", "), report.seconds, report.seed)
}
