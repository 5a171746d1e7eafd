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
    let wrong = settings(directory.path(), &[("CACHE_ROOT_DIRECTORY", "gs://bucket/cache")]);
    let error = Roots::open(&registry(), &wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("CACHE_ROOT_DIRECTORY"), "{error}");
}

/// Where the roots lie by these settings.
#[cfg(feature = "s3")]
fn places(pairs: &[(&str, &str)]) -> storage::Result<Vec<String>> {
    let settings = settings(Path::new("/work/here"), pairs);
    let place = |name| registry().root(name, &settings).map(|root| root.location.to_string());
    storage::RootName::ALL.into_iter().map(place).collect()
}

/// Proves that two settings, in any case, put all roots into a bucket, and that a root of its own goes where it says.
#[cfg(feature = "s3")]
#[test]
fn two_settings_put_the_roots_into_a_bucket() {
    let bucket = [("storage_backend", "S3"), ("storage_bucket_name", "b")];
    assert_eq!(places(&bucket).unwrap(), ["s3://b/data", "s3://b/system", "s3://b/cache"]);
    let own = [bucket[0], bucket[1], ("DATA_ROOT_DIRECTORY", "S3://other/x//")];
    assert_eq!(places(&own).unwrap()[0], "s3://other/x//");
}

/// Proves that without the bucket's name, and with one that is none, the error names the setting.
#[cfg(feature = "s3")]
#[tokio::test]
async fn a_bucket_that_is_not_named_is_an_error() {
    let error = places(&[("STORAGE_BACKEND", "s3")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("STORAGE_BUCKET_NAME") && text.contains("DATA_ROOT_DIRECTORY"), "{text}");
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let wrong = [("STORAGE_BACKEND", "s3"), ("STORAGE_BUCKET_NAME", "a b"), keys[0], keys[1]];
    let error = Roots::open(&registry(), &settings(Path::new("/work/here"), &wrong)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("STORAGE_BUCKET_NAME") && !text.contains("hunter2"), "{text}");
}
