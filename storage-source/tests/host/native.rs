//! Roots as other programs spell them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use serde_json::json;
use storage_core::{ErrorKind, Location, Registry, Result, Settings};
use storage_local::LocalDriver;
use storage_memory::MemoryDriver;
use storage_s3::S3Driver;
use storage_source::Native;

fn native(location: &str, settings: &[(&str, &str)]) -> Result<Native> {
    let registry = Registry::new().with(S3Driver::new())?.with(LocalDriver::new())?.with(MemoryDriver::new())?;
    let settings = Settings::builder().environment_from(settings.iter().copied()).build()?;
    Native::new(&registry, &Location::parse(location)?, &settings)
}

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "it's-secret"), ("AWS_SESSION_TOKEN", "token-secret")];

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Proves each spelling for a service of one's own: plain http, path style, keys with a token, and a quote in one.
#[test]
fn a_service_of_ones_own() {
    let settings = [&KEYS[..], &[("AWS_ENDPOINT_URL", "http://minio:9000/"), ("AWS_REGION", "eu-west-1")]].concat();
    let lake = native("s3://data/a%3Fb/", &settings).unwrap();
    assert_eq!(lake.url(), "s3://data/a?b/");
    let expected = [
        ("aws_access_key_id", "me"),
        ("aws_secret_access_key", "it's-secret"),
        ("aws_session_token", "token-secret"),
        ("aws_region", "eu-west-1"),
        ("aws_virtual_hosted_style_request", "false"),
        ("aws_allow_http", "true"),
        ("aws_endpoint", "http://minio:9000"),
    ];
    assert_eq!(lake.object_store().unwrap(), pairs(&expected));
    assert_eq!(
        lake.duckdb_secret("my \"lake\"").unwrap(),
        "CREATE OR REPLACE SECRET \"my \"\"lake\"\"\" (TYPE s3, KEY_ID 'me', SECRET 'it''s-secret', \
         SESSION_TOKEN 'token-secret', REGION 'eu-west-1', ENDPOINT 'minio:9000', USE_SSL 'false', URL_STYLE 'path', \
         SCOPE 's3://data/a?b/')"
    );
    let expected = json!({
        "key": "me", "secret": "it's-secret", "token": "token-secret", "endpoint_url": "http://minio:9000",
        "client_kwargs": { "region_name": "eu-west-1" }, "config_kwargs": { "s3": { "addressing_style": "path" } },
    });
    assert_eq!(lake.fsspec(), expected);
}

/// Proves that AWS is left to the other program's own knowledge, with the machine's credentials or a profile.
#[test]
fn aws_by_the_machine_and_by_a_profile() {
    let lake = native("s3://data", &[("AWS_REGION", "auto")]).unwrap();
    assert_eq!(lake.object_store().unwrap(), pairs(&[("aws_virtual_hosted_style_request", "true")]));
    assert_eq!(
        lake.duckdb_secret("x").unwrap(),
        "CREATE OR REPLACE SECRET \"x\" (TYPE s3, PROVIDER 'credential_chain', URL_STYLE 'vhost', SCOPE 's3://data')"
    );
    assert_eq!(lake.fsspec(), json!({ "config_kwargs": { "s3": { "addressing_style": "virtual" } } }));

    let lake = native("s3://data", &[("AWS_PROFILE", "work")]).unwrap();
    assert_eq!(lake.object_store().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(lake.duckdb_secret("x").unwrap().contains("CHAIN 'config', PROFILE 'work'"));
    assert_eq!(lake.fsspec()["profile"], "work");
}

/// Proves that the bucket stands in the endpoint's host where the driver would put it there.
#[test]
fn a_bucket_in_the_host_of_an_endpoint() {
    let settings = [
        ("AWS_ENDPOINT_URL", "https://s3.example.org"),
        ("STORAGE_S3_ADDRESSING", "virtual"),
        ("STORAGE_S3_ANONYMOUS", "true"),
    ];
    let lake = native("s3://data", &settings).unwrap();
    let expected = [
        ("aws_skip_signature", "true"),
        ("aws_virtual_hosted_style_request", "true"),
        ("aws_endpoint", "https://data.s3.example.org"),
    ];
    assert_eq!(lake.object_store().unwrap(), pairs(&expected));
    assert_eq!(lake.fsspec()["anon"], true);
}

/// Proves that a directory is its absolute path without options, and that memory is no other program's to reach.
#[test]
fn directories_and_memory() {
    let here = native("some/dir", &[]).unwrap();
    assert_eq!(here.url(), std::path::absolute("some/dir").unwrap().to_str().unwrap());
    assert_eq!((here.object_store().unwrap(), here.fsspec()), (Vec::new(), json!({})));
    assert_eq!(here.duckdb_secret("x").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(native("memory://m", &[]).unwrap_err().kind(), ErrorKind::Unsupported);
}

/// Proves that no secret shows where nobody asked for it (rule S09).
#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", native("s3://data", &KEYS).unwrap());
    assert!(shown.contains("me") && !shown.contains("secret"), "{shown}");
}
