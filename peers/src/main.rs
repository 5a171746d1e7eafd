//! The conformance suite on opendal and object_store, each on a directory, in memory and on S3.
//!
//! `cargo run --release --manifest-path peers/Cargo.toml` writes the table of docs/peers.md. `--peer NAME` runs one of
//! them, `--rules LIST` some rules; then the table is printed and the page is left as it is. `--json FILE` writes all
//! reports.

#![allow(clippy::field_reassign_with_default, reason = "a call's options are read from top to bottom")]

mod object_store_adapter;
mod opendal_adapter;
mod opened;
mod pages;
mod roots;
mod service;
mod symptoms;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance_tests::{Progress, Report, Selection, run, serve_if_asked};

use crate::roots::Peer;

const USAGE: &str = "usage: storage-peers [--peer NAME] [--rules LIST] [--json FILE]";

#[derive(Default)]
struct Arguments {
    peer: Option<String>,
    rules: Option<String>,
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = arguments()?;
    let mut peers = roots::all();
    peers.retain(|peer| arguments.peer.as_deref().is_none_or(|name| name == peer.name()));
    let Some(first) = peers.first() else { return Err(format!("no such peer; {USAGE}").into()) };
    if serve_if_asked(&**first).await {
        return Ok(());
    }
    let selection = arguments.rules.as_deref().map_or_else(|| Ok(Selection::all()), Selection::of)?;
    let mut reports = Vec::new();
    for peer in peers {
        reports.push((peer.name(), of_peer(peer, &selection).await));
    }
    if let Some(file) = &arguments.json {
        let named: std::collections::BTreeMap<_, _> = reports.iter().map(|(name, report)| (name, report)).collect();
        std::fs::write(file, serde_json::to_string_pretty(&named)? + "\n")?;
    }
    let table = table::written(&reports);
    if arguments.peer.is_some() || arguments.rules.is_some() {
        println!("{table}");
        return Ok(());
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/peers.md");
    std::fs::write(&page, table::replaced(&std::fs::read_to_string(&page)?, &table)?)?;
    table::complete(&reports)
}

async fn of_peer(peer: Arc<Peer>, selection: &Selection) -> Report {
    let name = peer.name();
    run(peer, selection, |progress| {
        if let Progress::Ended(rule) = progress {
            eprintln!(
                "{name:>20}  {:<9} {:>6.2} s  {}  {}",
                rule.outcome.word(),
                rule.seconds,
                rule.name,
                rule.outcome.reason()
            );
        }
    })
    .await
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--peer" => arguments.peer = Some(value),
            "--rules" => arguments.rules = Some(value),
            "--json" => arguments.json = Some(value.into()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(arguments)
}
