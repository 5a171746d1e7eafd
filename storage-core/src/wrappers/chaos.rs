//! A backend that fails on purpose, for tests.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::intercepted::{Answer, Call, Intercepted, Policy};
use crate::backend::{Body, GetResult, StorageBackend};
use crate::error::{Error, ErrorKind, Operation, Result};

/// How likely which failure is; probabilities from 0 (never, the default of all) to 1 (always).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChaosOptions {
    /// Where the random numbers start. Default: 0.
    pub seed: u64,
    /// A call fails before it is sent.
    pub fail_before: f64,
    /// A call is carried out, and its answer is lost.
    pub lose_answer: f64,
    /// A body breaks off somewhere in the middle.
    pub cut_body: f64,
    /// A call is held up, for a random time up to `longest_delay`.
    pub delay: f64,
    /// The longest delay. Default: 100 ms.
    pub longest_delay: Duration,
}

impl Default for ChaosOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            fail_before: 0.0,
            lose_answer: 0.0,
            cut_body: 0.0,
            delay: 0.0,
            longest_delay: Duration::from_millis(100),
        }
    }
}

impl ChaosOptions {
    /// No failure, with a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// How likely a call fails before it is sent.
    #[must_use]
    pub fn fail_before(mut self, probability: f64) -> Self {
        self.fail_before = probability;
        self
    }

    /// How likely the answer of a call that was carried out is lost.
    #[must_use]
    pub fn lose_answer(mut self, probability: f64) -> Self {
        self.lose_answer = probability;
        self
    }

    /// How likely a body breaks off in the middle.
    #[must_use]
    pub fn cut_body(mut self, probability: f64) -> Self {
        self.cut_body = probability;
        self
    }

    /// How likely a call is held up, and for how long at most.
    #[must_use]
    pub fn delay(mut self, probability: f64, longest: Duration) -> Self {
        self.delay = probability;
        self.longest_delay = longest;
        self
    }
}

/// Fails on purpose, as networks do. The same seed and the same sequence of calls fail alike.
///
/// A call that fails before it is sent is `Unavailable` and [unsent](Error::is_unsent). A call whose answer is lost was
/// carried out; it is `Unavailable`, or `OutcomeUnknown` if it was a change (rule C06). A body that breaks off yields
/// some of its bytes and then `Unavailable`.
#[derive(Debug)]
pub struct Chaos {
    options: ChaosOptions,
    random: Mutex<fastrand::Rng>,
}

/// What befalls one call.
struct Fate {
    fail_before: bool,
    lose_answer: bool,
    delay: Option<Duration>,
}

impl Chaos {
    /// Makes the calls of a backend fail.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, options: ChaosOptions) -> Intercepted<Self> {
        let random = Mutex::new(fastrand::Rng::with_seed(options.seed));
        Intercepted::around(inner, Self { options, random })
    }

    /// Every call draws the same amount of random numbers, so that one probability does not shift the others.
    fn fate(&self) -> Fate {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let [fail, lose, delay, share] = std::array::from_fn(|_| random.f64());
        Fate {
            fail_before: fail < self.options.fail_before,
            lose_answer: lose < self.options.lose_answer,
            delay: (delay < self.options.delay).then(|| self.options.longest_delay.mul_f64(share)),
        }
    }

    /// After how many bytes a body of this length breaks off, if it does.
    fn cut(&self, length: u64) -> Option<u64> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let (cut, share) = (random.f64(), random.f64());
        (cut < self.options.cut_body && length > 0).then(|| ((length as f64 * share) as u64).min(length - 1))
    }
}

impl Policy for Chaos {
    async fn call<T: Answer>(&self, call: &Call<'_>, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fate = self.fate();
        if let Some(delay) = fate.delay {
            tokio::time::sleep(delay).await;
        }
        // A body has its own failure, the cut.
        if call.operation == Operation::Read {
            return attempt.await;
        }
        if fate.fail_before {
            return Err(Error::new(ErrorKind::Unavailable, "chaos: the call was not sent").unsent());
        }
        let result = attempt.await;
        if !fate.lose_answer {
            return result;
        }
        let kind = if call.is_change() { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
        Err(Error::new(kind, "chaos: the answer was lost"))
    }

    fn opened(&self, mut result: GetResult) -> GetResult {
        if let Some(cut) = self.cut(result.range.end - result.range.start) {
            result.body = Body::Stream(cut_off(result.body.into_stream(), cut));
        }
        result
    }
}

/// The first `left` bytes of a body, then an error.
fn cut_off(body: BoxStream<'static, Result<Bytes>>, left: u64) -> BoxStream<'static, Result<Bytes>> {
    let begun = body.scan(left, |left, piece| {
        let piece = piece.map(|mut piece| {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
            piece
        });
        let empty = matches!(&piece, Ok(piece) if piece.is_empty());
        std::future::ready((!empty).then_some(piece))
    });
    let broken = async { Err(Error::new(ErrorKind::Unavailable, "chaos: the body broke off")) };
    begun.chain(stream::once(broken)).boxed()
}
