//! Finding out why a place does not work: checks one after the other, each with what was seen and what to do about it.
//!
//! Drivers examine what only they know of, and tell it as it is found; whoever asked shows it. Nothing of it holds a secret.
//!
//! ```
//! use storage_core::Error;
//! use storage_core::diagnosis::{Examination, Finding, Given, Observer, Verdict};
//!
//! #[derive(Default)]
//! struct Sheet(Vec<Finding>);
//! impl Observer for Sheet {
//!     fn given(&mut self, _: Given) {}
//!     fn began(&mut self, _: &'static str) {}
//!     fn found(&mut self, finding: Finding) {
//!         self.0.push(finding);
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let mut sheet = Sheet::default();
//! let mut exam = Examination::new(&mut sheet);
//! assert!(exam.check("door", async { Ok("open".to_owned()) }).await);
//! let locked = async { Err(Error::configuration("it is locked").with_help("set KEY")) };
//! assert!(!exam.check("safe", locked).await);
//! exam.skip(&["jewels"], "the safe cannot be opened");
//! assert_eq!(sheet.0[1].fix.as_deref(), Some("set KEY"));
//! assert_eq!(sheet.0[2].verdict, Verdict::NotTried);
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::error::{Error, ErrorKind, Result};
use crate::settings::Setting;

/// How long a check may take that asks little.
const CHECK: Duration = Duration::from_secs(10);

/// How long all checks of a place may take.
const ALL: Duration = Duration::from_secs(120);

/// Why a check is not tried, or not to its end.
const LATE: &str = "the time for all checks is over";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// Nothing is broken, and it is worth knowing.
    Note,
    /// It is wrong: the finding says what to do.
    Failed,
    /// It was not tried: something that it needs has failed, or is not there.
    NotTried,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at, in a word or two: `TCP`.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, or why it was not tried.
    pub seen: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// A setting that has a part in how the place is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Given {
    /// The name as its source spells it.
    pub name: String,
    /// The value, or what may be shown of it.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

/// Who is told, as it comes.
pub trait Observer: Send {
    /// A setting was read.
    fn given(&mut self, given: Given);

    /// A check has begun, which may take a while.
    fn began(&mut self, check: &'static str);

    /// A check has ended.
    fn found(&mut self, finding: Finding);
}

/// Runs checks: each within a time of its own, all within two minutes, so that it ends whatever hangs.
pub struct Examination<'a> {
    observer: &'a mut dyn Observer,
    end: Instant,
}

impl Finding {
    /// All is well.
    pub fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, seen: seen.into(), fix: None }
    }

    /// Something is worth knowing, and this can be done where it matters.
    pub fn note(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Note, seen: seen.into(), fix: Some(fix.into()) }
    }

    /// Something is wrong; the fix is the error's help.
    pub fn failed(check: &'static str, error: &Error) -> Self {
        let seen = format!("{}: {}", error.kind(), error.message());
        let fix = error.help().unwrap_or("look at the service or the disk itself: no setting is known to help");
        Self { check, verdict: Verdict::Failed, seen, fix: Some(fix.to_owned()) }
    }

    /// It was not tried.
    pub fn not_tried(check: &'static str, why: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::NotTried, seen: why.into(), fix: None }
    }
}

impl Given {
    /// A setting with what it shows of its value.
    pub fn of(setting: &Setting) -> Self {
        Self::shown(setting, setting.shown())
    }

    /// A setting of which another text is shown than its value.
    pub fn shown(setting: &Setting, value: impl Into<String>) -> Self {
        Self { name: setting.name().to_owned(), value: value.into(), source: setting.source().to_string() }
    }

    /// What holds since no setting says otherwise.
    pub fn default(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into(), source: "the default".to_owned() }
    }
}

impl<'a> Examination<'a> {
    /// Begins now.
    pub fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, end: Instant::now() + ALL }
    }

    /// Tells a setting.
    pub fn given(&mut self, given: Given) {
        self.observer.given(given);
    }

    /// Tells a finding.
    pub fn add(&mut self, finding: Finding) {
        self.observer.found(finding);
    }

    /// Tells checks that are not tried.
    pub fn skip(&mut self, checks: &[&'static str], why: &str) {
        checks.iter().for_each(|check| self.add(Finding::not_tried(check, why)));
    }

    /// Runs a check of up to ten seconds, tells what it saw or what was wrong, and says whether it was well.
    pub async fn check(&mut self, check: &'static str, attempt: impl Future<Output = Result<String>>) -> bool {
        match self.run(check, CHECK, attempt).await {
            Some(seen) => {
                self.add(Finding::good(check, seen));
                true
            }
            None => false,
        }
    }

    /// Runs a check within a time of its own. A failure is told; what a success is, the caller tells.
    pub async fn run<T>(
        &mut self,
        check: &'static str,
        longest: Duration,
        attempt: impl Future<Output = Result<T>>,
    ) -> Option<T> {
        let left = self.end.saturating_duration_since(Instant::now()).min(longest);
        if left.is_zero() {
            self.add(Finding::not_tried(check, LATE));
            return None;
        }
        self.observer.began(check);
        let error = match timeout(left, attempt).await {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(error)) => error,
            // With all of its time it might have been well.
            Err(_) if left < longest => {
                self.add(Finding::not_tried(check, LATE));
                return None;
            }
            Err(_) => silent(left),
        };
        self.add(Finding::failed(check, &error));
        None
    }
}

fn silent(longest: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("it did not end within {} s", longest.as_secs().max(1)))
        .with_help("look at what is between this machine and the place, and at the load of both")
}

impl fmt::Debug for Examination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examination").field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Sheet(Vec<Finding>);

    impl Observer for Sheet {
        fn given(&mut self, _: Given) {}
        fn began(&mut self, _: &'static str) {}
        fn found(&mut self, finding: Finding) {
            self.0.push(finding);
        }
    }

    /// Proves that a check which hangs fails after its own time, and that all of them end with the whole time.
    #[tokio::test(start_paused = true)]
    async fn nothing_hangs() {
        let (mut sheet, start) = (Sheet::default(), Instant::now());
        let mut exam = Examination::new(&mut sheet);
        for longest in [5, 10].into_iter().cycle().take(20) {
            assert_eq!(exam.run::<()>("a", Duration::from_secs(longest), std::future::pending()).await, None);
        }
        assert_eq!(start.elapsed(), ALL);
        assert_eq!(sheet.0[0].verdict, Verdict::Failed);
        assert!(sheet.0[0].seen.starts_with("timed out"), "{:?}", sheet.0[0]);
        assert_eq!(sheet.0[19].verdict, Verdict::NotTried, "it was cut short by those before it");
        assert!(
            Finding::failed("a", &Error::invalid_input("odd")).fix.is_some(),
            "no failure is without a word of what to do"
        );
    }
}
