//! Which failures can pass, how long to wait, and when to stop (rule E05).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::failure::{Cause, Effect, ServiceError};
use super::request::Request;
use crate::options::Retries;

/// How many repetitions there may still be, over all operations of a backend. A success gives back one.
pub(crate) struct Budget {
    left: AtomicU32,
    whole: u32,
}

impl Budget {
    pub(crate) fn new(whole: u32) -> Self {
        Self { left: AtomicU32::new(whole), whole }
    }

    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub(crate) fn give_back(&self) {
        if self.left.load(Ordering::Relaxed) < self.whole {
            let more = |left: u32| (left < self.whole).then_some(left + 1);
            let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

/// The pause before the next attempt; `None` where there is to be none. `attempt` counts those that were made, and `left`
/// is what remains of the operation's time.
pub(crate) fn pause(
    retries: &Retries,
    budget: &Budget,
    attempt: u32,
    left: Duration,
    request: &Request,
    cause: &Cause,
) -> Option<Duration> {
    if attempt >= retries.attempts || !can_pass(request, cause) {
        return None;
    }
    let bound = retries.base.saturating_mul(1 << (attempt - 1).min(20)).min(retries.longest);
    let jitter = bound.mul_f64(fastrand::f64());
    let asked = match cause {
        Cause::Answer(error) => error.retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    let pause = jitter.max(asked);
    (pause < left && budget.take()).then_some(pause)
}

/// Whether the same request may succeed if it is sent again.
fn can_pass(request: &Request, cause: &Cause) -> bool {
    match cause {
        Cause::Resolve(_) | Cause::Connect(_) | Cause::Broken(_) | Cause::Malformed(_) | Cause::Timeout(..) => true,
        Cause::Tls(error) => was_cut(error.as_ref()),
        Cause::NotHttp(_) | Cause::Credentials(_) => false,
        Cause::Answer(error) => answer_can_pass(request, error),
    }
}

/// A handshake that the other end left without a word: a load balancer that has no room does that, and so does what speaks
/// no TLS.
fn was_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
}

fn answer_can_pass(request: &Request, error: &ServiceError) -> bool {
    match error.code.as_str() {
        "InternalError"
        | "ServiceUnavailable"
        | "SlowDown"
        | "RequestTimeout"
        | "OperationAborted"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "BandwidthLimitExceeded" => true,
        // Rule C07: only a request that brings its content along can be repeated as it is.
        "ConditionalRequestConflict" => request.operation == "PutObject",
        _ => matches!(error.status, 408 | 429 | 500 | 502 | 503 | 504) || is_of_a_gateway(error),
    }
}

/// Whether an answer is one of the many by which a gateway says that the service behind it failed it: without a code of the
/// S3 API, and none of those by which it speaks for itself.
pub(crate) fn is_of_a_gateway(error: &ServiceError) -> bool {
    error.code.is_empty() && error.status >= 500 && !matches!(error.status, 501 | 505 | 507 | 511)
}

/// What the attempts of a request may have done, in two readings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// As the service says: an error of its own, a 503 for one, means that it did nothing.
    said: Effect,
    /// As it must be taken where a later answer depends on it: a service that answered 500 may have done it all the same,
    /// so that the next attempt finds its condition broken by this one (rule C06).
    strict: Effect,
}

impl Course {
    pub(crate) fn new() -> Self {
        Self { said: Effect::Unsent, strict: Effect::Unsent }
    }

    pub(crate) fn add(&mut self, request: &Request, cause: &Cause, effect: Effect) {
        self.said = self.said.and(effect);
        let doubtful = matches!(cause, Cause::Answer(error) if error.status >= 500 || error.status == 200);
        let strict = if doubtful && !request.is_read() { Effect::Unknown } else { effect };
        self.strict = self.strict.and(strict);
    }

    /// What is known when an attempt has succeeded.
    pub(crate) fn before_success(self) -> Effect {
        self.strict
    }

    /// What is known when an attempt has failed for good, after those that were added.
    pub(crate) fn with_last(self, cause: &Cause, effect: Effect) -> Effect {
        match cause {
            Cause::Answer(error) if depends_on_earlier(error) => self.strict.and(effect),
            _ => self.said.and(effect),
        }
    }
}

/// Whether an answer can be the consequence of an earlier attempt's success.
fn depends_on_earlier(error: &ServiceError) -> bool {
    match error.status {
        409 | 412 => true,
        404 => error.code != "NoSuchBucket",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Expect, Target};
    use http::Method;

    const LEFT: Duration = Duration::from_secs(120);

    fn put() -> Request {
        Request::new("PutObject", Method::PUT, Target::Object("a".to_owned()), Expect::Nothing)
    }

    fn answer(status: u16, code: &str) -> Cause {
        Cause::Answer(Box::new(ServiceError { status, code: code.to_owned(), ..ServiceError::default() }))
    }

    #[test]
    fn what_can_pass_is_repeated_and_nothing_else() {
        let retries = Retries::default();
        let get = Request::new("GetObject", Method::GET, Target::Object("a".to_owned()), Expect::Content);
        for (request, cause, repeated) in [
            (put(), answer(503, "SlowDown"), true),
            (put(), answer(500, ""), true),
            (put(), answer(429, ""), true),
            (put(), answer(400, "RequestTimeout"), true),
            (put(), answer(200, "InternalError"), true),
            (put(), answer(200, "AccessDenied"), false),
            (put(), answer(409, "ConditionalRequestConflict"), true),
            (get, answer(409, "ConditionalRequestConflict"), false),
            (put(), answer(412, "PreconditionFailed"), false),
            (put(), answer(403, "AccessDenied"), false),
            (put(), answer(501, "NotImplemented"), false),
            (put(), answer(501, ""), false),
            (put(), answer(507, ""), false),
            (put(), answer(524, ""), true),
            (put(), Cause::Tls("x".into()), false),
            (put(), Cause::Tls(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()), true),
            (put(), Cause::Broken("x".into()), true),
        ] {
            let pause = pause(&retries, &Budget::new(1), 1, LEFT, &request, &cause);
            assert_eq!(pause.is_some(), repeated, "{cause}");
        }
    }

    #[test]
    fn pauses_grow_within_their_bounds_and_end_with_the_attempts() {
        let retries = Retries { base: Duration::from_secs(1), longest: Duration::from_secs(3), ..Retries::default() };
        for (attempt, longest) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
            for _ in 0..100 {
                let pause = pause(&retries, &Budget::new(1), attempt, LEFT, &put(), &answer(503, "")).unwrap();
                assert!(pause <= Duration::from_secs(longest), "{attempt}: {pause:?}");
            }
        }
        assert!(pause(&retries, &Budget::new(1), 5, LEFT, &put(), &answer(503, "")).is_none());
    }

    #[test]
    fn a_pause_is_as_long_as_the_service_asks() {
        let retry_after = Some(Duration::from_secs(60));
        let error = ServiceError { status: 503, retry_after, ..ServiceError::default() };
        let pause = pause(&Retries::default(), &Budget::new(1), 1, LEFT, &put(), &Cause::Answer(Box::new(error)));
        assert_eq!(pause, retry_after);
    }

    /// What could not be waited for takes nothing from the budget.
    #[test]
    fn a_pause_ends_with_the_operation() {
        let (retries, budget) = (Retries::default(), Budget::new(1));
        let next = |left| pause(&retries, &budget, 1, left, &put(), &answer(503, ""));
        assert!(next(Duration::ZERO).is_none());
        assert!(next(LEFT).is_some());
    }

    #[test]
    fn the_budget_is_used_up_and_comes_back() {
        let (retries, budget) = (Retries::default(), Budget::new(2));
        let next = || pause(&retries, &budget, 1, LEFT, &put(), &answer(503, "")).is_some();
        assert_eq!([next(), next(), next()], [true, true, false]);
        budget.give_back();
        assert_eq!([next(), next()], [true, false]);
    }

    /// Rule C06: after a 500 a 412 proves nothing, and a 403 still does.
    #[test]
    fn a_conflict_after_a_doubtful_attempt_is_doubtful() {
        let mut course = Course::new();
        assert_eq!(course.before_success(), Effect::Unsent);
        assert_eq!(course.with_last(&answer(412, "PreconditionFailed"), Effect::None), Effect::None);
        course.add(&put(), &answer(503, "SlowDown"), Effect::None);
        assert_eq!(course.with_last(&answer(412, "PreconditionFailed"), Effect::None), Effect::Unknown);
        assert_eq!(course.with_last(&answer(403, "AccessDenied"), Effect::None), Effect::None);
        assert_eq!(course.with_last(&answer(404, "NoSuchBucket"), Effect::None), Effect::None);
        assert_eq!(course.with_last(&answer(503, "SlowDown"), Effect::None), Effect::None);
        assert_eq!(course.before_success(), Effect::Unknown);
        course.add(&put(), &Cause::Broken("reset".into()), Effect::Unknown);
        assert_eq!(course.with_last(&answer(403, "AccessDenied"), Effect::None), Effect::Unknown);
    }
}
