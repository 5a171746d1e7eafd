//! Files: what they know, what they cost, what they read.

use futures::stream::TryStreamExt as _;
use storage_core::{Attributes, ErrorKind, Key, OpenOptions, PutOptions, Registry};
use storage_local::LocalDriver;
use storage_source::{Algorithm, Filter, RelativePath, SourceFile};

use crate::support::{memory, roots, s3, walked};

fn path(text: &str) -> RelativePath {
    RelativePath::new(Key::new(text).unwrap())
}

/// The parts of a path are those of Python's `pathlib`.
#[test]
fn parts_of_a_path() {
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        ("a.md", "a", ".md", &[".md"]),
        ("a.tar.gz", "a.tar", ".gz", &[".tar", ".gz"]),
        ("a", "a", "", &[]),
        (".env", ".env", "", &[]),
        (".env.local", ".env", ".local", &[".local"]),
        ("..a", "..a", "", &[]),
        ("a.", "a.", "", &[]),
        ("a..b", "a.", ".b", &[".", ".b"]),
        ("é.ü", "é", ".ü", &[".ü"]),
    ];
    for (name, stem, suffix, suffixes) in cases {
        for full in [name.to_owned(), format!("x.y/{name}")] {
            let path = path(&full);
            assert_eq!((path.name(), path.stem(), path.suffix()), (name, stem, suffix), "{full}");
            assert_eq!(path.suffixes(), suffixes, "{full}");
        }
    }
    assert_eq!(path("a/b/c").parents().collect::<Vec<_>>(), ["a/b", "a"]);
    assert_eq!(path("a").parents().count(), 0);
}

/// CocoIndex: 0 bytes, and any number of an empty object, are empty; ranges and streams are those of the object.
#[tokio::test]
async fn reads_are_right_at_their_edges() {
    for root in roots().await {
        root.storage.put("empty", "").await.unwrap();
        root.storage.put("ten", "0123456789").await.unwrap();
        let listed: Vec<_> =
            walked(&root.storage, "", &Filter::new()).await.0.into_iter().map(|item| item.file).collect();
        let unseen = ["empty", "ten"].map(|key| SourceFile::at_without_head(&root.storage, key).unwrap());
        for files in [&listed[..], &unseen[..]] {
            let [empty, ten] = files else { panic!("two files") };
            assert_eq!(empty.read_prefix(5).await.unwrap(), "", "{}", root.name);
            assert_eq!(empty.read().await.unwrap(), "");
            assert_eq!(empty.text().await.unwrap(), "");
            assert_eq!(ten.read_prefix(0).await.unwrap(), "");
            assert_eq!(ten.read_prefix(3).await.unwrap(), "012");
            assert_eq!(ten.read_prefix(99).await.unwrap(), "0123456789");
            assert_eq!(ten.read_range(8..).await.unwrap(), "89");
            assert_eq!(ten.read_range(2..4).await.unwrap(), "23");
            let streamed: Vec<_> = ten.stream().await.unwrap().try_collect().await.unwrap();
            assert_eq!(streamed.concat(), b"0123456789");
            assert_eq!(ten.size().await.unwrap(), 10);
        }
    }
}

/// What each call costs: nothing that is known is asked for, and a whole read is one get.
#[tokio::test]
async fn requests_are_counted() {
    let root = s3().await;
    root.put(&["a.md", "b"]).await;
    let server = root.server.as_ref().unwrap();
    let cost = async |what: &str, expected: &str| {
        assert_eq!(server.counts().to_string(), expected, "{what}");
        server.reset_counts();
    };
    server.reset_counts();
    let file = SourceFile::at_without_head(&root.storage, "a.md").unwrap();
    file.read_prefix(0).await.unwrap();
    cost("opened without a head", "").await;
    file.read().await.unwrap();
    file.size().await.unwrap();
    file.fingerprint().await.unwrap();
    file.content_type().await.unwrap();
    cost("a read tells the rest", "GetObject 1").await;

    let file = SourceFile::at(&root.storage, "a.md").await.unwrap();
    file.size().await.unwrap();
    file.fingerprint().await.unwrap();
    file.content_type().await.unwrap();
    cost("opened with a head", "HeadObject 1").await;
    let hash = file.content_hash().await.unwrap();
    assert_eq!((&hash, hash.to_string().len()), (&Algorithm::Sha256.digest(b"a.md"), 64));
    file.content_hash().await.unwrap();
    cost("a hash is made once", "GetObject 1").await;
    file.download_to_temp().await.unwrap();
    cost("a download", "GetObject 1").await;

    let listed = walked(&root.storage, "", &Filter::new()).await.0;
    cost("a walk", "ListObjectsV2 1").await;
    listed[0].file.content_type().await.unwrap();
    listed[0].file.content_type().await.unwrap();
    cost("the stored type", "HeadObject 1").await;
    listed[1].file.content_type().await.unwrap();
    listed[1].file.content_type().await.unwrap();
    cost("the type that its bytes show", "GetObject 1").await;
}

/// What was listed is what is read: a change is told, and read after a refresh; equal times hide no change.
#[tokio::test]
async fn a_read_is_of_what_was_listed() {
    for root in roots().await {
        root.storage.put("a.md", "old").await.unwrap();
        let file = walked(&root.storage, "", &Filter::new()).await.0.remove(0).file;
        let before = file.fingerprint().await.unwrap();
        root.storage.put("a.md", "new").await.unwrap();
        let errors = [
            file.read().await.unwrap_err(),
            file.read_prefix(2).await.unwrap_err(),
            file.read_range(1..).await.unwrap_err(),
            file.stream().await.err().unwrap(),
            file.download_to_temp().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.key()), (ErrorKind::ObjectChanged, Some("a.md")), "{}: {error}", root.name);
        }
        assert_eq!(file.size().await.unwrap(), 3, "what is known stays");
        assert!(file.refresh().await.unwrap() && !file.refresh().await.unwrap());
        assert_ne!(file.fingerprint().await.unwrap(), before);
        assert_eq!(file.text().await.unwrap(), "new");
        root.storage.delete("a.md").await.unwrap();
        assert_eq!(file.read().await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(file.refresh().await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// The stored type comes first, then the extension's, then that of the bytes.
#[tokio::test]
async fn content_types_in_their_order() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for root in roots().await {
        let stored = PutOptions::new().attributes(Attributes::new().content_type("x/stored"));
        root.storage.put_with("stored.png", PNG, stored.clone()).await.unwrap();
        root.storage.put_with("stored", PNG, stored).await.unwrap();
        for (key, content) in
            [("a.PDF", PNG), ("image", PNG), ("text", "grüße".as_bytes()), ("bytes", b"\0\x01\xff"), ("empty", b"")]
        {
            root.storage.put(key, content).await.unwrap();
        }
        let cases = [
            ("stored.png", "x/stored"),
            ("stored", "x/stored"),
            ("a.PDF", "application/pdf"),
            ("image", "image/png"),
            ("text", "text/plain"),
            ("bytes", "application/octet-stream"),
            ("empty", "application/octet-stream"),
        ];
        for (key, expected) in cases {
            let file = SourceFile::at_without_head(&root.storage, key).unwrap();
            assert_eq!(file.content_type().await.unwrap(), expected, "{} {key}", root.name);
        }
        for item in walked(&root.storage, "", &Filter::new()).await.0 {
            let expected = cases.iter().find(|(key, _)| *key == item.path.as_str()).unwrap().1;
            assert_eq!(item.file.content_type().await.unwrap(), expected, "{} {}", root.name, item.path);
        }
    }
}

/// A download keeps the suffixes, which programs go by, and is gone with its handle.
#[tokio::test]
async fn downloads_keep_their_suffix_and_go() {
    let root = memory();
    let long = format!("a.{}.md", "x".repeat(300));
    for (key, suffix) in [("d.d/a.tar.gz", ".tar.gz"), ("a", ""), (long.as_str(), ".md"), (".env", "")] {
        root.storage.put(key, "content").await.unwrap();
        let file = SourceFile::at(&root.storage, key).await.unwrap();
        let temporary = file.download_to_temp().await.unwrap();
        let path = temporary.path().to_owned();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("storage-") && name.ends_with(suffix), "{key}: {name}");
        assert_eq!(name.contains('.'), !suffix.is_empty(), "{key}: {name}");
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        drop(temporary);
        assert!(!path.exists());
    }
    let kept = SourceFile::at(&root.storage, "a").await.unwrap().download_to_temp().await.unwrap().keep().unwrap();
    assert!(kept.exists());
    std::fs::remove_file(kept).unwrap();
}

/// Two prefixes share no identity, and no part of one can be taken for another's.
#[tokio::test]
async fn identities_tell_files_apart() {
    let root = s3().await;
    root.put(&["a/b/c", "a/b", "ab/c"]).await;
    let mut seen = Vec::new();
    let sub = root.storage.sub("a").unwrap();
    for (storage, prefix) in [(&root.storage, ""), (&root.storage, "a"), (&root.storage, "a/b"), (&root.storage, "ab")]
    {
        seen.extend(walked(storage, prefix, &Filter::new()).await.0.into_iter().map(|item| item.file.identity()));
    }
    let mut texts: Vec<_> = seen.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len(), seen.len()), (7, 7), "{texts:?}");
    assert!(texts.contains(&r#"["s3","bucket","a/","a/b/c"]"#.to_owned()), "{texts:?}");
    // A sub-root is a prefix by another name.
    let by_sub = walked(&sub, "", &Filter::new()).await.0[0].file.identity();
    let by_prefix = walked(&root.storage, "a", &Filter::new()).await.0[0].file.identity();
    assert_eq!(by_sub, by_prefix);
}

/// A file by its location and by its key, with the head and without it.
#[tokio::test]
async fn files_are_opened_by_location_and_by_key() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("d")).unwrap();
    std::fs::write(directory.path().join("d/a b#.md"), "text").unwrap();
    let registry = Registry::new().with(LocalDriver::new()).unwrap();
    let options = OpenOptions::new();
    let location = format!("{}/d/a b#.md", directory.path().display());
    let missing = format!("{}/d/none.md", directory.path().display());
    let file = SourceFile::open(&registry, &location, &options).await.unwrap();
    assert_eq!((file.text().await.unwrap().as_str(), file.path().name()), ("text", "a b#.md"));
    let again = SourceFile::open(&registry, &file.uri().unwrap(), &options).await.unwrap();
    assert_eq!(
        (again.identity(), again.fingerprint().await.unwrap()),
        (file.identity(), file.fingerprint().await.unwrap())
    );

    assert!(SourceFile::open(&registry, &missing, &options).await.unwrap_err().is_not_found());
    let unseen = SourceFile::open_without_head(&registry, &missing, &options).await.unwrap();
    assert!(unseen.known().is_none() && unseen.read().await.unwrap_err().is_not_found());
    for level in [format!("{}/d/", directory.path().display()), directory.path().display().to_string()] {
        let error = SourceFile::open(&registry, &level, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(SourceFile::at(&file.storage().clone(), "none").await.unwrap_err().is_not_found());
    assert_eq!(SourceFile::at_without_head(file.storage(), "a//b").unwrap_err().kind(), ErrorKind::InvalidKey);
}
