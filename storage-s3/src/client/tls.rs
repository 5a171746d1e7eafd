//! TLS: whose certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use storage_core::{Error, Result};
use tokio_rustls::TlsConnector;

use crate::options::{TlsOptions, TlsRoots};

/// Reads the certificates that are trusted; fails with `Configuration` where there are none, or the bundle is not one.
pub(crate) fn connector(options: &TlsOptions) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match options.roots {
        TlsRoots::System => {
            roots.add_parsable_certificates(system());
        }
        TlsRoots::Bundled => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    if let Some(path) = &options.ca_bundle {
        bundle(path, &mut roots)?;
    }
    if roots.is_empty() {
        return Err(Error::configuration("the system has no certificate authorities that could be trusted")
            .with_help("install the package ca-certificates, or name a file in AWS_CA_BUNDLE"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::configuration("TLS is not available").with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn bundle(path: &Path, roots: &mut RootCertStore) -> Result<()> {
    let wrong = |what: String| {
        Error::configuration(format!("the CA bundle {} {what}", path.display()))
            .with_help("set AWS_CA_BUNDLE to a file of certificates in PEM")
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(format!("holds a bad certificate: {error}")))?;
    }
    Ok(())
}

/// The system's authorities, from where the distributions keep them. The loader's own search is not used, since it goes by
/// the environment (rule S10).
#[cfg(all(unix, not(target_os = "macos")))]
fn system() -> Vec<CertificateDer<'static>> {
    const BUNDLES: [&str; 6] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
    ];
    let bundle = BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    let directory = bundle.is_none().then_some(Path::new("/etc/ssl/certs")).filter(|path| path.is_dir());
    rustls_native_certs::load_certs_from_paths(bundle, directory).certs
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}
