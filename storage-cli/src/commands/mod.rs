//! The commands, one file each.

pub(crate) mod add;
mod cat;
mod conformance;
pub(crate) mod doctor;
pub(crate) mod filter;
mod ls;
mod presign;
mod rm;
mod roots;
#[cfg(feature = "s3-server")]
mod s3_server;
mod stat;
mod transfer;
pub(crate) mod walk;
mod walk_report;
pub(crate) mod watch;

use serde_json::json;
use storage::{Entries, ListReport};

use crate::args::Command;
use crate::failure::{Failure, note};
use crate::output::{Output, count};
use crate::session::Session;

pub(crate) async fn run(command: Command, session: &Session, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Roots => roots::run(session, output).await,
        Command::Add(args) => add::run(args, session, output).await,
        Command::Ls(args) => ls::run(args, session, output).await,
        Command::Cat { places } => cat::run(places, session, output).await,
        Command::Cp(args) => transfer::run(args, transfer::Kind::Copy, session, output).await,
        Command::Mv(args) => transfer::run(args, transfer::Kind::Move, session, output).await,
        Command::Conformance(args) => conformance::run(args, session, output).await,
        Command::Doctor(args) => doctor::run(args, session, output).await,
        Command::Rm(args) => rm::run(args, session, output).await,
        Command::Presign(args) => presign::run(args, session, output).await,
        #[cfg(feature = "s3-server")]
        Command::S3Server(args) => s3_server::run(args, output).await,
        Command::Stat { place } => stat::run(place, session, output).await,
        Command::Walk(args) => walk::run(args, session, output).await,
        Command::Watch(args) => watch::run(args, session, output).await,
    }
}

/// What a listing said at its end.
fn report(entries: &Entries) -> ListReport {
    entries.report().cloned().unwrap_or_default()
}

/// Tells the names that a listing met and no key can express; says whether there were any.
fn tell_skipped(report: &ListReport, output: &mut Output) -> Result<bool, Failure> {
    let unnamed = report.skipped - report.skipped_names.len() as u64;
    for skipped in &report.skipped_names {
        if output.is_json() {
            output.object(&json!({ "skipped": skipped.name, "reason": skipped.reason }))?;
        } else {
            note(&format!("left out {:?}: {}", skipped.name, skipped.reason), false);
        }
    }
    if unnamed > 0 {
        note(&format!("left out {} more", count(unnamed, "name")), output.is_json());
    }
    Ok(report.skipped > 0)
}
