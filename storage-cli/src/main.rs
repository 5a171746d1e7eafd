//! The `storage` program.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage (arguments, settings, locations, keys), 3 not found, 4 denied, 130
//! interrupted, 143 terminated.

mod args;
mod commands;
mod failure;
mod output;
mod place;
mod progress;
mod session;
mod state;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::args::Args;
use crate::failure::{Failure, INTERRUPTED, TERMINATED};
use crate::output::Output;
use crate::session::Session;

/// How long what a command left behind may take, each: tasks, and calls of the system that cannot be cut short.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    let code = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => run_on(runtime, args),
        Err(error) => Failure::from(error).report(json),
    };
    ExitCode::from(code)
}

fn run_on(runtime: Runtime, args: Args) -> u8 {
    let code = runtime.block_on(async {
        let code = run(args).await;
        settle().await;
        code
    });
    runtime.shutdown_timeout(GRACE);
    code
}

/// Waits for the tasks in which writers that were dropped discard what a service has of them, so that nothing unfinished
/// stays there.
async fn settle() {
    let (tasks, start) = (Handle::current().metrics(), Instant::now());
    // One task goes on: the one that watches for signals.
    while tasks.num_alive_tasks() > 1 && start.elapsed() < GRACE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn run(args: Args) -> u8 {
    let interrupted = watch_signals();
    let json = args.json;
    let mut output = Output::new(json);
    tokio::select! {
        code = work(args, &mut output) => code,
        // The work is dropped with all its writers, each of which is aborted by that.
        Ok(code) = interrupted => {
            failure::note("interrupted; nothing is half done", json);
            code
        }
    }
}

async fn work(args: Args, output: &mut Output) -> u8 {
    let session = match Session::new(&args) {
        Ok(session) => session,
        Err(failure) => return failure.report(args.json),
    };
    let done = commands::run(args.command, &session, output).await;
    match done.and_then(|()| output.flush()) {
        Ok(()) => 0,
        Err(failure) => {
            // What was done before the failure is told too.
            let _ = output.flush();
            session.explain(failure).report(args.json)
        }
    }
}

/// Tells of the first Ctrl-C, request to terminate or terminal that is gone, with the code to end with. A second one ends the program at once,
/// for a terminal that takes no more output.
fn watch_signals() -> oneshot::Receiver<u8> {
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        // Where signals cannot be watched, they end the program as ever.
        if let Ok(terminated) = signal(SignalKind::terminate()) {
            let hung_up = if ignores_hang_up() { None } else { signal(SignalKind::hangup()).ok() };
            let mut ends = Ends { terminated, hung_up };
            let _ = tell.send(next_signal(&mut ends).await);
            std::process::exit(i32::from(next_signal(&mut ends).await));
        }
    });
    told
}

/// What ends the program beside Ctrl-C.
struct Ends {
    terminated: Signal,
    /// None where whoever started the program has it go on without its terminal (`nohup`).
    hung_up: Option<Signal>,
}

async fn next_signal(ends: &mut Ends) -> u8 {
    let Ends { terminated, hung_up } = ends;
    let hung_up = async {
        match hung_up {
            Some(hung_up) => hung_up.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => INTERRUPTED,
        _ = terminated.recv() => TERMINATED,
        _ = hung_up => TERMINATED,
    }
}

/// Whether a hang-up does nothing to this process, as `nohup` has it; false where the system does not tell.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
