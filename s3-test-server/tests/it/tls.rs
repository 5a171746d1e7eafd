//! https, with the certificate that the server gives.

use std::sync::Arc;

use s3_test_server::{Fault, FaultAction, S3Server, ServerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

async fn get(server: &S3Server, name: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.certificate_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address()).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn names_of_the_server_and_its_buckets_are_trusted_and_others_are_not() {
    let server = S3Server::start(ServerOptions::new().tls(true).virtual_host("s3.test")).await.unwrap();
    assert!(server.endpoint().starts_with("https://127.0.0.1:"));
    for name in ["127.0.0.1", "localhost", "bucket.s3.test"] {
        assert!(get(&server, name).await.unwrap().contains("<Code>AccessDenied</Code>"), "{name}");
    }
    assert!(get(&server, "elsewhere.test").await.is_err());
    server.inject(Fault::new(FaultAction::Reset));
    assert_eq!(get(&server, "localhost").await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}
