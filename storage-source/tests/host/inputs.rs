//! Inputs: what each text is taken for, what is read of a place, and what a policy keeps from being read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use s3_test_server::S3Server;
use storage_core::{Error, ErrorKind, Location, OpenOptions, Registry, Result, Settings, Storage};
use storage_local::LocalDriver;
use storage_memory::MemoryDriver;
use storage_s3::S3Driver;
use storage_source::{ContentStore, Given, Input, InputPolicy, Inputs, Item, Place, Reading};

use crate::support::s3;

fn registry() -> Registry {
    Registry::new().with(MemoryDriver::new()).unwrap().with(LocalDriver::new()).unwrap().with(S3Driver::new()).unwrap()
}

async fn tell(policy: InputPolicy, text: &str, reading: Reading) -> Result<Input> {
    let registry = registry();
    let mut told = Inputs::new(&registry).with_policy(policy).resolve_all(&[text.to_owned()], reading).await?;
    Ok(told.remove(0))
}

async fn resolve(text: &str, reading: Reading) -> Result<Input> {
    tell(InputPolicy::open(), text, reading).await
}

#[tokio::test]
async fn a_path_that_exists_is_a_path_even_with_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a note");
    std::fs::write(&file, "x").unwrap();
    for path in [file, directory.path().to_owned()] {
        let input = resolve(path.to_str().unwrap(), Reading::ByForm).await.unwrap();
        assert_eq!(input, Input::Path(path));
    }
}

#[tokio::test]
async fn a_known_scheme_is_a_location_and_an_unknown_one_an_error_with_the_known() {
    let location = Location::parse("memory://m/a").unwrap();
    assert_eq!(resolve("MEMORY://m/a", Reading::ByForm).await.unwrap(), Input::Location(location));
    let error = resolve("gs://b/x", Reading::ByForm).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("memory"), "{error}");
}

#[tokio::test]
async fn a_missing_path_is_an_error_and_never_text() {
    for path in ["missing/file", "report.pdf", "./x", "/missing/My Report.pdf", "~/missing here/a.txt", r"C:/a b/c.md"]
    {
        let error = resolve(path, Reading::ByForm).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{path}: {error}");
        assert!(error.message().contains(path), "{error}");
    }
    assert_eq!(resolve("a note", Reading::Path).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn all_else_is_text_and_what_is_forced_to_be() {
    let long = "word ".repeat(2000);
    for text in ["a note", "see a/b for more", "/ is the root. Look there", "word", &long, "NUL\0inside it"] {
        assert_eq!(resolve(text, Reading::ByForm).await.unwrap(), Input::Text(text.to_owned()));
    }
    for text in ["report.pdf", "gs://b/x", "/"] {
        assert_eq!(resolve(text, Reading::Text).await.unwrap(), Input::Text(text.to_owned()));
    }
    assert_eq!(resolve("", Reading::Text).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn one_wrong_input_refuses_all() {
    let registry = registry();
    let texts = ["a note".to_owned(), "missing.pdf".to_owned()];
    let error =
        Inputs::new(&registry).with_policy(InputPolicy::open()).resolve_all(&texts, Reading::ByForm).await.unwrap_err();
    assert!(error.message().contains("missing.pdf"), "{error}");
}

/// Proves that white space around a path does not make text of it, and that a file whose name has it is found.
#[tokio::test]
async fn white_space_around_a_path_is_an_error() {
    for text in ["report.pdf\n", " /missing/x", "\t./a b.txt ", "missing/file\r\n"] {
        assert_eq!(resolve(text, Reading::ByForm).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{text:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.pdf ");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(resolve(file.to_str().unwrap(), Reading::ByForm).await.unwrap(), Input::Path(file));
    for text in ["\n", " note ", "first line\n/second/line.txt"] {
        assert_eq!(resolve(text, Reading::ByForm).await.unwrap(), Input::Text(text.to_owned()));
    }
}

/// Proves that white space before a location does not make text of it. At its end it belongs to the name.
#[tokio::test]
async fn white_space_before_a_location_is_an_error() {
    for text in [" s3://bucket/x", "\n\tmemory://m/a"] {
        assert_eq!(resolve(text, Reading::ByForm).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{text:?}");
    }
    let text = "see memory://m/a for more";
    assert_eq!(resolve(text, Reading::ByForm).await.unwrap(), Input::Text(text.to_owned()));
}

/// A level with everything that a listing may trip over, below a root.
async fn fill(root: &Storage) {
    for key in ["docs", "docs/a.md", "docs/file", "docs/file/deep.md", "docs/z/deeper/x", "docs2", "docs2/y", "doc"] {
        root.put(key, format!("content of {key}")).await.unwrap();
    }
}

pub(crate) struct Places {
    pub(crate) registry: Registry,
    pub(crate) options: OpenOptions,
    /// The text of each root, with a `/` at its end.
    pub(crate) roots: Vec<String>,
    pub(crate) server: S3Server,
    _directory: tempfile::TempDir,
}

/// The same objects in a directory, in memory and in a bucket that has a marker too.
pub(crate) async fn places() -> Places {
    let registry = registry();
    let s3 = s3().await;
    let server = s3.server.unwrap();
    let endpoint = server.endpoint();
    let settings = Settings::builder()
        .environment_from([
            ("aws_endpoint_url", endpoint.as_str()),
            ("aws_access_key_id", server.access_key()),
            ("aws_secret_access_key", server.secret_key()),
            ("aws_region", "us-east-1"),
        ])
        .build()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let roots = vec![
        format!("{}/", directory.path().canonicalize().unwrap().display()),
        "memory://m/".to_owned(),
        "s3://bucket/".to_owned(),
    ];
    let options = OpenOptions::new().settings(settings);
    for root in &roots {
        let root = registry.open(&Location::parse(root).unwrap(), &options.clone().create(true)).await.unwrap();
        fill(&root).await;
    }
    server.synthetic_object("bucket", "docs/", 0);
    server.synthetic_object("bucket", "docs/marked/", 0);
    Places { registry, options, roots, server, _directory: directory }
}

fn from(items: &[Item]) -> Vec<String> {
    let path = |item: &Item| match &item.origin().place {
        Place::Object { path, .. } => path.to_string(),
        other => format!("{other:?}"),
    };
    items.iter().map(path).collect()
}

/// Proves what a name, a level and one level of it stand for, the same on every driver.
#[tokio::test]
async fn a_name_is_the_object_and_what_is_under_it_and_no_neighbour() {
    let places = places().await;
    let open = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    let below = ["a.md", "file", "file/deep.md", "z/deeper/x"];
    for root in &places.roots {
        for (asked, inputs, expected) in [
            ("docs/", open.clone(), below.to_vec()),
            ("docs", open.clone(), [&["docs"][..], &below].concat()),
            ("docs/file", open.clone(), vec!["file", "deep.md"]),
            ("docs/a.md", open.clone(), vec!["a.md"]),
            ("docs/", open.clone().one_level(), vec!["a.md", "file"]),
            ("docs", open.clone().one_level(), vec!["docs", "a.md", "file"]),
            ("docs/z", open.clone().one_level(), vec![]),
        ] {
            let items: Vec<_> = inputs.resolve([format!("{root}{asked}")]).try_collect().await.unwrap();
            assert_eq!(from(&items), expected, "{root}{asked}");
            for item in items {
                let (size, uri) = (item.size().unwrap(), item.origin().place.clone());
                assert!(item.etag().is_some() && matches!(uri, Place::Object { uri: Some(_), .. }));
                let bytes = item.bytes(1000).await.unwrap();
                assert!(bytes.starts_with(b"content of doc") && bytes.len() as u64 == size, "{root}{asked}");
            }
        }
    }
}

/// Proves that an object among the items is a file as a walk has it, which asks nothing for what is known.
#[tokio::test]
async fn an_item_is_a_file_that_knows_what_was_told() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    for root in &places.roots {
        let items: Vec<_> = inputs.resolve([format!("{root}docs")]).try_collect().await.unwrap();
        places.server.reset_counts();
        let mut seen = Vec::new();
        for item in &items {
            let file = item.file().unwrap();
            assert_eq!(Some(file.size().await.unwrap()), item.size(), "{root}");
            file.fingerprint().await.unwrap();
            seen.push(file.path().as_str().to_owned());
        }
        assert_eq!((seen, places.server.counts().total()), (from(&items), 0), "{root}");
    }
    assert!(read(InputPolicy::closed(), "a note").await.unwrap()[0].file().is_none());
}

/// Proves that what is missing is an error of its input alone, which says what was tried.
#[tokio::test]
async fn a_missing_thing_says_what_was_tried_and_the_others_arrive() {
    let places = places().await;
    let inputs = Inputs::new(&places.registry).with_policy(InputPolicy::open()).open_options(places.options.clone());
    for root in &places.roots {
        for missing in ["nothing", "nothing/", "doc/"] {
            let given = [format!("{root}docs2/y"), format!("{root}{missing}"), format!("{root}doc")];
            let items: Vec<_> = inputs.resolve(given).collect().await;
            let [Ok(first), Err(error), Ok(last)] = &items[..] else {
                panic!("{root}{missing}: {items:?}");
            };
            assert_eq!((first.origin().input, last.origin().input), (0, 2));
            let known = [ErrorKind::NotFound, ErrorKind::BackendNotFound];
            assert!(known.contains(&error.kind()), "{root}{missing}: {error}");
            assert!(error.to_string().contains(missing), "{root}{missing}: {error}");
        }
    }
}

/// Proves that every kind of input arrives, in order, with where it came from, and can be read.
#[tokio::test]
async fn a_mixed_list_arrives_in_order() {
    let registry = registry();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a b.txt"), "file").unwrap();
    let file = directory.path().join("a b.txt");
    let url = Location::File(file.clone()).to_string();
    assert!(url.starts_with("file:///") && url.contains("%20"), "{url}");
    let given = [
        Given::text("report.pdf"),
        Given::from(url.as_str()),
        Given::bytes("b.bin", &b"bytes"[..]),
        Given::from(file.as_path()),
        Given::reader("r.txt", &b"read"[..]),
        Given::from(Location::File(directory.path().to_owned())),
        Given::from("a note"),
    ];
    let inputs = Inputs::new(&registry).with_policy(InputPolicy::open());
    let items: Vec<_> = inputs.resolve(given).try_collect().await.unwrap();
    let mut seen = Vec::new();
    for item in items {
        let (input, name) = (item.origin().input, item.name().map(str::to_owned));
        let bytes: Vec<_> = item.stream().await.unwrap().try_collect().await.unwrap();
        seen.push((input, name, String::from_utf8(bytes.concat()).unwrap()));
    }
    let expected = [
        (0, None, "report.pdf"),
        (1, Some("a b.txt"), "file"),
        (2, Some("b.bin"), "bytes"),
        (3, Some("a b.txt"), "file"),
        (4, Some("r.txt"), "read"),
        (5, Some("a b.txt"), "file"),
        (6, None, "a note"),
    ];
    let expected = expected.map(|(input, name, text)| (input, name.map(str::to_owned), text.to_owned()));
    assert_eq!(seen, expected);
}

/// Proves that what inputs hold is kept as it would be if it had been handed over one by one.
#[tokio::test]
async fn items_are_kept_as_content() {
    let registry = registry();
    let root = registry.open(&Location::parse("memory://m").unwrap(), &OpenOptions::new().create(true)).await.unwrap();
    root.put("docs/a.md", "hello").await.unwrap();
    let content = ContentStore::new(Storage::new(storage_memory::Memory::new()));
    let inputs = Inputs::new(&registry).with_policy(InputPolicy::open());
    let given = [Given::from("memory://m/docs"), Given::text("hello"), Given::bytes("a.md", "hello")];
    let mut items = inputs.resolve(given);
    let mut kept = Vec::new();
    while let Some(item) = items.try_next().await.unwrap() {
        let stored = content.add_item(item).await.unwrap();
        kept.push((stored.key.to_string(), stored.put.is_written()));
    }
    let (file, text) = ("5d41402abc4b2a76b9719d911017c592/a.md", "text_5d41402abc4b2a76b9719d911017c592.txt");
    assert_eq!(kept, [(file.to_owned(), true), (text.to_owned(), true), (file.to_owned(), false)]);
}

async fn read(policy: InputPolicy, given: impl Into<Given>) -> Result<Vec<Item>, Error> {
    let registry = registry();
    let inputs = Inputs::new(&registry).with_policy(policy);
    inputs.resolve([given]).try_collect().await
}

/// Proves that nothing of the machine and no location is read until it is allowed, however it is named; and that such a
/// text never becomes content.
#[tokio::test]
async fn a_closed_policy_reads_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret.txt");
    std::fs::write(&file, "secret").unwrap();
    let file = file.to_str().unwrap();
    let spaced = ["/srv/My Secrets/a.txt", " /etc/passwd", "~/my files/", r"C:\My Docs\a.txt"];
    let plain = [file, &format!("file://{file}"), "secret.txt", "../x", "~/x", "/", "memory://m/a", "s3://b/x"];
    for text in plain.into_iter().chain(spaced) {
        assert_eq!(read(InputPolicy::closed(), text).await.unwrap_err().kind(), ErrorKind::PermissionDenied, "{text}");
    }
    for given in [Given::from(Path::new(file)), Given::from(Location::parse("memory://m/a").unwrap())] {
        assert_eq!(read(InputPolicy::closed(), given).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(read(InputPolicy::closed(), "a note").await.unwrap().len(), 1);
    assert_eq!(tell(InputPolicy::closed(), file, Reading::Path).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

/// Proves that an allowed directory holds in what it allows: no link, no `..`, no name that only begins alike leads out,
/// and what is outside looks the same whether it is there or not.
#[tokio::test]
async fn an_allowed_directory_is_not_left() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for made in ["in/deep", "in-not", "out"] {
        std::fs::create_dir_all(at(made)).unwrap();
    }
    for file in ["in/deep/a.txt", "in/b.txt", "in-not/c.txt", "out/d.txt"] {
        std::fs::write(at(file), file).unwrap();
    }
    std::os::unix::fs::symlink(at("out"), at("in/leads-out")).unwrap();
    std::os::unix::fs::symlink(at("in/deep"), at("in/leads-in")).unwrap();
    std::os::unix::fs::symlink(at("in"), at("link-to-in")).unwrap();
    let policy = || InputPolicy::closed().allow_directory(at("link-to-in"));
    let outside = [
        "out/d.txt",
        "out/missing.txt",
        "in-not/c.txt",
        "in/leads-out/d.txt",
        "in/leads-out/missing.txt",
        "in/../out/d.txt",
        "in/deep/../../out/d.txt",
        "",
        "out/my d.txt",
    ];
    for path in outside {
        for text in [at(path), format!("file://{}", at(path))] {
            let error = read(policy(), text.as_str()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{text}: {error}");
        }
    }
    for (path, count) in [("in/b.txt", 1), ("link-to-in/b.txt", 1), ("in/leads-in", 1), ("in/deep/../b.txt", 1)] {
        assert_eq!(read(policy(), at(path)).await.unwrap().len(), count, "{path}");
    }
    assert_eq!(read(policy(), at("in/missing.txt")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Proves that an allowed location is one by whole segments, and a scheme is every place of it.
#[tokio::test]
async fn an_allowed_location_ends_at_its_name() {
    let location = |text: &str| Location::parse(text).unwrap();
    for (allowed, text, is_allowed) in [
        ("s3://bucket", "s3://bucket/x", true),
        ("s3://bucket", "s3://bucket2/x", false),
        ("s3://bucket/docs", "s3://bucket/docs", true),
        ("s3://bucket/docs/", "s3://bucket/docs/x", true),
        ("s3://bucket/docs", "s3://bucket/docs2/x", false),
        ("s3://bucket/docs", "s3://bucket/", false),
        ("memory://bucket", "s3://bucket/x", false),
    ] {
        let told = tell(InputPolicy::closed().allow_location(location(allowed)), text, Reading::ByForm).await;
        assert_eq!(told.is_ok(), is_allowed, "{allowed} {text}");
    }
    assert!(tell(InputPolicy::closed().allow_scheme("S3"), "s3://any/x", Reading::ByForm).await.is_ok());
}
