//! https, with an authority and a certificate made for one server.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::connection::Socket;

/// Ends TLS for a server.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    authority: Arc<str>,
}

impl Tls {
    /// A certificate for 127.0.0.1, `localhost`, the domain, and the buckets below them.
    pub(crate) fn new(domain: Option<&str>) -> io::Result<Self> {
        let authority_key = KeyPair::generate().map_err(io::Error::other)?;
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "s3-test-server");
        let pem = authority.self_signed(&authority_key).map_err(io::Error::other)?.pem();

        let mut names = vec!["127.0.0.1".to_owned()];
        for domain in ["localhost"].into_iter().chain(domain) {
            names.extend([domain.to_owned(), format!("*.{domain}")]);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = Issuer::new(authority, authority_key);
        let certificate = CertificateParams::new(names).and_then(|leaf| leaf.signed_by(&key, &issuer));
        let certificate = certificate.map_err(io::Error::other)?.der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], private))
            .map_err(io::Error::other)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: pem.into() })
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.authority
    }

    pub(crate) async fn accept(&self, socket: Socket) -> io::Result<TlsStream<Socket>> {
        self.acceptor.accept(socket).await
    }
}
