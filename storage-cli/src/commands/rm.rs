//! `storage rm`: objects, or everything under a level.

use serde_json::json;
use storage::{Error, Result};

use crate::args::RemoveArgs;
use crate::failure::{Failure, Failures};
use crate::output::{Output, count};
use crate::place::Place;
use crate::session::Session;

pub(super) async fn run(args: RemoveArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let mut places = Vec::with_capacity(args.places.len());
    for place in &args.places {
        let place = session.place(place, false).await?;
        if args.recursive && !args.all && place.is_whole() {
            let error = Error::invalid_input(format!("{} is a whole root, directory or store", place.written));
            return Err(error.with_help("to remove everything in it, use -r --all").into());
        }
        places.push(place);
    }
    let mut failures = Failures::default();
    for place in &places {
        let removed = if args.recursive { remove_level(place).await } else { remove_object(place).await };
        match removed {
            Ok(removed) if output.is_json() => {
                output.object(&json!({ "place": place.written, "removed": removed }))?;
            }
            Ok(removed) => output.line(&format!("{}: {} removed", place.written, count(removed, "object")))?,
            Err(error) => failures.add(&error, output.is_json()),
        }
    }
    failures.end()
}

async fn remove_object(place: &Place) -> Result<u64> {
    let key = place.key()?;
    place.storage.head(&key).await?;
    place.storage.delete(&key).await?;
    Ok(1)
}

/// Removes what is under a place; where nothing is, the object of that key.
async fn remove_level(place: &Place) -> Result<u64> {
    if place.is_whole() {
        return place.storage.delete_all().await;
    }
    let removed = place.storage.delete_prefix(place.level()?).await?;
    if removed == 0 && !place.is_level() { remove_object(place).await } else { Ok(removed) }
}
