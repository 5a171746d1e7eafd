//! A server that answers every request at once with something made up, so that the client is what a run measures. It is
//! this program, started again as another process.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How many keys every bucket holds.
pub const KEYS: usize = 20_000;

const PAGE: usize = 1000;

/// The server as a child process; it ends when this is dropped.
pub struct NullServer {
    child: Child,
    address: SocketAddr,
    scheme: &'static str,
}

impl NullServer {
    /// Starts one on the second core; with TLS if `certificates` holds `cert.pem` and `key.pem`.
    pub fn start(certificates: Option<&Path>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("null-server").args(certificates).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let scheme = if certificates.is_some() { "https" } else { "http" };
        Self { child, address: line.trim().parse().unwrap(), scheme }
    }

    pub fn endpoint(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the process is killed; prints its address first.
pub fn serve(certificates: Option<&Path>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tls = certificates.map(acceptor);
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    Some(tls) => connection(tls.accept(stream).await.unwrap()).await,
                    None => connection(stream).await,
                }
            });
        }
    });
}

fn acceptor(certificates: &Path) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificates.join("cert.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(certificates.join("key.pem")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn connection(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static CONTENT: [u8; 1024] = [7; 1024];
    let response = Response::builder()
        .header("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"")
        .header("last-modified", "Fri, 20 Nov 2026 12:00:00 GMT")
        .header("x-amz-request-id", "0123456789ABCDEF");
    let listing = request.uri().query().is_some_and(|query| query.contains("list-type=2"));
    let response = match *request.method() {
        Method::GET if listing => response
            .header("content-type", "application/xml")
            .body(Full::new(page(request.uri().query().unwrap_or_default()))),
        Method::GET => response.body(Full::new(Bytes::from_static(&CONTENT))),
        Method::HEAD => response.header("content-length", "1024").body(Full::default()),
        _ => {
            let _ = request.into_body().collect().await;
            response.body(Full::default())
        }
    };
    Ok(response.unwrap())
}

/// A page of keys as they are in real buckets; the continuation token is the number of the first one.
fn page(query: &str) -> Bytes {
    let first = query.split('&').find_map(|pair| pair.strip_prefix("continuation-token=")).unwrap_or("0");
    let first: usize = first.parse().unwrap();
    let last = (first + PAGE).min(KEYS);
    let mut xml = String::with_capacity(PAGE * 320);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    let more = last < KEYS;
    let _ =
        write!(xml, "<Name>bench</Name><Prefix></Prefix><KeyCount>{}</KeyCount><MaxKeys>1000</MaxKeys>", last - first);
    if query.contains("encoding-type=url") {
        xml.push_str("<EncodingType>url</EncodingType>");
    }
    let _ = write!(xml, "<IsTruncated>{more}</IsTruncated>");
    if more {
        let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
    }
    for number in first..last {
        let _ = write!(
            xml,
            "<Contents><Key>tenant-42/documents/2026/11/object-{number:08}.json</Key><LastModified>2026-11-20T12:00:00.000Z\
             </LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{number}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    xml.push_str("</ListBucketResult>");
    xml.into()
}
