//! Calls that may wait run where they may, and a caller who goes away is not surprised later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_core::{Error, ErrorKind, Result};

/// Decides between a commit and the caller's going away: whichever takes the lock first wins (rule W03).
#[derive(Default)]
pub(crate) struct Gate(Mutex<bool>);

impl Gate {
    /// To be held around a commit. Fails once the caller is gone; while it is held, a caller that goes away waits.
    pub(crate) fn pass(&self) -> Result<MutexGuard<'_, bool>> {
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *gone {
            true => Err(Error::new(ErrorKind::Other, "the operation was dropped")),
            false => Ok(gone),
        }
    }
}

/// Closes the gate when the future that holds it is dropped.
struct Caller(Arc<Gate>);

impl Drop for Caller {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Runs a change on the blocking pool. Once the returned future is dropped it commits nothing any more.
pub(crate) async fn change<T: Send + 'static>(work: impl FnOnce(&Gate) -> Result<T> + Send + 'static) -> Result<T> {
    let gate = Arc::new(Gate::default());
    let _caller = Caller(Arc::clone(&gate));
    blocking(move || {
        // Who is gone before it began needs no transaction.
        drop(gate.pass()?);
        work(&gate)
    })
    .await
}

/// Runs a read on the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|lost| match lost.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(lost) => Err(Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(lost)),
    })
}
