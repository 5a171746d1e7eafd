//! What this user may do in a place, one right after the other, through the handle that a host has.

use std::time::{Duration, Instant};

use futures::stream::TryStreamExt as _;
use storage::diagnosis::{Examination, Finding};
use storage::{
    DeleteOptions, Entry, Error, ErrorKind, GetOptions, Key, ListOptions, PutOptions, Result, Storage, Support,
};

use super::scratch::{OBJECT, Scratch};

/// The longest that one step may take.
pub(super) const STEP: Duration = Duration::from_secs(10);

/// What is tried of writing.
pub(super) const WRITING: [&str; 4] = ["write", "read", "latency", "delete"];

/// What every place is tried for.
pub(super) const ALL: [&str; 6] = ["open", "list", "write", "read", "latency", "delete"];

/// So many small requests are timed.
const TIMED: usize = 10;

/// What requests that are out of time may take to say so.
const GRACE: Duration = Duration::from_secs(1);

/// A median that is longer is worth a note.
const SLOW: Duration = Duration::from_secs(1);

/// What is tried where versions are kept.
pub(super) const VERSION: &str = "delete a version";

/// Why much is not tried.
pub(super) const NOT_WRITTEN: &str = "nothing can be written";

const CONTENT: &str = "storage doctor";

/// What is tried on a place.
pub(super) struct Rights {
    pub(super) root: Storage,
}

impl Rights {
    pub(super) async fn list(&self, exam: &mut Examination<'_>) {
        let listed = async {
            self.first().await?;
            Ok("allowed".to_owned())
        };
        exam.check("list", listed).await;
    }

    /// What can be tried without writing.
    pub(super) async fn of_reader(&self, exam: &mut Examination<'_>) {
        if let Some(key) = self.read_any(exam).await {
            latency(&self.root, key.as_str(), exam).await;
        } else {
            exam.skip(&["latency"], "there is nothing to time requests on");
        }
        exam.skip(&["write", "delete"], "left out by --read-only");
    }

    /// Writes an object, reads, looks at and deletes it. Says whether it was written, and whether it was deleted; where it was
    /// not written, reading is tried on what is there.
    pub(super) async fn of_writer(&self, scratch: &Scratch, exam: &mut Examination<'_>) -> (bool, bool) {
        if !self.write(scratch, exam).await {
            exam.skip(&["latency", "delete"], NOT_WRITTEN);
            return (false, false);
        }
        latency(scratch.to_write(), OBJECT, exam).await;
        (true, self.delete(scratch, exam).await)
    }

    async fn write(&self, scratch: &Scratch, exam: &mut Examination<'_>) -> bool {
        let written = async {
            scratch.to_write().put(OBJECT, CONTENT).await?;
            Ok("allowed".to_owned())
        };
        if !exam.check("write", written).await {
            self.read_any(exam).await;
            return false;
        }
        let read = async {
            match scratch.to_write().text(OBJECT).await? {
                text if text == CONTENT => Ok("allowed, and what was written comes back".to_owned()),
                _ => Err(Error::new(ErrorKind::Corrupted, "what was written comes back changed")
                    .with_help("look at what is between this machine and the place")),
            }
        };
        exam.check("read", read).await;
        true
    }

    /// Whether a create-only write leaves alone what is there, for places whose driver keeps that itself.
    pub(super) async fn conditions(&self, scratch: &Scratch, exam: &mut Examination<'_>) {
        if self.root.capabilities().put_create_only != Support::Yes {
            return;
        }
        let kept = async {
            scratch.to_write().put(OBJECT, CONTENT).await?;
            let options = PutOptions::new().create_only();
            match scratch.to_write().put_with(OBJECT, CONTENT, options).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok("kept".to_owned()),
                Err(error) => Err(error),
                Ok(_) => Err(Error::new(ErrorKind::Other, "an object that is there was written over")
                    .with_help("do not rely on locks in this place")),
            }
        };
        exam.check("create-only put", kept).await;
    }

    async fn delete(&self, scratch: &Scratch, exam: &mut Examination<'_>) -> bool {
        let deleted = async {
            scratch.to_write().delete(OBJECT).await?;
            match scratch.to_write().exists(OBJECT).await {
                Ok(true) => Err(Error::new(ErrorKind::Other, "what was deleted is there still")
                    .with_help("look at what stands between this machine and the place")),
                // Who may not read cannot look.
                Ok(false) | Err(_) => Ok("allowed".to_owned()),
            }
        };
        exam.check("delete", deleted).await
    }

    /// Whether a version may be deleted, which is a right of its own: nothing goes for good without it.
    pub(super) async fn version(&self, scratch: &Scratch, exam: &mut Examination<'_>) {
        let deleted = async {
            let written = scratch.to_write().put(OBJECT, CONTENT).await?;
            let Some(version) = written.version else {
                return Ok("the service names none of what was written".to_owned());
            };
            scratch.to_write().delete_with(OBJECT, DeleteOptions::new().version(version)).await?;
            Ok("allowed".to_owned())
        };
        exam.check(VERSION, deleted).await;
    }

    /// Opens the first object that there is.
    async fn read_any(&self, exam: &mut Examination<'_>) -> Option<Key> {
        let first = tokio::time::timeout(STEP, self.first()).await;
        let Ok(Ok(Some(key))) = first else {
            exam.skip(&["read"], "no object is listed that could be read");
            return None;
        };
        let read = async {
            self.root.get(key.as_str(), GetOptions::new()).await?;
            Ok(format!("allowed: {:?}", key.as_str()))
        };
        exam.check("read", read).await.then_some(key)
    }

    async fn first(&self) -> Result<Option<Key>> {
        let entry = self.root.list(ListOptions::new().limit(1)).await?.try_next().await?;
        Ok(entry.and_then(|entry| match entry {
            Entry::Object(object) => Some(object.key),
            _ => None,
        }))
    }
}

/// Asks for the head of an object several times, one after the other, as often as the time allows.
async fn latency(storage: &Storage, key: &str, exam: &mut Examination<'_>) {
    let timed = async {
        let (end, mut times) = (Instant::now() + STEP, Vec::with_capacity(TIMED));
        while times.len() < TIMED {
            let start = Instant::now();
            match tokio::time::timeout(end.saturating_duration_since(start), storage.head(key)).await {
                Ok(head) => head?,
                Err(_) => break,
            };
            times.push(start.elapsed());
        }
        times.sort();
        Ok(times)
    };
    let Some(times) = exam.run("latency", STEP + GRACE, timed).await else { return };
    let [.., worst] = times[..] else {
        return exam.add(Finding::not_tried("latency", format!("no head was answered within {} s", STEP.as_secs())));
    };
    let (count, median) = (times.len(), times[times.len() / 2]);
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let seen = format!("{count} heads: median {:.2} ms, worst {:.2} ms", millis(median), millis(worst));
    exam.add(match median > SLOW {
        true => Finding::note("latency", seen, "use a place that is nearer, or look at what slows the way there"),
        false => Finding::good("latency", seen),
    });
}
