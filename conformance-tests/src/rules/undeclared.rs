//! Rule C08 for whatever is no condition: what is not declared is refused, and what is declared works.

use std::fmt::Debug;
use std::time::Duration;

use storage_core::{
    Attributes, ErrorKind, HeadOptions, Key, ListOptions, Prefix, PresignMethod, PresignOptions, PutOptions, Result,
    Storage, Support, WatchOptions,
};

use crate::Harness;
use crate::context::waive_part;
use crate::rule::rule;
use crate::support::kind;

rule! {
    /// What a driver does not declare is `Unsupported` and changes nothing: attributes, versions, paths, presigned URLs and
    /// watches. What it declares works.
    C08, c08_undeclared_powers, "Undeclared powers",
    why: "A power that works although it is not declared is one that no rule was held to; one that is declared and fails \
          is found by the first user."
}
async fn c08_undeclared_powers(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let (storage, key) = (&root.storage, Key::new("k").unwrap());
    storage.put(&key, "text").await.unwrap();
    let can = storage.probe().await.unwrap();

    let path = storage.local_path(&key).await;
    if let Some(path) = declared("local_path", can.local_path, path) {
        assert_eq!(std::fs::read(path).unwrap(), b"text", "the file behind the object");
    }
    let minute = PresignOptions::new(PresignMethod::Get, Duration::from_secs(60));
    if let Some(presigned) = declared("presign", can.presign, storage.presign(&key, minute).await) {
        assert!(presigned.url.contains("://"), "a URL that others can use: {presigned:?}");
    }
    match can.versions {
        // Whether this may be so is for rule V01.
        Support::Unprobed => waive_part("versions", "the service does not say whether it keeps them"),
        support => {
            let versions = storage.versions(ListOptions::new()).await.map(drop);
            declared("versions", support == Support::Yes, versions);
        }
    }
    let watcher = storage.watch("", WatchOptions::new()).await.map(drop);
    declared("watch", can.watch, watcher);
    let labelled = PutOptions::new().attributes(Attributes::new().user("label", "x"));
    if declared("attributes", can.attributes, storage.put_with(&key, "labelled", labelled).await).is_some() {
        storage.put(&key, "text").await.unwrap();
    }
    assert_eq!(storage.text(&key).await.unwrap(), "text", "what is refused changes nothing");
    understated(storage, &key).await;
}

/// The handle refuses whatever is not declared; whether the driver could do it all the same, only the driver knows.
async fn understated(storage: &Storage, key: &Key) {
    let (backend, can) = (storage.backend(), storage.capabilities());
    let mut works = Vec::new();
    if !can.local_path && backend.local_path(key).await.is_ok() {
        works.push("local_path");
    }
    let minute = PresignOptions::new(PresignMethod::Get, Duration::from_secs(60));
    if !can.presign && backend.presign(key, minute).await.is_ok() {
        works.push("presign");
    }
    if !can.watch && backend.watch(&Prefix::default(), WatchOptions::new()).await.is_ok() {
        works.push("watch");
    }
    if can.versions == Support::No {
        let written = backend.put(key, "text".into(), PutOptions::new()).await.unwrap();
        works.extend(written.version.map(|_| "versions"));
    }
    let label = Attributes::new().user("label", "x");
    if !can.attributes && backend.put(key, "text".into(), PutOptions::new().attributes(label.clone())).await.is_ok() {
        let kept = backend.head(key, HeadOptions::new()).await.unwrap().attributes == label;
        works.extend(kept.then_some("attributes"));
    }
    assert!(works.is_empty(), "{} can be used, though not declared", works.join(", "));
}

/// What a declared power gives; nothing of one that is not declared, which must be refused.
#[track_caller]
fn declared<T: Debug>(power: &'static str, declared: bool, result: Result<T>) -> Option<T> {
    if declared {
        return Some(result.unwrap_or_else(|error| panic!("{power} is declared: {error}")));
    }
    assert_eq!(kind(power, result), ErrorKind::Unsupported, "{power} is not declared");
    waive_part(power, "not declared, and refused");
    None
}
