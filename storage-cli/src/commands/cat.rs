//! `storage cat`: the bytes of objects, as they come.

use futures::stream::TryStreamExt as _;

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(places: Vec<String>, session: &Session, output: &mut Output) -> Result<(), Failure> {
    for place in places {
        let place = session.place(&place, false).await?;
        let mut bytes = place.storage.stream(place.key()?).await?;
        while let Some(bytes) = bytes.try_next().await? {
            output.bytes(&bytes)?;
        }
    }
    Ok(())
}
