//! The `storage` program.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage (arguments, settings, locations, keys), 3 not found, 4 denied, 130
//! interrupted.

mod args;
mod commands;
mod failure;
mod output;
mod place;
mod progress;
mod session;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use tokio::sync::Notify;

use crate::args::Args;
use crate::failure::{Failure, INTERRUPTED};
use crate::output::Output;
use crate::session::Session;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    let code = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Failure::from(error).report(json),
    };
    ExitCode::from(code)
}

async fn run(args: Args) -> u8 {
    let interrupted = watch_interrupts();
    let json = args.json;
    let mut output = Output::new(json);
    tokio::select! {
        code = work(args, &mut output) => code,
        // The work is dropped with all its writers, each of which is aborted by that.
        () = interrupted.notified() => {
            failure::note("interrupted; nothing is half done", json);
            INTERRUPTED
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

/// Tells of the first Ctrl-C; a second one ends the program at once, for a terminal that takes no more output.
fn watch_interrupts() -> Arc<Notify> {
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            tell.notify_one();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(INTERRUPTED));
            }
        }
    });
    told
}
