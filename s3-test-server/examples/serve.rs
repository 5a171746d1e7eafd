//! Runs a server until it is interrupted: `serve [PORT] [ACCESS_KEY SECRET_KEY [BUCKET ...]]`. Prints its endpoint, and
//! its requests on standard error. Virtual hosts are those below `localhost` and `s3.test`. With `CERTIFICATE` in the
//! environment (and the feature `tls`) it speaks https, and writes the certificate to trust to that file.

use s3_test_server::{S3Server, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut options = ServerOptions::new().virtual_host("s3.test");
    if let Some(port) = arguments.next() {
        options = options.port(port.parse()?);
    }
    if let (Some(access_key), Some(secret_key)) = (arguments.next(), arguments.next()) {
        options = options.credentials(access_key, secret_key);
    }
    options = options.on_request(|request| {
        eprintln!("{} {} {} {:?}", request.operation, request.method, request.target, request.status);
    });
    #[cfg(feature = "tls")]
    let certificate = std::env::var_os("CERTIFICATE");
    #[cfg(feature = "tls")]
    let options = options.tls(certificate.is_some());
    let server = S3Server::start(options).await?;
    #[cfg(feature = "tls")]
    if let (Some(path), Some(pem)) = (certificate, server.certificate_pem()) {
        std::fs::write(path, pem)?;
    }
    arguments.for_each(|bucket| server.create_bucket(&bucket));
    println!("{}", server.endpoint());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
