//! The page's table: rules by peers, and for each failure what is seen.

use std::error::Error;
use std::fmt::Write as _;

use conformance_tests::{Outcome, Report, RuleReport};

use crate::symptoms::symptom;

const BEGIN: &str = "<!-- the table: begin -->\n";
const END: &str = "<!-- the table: end -->";

type Reports = [(&'static str, Report)];

/// Rules that say nothing about a peer, and why.
const NO_QUESTION: [(&str, &str, &str); 2] = [
    ("opendal memory", "e03_missing_root", "its store in memory cannot be missing"),
    ("object_store memory", "e03_missing_root", "its store in memory cannot be missing"),
];

/// The table in Markdown.
pub fn written(reports: &Reports) -> String {
    let mut text = String::new();
    let names: Vec<&str> = reports.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(text, "| rule | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
    let rules = reports.first().map(|(_, report)| report.rules.as_slice()).unwrap_or_default();
    for rule in rules.iter().filter(|rule| !matches!(rule.outcome, Outcome::Elsewhere { .. })) {
        let cells = reports.iter().map(|(name, report)| cell(name, found(report, rule)));
        let _ = writeln!(text, "| **{}** {} | {} |", rule.id, rule.title, cells.collect::<Vec<_>>().join(" | "));
    }
    let totals = reports.iter().map(|(name, report)| {
        let count = |word: &str| report.rules.iter().filter(|rule| cell(name, Some(rule)) == word).count();
        format!("{} / {} / {}", count("pass"), count("waived"), count("**fail**"))
    });
    let _ = writeln!(text, "| pass / waived / fail | {} |", totals.collect::<Vec<_>>().join(" | "));
    let _ = writeln!(text, "\n## What is seen where a rule fails\n");
    for rule in rules {
        for line in lines(reports, rule) {
            let _ = writeln!(text, "- **{}** {}", rule.id, line);
        }
    }
    text
}

/// One line for each symptom of a rule, with the peers that have it.
fn lines(reports: &Reports, rule: &RuleReport) -> Vec<String> {
    let mut seen: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, report) in reports {
        let Some(Outcome::Fail { reason, .. }) = found(report, rule).map(|rule| &rule.outcome) else { continue };
        let words = symptom(name, &rule.name).map_or_else(|| format!("`{reason}`"), str::to_owned);
        match seen.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(name),
            None => seen.push((words, vec![name])),
        }
    }
    seen.into_iter().map(|(words, names)| format!("{}: {words}", names.join(", "))).collect()
}

fn found<'a>(report: &'a Report, rule: &RuleReport) -> Option<&'a RuleReport> {
    report.rules.iter().find(|found| found.name == rule.name)
}

fn cell(peer: &str, rule: Option<&RuleReport>) -> &'static str {
    let Some(rule) = rule else { return "" };
    if NO_QUESTION.iter().any(|(name, known, _)| *name == peer && *known == rule.name) {
        return "–";
    }
    match &rule.outcome {
        Outcome::Pass { .. } => "pass",
        Outcome::Fail { .. } => "**fail**",
        Outcome::Waived { .. } => "waived",
        Outcome::NotAsked { .. } | Outcome::Elsewhere { .. } => "–",
    }
}

/// The page with another table in it.
pub fn replaced(page: &str, table: &str) -> Result<String, Box<dyn Error>> {
    let parts = page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = parts.ok_or("docs/peers.md has no marks for the table")?;
    Ok(format!("{head}{BEGIN}\n{table}\n{END}{tail}"))
}

/// Fails where a rule breaks of which nobody has written yet what is seen.
pub fn complete(reports: &Reports) -> Result<(), Box<dyn Error>> {
    let failed = reports.iter().flat_map(|(name, report)| report.failed().map(move |rule| (name, &rule.name)));
    let unknown: Vec<_> = failed.filter(|(name, rule)| symptom(name, rule).is_none()).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(format!("nobody has said in symptoms.rs what is seen here: {unknown:?}").into()),
    }
}
