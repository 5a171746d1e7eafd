//! Reports as one page that needs nothing else: a matrix of rules and places.

use std::fmt::Write as _;

use conformance_tests::{CleanUp, Outcome, Report, RuleReport};

use super::table::totals;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of some reports, each of the same rules.
pub(super) fn page(reports: &[Report]) -> String {
    let rules = reports.first().map_or(&[][..], |report| &report.rules);
    let suite = reports.first().map_or("", |report| report.suite);
    let mut body = String::new();
    for group in rules.chunk_by(|a, b| a.group == b.group) {
        body.push_str(&group_rows(group, reports));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Storage conformance</title>\n\
         <style>\n{STYLE}</style>\n<h1>Storage conformance</h1>\n\
         <p class=\"about\">Which rules of the storage contract hold where. Suite {suite}, {}.</p>\n\
         <div class=\"places\">\n{}</div>\n<nav>{}</nav>\n\
         <div class=\"wide\"><table>\n<thead><tr><th>Rule</th><th>What is promised</th>{}</tr></thead>\n{body}</table></div>\n\
         <script>\n{SCRIPT}</script>\n</html>\n",
        count(rules.len(), "line"),
        reports.iter().map(place).collect::<String>(),
        filters(rules),
        reports.iter().map(|report| format!("<th>{}</th>", text(&name(report)))).collect::<String>(),
    )
}

fn count(number: usize, what: &str) -> String {
    crate::output::count(number as u64, what)
}

/// Where a report is of.
fn name(report: &Report) -> String {
    let backend = report.backend.as_ref();
    backend.map_or("?".to_owned(), |backend| backend.location.clone().unwrap_or_else(|| backend.driver.clone()))
}

/// What was tested, in short.
fn place(report: &Report) -> String {
    let driver = report.backend.as_ref().map_or("no root could be made", |backend| &backend.driver);
    let broken = if super::is_well(report) { "" } else { " broken" };
    let left = report.clean_up.as_ref().and_then(CleanUp::reason);
    format!(
        "<div class=\"place{broken}\"><b>{}</b> ({})<small>{}</small>{}</div>\n",
        text(&name(report)),
        text(driver),
        text(&totals(report)),
        left.map(|left| format!("<small>{}</small>", text(left))).unwrap_or_default()
    )
}

/// The choices of a group, and of failures alone.
fn filters(rules: &[RuleReport]) -> String {
    let mut filters = choice("", "All", true);
    for group in rules.chunk_by(|a, b| a.group == b.group) {
        filters.push_str(&choice(group[0].group, group[0].group, false));
    }
    filters + "<label><input type=\"checkbox\" id=\"broken\">Only failures</label>"
}

fn choice(value: &str, shown: &str, checked: bool) -> String {
    let checked = if checked { " checked" } else { "" };
    format!("<label><input type=\"radio\" name=\"group\" value=\"{}\"{checked}>{}</label>", text(value), text(shown))
}

/// The rows of a group: one for each rule, and below it one for each place that breaks it.
fn group_rows(rules: &[RuleReport], reports: &[Report]) -> String {
    let (group, columns) = (text(rules[0].group), 2 + reports.len());
    let mut rows =
        format!("<tbody data-group=\"{group}\">\n<tr class=\"group\"><th colspan=\"{columns}\">{group}</th></tr>\n");
    for rule in rules {
        let found: Vec<_> = reports.iter().map(|report| (report, of(report, rule))).collect();
        let fails = found.iter().filter(|(_, found)| steps(*found).is_some()).count();
        let _ = writeln!(
            rows,
            "<tr data-fails=\"{fails}\"><td class=\"id\">{}</td><td><details><summary>{}</summary><p>{}</p>\
             <p class=\"why\">{}</p><p><code>{}</code></p></details></td>{}</tr>",
            rule.id,
            text(rule.title),
            text(rule.text),
            text(rule.why),
            text(&rule.name),
            found.iter().map(|(_, found)| cell(*found)).collect::<String>(),
        );
        for (report, found) in &found {
            if let Some(script) = steps(*found) {
                let _ = writeln!(
                    rows,
                    "<tr class=\"script\" data-fails=\"1\"><td class=\"id\">{}</td><td colspan=\"{}\"><details open><summary>\
                     {} breaks it</summary><pre>{}</pre></details></td></tr>",
                    rule.id,
                    columns - 1,
                    text(&name(report)),
                    text(&script),
                );
            }
        }
    }
    rows + "</tbody>\n"
}

/// How a rule ended in a report.
fn of<'a>(report: &'a Report, rule: &RuleReport) -> Option<&'a RuleReport> {
    report.rules.iter().find(|other| other.name == rule.name)
}

fn cell(found: Option<&RuleReport>) -> String {
    let Some(rule) = found else { return "<td></td>".to_owned() };
    let word = rule.outcome.word();
    let reason = match &rule.outcome {
        Outcome::Fail { .. } => String::new(),
        outcome => outcome.reason(),
    };
    format!(
        "<td class=\"cell\"><span class=\"{}\">{word}</span><small>{}</small></td>",
        word.replace(' ', "-"),
        text(&reason)
    )
}

/// Every assertion that failed; none where the rule holds.
fn steps(found: Option<&RuleReport>) -> Option<String> {
    let Outcome::Fail { reason, steps } = &found?.outcome else { return None };
    let told = steps.iter().map(|step| format!("{}\n    at {}", step.message, step.place));
    let told: Vec<_> = told.collect();
    Some(if told.is_empty() { reason.clone() } else { told.join("\n\n") })
}

/// Text of which HTML takes nothing for its own.
fn text(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
