//! S3 beside object_store and opendal: the client's CPU time for one operation, which is what a host pays; the server is
//! another process on another core. All sides sign requests and leave the payload unsigned.

mod clients;
mod null_server;

use std::path::Path;
use std::rc::Rc;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

pub use null_server::serve;

use clients::Client;
use null_server::{KEYS, NullServer};

const ROUNDS: usize = 7;

/// How many operations are under way at once.
const AT_ONCE: u32 = 64;

/// What is measured, with how many operations a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Get,
    Put,
    Head,
    /// Counted by key.
    List,
}

impl Work {
    fn title(self) -> &'static str {
        match self {
            Self::Get => "get 1 KiB",
            Self::Put => "put 1 KiB",
            Self::Head => "head",
            Self::List => "list, for each key",
        }
    }
}

/// Measures everything, over plain http and over TLS.
pub fn run() {
    let certificates = tempfile::tempdir().unwrap();
    write_certificates(certificates.path());
    for tls in [None, Some(certificates.path())] {
        let server = NullServer::start(tls);
        pin(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let how = if tls.is_some() { "over TLS" } else { "over plain http" };
        for work in [Work::Get, Work::Put, Work::Head, Work::List] {
            let clients = clients::all(&server.endpoint(), tls);
            compare(&format!("{} {how}, client CPU", work.title()), work, &runtime, &clients);
        }
        unpin();
    }
}

fn compare(title: &str, work: Work, runtime: &tokio::runtime::Runtime, clients: &[Rc<dyn Client>]) {
    let mut best = vec![f64::MAX; clients.len()];
    for _ in 0..ROUNDS {
        for (client, best) in clients.iter().zip(&mut best) {
            let operations = if work == Work::List { KEYS as u32 * 5 } else { 20_000 };
            let start = cpu_seconds();
            runtime.block_on(round(client, work, operations));
            *best = best.min((cpu_seconds() - start) / f64::from(operations));
        }
    }
    println!("{title}");
    for (client, seconds) in clients.iter().zip(&best) {
        let theirs = best[1];
        println!("  {:<34} {:>10.2} µs   {:>6.2} × object_store", client.name(), seconds * 1e6, seconds / theirs);
    }
    println!();
}

async fn round(client: &Rc<dyn Client>, work: Work, operations: u32) {
    if work == Work::List {
        for _ in 0..operations / KEYS as u32 {
            assert_eq!(client.list().await, KEYS);
        }
        return;
    }
    let local = tokio::task::LocalSet::new();
    for _ in 0..AT_ONCE {
        let client = Rc::clone(client);
        local.spawn_local(async move {
            for _ in 0..operations / AT_ONCE {
                match work {
                    Work::Get => assert_eq!(client.get().await, 1024),
                    Work::Put => client.put().await,
                    Work::Head | Work::List => assert_eq!(client.head().await, 1024),
                }
            }
        });
    }
    local.await;
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Keeps this process to one core; the server, started before, has the others.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(None, &set);
}

fn unpin() {
    let mut set = CpuSet::new();
    (0..std::thread::available_parallelism().map_or(2, usize::from).max(2)).for_each(|core| set.set(core));
    let _ = sched_setaffinity(None, &set);
}

fn write_certificates(directory: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}
