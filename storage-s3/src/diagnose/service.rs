//! What one answer of the service tells: that it is one, its clock, the key, the bucket, the region, the right to list.

use std::time::{Duration, Instant, SystemTime};

use http::header::DATE;
use storage_core::diagnosis::{Examination, Finding};
use storage_core::{Error, ErrorKind, ListOptions};

use super::road::millis;
use super::skip_after;
use crate::client::{Answer, Cause, Failure};
use crate::core::Core;
use crate::{options::Credentials, probe, versions};

pub(super) const SERVICE: &str = "service";
pub(super) const CLOCK: &str = "clock";
pub(super) const KEY: &str = "key";
pub(super) const BUCKET: &str = "bucket";
pub(super) const REGION: &str = "region";
pub(super) const LIST: &str = "list";
pub(super) const VERSIONS: &str = "versions";

/// A request that is dated further off is refused (S3 API, "Error responses": `RequestTimeTooSkewed`).
const MOST_SKEW: u64 = 15 * 60;

/// A clock that is further off is worth a note.
const ODD_SKEW: u64 = 60;

const CLOCK_FIX: &str = "set this machine's clock, and have it kept right (NTP)";

/// Asks for one name, and tells what the answer shows, step by step. Says whether more can be tried.
pub(super) async fn ask(core: &std::sync::Arc<Core>, exam: &mut Examination<'_>) -> bool {
    let start = Instant::now();
    let sent = async { Ok(core.client.send_once(probe::one_name(core)).await) };
    let Some(answer) = exam.run(SERVICE, Duration::from_secs(15), sent).await else {
        skip_after(SERVICE, exam);
        return false;
    };
    let took = start.elapsed();
    let skew = Skew::of(&answer);
    let failed = answer.err().map(|failure| failed(failure, core));
    let good = [
        (SERVICE, Finding::good(SERVICE, format!("answered in {}", millis(took)))),
        (CLOCK, skew.finding()),
        (KEY, Finding::good(KEY, key(core))),
        (BUCKET, Finding::good(BUCKET, format!("{:?} is there", core.options.bucket))),
        (REGION, Finding::good(REGION, region(core))),
        (LIST, Finding::good(LIST, "allowed")),
    ];
    for (step, finding) in good {
        match &failed {
            Some((failing, error)) if *failing == step => {
                exam.add(Finding::failed(step, error));
                if step != LIST {
                    skip_after(step, exam);
                    return false;
                }
            }
            _ => exam.add(finding),
        }
    }
    tell_versions(core, exam).await;
    true
}

/// The step at which a request failed.
fn failed(failure: Failure, core: &Core) -> (&'static str, Error) {
    let (code, bare) = match &failure.cause {
        Cause::Answer(answer) => (answer.code.clone(), false),
        _ => (String::new(), true),
    };
    let error = core.error(failure);
    let step = match (code.as_str(), error.kind()) {
        _ if bare => SERVICE,
        ("RequestTimeTooSkewed" | "RequestExpired", _) => CLOCK,
        (_, ErrorKind::Unauthenticated) => KEY,
        ("InvalidBucketName", _) | (_, ErrorKind::BackendNotFound) => BUCKET,
        (_, ErrorKind::PermissionDenied) => LIST,
        // A plain request that a TLS port has answered has no code.
        (code, ErrorKind::Configuration) if !code.is_empty() || core.options.endpoint.is_none() => REGION,
        _ => SERVICE,
    };
    (step, error)
}

fn key(core: &Core) -> &'static str {
    match core.options.credentials {
        Credentials::Anonymous => "not used: requests are not signed",
        _ => "the service knows it, and the secret fits",
    }
}

fn region(core: &Core) -> String {
    let now = core.client.place();
    match core.options.region.as_deref().filter(|region| *region != "auto") {
        Some(_) => format!("{}, as it is set", now.region),
        None => format!("{}, which the service takes", now.region),
    }
}

/// How far this machine's clock is from the service's, in seconds; ahead is positive.
struct Skew(Option<i64>);

impl Skew {
    fn of(answer: &Result<Answer, Failure>) -> Self {
        let there = match answer {
            Ok(answer) => {
                let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
                date.and_then(|date| httpdate::parse_http_date(date).ok())
            }
            Err(Failure { cause: Cause::Answer(answer), .. }) => answer.date,
            Err(_) => None,
        };
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self(there.map(|there| match SystemTime::now().duration_since(there) {
            Ok(ahead) => seconds(ahead),
            Err(behind) => -seconds(behind.duration()),
        }))
    }

    fn finding(&self) -> Finding {
        let Some(skew) = self.0 else {
            return Finding::good(CLOCK, "the service does not tell its time, and takes ours");
        };
        let seen = match skew {
            // The header has whole seconds.
            -1..=1 => "agrees with the service's".to_owned(),
            2.. => format!("{skew} s ahead of the service's"),
            _ => format!("{} s behind the service's", skew.unsigned_abs()),
        };
        match skew.unsigned_abs() {
            MOST_SKEW.. => Finding::failed(CLOCK, &Error::new(ErrorKind::Unauthenticated, seen).with_help(CLOCK_FIX)),
            ODD_SKEW.. => Finding::note(CLOCK, seen, CLOCK_FIX),
            _ => Finding::good(CLOCK, seen),
        }
    }
}

/// Whether the bucket keeps versions, and where it does, whether they may be listed.
async fn tell_versions(core: &std::sync::Arc<Core>, exam: &mut Examination<'_>) {
    let asked = exam.run(VERSIONS, Duration::from_secs(10), async { Ok(probe::versions(core).await) }).await;
    match asked {
        None => {}
        Some(None) => exam.add(Finding::note(
            VERSIONS,
            "the service does not tell this caller whether the bucket keeps any",
            format!("allow s3:GetBucketVersioning on the bucket {:?}, if versions are to be used", core.options.bucket),
        )),
        Some(Some(false)) => {
            core.known.set_versions(false);
            exam.add(Finding::good(VERSIONS, "not kept by the bucket"));
        }
        Some(Some(true)) => {
            core.known.set_versions(true);
            let list = async {
                versions::open(core, ListOptions::new().page_size(1))?.next_page().await?;
                Ok("kept by the bucket, and may be listed".to_owned())
            };
            exam.check(VERSIONS, list).await;
        }
    }
}
