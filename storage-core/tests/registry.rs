//! The registry: where roots lie, which driver opens them, what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use async_trait::async_trait;
use storage_core::settings::{Origin, STORAGE_BUCKET_NAME, Source};
use storage_core::{Driver, Error, ErrorKind, Location, OpenOptions, Registry, Result, RootName, Settings, Storage};
use storage_memory::{Memory, MemoryDriver};

/// A host's own driver: `bucket://name`, with default roots in the bucket of the settings.
#[derive(Debug)]
struct Buckets;

#[async_trait]
impl Driver for Buckets {
    fn name(&self) -> &str {
        "buckets"
    }

    fn schemes(&self) -> &[&str] {
        &["bucket"]
    }

    fn default_root(&self, root: RootName, settings: &Settings) -> Result<Location> {
        match settings.get(STORAGE_BUCKET_NAME)? {
            Some(bucket) => Location::parse(&format!("bucket://{}/{root}", bucket.value())),
            None => Err(Error::configuration(format!("{STORAGE_BUCKET_NAME} is not set"))),
        }
    }

    async fn open(&self, _: &Location, _: &OpenOptions) -> Result<Storage> {
        Ok(Storage::new(Memory::new()))
    }
}

/// Stands for the local driver where only the choice of a place matters.
#[derive(Debug)]
struct Directories;

#[async_trait]
impl Driver for Directories {
    fn name(&self) -> &str {
        "local"
    }

    fn schemes(&self) -> &[&str] {
        &["file"]
    }

    fn default_root(&self, root: RootName, _: &Settings) -> Result<Location> {
        Location::parse(&format!(".storage/{root}"))
    }

    async fn open(&self, container: &Location, _: &OpenOptions) -> Result<Storage> {
        Err(Error::new(ErrorKind::BackendNotFound, format!("asked for {container}")))
    }
}

fn registry() -> Registry {
    let registry = Registry::new().with(Directories).and_then(|registry| registry.with(MemoryDriver::new()));
    registry.and_then(|registry| registry.with(Buckets)).unwrap()
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::builder().directory("/work/here").environment_from(pairs.iter().copied()).build().unwrap()
}

fn data_root(pairs: &[(&str, &str)]) -> Result<String> {
    registry().root(RootName::Data, &settings(pairs)).map(|root| root.location.to_string())
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let error = data_root(pairs).expect_err("these settings are wrong");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.to_string()
}

#[test]
fn a_root_lies_where_its_setting_says_else_where_the_backend_says() {
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[], "file:///work/here/.storage/data"),
        (&[("STORAGE_BACKEND", "Local")], "file:///work/here/.storage/data"),
        (&[("storage_backend", "MEMORY")], "memory://data"),
        (&[("STORAGE_BACKEND", "buckets"), ("STORAGE_BUCKET_NAME", "b")], "bucket://b/data"),
        (&[("DATA_ROOT_DIRECTORY", "/abs//dir/")], "file:///abs/dir"),
        (&[("DATA_ROOT_DIRECTORY", "./rel")], "file:///work/here/rel"),
        (&[("DATA_ROOT_DIRECTORY", "file:///a%20b")], "file:///a%20b"),
        (&[("DATA_ROOT_DIRECTORY", "memory://m/x")], "memory://m/x"),
        (&[("data_root_directory", "MEMORY://m"), ("STORAGE_BACKEND", "memory")], "memory://m"),
        (&[("SYSTEM_ROOT_DIRECTORY", "memory://m")], "file:///work/here/.storage/data"),
    ];
    for (pairs, expected) in cases {
        assert_eq!(data_root(pairs).unwrap(), expected, "{pairs:?}");
    }
}

#[test]
fn a_relative_root_counts_from_the_file_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("etc")).unwrap();
    std::fs::write(directory.path().join("etc/s.toml"), "data_root_directory = 'd'\n").unwrap();
    let settings = Settings::builder().directory(directory.path()).file("etc/s.toml").build().unwrap();
    let root = registry().root(RootName::Data, &settings).unwrap();
    assert_eq!(root.location, Location::File(directory.path().join("etc/d")));
    let source = Source::File(directory.path().join("etc/s.toml"));
    assert_eq!(root.origin, Origin::Setting { name: "data_root_directory".to_owned(), source });
}

#[test]
fn nothing_falls_back_to_a_directory_in_silence() {
    for location in ["gs://b/x", "S3:/x", "s3//b", " s3://b", "s3:b", "http://h/x"] {
        let told = refused(&[("DATA_ROOT_DIRECTORY", location)]);
        assert!(told.contains("DATA_ROOT_DIRECTORY") && told.contains("the environment"), "{told}");
    }
    let told = refused(&[("DATA_ROOT_DIRECTORY", "gs://b/x")]);
    assert!(told.contains("\"gs\"") && told.contains("file, memory, bucket"), "{told}");
    let told = refused(&[("DATA_ROOT_DIRECTORY", "s3://b/x")]);
    assert!(told.contains("no S3 driver"), "{told}");
    let told = refused(&[("STORAGE_BACKEND", "S3")]);
    assert!(told.contains("no S3 driver") && told.contains("local, memory, buckets"), "{told}");
    assert!(told.contains("feature s3"), "{told}");
    let told = refused(&[("DATA_ROOT_DIRECTORY", "s3a://b/x")]);
    assert!(told.contains("\"s3a\"") && told.contains("s3://bucket/prefix"), "{told}");
    let told = refused(&[("STORAGE_BACKEND", "lokal")]);
    assert!(told.contains("\"lokal\"") && told.contains("local, memory, buckets"), "{told}");
}

#[test]
fn a_root_that_contradicts_the_backend_names_both_settings_and_values() {
    let told = refused(&[("DATA_ROOT_DIRECTORY", "memory://m"), ("STORAGE_BACKEND", "Local")]);
    for part in ["DATA_ROOT_DIRECTORY", "memory://m", "STORAGE_BACKEND", "\"Local\"", "directories"] {
        assert!(told.contains(part), "{told}");
    }
    let told = refused(&[("DATA_ROOT_DIRECTORY", "/d"), ("STORAGE_BACKEND", "memory")]);
    assert!(told.contains("file:///d") && told.contains("memory://"), "{told}");
}

#[test]
fn a_password_in_a_root_is_refused_and_not_told() {
    let told = refused(&[("DATA_ROOT_DIRECTORY", "s3://key:hunter2@bucket/x")]);
    assert!(told.contains("DATA_ROOT_DIRECTORY") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_name_or_a_scheme_has_one_driver() {
    let error = registry().with(MemoryDriver::new()).expect_err("memory is taken");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("scheme memory"), "{error}");
}

#[tokio::test]
async fn named_stores_are_shared_within_a_registry_and_nowhere_else() {
    let (here, there) = (registry(), registry());
    let location = Location::parse("memory://shared/p").unwrap();
    let create = OpenOptions::new().create(true);
    let one = here.open(&location, &create).await.unwrap();
    one.put("k", "v").await.unwrap();
    let whole = here.open(&Location::parse("memory://shared").unwrap(), &OpenOptions::new()).await.unwrap();
    assert_eq!(whole.text("p/k").await.unwrap(), "v");
    let other = there.open(&location, &OpenOptions::new()).await.unwrap();
    assert_eq!(other.text("k").await.unwrap_err().kind(), ErrorKind::BackendNotFound);
    let private = Location::parse("memory://").unwrap();
    let first = here.open(&private, &create).await.unwrap();
    first.put("k", "v").await.unwrap();
    assert!(!here.open(&private, &create).await.unwrap().exists("k").await.unwrap());
}

#[tokio::test]
async fn an_object_location_resolves_to_its_container_and_the_text_in_it() {
    let registry = registry();
    let create = OpenOptions::new().create(true);
    let (root, text) = registry.resolve(&Location::parse("memory://m/a/100%25").unwrap(), &create).await.unwrap();
    assert_eq!((root.location().unwrap().to_string().as_str(), text.as_str()), ("memory://m", "a/100%"));
}

#[tokio::test]
async fn a_path_resolves_to_its_directory_with_what_exists_made_canonical() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().canonicalize().unwrap();
    std::fs::create_dir(base.join("real")).unwrap();
    std::fs::write(base.join("real/file"), "x").unwrap();
    std::os::unix::fs::symlink("real/file", base.join("link")).unwrap();
    let place = |path: &str, container: &Path, text: &str| {
        (base.join(path), Location::File(container.to_owned()).to_string(), text.to_owned())
    };
    let real = base.join("real");
    let cases = [
        place("real/file", &real, "file"),
        place("link", &real, "file"),
        place("real", &real, ""),
        place("real/../real/file", &real, "file"),
        place("real/missing", &real, "missing"),
        place("real/../missing", &base, "missing"),
        place("missing/", &base.join("missing"), ""),
        place("real/missing/deep/x", &real, "missing/deep/x"),
        place(&format!("real/{}", "long".repeat(200)), &real, &"long".repeat(200)),
    ];
    for (path, container, text) in cases {
        let location = Location::File(path);
        let (asked, found) = resolved(&location).await;
        assert_eq!((asked, found), (container, text), "{location}");
    }
}

/// The container that the driver was asked for, and the text in it.
async fn resolved(location: &Location) -> (String, String) {
    #[derive(Debug)]
    struct Recorder(std::sync::mpsc::Sender<String>);

    #[async_trait]
    impl Driver for Recorder {
        fn name(&self) -> &str {
            "local"
        }
        fn schemes(&self) -> &[&str] {
            &["file"]
        }
        fn default_root(&self, _: RootName, _: &Settings) -> Result<Location> {
            Location::parse("/")
        }
        async fn open(&self, container: &Location, _: &OpenOptions) -> Result<Storage> {
            self.0.send(container.to_string()).unwrap();
            Ok(Storage::new(Memory::new()))
        }
    }

    let (sender, asked) = std::sync::mpsc::channel();
    let registry = Registry::new().with(Recorder(sender)).unwrap();
    let (_, text) = registry.resolve(location, &OpenOptions::new()).await.unwrap();
    (asked.try_iter().last().unwrap(), text)
}

#[tokio::test]
async fn a_root_under_a_path_is_the_drivers_to_open() {
    let registry = registry();
    let options = OpenOptions::new().create(true);
    let whole = registry.open(&location("memory://m"), &options).await.unwrap();
    let under = registry.open(&location("memory://m/a/b"), &options).await.unwrap();
    under.put("x", "hello").await.unwrap();
    assert_eq!(whole.text("a/b/x").await.unwrap(), "hello");
    assert_eq!(under.uri("x").unwrap(), "memory://m/a/b/x");
    let refused = registry.open(&location("memory://m/a//"), &options).await.unwrap_err();
    assert_eq!((refused.kind(), refused.backend()), (ErrorKind::InvalidKey, Some("memory")));
}

fn location(text: &str) -> Location {
    Location::parse(text).unwrap()
}
