//! Connections that are between two requests, and how many there may be at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;
use super::place::Place;

/// A connection that has been idle longer is not used again: services and load balancers close theirs about then.
const IDLE: Duration = Duration::from_secs(30);

/// Idle connections, each with the runtime whose reactor knows it: a connection cannot be woken from another one.
pub(crate) struct Pool {
    idle: Mutex<Vec<(Id, VecDeque<Idle>)>>,
    permits: Arc<Semaphore>,
    /// At most so many connections at once.
    pub(crate) capacity: usize,
}

struct Idle {
    connection: Connection,
    place: Arc<Place>,
    since: Instant,
}

/// The right to one connection.
pub(crate) struct Permit {
    _permit: OwnedSemaphorePermit,
    runtime: Id,
}

/// A connection in use. It goes back with [`Lease::give_back`]; dropped, it is closed (rule R12).
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    place: Arc<Place>,
    permit: Permit,
    pool: Arc<Pool>,
}

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self { idle: Mutex::default(), permits: Arc::new(Semaphore::new(capacity)), capacity }
    }

    /// Waits for the right to a connection. Whoever holds bodies that it does not read, and waits here for more
    /// connections than there are, waits until its deadline: the caller bounds it.
    pub(crate) async fn permit(&self) -> Option<Permit> {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.permits.clone().acquire_owned().await.ok()?,
        };
        Some(Permit { _permit: permit, runtime: Handle::current().id() })
    }

    /// An idle connection to a place that still looks alive; those that do not are closed on the way.
    pub(crate) async fn idle(&self, permit: &Permit, place: &Place) -> Option<Connection> {
        loop {
            let mut idle = self.take(permit.runtime)?;
            if idle.since.elapsed() < IDLE
                && idle.place.same_peer(place)
                && std::future::poll_fn(|cx| std::task::Poll::Ready(idle.connection.is_ready(cx))).await
            {
                return Some(idle.connection);
            }
        }
    }

    fn take(&self, runtime: Id) -> Option<Idle> {
        let mut all = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut().find(|(id, _)| *id == runtime)?.1.pop_back()
    }

    fn keep(&self, runtime: Id, idle: Idle) {
        let mut expired = Vec::new();
        let mut all = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, list) in all.iter_mut() {
            while list.len() >= self.capacity || list.front().is_some_and(|oldest| oldest.since.elapsed() >= IDLE) {
                expired.extend(list.pop_front());
            }
        }
        match all.iter_mut().find(|(id, _)| *id == runtime) {
            Some((_, list)) => list.push_back(idle),
            None => {
                all.retain(|(_, list)| !list.is_empty());
                all.push((runtime, VecDeque::from([idle])));
            }
        }
        // Closing connections is not done under the lock.
        drop(all);
    }
}

impl Lease {
    pub(crate) fn new(connection: Connection, place: Arc<Place>, permit: Permit, pool: Arc<Pool>) -> Self {
        Self { connection, place, permit, pool }
    }

    /// Keeps the connection for the next request; its answer has been read to the end. One whose request has not been sent
    /// to the end is closed: it would hold the content, and the peer would wait for the rest.
    pub(crate) fn give_back(self) {
        if self.connection.is_sending() {
            return;
        }
        let idle = Idle { connection: self.connection, place: self.place, since: Instant::now() };
        self.pool.keep(self.permit.runtime, idle);
    }
}
