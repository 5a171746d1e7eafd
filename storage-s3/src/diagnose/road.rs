//! The way to the service: its address, a connection, TLS, and whose keys requests are signed with.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use storage_core::diagnosis::{Examination, Finding};
use storage_core::{Result, Settings};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::certificate::Certificate;
use super::given::masked;
use crate::client::{Cause, Effect, Failure, Identity, Place, dial};
use crate::core::Core;
use crate::options::Credentials;
use crate::settings::ACCESS_KEY_ID;

/// The longest that a step is waited for whose own time-outs do not end it.
const STEP: Duration = Duration::from_secs(10);

/// A certificate that is good for less is worth a note.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Goes the way, and tells each step; `Err` is the step that failed.
pub(super) async fn travel(core: &Core, settings: &Settings, exam: &mut Examination<'_>) -> Result<(), &'static str> {
    let place = core.client.place();
    let addresses = exam.run("DNS", STEP, resolve(core, &place)).await.ok_or("DNS")?;
    exam.add(Finding::good("DNS", told(core, &place, &addresses)));
    let start = Instant::now();
    let tcp = exam.run("TCP", STEP, connect(core, &addresses)).await.ok_or("TCP")?;
    let peer = tcp.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
    exam.add(Finding::good("TCP", format!("connected to {peer} in {}", millis(start.elapsed()))));
    tls(core, &place, tcp, exam).await?;
    let identity = exam.run("credentials", STEP, identify(core)).await.ok_or("credentials")?;
    exam.add(who(identity, core, settings));
    Ok(())
}

async fn resolve(core: &Core, place: &Place) -> Result<Vec<SocketAddr>> {
    within(core, "the address of the host", core.client.connector().look_up(place)).await
}

async fn connect(core: &Core, addresses: &[SocketAddr]) -> Result<TcpStream> {
    within(core, "a connection", dial(addresses)).await
}

async fn tls(core: &Core, place: &Place, tcp: TcpStream, exam: &mut Examination<'_>) -> Result<(), &'static str> {
    if !place.https {
        exam.add(Finding::good("TLS", "not used: the endpoint is plain http"));
        return Ok(());
    }
    let handshake = within(core, "the TLS handshake", core.client.connector().shake_hands(tcp, place));
    let stream = exam.run("TLS", STEP, handshake).await.ok_or("TLS")?;
    exam.add(certified(&stream));
    Ok(())
}

async fn identify(core: &Core) -> Result<Option<Identity>> {
    core.client.identity().await.map_err(|cause| explain(core, cause))
}

/// A step within the time that options allow a connection, as the error that a request would have had.
async fn within<T>(core: &Core, what: &'static str, step: impl Future<Output = Result<T, Cause>>) -> Result<T> {
    let limit = core.options.timeouts.connect;
    let done = timeout(limit, step).await.unwrap_or(Err(Cause::Timeout(what, limit)));
    done.map_err(|cause| explain(core, cause))
}

fn explain(core: &Core, cause: Cause) -> storage_core::Error {
    core.error(Failure { operation: "Connect", cause, effect: Effect::None })
}

fn told(core: &Core, place: &Place, addresses: &[SocketAddr]) -> String {
    if let Some(proxy) = &core.options.proxy {
        return format!("the proxy {proxy}, to {}: {}", place.host, listed(addresses));
    }
    match place.host.parse::<IpAddr>() {
        Ok(address) => format!("not asked: {address} is an address"),
        Err(_) => format!("{}: {}", place.host, listed(addresses)),
    }
}

fn listed(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    addresses.join(", ")
}

/// What the handshake came to, and the certificate, whose chain and name it has checked.
fn certified(stream: &TlsStream<TcpStream>) -> Finding {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    };
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    let Some(certificate) = leaf.and_then(|leaf| Certificate::parse(leaf)) else {
        return Finding::good("TLS", format!("{version}, with a certificate that is trusted"));
    };
    let seen = format!("{version}, certificate {certificate}");
    match certificate.end.duration_since(SystemTime::now()) {
        Ok(left) if left >= SOON => Finding::good("TLS", seen),
        _ => Finding::note("TLS", seen, "renew the service's certificate before it ends"),
    }
}

/// Whose keys they are and where they came from.
fn who(identity: Option<Identity>, core: &Core, settings: &Settings) -> Finding {
    const CHECK: &str = "credentials";
    let Some(identity) = identity else {
        return Finding::good(CHECK, "none: requests are not signed (STORAGE_S3_ANONYMOUS)");
    };
    let id = masked(&identity.access_key_id);
    let source = match (identity.source, settings.get(ACCESS_KEY_ID)) {
        (Some(source), _) => source.to_owned(),
        (None, Ok(Some(setting))) => format!("{}, set in {}", setting.name(), setting.source()),
        _ => "the options".to_owned(),
    };
    let temporary = match &core.options.credentials {
        Credentials::Keys { session_token: Some(_), .. } => ", temporary",
        _ => "",
    };
    let seen = format!("access key {id} from {source}{temporary}");
    let Some(end) = identity.end else { return Finding::good(CHECK, seen) };
    let seen = format!("{seen}, until {}", humantime::format_rfc3339_seconds(end));
    match end > SystemTime::now() {
        true => Finding::good(CHECK, seen),
        false => Finding::note(CHECK, seen, "they have ended: log in again, or renew what gives them"),
    }
}

/// A duration as an operator compares it.
pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
