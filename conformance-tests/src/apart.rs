//! Work on a thread and a runtime of its own, so that it can hang or panic and everything else goes on.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::context::Context;

/// How long the threads of a piece of work may go on after it has ended or was given up.
const GRACE: Duration = Duration::from_secs(5);

/// Work under way. Dropping it gives it up, and waits until it has ended, for [`GRACE`] at most.
pub(crate) struct Apart<T> {
    ended: oneshot::Receiver<T>,
    _thread: Thread,
}

struct Thread {
    give_up: Option<oneshot::Sender<()>>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static> Apart<T> {
    /// Begins the work; all of its threads are in this context.
    pub(crate) fn start<F: Future<Output = T>>(
        context: Arc<Context>,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        let (give_up, given_up) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            context.enter();
            let runtime = runtime(&context);
            let done = runtime.block_on(async {
                tokio::select! {
                    done = work() => Some(done),
                    _ = given_up => None,
                }
            });
            runtime.shutdown_timeout(GRACE);
            if let Some(done) = done {
                let _ = end.send(done);
            }
        });
        Self { ended, _thread: Thread { give_up: Some(give_up), thread } }
    }

    /// What the work came to; `None` where its thread ended without.
    pub(crate) async fn ended(self) -> Option<T> {
        let Self { ended, _thread } = self;
        ended.await.ok()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.give_up.take();
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A runtime of two threads that know the context of their rule.
pub(crate) fn runtime(context: &Arc<Context>) -> Runtime {
    let context = Arc::clone(context);
    let enter = move || context.enter();
    Builder::new_multi_thread().worker_threads(2).on_thread_start(enter).enable_all().build().expect("a runtime")
}
