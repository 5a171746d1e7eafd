//! `storage presign`: a URL that lets whoever holds it do one thing with one object.

use std::collections::BTreeMap;

use serde_json::json;
use storage::{Error, PresignOptions};

use crate::args::PresignArgs;
use crate::failure::{Failure, note};
use crate::output::{Output, timestamp};
use crate::session::Session;

pub(super) async fn run(args: PresignArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let place = session.place(&args.place, false).await?;
    if !place.storage.capabilities().presign {
        let error = Error::unsupported(format!("{} has no URLs that others can use", place.written));
        return Err(error
            .with_help("objects in s3:// places have such URLs, made with the access keys that are set")
            .into());
    }
    let options = PresignOptions::new(args.method.into(), args.expires.into());
    let presigned = place.storage.presign(place.key()?, options).await?;
    let expires = timestamp(presigned.expires);
    if output.is_json() {
        let headers: BTreeMap<_, _> = presigned.headers.into_iter().collect();
        return output.object(&json!({
            "method": presigned.method, "url": presigned.url, "headers": headers, "expires": expires,
        }));
    }
    output.line(&presigned.url)?;
    for (name, value) in &presigned.headers {
        note(&format!("send the header {name}: {value}"), false);
    }
    note(&format!("{} until {expires}, for whoever has it", presigned.method.as_str()), false);
    Ok(())
}
