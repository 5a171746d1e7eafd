//! Rule S01: one key under many clients is one register.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage_core::{MultipartOrder, Storage, Support};

use crate::context::carried;
use crate::deep::effort::Effort;
use crate::deep::linear::{Call, check};
use crate::deep::register::{Client, Powers, call};
use crate::process::{Job, Worker};
use crate::rule::rule;
use crate::service::{Fault, Hits, Request, Service};
use crate::{Fixture, Harness};

/// The threads of a history, the clients in each, and how many calls each client makes.
const THREADS: usize = 3;
const EACH: usize = 2;
const CLIENTS: usize = THREADS * EACH;
const CALLS: usize = 30;

/// How many histories a short run makes at most and at least, and how long it goes on with them.
const HISTORIES: u64 = 6;
const LEAST: u64 = 2;
const TIME: Duration = Duration::from_millis(600);

/// One answer in so many is lost.
const LOST: u64 = 5;

rule! {
    /// One key under many threads, and under several processes where `shared` is declared, behaves as one register with
    /// compare-and-swap: every answer can be given one moment between its call and its return. What nobody knows took place
    /// at some later time, or never. It holds while answers get lost too, for swaps and for creation where nothing is deleted;
    /// a write without a condition that a driver asks again may take effect twice between its call and its return.
    S01, s01_one_key_is_one_register, "One register",
    why: "Two clients that see two orders of the same writes each act on a past that the other has never had."
}
async fn s01_one_key_is_one_register(harness: &dyn Harness) {
    let effort = Effort::begin();
    let fixture = harness.fresh().await;
    fixture.storage.probe().await.unwrap();
    let service = Losing::new(harness).await;
    let mut tries = effort.tries(HISTORIES, TIME);
    while let Some(seed) = tries.next(tries.made >= LEAST) {
        let key = format!("threads/{seed}");
        judge(seed, "threads", threads(&fixture.storage, &key, seed, powers(&fixture.storage)));
        if let Some(service) = &service {
            judge(seed, "lost answers", service.history(seed));
        }
    }
    tries.report(&format!("of {} calls each", CLIENTS * CALLS));
    let workers = Worker::start(harness, &fixture.storage, &fixture.address, 2).await;
    if !workers.is_empty() {
        judge(effort.seed, "processes", processes(workers, &fixture.storage, effort.seed).await);
    }
}

/// A service that loses answers to writes: a swap that was done and is asked again is done once, and told as done or as
/// unknown.
///
/// Only conditional writes race there, and nothing is deleted. A write without a condition that is asked again lands a
/// second time, over what came in between. So does a create-only write whose object is deleted before it is asked again:
/// to the service it is another one.
struct Losing {
    service: Arc<dyn Service>,
    root: Fixture,
}

impl Losing {
    async fn new(harness: &dyn Harness) -> Option<Self> {
        let service = harness.service().await?;
        let root = service.hasty().await;
        root.storage.probe().await.unwrap();
        Some(Self { service, root })
    }

    fn history(&self, seed: u64) -> Vec<Call> {
        let storage = &self.root.storage;
        let powers = Powers { unconditional: false, take: false, ..powers(storage) };
        for request in [Request::Put, Request::FinishUpload] {
            self.service.inject(Fault::LoseAnswer, Hits::all(request).one_in(LOST, seed));
        }
        let calls = threads(storage, &format!("lost/{seed}"), seed, powers);
        self.service.heal();
        calls
    }
}

#[track_caller]
fn judge(seed: u64, who: &str, calls: Vec<Call>) {
    if let Err(wrong) = check(None, &calls) {
        panic!("{who}, by the seed {seed}: {wrong}");
    }
}

fn powers(storage: &Storage) -> Powers {
    let known = storage.capabilities();
    let yes = |support: Support| support != Support::No;
    Powers {
        unconditional: true,
        take: yes(known.delete_if_match),
        create: yes(known.put_create_only) && yes(known.writer_create_only),
        swap: yes(known.put_if_match) && yes(known.writer_if_match),
        stream: known.multipart_order == MultipartOrder::Finish,
    }
}

/// What clients in threads of this process are told, each on a runtime of its own.
fn threads(storage: &Storage, key: &str, seed: u64, powers: Powers) -> Vec<Call> {
    let clock = AtomicU64::new(0);
    let clock = &clock;
    std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            scope.spawn(carried(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let clients = (thread * EACH..(thread + 1) * EACH)
                    .map(|number| one_client(storage, key, Client::new(number, seed, powers), number, clock));
                runtime.block_on(futures::future::join_all(clients)).concat()
            }))
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a client does not panic")).collect()
    })
}

async fn one_client(storage: &Storage, key: &str, mut client: Client, number: usize, clock: &AtomicU64) -> Vec<Call> {
    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let (ask, words) = client.next();
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let answer = call(storage, key, &words).await;
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        calls.push(Call { client: number, ask, told: client.heard(ask, &answer), began, ended });
    }
    calls
}

/// What clients in several processes are told, and one in this. Their times are taken here, before the order goes out and
/// after the answer came in.
async fn processes(workers: Vec<Worker>, storage: &Storage, seed: u64) -> Vec<Call> {
    let (clock, powers) = (AtomicU64::new(0), powers(storage));
    let clock = &clock;
    let others = workers.into_iter().enumerate().map(|(number, mut worker)| async move {
        let (mut client, mut calls) = (Client::new(number, seed, powers), Vec::with_capacity(CALLS));
        for _ in 0..CALLS {
            let (ask, words) = client.next();
            let began = clock.fetch_add(1, Ordering::SeqCst);
            let answer = worker.ask(&Job::Register("processes", &words)).await;
            let ended = clock.fetch_add(1, Ordering::SeqCst);
            calls.push(Call { client: number, ask, told: client.heard(ask, &answer), began, ended });
        }
        calls
    });
    let own = one_client(storage, "processes", Client::new(CLIENTS, seed, powers), CLIENTS, clock);
    let (others, own) = futures::join!(futures::future::join_all(others), own);
    others.into_iter().flatten().chain(own).collect()
}
