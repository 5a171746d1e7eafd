//! Rules E: errors.

use std::error::Error as _;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use futures::stream;
use storage_core::{
    Attributes, ByteRange, Conditions, CopyOptions, DeleteOptions, ETag, Error, ErrorKind, GetOptions, HeadOptions,
    Key, ListOptions, ObjectMeta, Operation, Prefix, PutOptions, Result, Storage, Support, SweepOptions, Token,
    WatchOptions,
};

use crate::Harness;
use crate::context::nothing_to_ask;
use crate::rule::rule;
use crate::support::{kind, missing};

/// What an error must say.
struct Scenario {
    what: &'static str,
    kind: ErrorKind,
    operation: Operation,
    /// The key that it names, where the operation is for one.
    key: Option<&'static str>,
    error: Error,
}

impl Scenario {
    /// What is not as it should be.
    fn wrong(&self, backend: &str) -> Vec<String> {
        let (error, text) = (&self.error, self.error.to_string());
        let named = self.key.is_none_or(|key| text.contains(key)) && text.contains(self.operation.as_str());
        let checks = [
            (error.kind() == self.kind, "the kind"),
            (error.operation() == Some(self.operation), "the operation"),
            (error.backend() == Some(backend), "the backend"),
            (error.key() == self.key, "the key"),
            (!error.message().is_empty(), "what is wrong"),
            (error.help().is_some_and(|help| !help.is_empty()), "what the user can do"),
            (!error.is_retryable(), "that doing it again does not help"),
            (named && !text.contains('\n'), "all that in one line"),
        ];
        let missing = checks.into_iter().filter(|(holds, _)| !holds);
        missing.map(|(_, part)| format!("{}: {part}, in {text:?}, {:?} expected", self.what, self.kind)).collect()
    }
}

/// Runs a call that must fail, and keeps what it said.
macro_rules! scenario {
    ($what:literal, $kind:expr, $operation:ident, $key:expr, $call:expr) => {
        Scenario {
            what: $what,
            kind: $kind,
            operation: Operation::$operation,
            key: $key,
            error: $call.await.map(drop).expect_err($what),
        }
    };
}

rule! {
    /// The kind is the same for the same scenario on every driver; an error names the operation, the backend and the
    /// key, keeps its source, and says what the user can do.
    E01, e01_errors_say_what_and_where, "Errors say what and where",
    why: "An error without key and place cannot be acted on; a kind that differs by driver makes the host's handling \
          wrong on the other one."
}
async fn e01_errors_say_what_and_where(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("k", "0123456789").await.unwrap();
    storage.put("other", [0xff, 0xfe].to_vec()).await.unwrap();
    let mut scenarios = of_missing_objects(storage).await;
    scenarios.extend(of_conditions(storage).await);
    scenarios.extend(of_arguments(storage).await);
    let wrong: Vec<_> = scenarios.iter().flat_map(|scenario| scenario.wrong(storage.name())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let source = || stream::iter([Err::<bytes::Bytes, _>(io::Error::new(io::ErrorKind::BrokenPipe, "the pipe broke"))]);
    let error = storage.put_stream("new", source(), PutOptions::new()).await.unwrap_err();
    let cause = error.source().expect("the source is kept").to_string();
    assert!(cause.contains("the pipe broke"), "the source says {cause:?}");
    assert_eq!((error.operation(), error.key()), (Some(Operation::Put), Some("new")));
    let error = storage.text("other").await.unwrap_err();
    assert!(error.source().is_some(), "why it is no text: {error}");
    let error = storage.put_file("new", "/no/such/file", PutOptions::new()).await.unwrap_err();
    assert!(error.source().is_some() && error.to_string().contains("/no/such/file"), "{error}");
}

async fn of_missing_objects(storage: &Storage) -> Vec<Scenario> {
    let missing = Some("no/such");
    let due = ErrorKind::NotFound;
    let date = Conditions { if_modified_since: Some(UNIX_EPOCH), ..Conditions::default() };
    vec![
        scenario!("get", due, Get, missing, storage.bytes("no/such")),
        scenario!("a ranged get", due, Get, missing, storage.range("no/such", 5..6)),
        scenario!("get under an object", due, Get, Some("k/x"), storage.bytes("k/x")),
        scenario!("head", due, Head, missing, storage.head("no/such")),
        scenario!(
            "head with a date",
            due,
            Head,
            missing,
            storage.head_with("no/such", HeadOptions::new().conditions(date))
        ),
        scenario!("a reader", due, Head, missing, storage.reader("no/such")),
        scenario!("copy", due, Copy, missing, storage.copy("no/such", "to")),
        scenario!("rename", due, Rename, missing, storage.rename("no/such", "to")),
    ]
}

async fn of_conditions(storage: &Storage) -> Vec<Scenario> {
    let capabilities = storage.probe().await.unwrap();
    let stale = || ETag::new("never-given");
    let ObjectMeta { etag, last_modified, .. } = storage.head("k").await.unwrap().meta;
    let failed = ErrorKind::PreconditionFailed;
    let supported =
        |support: Support, due: ErrorKind| if support == Support::No { ErrorKind::Unsupported } else { due };
    let put = |options: PutOptions| storage.put_with("k", "x", options);
    let create = supported(capabilities.put_create_only, ErrorKind::AlreadyExists);
    let matching = supported(capabilities.put_if_match, failed);
    let copying = supported(capabilities.copy_create_only, ErrorKind::AlreadyExists);
    let only = CopyOptions::new().create_only();
    let mut scenarios = vec![
        scenario!("get if-match", failed, Get, Some("k"), storage.get("k", GetOptions::new().if_match(stale()))),
        scenario!(
            "get if-none-match",
            ErrorKind::NotModified,
            Get,
            Some("k"),
            storage.get("k", GetOptions::new().if_none_match(etag))
        ),
        scenario!(
            "get if-modified-since",
            ErrorKind::NotModified,
            Get,
            Some("k"),
            storage.get("k", GetOptions::new().if_modified_since(last_modified))
        ),
        scenario!(
            "get if-unmodified-since",
            failed,
            Get,
            Some("k"),
            storage.get("k", GetOptions::new().if_unmodified_since(UNIX_EPOCH))
        ),
        scenario!("create-only put", create, Put, Some("k"), put(PutOptions::new().create_only())),
        scenario!("put if-match", matching, Put, Some("k"), put(PutOptions::new().if_match(stale()))),
        scenario!(
            "put if-match of nothing",
            matching,
            Put,
            Some("new"),
            storage.put_with("new", "x", PutOptions::new().if_match(stale()))
        ),
        scenario!("create-only copy", copying, Copy, Some("other"), storage.copy_with("other", "k", only.clone())),
        scenario!("create-only move", copying, Rename, Some("other"), storage.rename_with("other", "k", only)),
        scenario!(
            "copy if-source-match",
            failed,
            Copy,
            Some("other"),
            storage.copy_with("other", "k", CopyOptions::new().if_source_match(stale()))
        ),
    ];
    let deleting = supported(capabilities.delete_if_match, failed);
    let delete = DeleteOptions::new().if_match(stale());
    scenarios.push(scenario!("delete if-match", deleting, Delete, Some("k"), storage.delete_with("k", delete)));
    if capabilities.writer_create_only == Support::Yes {
        let mut writer = storage.writer_with("k", PutOptions::new().create_only()).await.unwrap();
        scenarios.push(scenario!("create-only writer", ErrorKind::AlreadyExists, Finish, Some("k"), writer.finish()));
    }
    scenarios
}

async fn of_arguments(storage: &Storage) -> Vec<Scenario> {
    let (input, key, length) = (ErrorKind::InvalidInput, ErrorKind::InvalidKey, ErrorKind::LengthMismatch);
    let past = ErrorKind::RangeNotSatisfiable { size: 10 };
    let foreign = ListOptions::new().token(Token::new("not a token"));
    let bad = PutOptions::new().attributes(Attributes::new().user("Not A Name", "x"));
    let mut closed = storage.writer("k").await.unwrap();
    closed.abort().await.unwrap();
    let mut scenarios = vec![
        scenario!("a range past the end", past, Get, Some("k"), storage.range("k", 10..11)),
        scenario!("an empty range", input, Get, Some("k"), storage.range("k", 1..1)),
        scenario!("an empty suffix", input, Get, Some("k"), storage.range("k", ByteRange::Suffix(0))),
        scenario!("too large for the limit", input, Get, Some("k"), storage.bytes_limited("k", 9)),
        scenario!("no text", input, Get, Some("other"), storage.text("other")),
        scenario!("get of no key", key, Get, Some("a//b"), storage.bytes("a//b")),
        scenario!("head of no key", key, Head, Some("../x"), storage.head("../x")),
        scenario!("put to no key", key, Put, Some("x/"), storage.put("x/", "")),
        scenario!("a writer to no key", key, OpenWriter, Some("/x"), storage.writer("/x")),
        scenario!("delete of no key", key, Delete, Some("a/./b"), storage.delete("a/./b")),
        scenario!("copy from no key", key, Copy, Some("a//b"), storage.copy("a//b", "to")),
        scenario!("move to no key", key, Rename, Some("a//b"), storage.rename("k", "a//b")),
        scenario!("a wrong length", length, Put, Some("k"), storage.put_with("k", "x", PutOptions::new().length(2))),
        scenario!("a bad attribute", input, Put, Some("k"), storage.put_with("k", "x", bad)),
        scenario!("delete by no level", input, Delete, Some("k"), storage.delete_prefix("k")),
        scenario!("a use after the end", ErrorKind::Closed, Write, Some("k"), closed.write("x")),
    ];
    let listing = async { storage.pages(foreign).await?.next_page().await };
    scenarios.push(scenario!("a foreign token", input, List, None, listing));
    if storage.capabilities().versions == Support::No {
        let version = GetOptions::new().version("1");
        scenarios.push(scenario!("a version", ErrorKind::Unsupported, Get, Some("k"), storage.get("k", version)));
    }
    if !storage.capabilities().local_path {
        scenarios.push(scenario!("a path", ErrorKind::Unsupported, LocalPath, Some("k"), storage.local_path("k")));
    }
    scenarios
}

rule! {
    /// Only what can pass by itself is called retryable, and not: a full disk, a name too long, a directory in the
    /// way, bad or insufficient credentials.
    E02, e02_retryable_is_what_can_pass, "Retryable is what can pass",
    why: "A retry of what cannot pass hides a full disk or a wrong key for minutes."
}
async fn e02_retryable_is_what_can_pass(harness: &dyn Harness) {
    use ErrorKind::*;
    let passing = [Throttled, Timeout, Unavailable];
    let lasting = [
        NotFound,
        BackendNotFound,
        AlreadyExists,
        PreconditionFailed,
        NotModified,
        Conflict,
        ObjectChanged,
        InvalidKey,
        InvalidInput,
        RangeNotSatisfiable { size: 1 },
        LengthMismatch,
        Unsupported,
        Unauthenticated,
        PermissionDenied,
        OutOfSpace,
        Corrupted,
        OutcomeUnknown,
        Closed,
        Configuration,
        Other,
    ];
    for (kinds, retryable) in [(&passing[..], true), (&lasting[..], false)] {
        for kind in kinds {
            assert_eq!(Error::new(*kind, "").is_retryable(), retryable, "{kind}");
            assert_eq!(kind.is_retryable(), retryable, "{kind}");
        }
    }
    // EPERM, ENOENT, EIO, EACCES, EEXIST, ENOTDIR, EISDIR, EMFILE, ENOSPC, EROFS, ENAMETOOLONG and ELOOP, as Linux numbers them.
    for code in [1, 2, 5, 13, 17, 20, 21, 24, 28, 30, 36, 40] {
        let error = Error::from(io::Error::from_raw_os_error(code));
        assert!(!error.is_retryable() && error.source().is_some(), "{error:?}");
    }
    if let Some(missing) = missing(harness).await {
        assert!(!missing.bytes("k").await.unwrap_err().is_retryable(), "a missing root");
    }
    let storage = harness.fresh().await;
    let long = "n".repeat(5000);
    assert!(!storage.storage.put(&long, "").await.unwrap_err().is_retryable(), "a key too long");
}

rule! {
    /// A missing root is `BackendNotFound` on every operation, and none of them makes it.
    E03, e03_missing_root, "A missing root",
    why: "A widely used library has three different errors for it, one of which is that of a missing object."
}
async fn e03_missing_root(harness: &dyn Harness) {
    let Some(storage) = missing(harness).await else { return nothing_to_ask("no root is known not to exist") };
    let fixture = harness.fresh().await;
    fixture.storage.put("k", "text").await.unwrap();
    for attempt in ["at first", "again"] {
        let key = Key::new("k").unwrap();
        let itself = storage.backend().copy(&key, &key, CopyOptions::new()).await;
        assert_eq!(kind("the driver's copy", itself), ErrorKind::BackendNotFound, "the driver's copy onto itself");
        for (what, result) in every_operation(&storage, &fixture.storage).await {
            let error = result.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::BackendNotFound, "{what}, {attempt}: {error}");
            assert!(error.help().is_some(), "{what}, {attempt}: what can the user do? {error}");
            assert_eq!(error.backend(), Some(storage.name()), "{what}, {attempt}: {error}");
        }
    }
    assert_eq!(fixture.storage.text("k").await.unwrap(), "text");
}

async fn every_operation(storage: &Storage, other: &Storage) -> Vec<(&'static str, Result<()>)> {
    let mut results = vec![
        ("probe", storage.probe().await.map(drop)),
        ("get", storage.get("k", GetOptions::new()).await.map(drop)),
        ("get if-match", storage.get("k", GetOptions::new().if_match(ETag::new("x"))).await.map(drop)),
        ("bytes", storage.bytes("k").await.map(drop)),
        ("range", storage.range("k", 0..1).await.map(drop)),
        ("ranges", storage.ranges("k", &[(0..1).into(), (9..).into()]).await.map(drop)),
        ("no ranges", storage.ranges("k", &[]).await.map(drop)),
        ("stream", storage.stream("k").await.map(drop)),
        ("download", storage.download("k", Default::default()).await.map(drop)),
        ("reader", storage.reader("k").await.map(drop)),
        ("head", storage.head("k").await.map(drop)),
        ("exists", storage.exists("deep/k").await.map(drop)),
        ("put", storage.put("k", "x").await.map(drop)),
        ("put deep down", storage.put("a/b/c", "x").await.map(drop)),
        (
            "put_stream",
            storage.put_stream("k", stream::iter([Ok::<_, Error>("x".into())]), PutOptions::new()).await.map(drop),
        ),
        ("list", storage.list_all("").await.map(drop)),
        ("list under a prefix", storage.list_all("a/b").await.map(drop)),
        ("list one level", one_level(storage).await),
        ("usage", storage.usage("").await.map(drop)),
        ("copy", storage.copy("k", "l").await.map(drop)),
        ("copy onto itself", storage.copy("k", "k").await.map(drop)),
        ("copy from here", storage.copy_to("k", other, "l", CopyOptions::new()).await.map(drop)),
        ("copy to here", other.copy_to("k", storage, "l", CopyOptions::new()).await.map(drop)),
        ("rename", storage.rename("k", "l").await.map(drop)),
        ("rename onto itself", storage.rename("k", "k").await.map(drop)),
        ("delete", storage.delete("k").await),
        ("delete_many", storage.delete_many(["k"]).await.and_then(|results| results.into_iter().collect())),
        ("delete_prefix", storage.delete_prefix("a/").await.map(drop)),
        ("delete_all", storage.delete_all().await.map(drop)),
        ("sweep", storage.sweep(SweepOptions::older_than(Duration::ZERO)).await.map(drop)),
        ("a writer", write(storage).await),
    ];
    let capabilities = storage.capabilities();
    if capabilities.put_create_only == Support::Yes {
        results.push(("create-only put", storage.put_if_absent("k", "x").await.map(drop)));
    }
    if capabilities.put_if_match == Support::Yes {
        let options = PutOptions::new().if_match(ETag::new("x"));
        results.push(("put if-match", storage.put_with("k", "x", options).await.map(drop)));
    }
    if capabilities.delete_if_match == Support::Yes {
        let options = DeleteOptions::new().if_match(ETag::new("x"));
        results.push(("delete if-match", storage.delete_with("k", options).await));
    }
    if capabilities.watch {
        results.push(("watch", storage.watch("", WatchOptions::new()).await.map(drop)));
    }
    if capabilities.local_path {
        results.push(("local_path", storage.local_path("k").await.map(drop)));
    } else {
        assert_eq!(kind("local_path", storage.local_path("k").await), ErrorKind::Unsupported);
    }
    results
}

async fn one_level(storage: &Storage) -> Result<()> {
    let options = ListOptions::new().prefix(Prefix::root()).delimited();
    storage.pages(options).await?.next_page().await.map(drop)
}

/// A streaming write fails at one of its steps.
async fn write(storage: &Storage) -> Result<()> {
    let mut writer = storage.writer("k").await?;
    writer.write("x").await?;
    writer.finish().await.map(drop)
}
