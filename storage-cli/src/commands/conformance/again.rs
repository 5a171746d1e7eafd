//! The command that asks again what has failed, to paste into a shell.

use std::path::{Path, PathBuf};

use conformance_tests::Report;

use crate::args::ConformanceArgs;
use crate::session::Session;

/// So many rules are named one by one; more are asked again as the run has asked them.
const NAMED: usize = 8;

/// What a run was started with.
pub(super) struct Again {
    settings: Option<PathBuf>,
    rules: Option<String>,
}

impl Again {
    pub(super) fn of(args: &ConformanceArgs, session: &Session) -> Self {
        Self { settings: session.settings_file().map(Path::to_owned), rules: args.rules.clone() }
    }

    /// The command for the place of a report.
    pub(super) fn command(&self, place: &str, report: &Report) -> String {
        let mut words = vec!["storage".to_owned()];
        if let Some(file) = &self.settings {
            words.extend(["--settings".to_owned(), quoted(&file.to_string_lossy())]);
        }
        words.extend(["conformance".to_owned(), quoted(place)]);
        if let Some(rules) = self.rules(report) {
            words.extend(["--rules".to_owned(), quoted(&rules)]);
        }
        words.extend(["--seed".to_owned(), report.seed.to_string()]);
        words.join(" ")
    }

    /// The rules that failed, where they are few, else their groups; none where that is all there are.
    fn rules(&self, report: &Report) -> Option<String> {
        let failed: Vec<&str> = report.failed().map(|rule| rule.name.as_str()).collect();
        match failed.len() {
            0 => self.rules.clone(),
            1..=NAMED => Some(failed.join(",")),
            _ if self.rules.is_some() => self.rules.clone(),
            _ => groups(report),
        }
    }
}

/// The groups in which a rule failed; none where that is every group.
fn groups(report: &Report) -> Option<String> {
    let letters = |ids: &mut dyn Iterator<Item = &'static str>| {
        let mut letters: Vec<&str> = ids.map(|id| &id[..1]).collect();
        letters.dedup();
        letters
    };
    let failed = letters(&mut report.failed().map(|rule| rule.id));
    let all = letters(&mut report.rules.iter().map(|rule| rule.id));
    (failed.len() < all.len()).then(|| failed.join(","))
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-@%+,=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_each_word_for_one() {
        assert_eq!(quoted("s3://bucket/a-b_c%20"), "s3://bucket/a-b_c%20");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
        assert_eq!(quoted(""), "''");
    }
}
