//! What a watch remembers from one run to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, IntoKey, Key, Location, ObjectLocation, Prefix, Result, Storage};

/// The number of the form in which states are written.
const FORM: u32 = 1;

/// Objects by their path, each with the fingerprint that the host has acknowledged; none where something was told of it
/// and not acknowledged.
pub(super) type Objects = BTreeMap<Key, Option<Arc<str>>>;

/// What a host has been told of, and has acknowledged: the path and the fingerprint of each object. A watch that begins
/// with it tells what differs from it.
///
/// It is held in memory, about 160 bytes and the length of the path for each object, and written as JSON of about 50 bytes
/// and the path. A host that keeps a record of each object anyway need not write it at all, and makes it out of its records:
/// ```
/// # use storage_core::{Key, Result};
/// # use storage_source::WatchState;
/// # let records = [("a.md", "etag:\"1\"")];
/// let known = records.into_iter().map(|(path, fingerprint)| Ok((Key::new(path)?, fingerprint.to_owned())));
/// let state = known.collect::<Result<WatchState>>()?;
/// assert_eq!(state.len(), 1);
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchState {
    /// The level that it is of, where that has an address.
    pub(super) place: Option<String>,
    pub(super) objects: Objects,
}

#[derive(Serialize)]
struct Written<'a> {
    form: u32,
    place: &'a Option<String>,
    objects: &'a Objects,
}

#[derive(Deserialize)]
struct Read {
    form: u32,
    place: Option<String>,
    objects: Objects,
}

impl WatchState {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether no object is known.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects in order: the path from the watch's prefix on, and the fingerprint that was acknowledged; none where
    /// something was told and not acknowledged, so that it will be told again.
    pub fn objects(&self) -> impl Iterator<Item = (&Key, Option<&str>)> {
        self.objects.iter().map(|(path, fingerprint)| (path, fingerprint.as_deref()))
    }

    /// The state as it is kept.
    pub fn to_bytes(&self) -> Result<Bytes> {
        let written = Written { form: FORM, place: &self.place, objects: &self.objects };
        let json = serde_json::to_vec(&written).map_err(|error| {
            Error::new(ErrorKind::Other, "the state of a watch cannot be written").with_source(error)
        })?;
        Ok(json.into())
    }

    /// The state that was kept. `Corrupted` where the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let read: Read = serde_json::from_slice(bytes).map_err(|error| {
            Error::new(ErrorKind::Corrupted, format!("this is no state of a watch: {error}"))
                .with_help("begin with a new state: everything there is will be told, and what is gone will not")
        })?;
        if read.form != FORM {
            let message = format!("the state of a watch has the form {}, this program knows {FORM}", read.form);
            return Err(
                Error::new(ErrorKind::Corrupted, message).with_help("use the program that wrote it, or a newer one")
            );
        }
        Ok(Self { place: read.place, objects: read.objects })
    }

    /// The state that an object holds; a new one where there is no such object. One get.
    pub async fn load(storage: &Storage, key: impl IntoKey) -> Result<Self> {
        let key = key.into_key()?;
        match storage.bytes(&key).await {
            Ok(bytes) => Self::from_bytes(&bytes).map_err(|error| error.with_key(key.as_str())),
            Err(error) if error.is_not_found() => Ok(Self::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes an object hold the state. One put.
    pub async fn save(&self, storage: &Storage, key: impl IntoKey) -> Result<()> {
        storage.put(key, self.to_bytes()?).await.map(drop)
    }

    /// Makes it the state of this level. Fails where it is that of another one, which would make everything look removed.
    pub(super) fn of(mut self, storage: &Storage, prefix: &Prefix) -> Result<Self> {
        let place = address(storage, prefix);
        if let (Some(known), Some(place)) = (&self.place, &place)
            && known != place
        {
            return Err(Error::invalid_input(format!("the state is that of {known}, and {place} is to be watched"))
                .with_help("give each watch a state of its own"));
        }
        self.place = place.or(self.place);
        Ok(self)
    }
}

/// Paths from the watch's prefix on, each with a fingerprint ([`SourceFile::fingerprint`](crate::SourceFile::fingerprint)).
impl FromIterator<(Key, String)> for WatchState {
    fn from_iter<T: IntoIterator<Item = (Key, String)>>(objects: T) -> Self {
        let objects = objects.into_iter().map(|(path, fingerprint)| (path, Some(fingerprint.into())));
        Self { place: None, objects: objects.collect() }
    }
}

/// The address of a level without the options of its root, which may be others the next time.
fn address(storage: &Storage, prefix: &Prefix) -> Option<String> {
    let root = match storage.location()? {
        Location::Object(place) => Location::Object(ObjectLocation { options: Default::default(), ..place }),
        root => root,
    };
    Some(root.join(prefix.as_str()).to_string())
}
