//! The map itself, and named stores.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use storage_core::{
    Attributes, Change, ChangeSender, CopyOptions, CopyResult, ETag, Error, ErrorKind, Key, ObjectMeta, Prefix,
    PutMode, PutResult, Result, past_level,
};

use crate::Memory;

pub(crate) type Objects = BTreeMap<Key, Arc<Object>>;

/// An object as it was committed; never changed, only replaced.
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) attributes: Attributes,
    etag: ETag,
    last_modified: SystemTime,
}

impl Object {
    pub(crate) fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta {
            key: key.clone(),
            size: self.bytes.len() as u64,
            etag: self.etag.clone(),
            last_modified: self.last_modified,
            version: None,
        }
    }
}

/// What a store holds, and who is told of its changes.
#[derive(Default)]
struct State {
    objects: Objects,
    watches: Vec<ChangeSender>,
}

impl State {
    /// Tells every watch, and forgets those that nobody reads any more.
    fn tell(&mut self, change: Change) {
        self.watches.retain(|watch| watch.tell(change.clone()));
    }
}

/// A store; `None` until somebody opens it to create it.
pub(crate) struct Store {
    state: RwLock<Option<State>>,
    writes: AtomicU64,
}

impl Store {
    pub(crate) fn existing() -> Self {
        Self { state: RwLock::new(Some(State::default())), writes: AtomicU64::new(0) }
    }

    fn missing() -> Self {
        Self { state: RwLock::new(None), writes: AtomicU64::new(0) }
    }

    fn create(&self) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Objects) -> T) -> Result<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|state| look(&state.objects)).ok_or_else(no_store)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.as_mut().ok_or_else(no_store).and_then(change)
    }

    /// Tells a watch of every change from now on.
    pub(crate) fn watch(&self, watch: ChangeSender) -> Result<()> {
        self.change(|state| {
            state.watches.retain(|watch| !watch.is_unread());
            state.watches.push(watch);
            Ok(())
        })
    }

    pub(crate) fn object(&self, key: &Key) -> Result<Arc<Object>> {
        self.read(|objects| objects.get(key).cloned())?.ok_or_else(Error::not_found)
    }

    pub(crate) fn put(&self, key: &Key, bytes: Bytes, attributes: Attributes, mode: &PutMode) -> Result<PutResult> {
        self.change(|state| {
            let old = state.objects.get(key);
            match (mode, old) {
                (PutMode::CreateOnly, Some(_)) => return Err(Error::already_exists()),
                (PutMode::IfMatch(etag), old) => check_match(etag, old)?,
                _ => {}
            }
            Ok(self.commit(state, key, bytes, attributes))
        })
    }

    pub(crate) fn copy(&self, from: &Key, to: &Key, options: &CopyOptions, take: bool) -> Result<CopyResult> {
        self.change(|state| {
            let source = state.objects.get(from).cloned().ok_or_else(Error::not_found)?;
            if let Some(etag) = &options.if_source_match {
                check_match(etag, Some(&source))?;
            }
            if options.create_only && state.objects.contains_key(to) {
                return Err(Error::already_exists());
            }
            if from == to {
                return Ok(CopyResult::from(&source.meta(from)));
            }
            let result = self.commit(state, to, source.bytes.clone(), source.attributes.clone());
            if take {
                state.objects.remove(from);
                state.tell(Change::Removed(from.clone()));
            }
            Ok(result.into())
        })
    }

    pub(crate) fn delete(&self, key: &Key, if_match: Option<&ETag>) -> Result<()> {
        self.change(|state| {
            if let Some(etag) = if_match {
                check_match(etag, state.objects.get(key))?;
            }
            if state.objects.remove(key).is_some() {
                state.tell(Change::Removed(key.clone()));
            }
            Ok(())
        })
    }

    pub(crate) fn delete_prefix(&self, prefix: &Prefix) -> Result<u64> {
        self.change(|state| {
            let objects = &mut state.objects;
            let doomed = if prefix.is_empty() {
                std::mem::take(objects)
            } else {
                let mut from = objects.split_off(prefix.as_str());
                objects.append(&mut from.split_off(past_level(prefix.as_str()).as_str()));
                from
            };
            let deleted = doomed.len() as u64;
            doomed.into_keys().for_each(|key| state.tell(Change::Removed(key)));
            Ok(deleted)
        })
    }

    /// Puts an object into the map and tells so, with an etag that the store never gave before and a time that never goes back.
    fn commit(&self, state: &mut State, key: &Key, bytes: Bytes, attributes: Attributes) -> PutResult {
        let now = SystemTime::now();
        let last_modified = state.objects.get(key).map_or(now, |old| now.max(old.last_modified));
        let etag = ETag::new(format!("{:x}", self.writes.fetch_add(1, Ordering::Relaxed)));
        let object = Object { bytes, attributes, etag, last_modified };
        let result = PutResult::from(&object.meta(key));
        state.objects.insert(key.clone(), Arc::new(object));
        state.tell(Change::Changed(key.clone()));
        result
    }
}

fn check_match(etag: &ETag, object: Option<&Arc<Object>>) -> Result<()> {
    match object {
        Some(object) if object.etag == *etag => Ok(()),
        Some(_) => Err(Error::precondition_failed("the object has another etag")),
        None => Err(Error::precondition_failed("there is no object")),
    }
}

fn no_store() -> Error {
    Error::new(ErrorKind::BackendNotFound, "there is no memory store of this name")
        .with_help("a store lives in one process: write to it first, or open it with create")
}

/// Named stores: two that open one name share its objects, within these stores and nowhere else (rule S08).
#[derive(Clone, Default)]
pub struct Stores(Arc<Mutex<HashMap<String, Arc<Store>>>>);

impl Stores {
    /// No store yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle on the store of this name; without `create`, every operation is `BackendNotFound` until somebody else
    /// has created it.
    pub fn open(&self, name: &str, create: bool) -> Memory {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(name.to_owned()).or_insert_with(|| Arc::new(Store::missing()));
        if create {
            store.create();
        }
        Memory::named(name, Arc::clone(store))
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(stores.keys()).finish()
    }
}
