//! Connecting: names, TCP, a proxy, TLS.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use storage_core::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::Cause;
use super::place::Place;
use super::stream::Stream;
use super::tls;
use crate::options::{Credentials, S3Options};

/// How long one address has before the next one is tried beside it (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// A proxy's answer to CONNECT is not longer.
const PROXY_HEAD: usize = 8 << 10;

/// Makes connections.
pub(crate) struct Connector {
    tls: Option<TlsConnector>,
    proxy: Option<Proxy>,
    timeout: Duration,
}

struct Proxy {
    host: String,
    port: u16,
}

impl Connector {
    /// Reads the trusted certificates where TLS may be needed: for the endpoint, or for the credential services.
    pub(crate) fn new(options: &S3Options, https: bool) -> Result<Self> {
        let needs_tls = https || matches!(options.credentials, Credentials::Chain(_));
        let tls = needs_tls.then(|| tls::connector(&options.tls)).transpose()?;
        let proxy = options.proxy.as_deref().filter(|proxy| !proxy.is_empty()).map(Proxy::parse).transpose()?;
        Ok(Self { tls, proxy, timeout: options.timeouts.connect })
    }

    /// Whether requests to a place go through a proxy that must be told the whole URL (RFC 9112, section 3.2.2).
    pub(crate) fn absolute_form(&self, place: &Place) -> bool {
        self.proxy.is_some() && !place.https
    }

    /// Connects within the connect time-out, TLS included.
    pub(crate) async fn connect(&self, place: &Place) -> Result<Stream, Cause> {
        self.connect_within(place, self.proxy.as_ref(), self.timeout).await
    }

    /// Connects to a host of this machine's own network, where no proxy stands between.
    pub(crate) async fn connect_directly(&self, place: &Place, limit: Duration) -> Result<Stream, Cause> {
        self.connect_within(place, None, limit).await
    }

    async fn connect_within(&self, place: &Place, proxy: Option<&Proxy>, limit: Duration) -> Result<Stream, Cause> {
        match timeout(limit, self.open(place, proxy)).await {
            Ok(opened) => opened,
            Err(_) => Err(Cause::Timeout("a connection", limit)),
        }
    }

    async fn open(&self, place: &Place, proxy: Option<&Proxy>) -> Result<Stream, Cause> {
        let tcp = dial(&resolve(place, proxy).await?).await?;
        match place.https {
            true => Ok(Stream::tls(self.secure(tcp, place, proxy).await?)),
            false => Ok(Stream::plain(tcp)),
        }
    }

    async fn secure(
        &self,
        mut tcp: TcpStream,
        place: &Place,
        proxy: Option<&Proxy>,
    ) -> Result<TlsStream<TcpStream>, Cause> {
        if proxy.is_some() {
            tunnel(&mut tcp, place).await?;
        }
        let Some(tls) = &self.tls else {
            return Err(Cause::Tls("TLS was not prepared".into()));
        };
        let name = ServerName::try_from(place.host.clone()).map_err(|error| Cause::Tls(error.into()))?;
        tls.connect(name, tcp).await.map_err(handshake)
    }

    /// The addresses of what is connected to: the proxy, else the host itself.
    pub(crate) async fn look_up(&self, place: &Place) -> Result<Vec<SocketAddr>, Cause> {
        resolve(place, self.proxy.as_ref()).await
    }

    /// TLS on a connection that was made to one of these addresses, through the proxy if there is one.
    pub(crate) async fn shake_hands(&self, tcp: TcpStream, place: &Place) -> Result<TlsStream<TcpStream>, Cause> {
        self.secure(tcp, place, self.proxy.as_ref()).await
    }
}

/// A handshake that the network cut can pass; one that the other end refused cannot.
fn handshake(error: io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            Cause::Connect(error)
        }
        _ => Cause::Tls(error.into()),
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::configuration(format!("the proxy {what}")).with_help("set the proxy to http://host:port")
        };
        if text.contains('@') {
            return Err(wrong("holds a user name or a password, which a setting that is shown must not"));
        }
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(wrong("is not reached by http")),
            None => text,
        };
        let authority = http::uri::Authority::try_from(rest.trim_end_matches('/'))
            .map_err(|_| wrong(&format!("{text:?} is no host and port")))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong(&format!("{text:?} has no host")));
        }
        Ok(Self { host, port: authority.port_u16().unwrap_or(80) })
    }
}

async fn resolve(place: &Place, proxy: Option<&Proxy>) -> Result<Vec<SocketAddr>, Cause> {
    let (host, port) = proxy.map_or((&place.host, place.port), |proxy| (&proxy.host, proxy.port));
    addresses(host, port).await.map_err(Cause::Resolve)
}

/// Connects to the first of these addresses that answers.
pub(crate) async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Cause> {
    let tcp = first_of(addresses).await.map_err(Cause::Connect)?;
    tcp.set_nodelay(true).map_err(Cause::Connect)?;
    Ok(tcp)
}

/// Names under `localhost` are this machine, and no resolver is asked (RFC 6761, section 6.3): `bucket.localhost`.
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host.ends_with(".localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok(lookup_host((host, port)).await?.collect())
}

/// Tries addresses in their order, each one beside those that have not answered yet.
async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    loop {
        trying.extend(waiting.next().map(TcpStream::connect));
        match select(trying.next(), std::pin::pin!(sleep(NEXT_ADDRESS))).await {
            Either::Left((Some(Ok(tcp)), _)) => return Ok(tcp),
            Either::Left((Some(Err(error)), _)) => failed = error,
            Either::Left((None, _)) => return Err(failed),
            Either::Right(_) => {}
        }
    }
}

/// Asks the proxy for a connection through it (RFC 9110, section 9.3.6).
async fn tunnel(tcp: &mut TcpStream, place: &Place) -> Result<(), Cause> {
    let host = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
    let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n", port = place.port);
    tcp.write_all(request.as_bytes()).await.map_err(Cause::Connect)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= PROXY_HEAD {
            return Err(Cause::Connect(io::Error::other("the proxy's answer is too long")));
        }
        head.push(tcp.read_u8().await.map_err(Cause::Connect)?);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status.first() == Some(&b'2') {
        return Ok(());
    }
    let line = String::from_utf8_lossy(line).into_owned();
    Err(Cause::Connect(io::Error::other(format!("the proxy refused to connect: {line}"))))
}
