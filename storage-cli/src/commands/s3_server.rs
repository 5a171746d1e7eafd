//! `storage s3-server`: an S3 server in memory, to try things with.

use s3_test_server::{Conditions, Recorded, S3Server, ServerOptions};
use serde_json::json;
use tokio::sync::mpsc;

use crate::args::S3ServerArgs;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(args: S3ServerArgs, output: &mut Output) -> Result<(), Failure> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let conditions = if args.ignore_conditions { Conditions::IGNORED } else { Conditions::KEPT };
    let options = ServerOptions::new()
        .port(args.port)
        .region(&args.region)
        .credentials(&args.access_key, &args.secret_key)
        .conditions(conditions)
        .on_request(move |request| drop(tell.send(request.clone())));
    let server = S3Server::start(options).await?;
    args.buckets.iter().for_each(|bucket| server.create_bucket(bucket));
    introduce(&server, &args, output)?;
    output.flush()?;
    while let Some(request) = told.recv().await {
        show(&request, output)?;
        output.flush()?;
    }
    Ok(())
}

/// The settings by which a host finds the server.
fn introduce(server: &S3Server, args: &S3ServerArgs, output: &mut Output) -> Result<(), Failure> {
    let bucket = args.buckets.first().map_or("", String::as_str);
    let settings = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_ACCESS_KEY_ID", args.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", args.secret_key.clone()),
        ("AWS_REGION", args.region.clone()),
        ("STORAGE_BACKEND", "s3".to_owned()),
        ("STORAGE_BUCKET_NAME", bucket.to_owned()),
    ];
    if output.is_json() {
        let settings: serde_json::Map<_, _> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        return output.object(&json!({ "settings": settings }));
    }
    output.line("# An S3 server in memory, until Ctrl-C. Settings for the shell of another terminal:")?;
    settings.iter().try_for_each(|(name, value)| output.line(&format!("export {name}={}", quoted(value))))
}

/// A word that the shell takes as it is.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn show(request: &Recorded, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!({
            "operation": request.operation, "method": request.method, "target": request.target, "status": request.status,
        }));
    }
    let status = request.status.map_or("---".to_owned(), |status| status.to_string());
    output.line(&format!("{status} {:<24} {} {}", request.operation, request.method, request.target))
}
