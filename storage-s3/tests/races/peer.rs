//! The other end of a connection, byte by byte.
#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage_core::Storage;
use storage_s3::{ConditionPolicy, Credentials, PayloadSigning, S3, S3Options};

/// Hands each connection, with its number from 0, to a thread of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(serve: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let (count, serve) = (connections.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let (number, serve) = (count.fetch_add(1, Ordering::SeqCst), serve.clone());
                std::thread::spawn(move || serve(number, Peer(BufReader::new(tcp.unwrap()))));
            }
        });
        Self { address, connections }
    }

    /// Takes one connection and listens no more.
    pub(crate) fn once(serve: impl FnOnce(Peer) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        std::thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            drop(listener);
            serve(Peer(BufReader::new(tcp)));
        });
        Self { address, connections }
    }

    /// Answers every request with the same bytes, on connections that stay open.
    pub(crate) fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, mut peer| {
            while peer.request().is_some() {
                peer.send(&answer);
            }
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// A root that asks this server once for each call.
    pub(crate) fn root(&self) -> Storage {
        self.root_with(|options| options.retries.attempts = 1)
    }

    pub(crate) fn root_with(&self, change: impl FnOnce(&mut S3Options)) -> Storage {
        let mut options = S3Options::new("bucket");
        options.endpoint = Some(format!("http://{}", self.address));
        options.region = Some("us-east-1".to_owned());
        options.credentials = Credentials::keys("id", "secret");
        options.conditions = ConditionPolicy::All;
        options.payload_signing = PayloadSigning::Unsigned;
        options.retries.base = std::time::Duration::from_millis(1);
        change(&mut options);
        Storage::new(S3::new(options).unwrap())
    }
}

pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    /// The head of the next request; `None` at the connection's end.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// The next request, read whole: its head.
    pub(crate) fn request(&mut self) -> Option<String> {
        let head = self.head()?;
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        std::io::copy(&mut (&mut self.0).take(length.unwrap_or(0)), &mut std::io::sink()).ok()?;
        Some(head)
    }

    pub(crate) fn read(&mut self, length: usize) {
        let _ = self.0.read_exact(&mut vec![0; length]);
    }

    pub(crate) fn send(&mut self, answer: impl AsRef<[u8]>) {
        let _ = self.0.get_mut().write_all(answer.as_ref());
    }

    /// Waits for the client to close the connection.
    pub(crate) fn closed(mut self) {
        let _ = std::io::copy(&mut self.0, &mut std::io::sink());
    }
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// The headers of an object.
pub(crate) const OBJECT: &str = "ETag: \"e\"\r\nLast-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n";
