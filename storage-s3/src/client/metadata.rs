//! HTTP for the services that give credentials, over the client's own connections.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use reqsign_core::{Error, HttpSend, Result};

use super::connect::Connector;
use super::connection::{Connection, Segments};
use super::place::Place;
use super::watch::Watch;

/// The metadata services of a machine answer at once or are not there: a laptop must not wait for them.
const NEARBY: Duration = Duration::from_secs(1);
const REMOTE: Duration = Duration::from_secs(10);
/// An answer with credentials is not longer.
const LONGEST: usize = 1 << 20;

/// Sends a request at a time, each on a connection of its own.
pub(crate) struct Sender {
    connector: Arc<Connector>,
}

impl Sender {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self { connector }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let failed = |what: &str, error: &dyn fmt::Display| Error::unexpected(format!("{what}: {error}"));
        let place = place(request.uri())?;
        let nearby = is_nearby(&place.host);
        let connected = match nearby {
            true => self.connector.connect_directly(&place, NEARBY).await,
            false => self.connector.connect(&place).await,
        };
        let stream = connected.map_err(|cause| failed("no connection", &cause))?;
        let mut connection = Connection::new(stream).await.map_err(|error| failed("no HTTP", &error))?;
        let absolute = !nearby && self.connector.absolute_form(&place);
        let request = prepared(request, &place, absolute)?;
        let limit = if nearby { NEARBY } else { REMOTE };
        let timer = std::pin::pin!(Watch::timer(limit, None));
        let answer = connection.exchange(request, &mut Watch::new(limit, None, timer)).await;
        let (head, body) = answer.map_err(|_| Error::unexpected("no answer"))?.into_parts();
        let mut body = std::pin::pin!(Limited::new(body, LONGEST).collect());
        let whole = std::future::poll_fn(|cx| {
            let read = body.as_mut().poll(cx);
            if read.is_pending() {
                connection.drive(cx);
                return body.as_mut().poll(cx);
            }
            read
        });
        match tokio::time::timeout(limit, whole).await {
            Ok(Ok(whole)) => Ok(Response::from_parts(head, whole.to_bytes())),
            Ok(Err(error)) => Err(failed("a cut answer", &error)),
            Err(_) => Err(Error::unexpected("no answer in time")),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl HttpSend for Sender {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.exchange(request).await
    }
}

fn place(uri: &Uri) -> Result<Place> {
    let bad = || Error::request_invalid("the address of a credential service is no URL");
    let authority = uri.authority().ok_or_else(bad)?;
    let https = uri.scheme_str() == Some("https");
    Ok(Place {
        https,
        host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
        authority: HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?,
        base: String::new(),
        region: String::new(),
    })
}

/// Whether a host is this machine, or its link-local network, where metadata services are.
fn is_nearby(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        Ok(IpAddr::V6(address)) => address.is_unique_local() || address.is_loopback(),
        Err(_) => host == "localhost",
    }
}

fn prepared(request: Request<Bytes>, place: &Place, absolute: bool) -> Result<Request<Segments>> {
    let (mut head, body) = request.into_parts();
    if !absolute {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|_| Error::request_invalid("a path that is none"))?;
    }
    head.headers.insert(HOST, place.authority.clone());
    Ok(Request::from_parts(head, Segments::new(vec![body])))
}
