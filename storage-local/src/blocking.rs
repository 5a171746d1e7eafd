//! One hop to the blocking pool for each operation, and what happens when the caller goes away meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_core::{Error, ErrorKind, Result};
use tokio::task::JoinError;

/// Decides between a commit and the caller's going away: whichever takes the lock first wins (rule W03).
#[derive(Default)]
pub(crate) struct Gate(Mutex<bool>);

impl Gate {
    /// To be held around the system call that makes a change visible. Fails once the caller is gone; while it is held
    /// a caller that goes away waits.
    pub(crate) fn pass(&self) -> Result<MutexGuard<'_, bool>> {
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *gone {
            return Err(Error::new(ErrorKind::Other, "the operation was dropped"));
        }
        Ok(gone)
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Runs a changing operation on the blocking pool. Once the returned future is dropped, it changes nothing any more.
pub(crate) async fn change<T: Send + 'static>(
    operation: impl FnOnce(&Gate) -> Result<T> + Send + 'static,
) -> Result<T> {
    struct CloseOnDrop(Arc<Gate>);
    impl Drop for CloseOnDrop {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let gate = Arc::new(Gate::default());
    let _close = CloseOnDrop(Arc::clone(&gate));
    let done = tokio::task::spawn_blocking(move || {
        drop(gate.pass()?);
        operation(&gate)
    });
    done.await.unwrap_or_else(|error| Err(lost(error)))
}

/// Runs a reading operation on the blocking pool.
pub(crate) async fn read<T: Send + 'static>(operation: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(operation).await.unwrap_or_else(|error| Err(lost(error)))
}

fn lost(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(error),
    }
}
