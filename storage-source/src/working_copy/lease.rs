//! Leases: an object that says who works, until when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage_core::{DeleteOptions, ETag, Error, ErrorKind, IntoKey, Key, PutOptions, Result, Storage, Support};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::LeaseOptions;
use super::change::now;

/// The most that a lease's object is read to.
const RECORD: u64 = 64 * 1024;

/// How often a renewal is written that meets an earlier one of its own.
const ATTEMPTS: usize = 3;

/// The right to work on something for a while, kept as an object of its own.
///
/// Taking, renewing and giving back are conditional writes on the object's etag, so that of many who want a lease one has
/// it, and one who has lost it cannot renew it. It saves two programs from working in vain. It is not what keeps data
/// safe: a program may be stopped for longer than its lease lasts and then go on, and clocks differ. What was written
/// under a lease is safe by its own condition, as a commit's is, or by the [`Lease::fence`] that the write carries.
///
/// Whether somebody else's lease has expired is told by this machine's clock: machines whose clocks differ by more than
/// the duration take each other's leases away.
#[derive(Debug)]
pub struct Lease {
    storage: Storage,
    key: Key,
    owner: String,
    duration: Duration,
    id: String,
    fence: u64,
    etag: ETag,
}

/// The answer of [`Lease::acquire`].
#[derive(Debug)]
pub enum Leased {
    /// It is the caller's.
    Acquired(Lease),
    /// It is somebody else's.
    Held(Holder),
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// In the holder's own words.
    pub owner: String,
    /// One acquisition of the lease.
    pub id: String,
    /// How often the lease was acquired, this time included.
    pub fence: u64,
    /// Until when it holds, in milliseconds since 1970.
    pub expires_ms: u64,
}

impl Lease {
    /// Takes the lease that an object stands for, if nobody has it or its holder has given no sign of life for as long as
    /// it promised. One request where there is none, two where there was one. `Unsupported` on a backend without conditions.
    pub async fn acquire(
        storage: &Storage,
        key: impl IntoKey,
        owner: impl Into<String>,
        duration: Duration,
    ) -> Result<Leased> {
        let mut lease = Self {
            storage: storage.clone(),
            key: key.into_key()?,
            owner: owner.into(),
            duration,
            id: format!("{:032x}", fastrand::u128(..)),
            fence: 1,
            etag: ETag::new(""),
        };
        if lease.write(PutOptions::new().create_only()).await? {
            return Ok(Leased::Acquired(lease));
        }
        let Some((holder, etag)) = lease.read().await? else {
            // Given back just now.
            return match lease.write(PutOptions::new().create_only()).await? {
                true => Ok(Leased::Acquired(lease)),
                false => Err(lost_race()),
            };
        };
        if holder.expires_ms > now_ms() {
            return Ok(Leased::Held(holder));
        }
        lease.fence = holder.fence + 1;
        match lease.write(PutOptions::new().if_match(etag)).await? {
            true => Ok(Leased::Acquired(lease)),
            false => match lease.read().await? {
                Some((holder, _)) => Ok(Leased::Held(holder)),
                None => Err(lost_race()),
            },
        }
    }

    /// Holds it for its whole duration from now on. False where it is somebody else's now, or what is there is no lease. One
    /// request; two more where an earlier renewal was carried out and its answer lost.
    pub async fn renew(&mut self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            if self.write(PutOptions::new().if_match(self.etag.clone())).await? {
                return Ok(true);
            }
            if !self.is_ours().await? {
                return Ok(false);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "the lease changes each time it is renewed").with_help("renew it again"))
    }

    /// Gives it back; Ok where it is somebody else's by now. One request; two more where a renewal was carried out and its
    /// answer lost.
    pub async fn release(mut self) -> Result<()> {
        match self.remove().await {
            Err(error) if error.kind() == ErrorKind::PreconditionFailed && self.is_ours().await? => {
                match self.remove().await {
                    Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(()),
                    removed => removed,
                }
            }
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.duration = Duration::ZERO;
                self.renew().await.map(|_| ())
            }
            released => released,
        }
    }

    async fn remove(&self) -> Result<()> {
        match self.storage.capabilities().delete_if_match {
            Support::No => Err(Error::unsupported("no delete with if-match")),
            _ => self.storage.delete_with(&self.key, DeleteOptions::new().if_match(self.etag.clone())).await,
        }
    }

    /// Whether what is there is what was written from here, by a renewal whose answer was lost or not waited for. The next
    /// write goes over it then.
    async fn is_ours(&mut self) -> Result<bool> {
        match self.read().await {
            Ok(Some((holder, etag))) if holder.id == self.id => {
                self.etag = etag;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Corrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A number that grows with every acquisition. Whoever writes under the lease can store it with what is written, and
    /// refuse to go over a higher one. It starts again where a lease was given back.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Writes the record under a condition; false where that does not hold. A lost answer is settled by reading.
    async fn write(&mut self, options: PutOptions) -> Result<bool> {
        let duration = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let record = Holder {
            owner: self.owner.clone(),
            id: self.id.clone(),
            fence: self.fence,
            expires_ms: now_ms().saturating_add(duration),
        };
        let text = serde_json::to_vec(&record)
            .map_err(|error| Error::new(ErrorKind::Other, "a lease cannot be written").with_source(error))?;
        match self.storage.put_with(&self.key, text, options).await {
            Ok(put) => self.etag = put.etag,
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed) => {
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => match self.read().await {
                Ok(Some((holder, etag))) if holder == record => self.etag = etag,
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    async fn read(&self) -> Result<Option<(Holder, ETag)>> {
        let result = match self.storage.get(&self.key, storage_core::GetOptions::new()).await {
            Ok(result) => result,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let etag = result.meta.etag.clone();
        let no_lease = || {
            Error::new(ErrorKind::Corrupted, "the object is no lease")
                .with_key(self.key.as_str())
                .with_help("remove it, if nobody works under it")
        };
        if result.meta.size > RECORD {
            return Err(no_lease());
        }
        let text =
            futures::TryStreamExt::try_concat(futures::TryStreamExt::map_ok(result.body.into_stream(), |bytes| {
                bytes.to_vec()
            }))
            .await?;
        let holder = serde_json::from_slice(&text).map_err(|error| no_lease().with_source(error))?;
        Ok(Some((holder, etag)))
    }
}

fn now_ms() -> u64 {
    now() / 1_000_000
}

fn lost_race() -> Error {
    Error::new(ErrorKind::Conflict, "the lease was taken and given back meanwhile").with_help("try again")
}

/// A lease that is renewed until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// `None` once it is given back.
    lease: Arc<Mutex<Option<Lease>>>,
    lost: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// Takes the lease `<key>.lease`; `Conflict` where it is held.
    pub(super) async fn start(storage: &Storage, key: &Key, options: &LeaseOptions) -> Result<Self> {
        let lease_key = Key::new(format!("{key}.lease"))?;
        let lease = match Lease::acquire(storage, lease_key, options.owner.as_str(), options.duration).await? {
            Leased::Acquired(lease) => lease,
            Leased::Held(holder) => {
                let left = Duration::from_millis(holder.expires_ms.saturating_sub(now_ms()));
                let message = format!("{:?} works on it, and holds the lease for {left:?} more", holder.owner);
                return Err(Error::new(ErrorKind::Conflict, message)
                    .with_key(key.as_str())
                    .with_help("try again later"));
            }
        };
        let (lease, lost) = (Arc::new(Mutex::new(Some(lease))), Arc::new(AtomicBool::new(false)));
        let pause = (options.duration / 3).max(Duration::from_millis(1));
        let task = tokio::spawn(beat_on(Arc::clone(&lease), Arc::clone(&lost), pause));
        Ok(Self { lease, lost, task })
    }

    /// Renews it now; false where it is lost.
    pub(super) async fn beat(&self) -> Result<bool> {
        renew(&self.lease, &self.lost).await
    }

    pub(super) async fn release(self) -> Result<()> {
        let lease = self.lease.lock().await.take();
        match lease {
            Some(lease) if !self.lost.load(Ordering::Acquire) => lease.release().await,
            _ => Ok(()),
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat_on(lease: Arc<Mutex<Option<Lease>>>, lost: Arc<AtomicBool>, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        // A beat that fails is made up for by the next; only a lease that is somebody else's is lost.
        if matches!(renew(&lease, &lost).await, Ok(false)) {
            return;
        }
    }
}

async fn renew(lease: &Mutex<Option<Lease>>, lost: &AtomicBool) -> Result<bool> {
    let mut lease = lease.lock().await;
    let Some(lease) = lease.as_mut().filter(|_| !lost.load(Ordering::Acquire)) else {
        return Ok(false);
    };
    let held = lease.renew().await?;
    lost.store(!held, Ordering::Release);
    Ok(held)
}
