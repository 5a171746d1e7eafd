//! The driver: what it opens by settings, what is shared, and what it checks before the first operation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::time::{Duration, Instant};

use s3_test_server::{Conditions, Fault, FaultAction, S3Server, ServerOptions, User};
use storage_core::{CopyOptions, ErrorKind, Location, OpenOptions, Registry, RootName, Settings, Storage};
use storage_s3::S3Driver;

const DEADLINE: Duration = Duration::from_secs(4);

async fn server() -> S3Server {
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket("bucket");
    server
}

/// The settings of a server, with changes.
fn settings(server: &S3Server, changes: &[(&str, &str)]) -> Settings {
    let endpoint = server.endpoint();
    let pairs = [
        ("aws_endpoint_url", endpoint.as_str()),
        ("aws_access_key_id", server.access_key()),
        ("aws_secret_access_key", server.secret_key()),
        ("aws_region", "us-east-1"),
    ];
    let kept = pairs.into_iter().filter(|(name, _)| !changes.iter().any(|(other, _)| name == other));
    let given = changes.iter().copied().filter(|(_, value)| !value.is_empty());
    Settings::builder().environment_from(kept.chain(given)).build().unwrap()
}

fn registry() -> Registry {
    Registry::new().with(S3Driver::new()).unwrap()
}

async fn open(registry: &Registry, location: &str, settings: &Settings) -> storage_core::Result<Storage> {
    let options = OpenOptions::new().settings(settings.clone()).check(DEADLINE);
    registry.open(&Location::parse(location)?, &options).await
}

/// Proves that a location's whole path is the root's prefix, byte for byte, also where no key could say it (rule K04).
#[tokio::test]
async fn the_whole_path_is_the_prefix() {
    let server = server().await;
    let (registry, settings) = (registry(), settings(&server, &[]));
    for path in ["", "a", "a/", "a//", "/", "a/../b", " x ", "100%25/%3F"] {
        let location = format!("s3://bucket/{path}");
        let root = open(&registry, &location, &settings).await.unwrap();
        root.put("k", path).await.unwrap();
        let prefix = Location::parse(&location).unwrap().path().unwrap().to_owned();
        let level = if prefix.is_empty() || prefix.ends_with('/') { prefix } else { format!("{prefix}/") };
        assert_eq!(root.max_key_len(), 1024 - level.len(), "{location}");
        let again = open(&registry, &root.location().unwrap().to_string(), &settings).await.unwrap();
        assert_eq!(again.text("k").await.unwrap(), path, "{location}");
        assert_eq!(again.list_all("k").await.unwrap().len(), 1);
    }
    let whole = open(&registry, "s3://bucket", &settings).await.unwrap();
    assert_eq!(whole.text("a/k").await.unwrap(), "a/", "s3://bucket/a and s3://bucket/a/ are one root");
}

/// Proves that roots of one bucket which one driver opened copy inside it, one request each; and that what was found out
/// under one is known under the other (rules X07, S13).
#[tokio::test]
async fn roots_of_one_bucket_share_what_they_are_made_of() {
    let server = server().await;
    let (registry, settings) = (registry(), settings(&server, &[]));
    let one = open(&registry, "s3://bucket/one", &settings).await.unwrap();
    let two = open(&registry, "s3://bucket/two/deep", &settings).await.unwrap();
    let whole = open(&registry, "s3://bucket", &settings).await.unwrap();
    one.put("a", "hello").await.unwrap();
    one.probe().await.unwrap();
    assert_eq!(two.capabilities().conditions(), one.capabilities().conditions());
    server.reset_counts();
    one.copy_to("a", &two, "b", CopyOptions::new()).await.unwrap();
    one.copy_to("a", &whole, "c", CopyOptions::new().create_only()).await.unwrap();
    two.sub("x").unwrap().copy_to("b", &one, "d", CopyOptions::new()).await.unwrap_err();
    assert_eq!((server.counts().of("CopyObject"), server.counts().of("GetObject")), (3, 0), "{}", server.counts());
    assert_eq!(two.text("b").await.unwrap(), "hello");
    assert_eq!(whole.text("c").await.unwrap(), "hello");

    let other = open(&Registry::new().with(S3Driver::new()).unwrap(), "s3://bucket", &settings).await.unwrap();
    server.reset_counts();
    one.copy_to("a", &other, "e", CopyOptions::new()).await.unwrap();
    assert_eq!(server.counts().of("CopyObject"), 0, "another driver's root is another backend");
}

/// Proves that a root with other settings shares nothing, and that one that nobody holds is forgotten.
#[tokio::test]
async fn other_settings_are_another_backend() {
    let server = server().await;
    let registry = registry();
    let one = open(&registry, "s3://bucket", &settings(&server, &[])).await.unwrap();
    let none = settings(&server, &[("STORAGE_S3_CONDITIONS", "none")]);
    let other = open(&registry, "s3://bucket", &none).await.unwrap();
    assert_ne!(one.capabilities().conditions(), other.capabilities().conditions());
    one.probe().await.unwrap();
    let again = open(&registry, "s3://bucket", &settings(&server, &[])).await.unwrap();
    assert_eq!(again.capabilities(), one.capabilities());
    drop((one, again));
    let fresh = open(&registry, "s3://bucket", &settings(&server, &[])).await.unwrap();
    assert_ne!(fresh.capabilities().put_create_only, storage_core::Support::Yes);
}

/// Proves that the check costs one request, and none where it is not asked for.
#[tokio::test]
async fn a_check_is_one_request() {
    let server = server().await;
    let (registry, settings) = (registry(), settings(&server, &[]));
    open(&registry, "s3://bucket/x", &settings).await.unwrap();
    assert_eq!((server.counts().total(), server.counts().of("ListObjectsV2")), (1, 1));
    let location = Location::parse("s3://bucket/x").unwrap();
    registry.open(&location, &OpenOptions::new().settings(settings)).await.unwrap();
    assert_eq!(server.counts().total(), 1);
}

/// Proves that who may not list, and may read and write, passes the check.
#[tokio::test]
async fn who_may_not_list_passes_the_check() {
    let writer = User::new("secret").deny(["ListObjectsV2"]);
    let server = S3Server::start(ServerOptions::new().user("writer", writer)).await.unwrap();
    server.create_bucket("bucket");
    let settings = settings(&server, &[("aws_access_key_id", "writer"), ("aws_secret_access_key", "secret")]);
    let root = open(&registry(), "s3://bucket/x", &settings).await.unwrap();
    root.put("k", "v").await.unwrap();
    assert_eq!(root.list_all("").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

/// A setting that is wrong, and what its error must be.
struct Case {
    changes: &'static [(&'static str, &'static str)],
    location: &'static str,
    kind: ErrorKind,
    told: &'static [&'static str],
}

const HUNTER: (&str, &str) = ("aws_secret_access_key", "hunter2");

/// Proves of each wrong setting that opening is one error, of the right kind, that names the setting, shows no secret, and
/// comes within the deadline (rules E04, S09).
#[tokio::test]
async fn a_wrong_setting_is_one_error_that_names_it() {
    let server = server().await;
    let cases = [
        Case {
            changes: &[("aws_access_key_id", "AKIANOBODY"), HUNTER],
            location: "s3://bucket",
            kind: ErrorKind::Unauthenticated,
            told: &["AWS_ACCESS_KEY_ID"],
        },
        Case {
            changes: &[HUNTER],
            location: "s3://bucket",
            kind: ErrorKind::Unauthenticated,
            told: &["AWS_SECRET_ACCESS_KEY"],
        },
        Case {
            changes: &[],
            location: "s3://missing/x",
            kind: ErrorKind::BackendNotFound,
            told: &["\"missing\"", "127.0.0.1"],
        },
        Case {
            changes: &[("aws_region", "eu-west-9")],
            location: "s3://bucket",
            kind: ErrorKind::Configuration,
            told: &["AWS_REGION", "us-east-1"],
        },
        Case {
            changes: &[("aws_endpoint_url", "http://127.0.0.1:1")],
            location: "s3://bucket",
            kind: ErrorKind::Unavailable,
            told: &["AWS_ENDPOINT_URL", "127.0.0.1:1"],
        },
        Case {
            changes: &[("aws_endpoint_url", "http://no-such-host.invalid")],
            location: "s3://bucket",
            kind: ErrorKind::Unavailable,
            told: &["AWS_ENDPOINT_URL", "no-such-host.invalid"],
        },
        Case {
            changes: &[("aws_secret_access_key", ""), ("aws_access_key_id", "AKIA")],
            location: "s3://bucket",
            kind: ErrorKind::Configuration,
            told: &["AWS_SECRET_ACCESS_KEY"],
        },
        Case {
            changes: &[("aws_session_token", "hunter2")],
            location: "s3://bucket",
            kind: ErrorKind::Unauthenticated,
            told: &["AWS_SESSION_TOKEN"],
        },
    ];
    for case in cases {
        let begun = Instant::now();
        let opened = open(&registry(), case.location, &settings(&server, case.changes)).await;
        let error = opened.expect_err(&format!("{:?}", case.changes));
        assert_eq!(error.kind(), case.kind, "{:?}: {error}", case.changes);
        let text = error.to_string();
        for part in case.told {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
        assert!(!format!("{error:?} {text}").contains("hunter2"), "{error:?}");
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", case.changes);
    }
}

/// Proves that https to a plain port is a setting that is wrong, and says which.
#[tokio::test]
async fn tls_to_a_plain_port_names_the_settings() {
    let server = server().await;
    let https = server.endpoint().replace("http://", "https://");
    let error =
        open(&registry(), "s3://bucket", &settings(&server, &[("aws_endpoint_url", &https)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    let text = error.to_string();
    assert!(text.contains("AWS_ENDPOINT_URL") && text.contains("STORAGE_S3_USE_SSL"), "{text}");
}

/// Proves that a service which accepts and says nothing is given up at the deadline, and not after its own time-outs.
#[tokio::test]
async fn a_silent_service_is_given_up_at_the_deadline() {
    let server = server().await;
    let hang = server.inject(Fault::new(FaultAction::Hang));
    let options = OpenOptions::new().settings(settings(&server, &[])).check(Duration::from_millis(200));
    let begun = Instant::now();
    let error = registry().open(&Location::parse("s3://bucket").unwrap(), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let text = error.to_string();
    assert!(text.contains("AWS_ENDPOINT_URL") && text.contains(&server.endpoint()), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(hang.hits(), 1);
}

/// Proves that a check is not repeated while a service asks to come back later.
#[tokio::test]
async fn a_check_is_not_repeated() {
    let server = server().await;
    let busy = server.inject(Fault::status(503, "SlowDown"));
    let error = open(&registry(), "s3://bucket", &settings(&server, &[])).await.unwrap_err();
    assert_eq!((error.kind(), busy.hits()), (ErrorKind::Throttled, 1), "{error}");
}

/// Proves where the default roots lie, and that no bucket is an error which names the settings.
#[tokio::test]
async fn default_roots_lie_in_the_bucket_of_the_settings() {
    let registry = registry();
    let settings =
        |pairs: &[(&str, &str)]| Settings::builder().environment_from(pairs.iter().copied()).build().unwrap();
    let named = settings(&[("storage_bucket_name", "b"), ("STORAGE_BACKEND", "S3")]);
    let place = |name| registry.root(name, &named).unwrap().location.to_string();
    assert_eq!(RootName::ALL.map(place), ["s3://b/data", "s3://b/system", "s3://b/cache"]);
    let error = registry.root(RootName::Cache, &settings(&[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("STORAGE_BUCKET_NAME") && text.contains("CACHE_ROOT_DIRECTORY"), "{text}");
    let secret = settings(&[("STORAGE_BUCKET_NAME", "me:hunter2@b")]);
    let text = registry.root(RootName::Data, &secret).unwrap_err().to_string();
    assert!(text.contains("STORAGE_BUCKET_NAME") && !text.contains("hunter2"), "{text}");
}

/// Proves that a server which ignores conditions, named by a setting, is not asked.
#[tokio::test]
async fn a_named_service_is_not_probed() {
    let server = S3Server::start(ServerOptions::new().conditions(Conditions::IGNORED)).await.unwrap();
    server.create_bucket("bucket");
    let settings = settings(&server, &[("STORAGE_S3_SERVICE", "garage"), ("aws_region", "us-east-1")]);
    let root = open(&registry(), "s3://bucket", &settings).await.unwrap();
    server.reset_counts();
    let create = storage_core::PutOptions::new().create_only();
    assert_eq!(root.put_with("k", "v", create).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(server.counts().total(), 0);
}

/// Opens the bucket of a server that is started for one wrong thing, and gives the text of the error, which has this kind.
async fn refused(server: &S3Server, changes: &[(&str, &str)], kind: ErrorKind) -> String {
    let error = open(&registry(), "s3://bucket", &settings(server, changes)).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

/// Proves that a clock which is off, and keys which have expired, are told as what they are.
#[tokio::test]
async fn a_skewed_clock_and_an_expired_token_are_told() {
    let server = S3Server::start(ServerOptions::new().clock_offset(3600)).await.unwrap();
    server.create_bucket("bucket");
    let text = refused(&server, &[], ErrorKind::Unauthenticated).await;
    assert!(text.contains("clock"), "{text}");

    let server = S3Server::start(ServerOptions::new().session_token(Some("token".to_owned()))).await.unwrap();
    server.create_bucket("bucket");
    server.expire_tokens(true);
    let text = refused(&server, &[("aws_session_token", "token")], ErrorKind::Unauthenticated).await;
    assert!(text.contains("AWS_SESSION_TOKEN"), "{text}");
}

/// Proves that a certificate which nobody vouches for names the setting, that the bundle which does is honoured, and that
/// plain http to a port with TLS is told.
#[tokio::test]
async fn a_certificate_is_trusted_by_the_bundle_that_names_it() {
    let server = S3Server::start(ServerOptions::new().tls(true)).await.unwrap();
    server.create_bucket("bucket");
    let text = refused(&server, &[], ErrorKind::Configuration).await;
    assert!(text.contains("AWS_CA_BUNDLE") && text.contains("AWS_ENDPOINT_URL"), "{text}");

    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("ca.pem");
    std::fs::write(&bundle, server.certificate_pem().unwrap()).unwrap();
    let trusted = settings(&server, &[("AWS_CA_BUNDLE", bundle.to_str().unwrap())]);
    let root = open(&registry(), "s3://bucket", &trusted).await.unwrap();
    root.put("k", "v").await.unwrap();
    assert_eq!(root.text("k").await.unwrap(), "v");

    let plain = server.endpoint().replace("https://", "http://");
    let text = refused(&server, &[("aws_endpoint_url", &plain)], ErrorKind::Configuration).await;
    assert!(text.contains("AWS_ENDPOINT_URL") && text.contains("STORAGE_S3_USE_SSL"), "{text}");
}
