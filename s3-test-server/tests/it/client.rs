//! A client for tests: raw HTTP/1.1 over a socket, signed by hand, which shows what came over the wire.

use std::io;

use s3_test_server::S3Server;
use s3s::crypto::{Checksum as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request: method, path and query as on the wire, headers beside those of the signature, body.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    access_key: String,
    secret_key: String,
    region: String,
    host: Option<String>,
    skew: i64,
}

/// An answer, headers in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element with this name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }

    /// Status and error code.
    pub(crate) fn failure(&self) -> (u16, String) {
        (self.status, self.element("Code").unwrap_or_default())
    }
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            access_key: "test-access-key".to_owned(),
            secret_key: "test-secret-key".to_owned(),
            region: "us-east-1".to_owned(),
            host: None,
            skew: 0,
        }
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn user(mut self, access_key: &str, secret_key: &str) -> Self {
        self.access_key = access_key.to_owned();
        self.secret_key = secret_key.to_owned();
        self
    }

    pub(crate) fn region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Seconds by which the client's clock is ahead.
    pub(crate) fn skew(mut self, seconds: i64) -> Self {
        self.skew = seconds;
        self
    }

    /// Sends it on a connection of its own.
    pub(crate) async fn send(&self, server: &S3Server) -> io::Result<Answer> {
        self.send_on(server, &mut TcpStream::connect(server.address()).await?).await
    }

    /// Sends it on a connection.
    pub(crate) async fn send_on(&self, server: &S3Server, stream: &mut TcpStream) -> io::Result<Answer> {
        stream.write_all(&self.bytes(server)).await?;
        read_answer(stream, self.method == "HEAD").await
    }

    /// What goes over the wire.
    fn bytes(&self, server: &S3Server) -> Vec<u8> {
        let host = self.host.clone().unwrap_or_else(|| server.address().to_string());
        let now = chrono::DateTime::from_timestamp(now() + self.skew, 0).unwrap();
        let (date, day) = (now.format("%Y%m%dT%H%M%SZ").to_string(), now.format("%Y%m%d").to_string());
        let mut headers = self.headers.clone();
        let payload = hex(Sha256::checksum(&self.body).as_ref());
        headers.extend([
            ("host".to_owned(), host),
            ("x-amz-date".to_owned(), date.clone()),
            ("x-amz-content-sha256".to_owned(), payload.clone()),
        ]);
        headers.sort();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let canonical_headers: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut query: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(with_value).collect();
        query.sort();
        let query = query.join("&");
        let request = format!("{}\n{path}\n{query}\n{canonical_headers}\n{names}\n{payload}", self.method);
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(Sha256::checksum(request.as_bytes()).as_ref()));
        let mut key = hmac(format!("AWS4{}", self.secret_key).as_bytes(), day.as_bytes());
        for step in [self.region.as_str(), "s3", "aws4_request", &to_sign] {
            key = hmac(&key, step.as_bytes());
        }
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.access_key,
            hex(&key)
        );
        headers.extend([
            ("authorization".to_owned(), authorization),
            ("content-length".to_owned(), self.body.len().to_string()),
        ]);
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut bytes = format!("{} {} HTTP/1.1\r\n{lines}\r\n", self.method, self.target).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Reads one answer; one that ends early is an error.
pub(crate) async fn read_answer(stream: &mut TcpStream, head: bool) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap()).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = bytes.split_off(end + 4);
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse::<usize>().unwrap());
    while !head && status != 304 && body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            let message = format!("{} of {length} bytes", body.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
    }
    Ok(Answer { status, headers, body })
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64
}

fn with_value(pair: &str) -> String {
    if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104, for keys of at most a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(block, key)| *block ^= key);
        block.to_vec()
    };
    let inner = Sha256::checksum(&[pad(0x36), message.to_vec()].concat());
    Sha256::checksum(&[pad(0x5c), inner.as_ref().to_vec()].concat()).as_ref().to_vec()
}
