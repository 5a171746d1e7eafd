//! A small host: its roots lie wherever its settings say, in redb files too.
//!
//! `DATA_ROOT_DIRECTORY=redb://notes/tenant-42 cargo run --example host -- "buy milk"`

use futures::TryStreamExt as _;
use storage::{ListOptions, Result, Roots, Settings};
use storage_redb::RedbDriver;

#[tokio::main]
async fn main() -> Result<()> {
    let registry = storage::registry().with(RedbDriver::new())?;
    let settings = Settings::builder().environment().build()?;
    let roots = Roots::open(&registry, &settings).await?;
    if let Some(note) = std::env::args().nth(1) {
        let number = roots.data.usage("notes/").await?.objects;
        roots.data.put(format!("notes/{number:04}"), note).await?;
    }
    let mut notes = roots.data.list(ListOptions::new()).await?;
    while let Some(entry) = notes.try_next().await? {
        println!("{}: {}", roots.data.uri(entry.as_str())?, roots.data.text(entry.as_str()).await?);
    }
    Ok(())
}
