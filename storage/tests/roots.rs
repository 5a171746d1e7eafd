//! The roots of a host: opened from settings, made by the first write, shared with nobody else.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use storage::{ErrorKind, Registry, Roots, Settings, registry};

fn settings(directory: &Path, pairs: &[(&str, &str)]) -> Settings {
    Settings::builder().directory(directory).discover().environment_from(pairs.iter().copied()).build().unwrap()
}

async fn opened(registry: &Registry, directory: &Path, pairs: &[(&str, &str)]) -> Roots {
    Roots::open(registry, &settings(directory, pairs)).await.unwrap()
}

#[tokio::test]
async fn without_settings_the_roots_are_directories_that_the_first_write_makes() {
    let directory = tempfile::tempdir().unwrap();
    let roots = opened(&registry(), directory.path(), &[]).await;
    assert!(!roots.data.exists("k").await.unwrap());
    assert_eq!(roots.cache.list_all("").await.unwrap(), []);
    assert!(!directory.path().join(".storage").exists());
    roots.data.put("k", "v").await.unwrap();
    assert_eq!(std::fs::read_to_string(directory.path().join(".storage/data/k")).unwrap(), "v");
    assert!(!directory.path().join(".storage/system").exists());
}

#[tokio::test]
async fn roots_lie_apart_and_may_differ_in_scheme() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("storage.toml"), "cache_root_directory = 'memory://scratch'\n").unwrap();
    let roots = opened(&registry(), directory.path(), &[("SYSTEM_ROOT_DIRECTORY", "state")]).await;
    for (root, text) in [(&roots.data, "data"), (&roots.system, "system"), (&roots.cache, "cache")] {
        root.put("k", text).await.unwrap();
    }
    for (root, name, text) in
        [(&roots.data, "local", "data"), (&roots.system, "local", "system"), (&roots.cache, "memory", "cache")]
    {
        assert_eq!((root.name(), root.text("k").await.unwrap().as_str()), (name, text));
    }
    assert!(directory.path().join("state/k").exists());
}

#[tokio::test]
async fn hosts_of_one_process_share_stores_only_through_one_registry() {
    let directory = tempfile::tempdir().unwrap();
    let memory = [("STORAGE_BACKEND", "memory")];
    let shared = registry();
    let one = opened(&shared, directory.path(), &memory).await;
    let same = opened(&shared, directory.path(), &memory).await;
    let other = opened(&registry(), directory.path(), &memory).await;
    one.data.put("k", "v").await.unwrap();
    assert!(same.data.exists("k").await.unwrap());
    assert!(!same.system.exists("k").await.unwrap());
    assert!(!other.data.exists("k").await.unwrap());
}

#[tokio::test]
async fn a_wrong_root_fails_when_the_roots_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = settings(directory.path(), &[("CACHE_ROOT_DIRECTORY", "s3://bucket/cache")]);
    let error = Roots::open(&registry(), &wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("CACHE_ROOT_DIRECTORY"), "{error}");
}
