//! What only the protocol has: uploads in parts, request by request, and whether conditional writes are kept.

use std::sync::Arc;
use std::time::Duration;

use storage_core::diagnosis::{Examination, Finding};
use storage_core::{Attributes, Error, ErrorKind, PutMode, Result, Support, SweepOptions};

use super::Patient;
use crate::core::Core;
use crate::options::{ConditionPolicy, S3Options};
use crate::probe::{self, Condition, Seen};
use crate::sweep;
use crate::upload::{self, Part, Upload};

/// The steps of an upload in parts, each of which a caller may be denied; what was left of others is found by listing them.
pub const UPLOADS: [&str; 5] =
    ["begin an upload", "upload a part", "complete an upload", "abort an upload", "list uploads"];

/// The conditional writes that a service may keep or not; uploads are streaming writes that end in parts.
pub const CONDITIONS: [&str; 6] =
    ["create-only put", "if-match put", "create-only upload", "if-match upload", "create-only copy", "if-match delete"];

/// The longest that one request may take, with its repetition.
const STEP: Duration = Duration::from_secs(10);

/// What a part holds.
const CONTENT: &[u8] = b"storage doctor";

/// The longest that the probe of one condition may take: about seventy requests, eight at a time.
const PROBE: Duration = Duration::from_secs(20);

/// What a probe that is out of time may take to say so.
const GRACE: Duration = Duration::from_secs(1);

/// Why nothing is said of a condition: a slow way says nothing of what the service keeps.
const LATE: &str = "its requests take too long to be answered: see latency";

impl Patient {
    /// Tries an upload in parts: begins, fills and completes one, aborts another, and lists what was begun. Six requests; the
    /// object of the first stays under the key, and so does that of the second where it may not be aborted. Says whether it
    /// may.
    pub async fn uploads(&self, key: &str, exam: &mut Examination<'_>) -> bool {
        let aborts = self.steps(key, exam).await;
        let listed = async {
            // None is so old: they are listed, and left alone.
            sweep::sweep(&self.core, SweepOptions::older_than(Duration::MAX)).await?;
            Ok("allowed".to_owned())
        };
        exam.check(UPLOADS[4], listed).await;
        aborts
    }

    /// The same but for the listing.
    async fn steps(&self, key: &str, exam: &mut Examination<'_>) -> bool {
        let core = &self.core;
        let [begin, part, complete, abort, _] = UPLOADS;
        let Some(mut kept) = exam.run(begin, STEP, Begun::new(core, key)).await else {
            exam.skip(&[part, complete, abort], "no upload can be begun");
            return false;
        };
        exam.add(Finding::good(begin, "allowed"));
        let filled = kept.fill();
        let Some(parts) = exam.run(part, STEP, filled).await else {
            exam.skip(&[complete], "no part can be uploaded");
            return self.abort(kept, exam).await;
        };
        exam.add(Finding::good(part, "allowed"));
        exam.check(complete, kept.complete(&parts)).await;
        match exam.run(abort, STEP, Begun::new(core, key)).await {
            Some(other) => self.abort(other, exam).await,
            None => false,
        }
    }

    async fn abort(&self, mut begun: Begun, exam: &mut Examination<'_>) -> bool {
        if exam.check(UPLOADS[3], begun.abort()).await {
            return true;
        }
        // An upload that nobody can abort is paid for until somebody does: an object can be deleted.
        if let Ok(parts) = begun.fill().await {
            let _ = begun.complete(&parts).await;
        }
        false
    }

    /// Asks the service whether it keeps each of the conditional writes, whatever settings and its profile say, and compares
    /// the two: one that is promised and not kept breaks locks in silence. About four hundred requests, under the patient's
    /// own prefix; what they make is removed. The two of uploads are left out without leave to abort one: their probes would
    /// leave many.
    pub async fn conditions(&self, uploads: bool, exam: &mut Examination<'_>) {
        let options = S3Options { conditions: ConditionPolicy::Probe, ..self.core.options.clone() };
        let probed = match Core::new(options) {
            Ok(core) => Arc::new(core),
            Err(error) => return exam.add(Finding::failed(CONDITIONS[0], &error)),
        };
        for (name, condition) in CONDITIONS.into_iter().zip(Condition::ALL) {
            if !uploads && matches!(condition, Condition::CompleteCreateOnly | Condition::CompleteIfMatch) {
                exam.skip(&[name], "the uploads of the probe could not be removed");
                continue;
            }
            match exam.run(name, PROBE + GRACE, ask(&probed, condition)).await {
                None => {}
                Some(false) => exam.add(Finding::not_tried(name, LATE)),
                Some(true) => {
                    let promised = self.core.known.support(condition);
                    exam.add(judged(name, promised, probed.known.seen(condition)));
                }
            }
        }
    }
}

/// Lets the service show what it does with a condition; that it does not keep it is no failure of asking. False where it is
/// too slow to show anything.
async fn ask(core: &Arc<Core>, condition: Condition) -> Result<bool> {
    match tokio::time::timeout(PROBE, probe::require(core, condition)).await {
        Err(_) => Ok(false),
        Ok(Err(error)) if error.kind() == ErrorKind::Timeout => Ok(false),
        Ok(Err(error)) if error.kind() == ErrorKind::Unsupported => Ok(true),
        Ok(asked) => asked.map(|()| true),
    }
}

fn judged(name: &'static str, promised: Support, seen: Option<Seen<'_>>) -> Finding {
    let broken = match (seen, promised) {
        (Some(Seen::Kept), Support::No) => {
            let fix = "set STORAGE_S3_CONDITIONS=probe, if such writes are needed";
            return Finding::note(name, "kept, but not trusted by the settings", fix);
        }
        (Some(Seen::Kept), _) => return Finding::good(name, "kept"),
        (Some(Seen::Denied(answer)), _) => return Finding::not_tried(name, answer),
        (None, _) => return Finding::not_tried(name, "the service could not be asked"),
        (Some(Seen::Ignored(seen)), _) => format!("ignored: {seen}"),
        (Some(Seen::Refused(seen)), _) => format!("refused: {seen}"),
    };
    match promised {
        Support::Yes => Finding::failed(name, &broken_promise(&broken)),
        Support::No | Support::Unprobed => Finding::note(
            name,
            broken,
            "such writes are answered as unsupported: use a service that keeps them where locks or swaps are needed",
        ),
    }
}

fn broken_promise(broken: &str) -> Error {
    Error::configuration(format!("trusted by the settings, and {broken}"))
        .with_help("set STORAGE_S3_CONDITIONS=probe, and STORAGE_S3_SERVICE to what the service is, or remove them")
}

/// An upload that was begun; one that is dropped before it has ended is discarded.
struct Begun {
    core: Arc<Core>,
    upload: Arc<Upload>,
    ended: bool,
}

impl Begun {
    async fn new(core: &Arc<Core>, key: &str) -> Result<Self> {
        let upload =
            upload::create(core, format!("{}{key}", core.root), &Attributes::default(), PutMode::Overwrite, None)
                .await?;
        Ok(Self { core: Arc::clone(core), upload: Arc::new(upload), ended: false })
    }

    async fn fill(&self) -> Result<Vec<Part>> {
        Ok(vec![upload::put_part(&self.core, &self.upload, 1, vec![CONTENT.into()]).await?])
    }

    async fn complete(&mut self, parts: &[Part]) -> Result<String> {
        upload::complete(&self.core, &self.upload, parts, CONTENT.len() as u64).await?;
        self.ended = true;
        Ok("allowed".to_owned())
    }

    async fn abort(&mut self) -> Result<String> {
        upload::abort(&self.core, &self.upload).await?;
        self.ended = true;
        Ok("allowed".to_owned())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.ended {
            upload::abandon(Arc::clone(&self.core), Arc::clone(&self.upload), std::future::ready(()));
        }
    }
}
