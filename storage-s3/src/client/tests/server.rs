//! A server of threads and blocking sockets: no task of it is mistaken for one of the client's.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Listens on a free port and hands each connection, with its number from 0, to a thread of its own.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(serve: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
    }

    pub(super) fn listen(listener: TcpListener, serve: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let server =
            Self { address: listener.local_addr().unwrap(), connections: Arc::default(), heads: Arc::default() };
        let (connections, heads, serve) = (server.connections.clone(), server.heads.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let (number, heads, serve) = (connections.fetch_add(1, Ordering::SeqCst), heads.clone(), serve.clone());
                std::thread::spawn(move || serve(number, Peer::new(tcp.unwrap(), heads)));
            }
        });
        server
    }

    /// Answers every request with the same bytes, on connections that stay open.
    pub(super) fn always(answer: &'static str) -> Self {
        Self::start(move |_, mut peer| {
            while peer.request().is_some() {
                peer.send(answer);
            }
        })
    }

    /// Answers the requests with these one after the other, whatever connection they come on, and the last one again.
    pub(super) fn answers(answers: &'static [&'static str]) -> Self {
        let next = AtomicUsize::new(0);
        Self::start(move |_, mut peer| {
            while peer.request().is_some() {
                let number = next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                peer.send(answers[number]);
            }
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far, each as it came.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

trait ReadWrite: Read + Write + Send {}
impl<T: Read + Write + Send> ReadWrite for T {}

/// The other end of a connection.
pub(super) struct Peer {
    io: BufReader<Box<dyn ReadWrite>>,
    tcp: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn new(tcp: TcpStream, heads: Arc<Mutex<Vec<String>>>) -> Self {
        let io: Box<dyn ReadWrite> = Box::new(tcp.try_clone().unwrap());
        Self { io: BufReader::new(io), tcp, heads }
    }

    /// Speaks TLS from here on.
    pub(super) fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        let tls = rustls::ServerConnection::new(config).unwrap();
        let io: Box<dyn ReadWrite> = Box::new(rustls::StreamOwned::new(tls, self.tcp.try_clone().unwrap()));
        self.io = BufReader::new(io);
        self
    }

    /// The head of the next request; `None` at the connection's end.
    pub(super) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.io.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// The next request, read whole: its head.
    pub(super) fn request(&mut self) -> Option<String> {
        let head = self.head()?;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        std::io::copy(&mut (&mut self.io).take(length), &mut std::io::sink()).ok()?;
        Some(head)
    }

    /// Reads so many bytes of a request's content.
    pub(super) fn read(&mut self, length: usize) {
        self.io.read_exact(&mut vec![0; length]).unwrap();
    }

    pub(super) fn send(&mut self, answer: impl AsRef<[u8]>) {
        let _ = self.io.get_mut().write_all(answer.as_ref());
        let _ = self.io.get_mut().flush();
    }

    /// Ends the connection by a reset instead of an orderly end: what was sent by the client is left unread.
    pub(super) fn reset(self) {
        drop(self.tcp.shutdown(std::net::Shutdown::Both));
    }

    /// Reads what came first, and ends the connection without a word.
    pub(super) fn hang_up(mut self) {
        let _ = self.io.fill_buf();
    }

    /// Waits for the client to close the connection.
    pub(super) fn closed(mut self) {
        let _ = std::io::copy(&mut self.io, &mut std::io::sink());
    }
}

/// A header of a head.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    Some(line.split_once(':')?.1.trim())
}

/// A whole answer.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}
