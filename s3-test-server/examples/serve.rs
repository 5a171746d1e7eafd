//! Runs a server until it is interrupted: `serve [PORT] [ACCESS_KEY SECRET_KEY [BUCKET ...]]`. Prints its endpoint.

use s3_test_server::{S3Server, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut options = ServerOptions::new();
    if let Some(port) = arguments.next() {
        options = options.port(port.parse()?);
    }
    if let (Some(access_key), Some(secret_key)) = (arguments.next(), arguments.next()) {
        options = options.credentials(access_key, secret_key);
    }
    options = options.on_request(|request| {
        eprintln!("{} {} {} {:?}", request.operation, request.method, request.target, request.status);
    });
    let server = S3Server::start(options).await?;
    arguments.for_each(|bucket| server.create_bucket(&bucket));
    println!("{}", server.endpoint());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
