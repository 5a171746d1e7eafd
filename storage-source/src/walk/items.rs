//! The items of a walk, one by one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::Stream;
use storage_core::{Error, ErrorKind, ObjectMeta, Prefix, Result, Storage};

use super::ahead::{Ahead, Met};
use super::report::{Outcome, WalkReport};
use crate::file::{RelativePath, SourceFile};
use crate::filter::{Candidate, Matcher, Reason, Verdict};

/// What a walk yields: a key that stays the same wherever the tree lies, and the file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WalkItem {
    /// The path from the walk's prefix on.
    pub path: RelativePath,
    /// The object.
    pub file: SourceFile,
}

/// The items of a walk, as a stream in ascending order of the keys' bytes. A listing that fails is an item and the last
/// one; whether nothing is missing is in the report.
#[derive(Debug)]
pub struct WalkItems {
    storage: Storage,
    prefix: Prefix,
    matcher: Matcher,
    /// What the listings show, in order.
    ahead: Ahead,
    report: WalkReport,
}

impl WalkItems {
    pub(super) fn new(storage: Storage, prefix: Prefix, matcher: Matcher, ahead: Ahead) -> Self {
        Self { storage, prefix, matcher, ahead, report: WalkReport::default() }
    }

    /// What the walk says of itself: so far, and once the stream has ended, all of it.
    pub fn report(&self) -> &WalkReport {
        &self.report
    }

    /// The report alone, taken out of a walk that has ended.
    pub fn into_report(self) -> WalkReport {
        self.report
    }

    /// The item of an object, if it is taken.
    fn judge(&mut self, meta: ObjectMeta) -> Result<Option<WalkItem>> {
        let Some(path) = meta.key.strip_prefix(&self.prefix) else {
            let message = format!("the listing shows {:?}, asked for keys under {:?}", meta.key, self.prefix);
            return Err(Error::new(ErrorKind::Other, message));
        };
        match self.matcher.judge(&Candidate::of(path.as_str(), &meta)) {
            Verdict::LeftOut(reason) => {
                self.report.leave_out(reason);
                Ok(None)
            }
            Verdict::Matched if self.matcher.limit.is_some_and(|limit| self.report.matched >= limit) => {
                self.report.leave_out(Reason::OverLimit);
                self.end(Outcome::Limited);
                Ok(None)
            }
            Verdict::Matched => {
                self.report.scanned += 1;
                self.report.matched += 1;
                let file = SourceFile::listed(self.storage.clone(), self.prefix.clone(), meta);
                Ok(Some(WalkItem { path: RelativePath::new(path), file }))
            }
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.report.end(outcome);
        self.ahead.stop();
    }

    fn fail(&mut self, error: &Error) {
        self.report.error = Some(error.to_string());
        self.end(Outcome::Failed);
    }
}

impl Stream for WalkItems {
    type Item = Result<WalkItem>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.report.outcome == Outcome::Running {
            let wanted = this.matcher.limit.map(|limit| limit.saturating_sub(this.report.matched).saturating_add(1));
            let met = match ready!(this.ahead.poll_met(cx, wanted)) {
                None => {
                    this.end(Outcome::Complete);
                    break;
                }
                Some(Met::Object(meta)) => this.judge(meta),
                Some(Met::Pruned) => {
                    this.report.pruned_directories += 1;
                    Ok(None)
                }
                Some(Met::Skipped(skipped)) => {
                    let name = skipped.name.strip_prefix(this.prefix.as_str()).unwrap_or(&skipped.name);
                    match this.matcher.excludes_skipped(name, skipped.is_unreadable()) {
                        true => this.report.leave_out(Reason::ExcludedByPattern),
                        false => this.report.skip(skipped, this.prefix.as_str()),
                    }
                    Ok(None)
                }
                Some(Met::Failed(error)) => Err(error),
            };
            match met {
                Ok(None) => {}
                Ok(Some(item)) => return Poll::Ready(Some(Ok(item))),
                Err(error) => {
                    this.fail(&error);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }
}
