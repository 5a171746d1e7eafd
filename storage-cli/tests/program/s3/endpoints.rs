//! Settings that lead nowhere: each is one error that names the setting to look at, soon, and without a secret.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use s3_test_server::ServerOptions;
use serde_json::Value;

use super::place::{BUCKET, Place};

const SECRET: &str = "wJalrXUtnFEMI-a-secret";
const TOKEN: &str = "FwoGZXIvYXdzE-a-token";

/// What the program is asked; `add` and `cp` would write, `roots` looks at three roots.
const COMMANDS: [&[&str]; 6] = [
    &["ls"],
    &["add", "README.md"],
    &["cp", "README.md", "@data/x"],
    &["cp", "-r", "@data", "out"],
    &["stat", "@data"],
    &["roots"],
];

fn options() -> ServerOptions {
    ServerOptions::new().credentials("test-access-key", SECRET)
}

/// Every command is refused with this code and one error that holds these parts, within so many seconds; with `--json` that
/// is one object.
#[track_caller]
fn refused_within(s3: &Place, environment: &[(&str, &str)], code: i32, parts: &[&str], limit: Duration) {
    std::thread::scope(|scope| {
        let runs = COMMANDS.map(|args| scope.spawn(move || (args, one_refusal(s3, environment, args))));
        for run in runs {
            let (args, (found, error, elapsed)) = run.join().unwrap();
            assert_eq!(found, Some(code), "{args:?}: {error}");
            for part in parts {
                assert!(error.contains(part), "{args:?}: {part:?} is not in {error}");
            }
            assert!(elapsed < limit, "{args:?} took {elapsed:?}");
        }
    });
    assert!(!s3.exists("out"), "something was written");
}

fn one_refusal(s3: &Place, environment: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, Duration) {
    let started = Instant::now();
    let told = s3.run_with(environment, args);
    let elapsed = started.elapsed();
    assert_eq!(told.err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{told:?}");
    assert_eq!(told.err.lines().count(), 2, "an error and a hint: {told:?}");
    let run = s3.run_with(environment, &[&["--json"], args].concat());
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    let error: Value = serde_json::from_str(&run.err).unwrap();
    assert!(error["error"].is_string() && error["hint"].is_string() && error["status"].is_u64(), "{error}");
    assert_eq!(run.code, told.code);
    for text in [&told.out, &told.err, &run.out, &run.err] {
        for secret in [SECRET, "wrong-secret", TOKEN, "Signature=", "panicked"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    (told.code, told.err, elapsed)
}

#[track_caller]
fn refused(s3: &Place, environment: &[(&str, &str)], code: i32, parts: &[&str]) {
    refused_within(s3, environment, code, parts, Duration::from_secs(2));
}

#[test]
fn credentials_that_are_wrong() {
    let s3 = Place::with(options());
    refused(&s3, &[("AWS_ACCESS_KEY_ID", "nobody")], 4, &["InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"]);
    refused(&s3, &[("AWS_SECRET_ACCESS_KEY", "wrong-secret")], 4, &["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"]);
    refused(&s3, &[("AWS_SECRET_ACCESS_KEY", "")], 2, &["AWS_ACCESS_KEY_ID is set", "AWS_SECRET_ACCESS_KEY is not"]);
    refused(&s3, &[("AWS_ACCESS_KEY_ID", "")], 2, &["AWS_SECRET_ACCESS_KEY is set", "AWS_ACCESS_KEY_ID is not"]);
    refused(&s3, &[("AWS_SECRET_ACCESS_KEY", "wrong-secret ")], 2, &["AWS_SECRET_ACCESS_KEY", "a space"]);
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    refused(&s3, &nobody, 4, &["no credentials", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"]);
    assert_eq!(s3.count("PutObject"), 0);
}

#[test]
fn a_token_that_has_ended_or_is_not_sent() {
    let s3 = Place::with(options().session_token(Some(TOKEN.to_owned())));
    s3.run_with(&[("AWS_SESSION_TOKEN", TOKEN)], &["ls"]).ok();
    refused(&s3, &[], 4, &["AWS_ACCESS_KEY_ID"]);
    refused(&s3, &[("AWS_SESSION_TOKEN", "another")], 4, &["InvalidToken", "AWS_SESSION_TOKEN"]);
    s3.server.expire_tokens(true);
    refused(&s3, &[("AWS_SESSION_TOKEN", TOKEN)], 4, &["ExpiredToken", "AWS_SESSION_TOKEN"]);
}

#[test]
fn a_clock_that_is_wrong() {
    for offset in [3600, -3600] {
        let s3 = Place::with(options().clock_offset(offset));
        refused(&s3, &[], 4, &["RequestTimeTooSkewed", "set this machine's clock: it says"]);
    }
}

#[test]
fn a_bucket_or_a_region_that_is_wrong() {
    let s3 = Place::with(options());
    refused(&s3, &[("STORAGE_BUCKET_NAME", "no-bucket")], 3, &["\"no-bucket\"", "STORAGE_BUCKET_NAME"]);
    refused(&s3, &[("STORAGE_BUCKET_NAME", "")], 2, &["STORAGE_BUCKET_NAME is not set", "set STORAGE_BUCKET_NAME"]);
    refused(&s3, &[("STORAGE_BUCKET_NAME", "a/b")], 2, &["\"a/b\"", "STORAGE_BUCKET_NAME", "a '/'"]);
    refused(&s3, &[("AWS_REGION", "eu-west-1")], 2, &["set AWS_REGION to us-east-1"]);
    s3.server.set_bucket_region(BUCKET, "eu-central-1");
    s3.run_with(&[("AWS_REGION", "auto")], &["ls"]).ok();
    s3.run(&["ls"]).ok();
}

#[test]
fn settings_that_are_misspelt() {
    let s3 = Place::with(options());
    let data = |location| [("DATA_ROOT_DIRECTORY", location)];
    refused(&s3, &data("s4://my-bucket/x"), 2, &["DATA_ROOT_DIRECTORY", "\"s4\"", "file, memory, s3"]);
    refused(&s3, &data("s3:/my-bucket/x"), 2, &["DATA_ROOT_DIRECTORY", "s3://"]);
    refused(&s3, &[("STORAGE_BACKEND", "s4")], 2, &["STORAGE_BACKEND", "\"s4\"", "local, memory, s3"]);
    refused(&s3, &[("STORAGE_S3_ADRESSING", "path")], 2, &["STORAGE_S3_ADRESSING", "STORAGE_S3_ADDRESSING, or none"]);
    refused(&s3, &[("storage_s3_attempts", "many")], 2, &["storage_s3_attempts", "\"many\"", "1"]);
    refused(&s3, &[("AWS_ENDPOINT_URL", "htp://127.0.0.1")], 2, &["AWS_ENDPOINT_URL", "https://host"]);
    refused(&s3, &[("AWS_ENDPOINT_URL", "http://me:wrong-secret@127.0.0.1")], 2, &["AWS_ENDPOINT_URL"]);
    assert_eq!(s3.server.counts().total(), 0, "{}", s3.server.counts());
}

#[test]
fn an_endpoint_that_is_not_there() {
    let s3 = Place::with(options());
    let closed = "127.0.0.1:1"; // no port that a system gives away
    let down = format!("http://{closed}");
    refused(&s3, &[("AWS_ENDPOINT_URL", &down)], 1, &[&down, "no connection", "AWS_ENDPOINT_URL"]);
    let nowhere = [("AWS_ENDPOINT_URL", "http://nowhere.invalid:9000")];
    refused_within(&s3, &nowhere, 1, &["nowhere.invalid", "AWS_ENDPOINT_URL"], Duration::from_secs(5));
    refused(&s3, &[("STORAGE_S3_PROXY", &down)], 1, &["no connection", "STORAGE_S3_PROXY"]);
}

#[test]
fn tls_and_plain_http_taken_for_each_other() {
    let (plain, tls) = (Place::with(options()), Place::with(options().tls(true)));
    let other = |s3: &Place, from, to| s3.server.endpoint().replacen(from, to, 1);
    let https = other(&plain, "http:", "https:");
    refused(&plain, &[("AWS_ENDPOINT_URL", &https)], 2, &[&https, "http:// in AWS_ENDPOINT_URL", "STORAGE_S3_USE_SSL"]);
    let http = other(&tls, "https:", "http:");
    refused(&tls, &[("AWS_ENDPOINT_URL", &http)], 2, &[&http, "https:// in AWS_ENDPOINT_URL", "STORAGE_S3_USE_SSL"]);
    let bare = plain.server.address().to_string();
    refused(&plain, &[("AWS_ENDPOINT_URL", &bare)], 2, &["STORAGE_S3_USE_SSL=false"]);
    plain.run_with(&[("AWS_ENDPOINT_URL", &bare), ("STORAGE_S3_USE_SSL", "false")], &["ls"]).ok();
}

#[test]
fn a_certificate_that_nobody_here_has_signed() {
    let s3 = Place::with(options().tls(true));
    refused(&s3, &[], 2, &["certificate", "AWS_CA_BUNDLE"]);
    s3.write("ca.pem", s3.server.certificate_pem().unwrap());
    s3.run_with(&[("AWS_CA_BUNDLE", "ca.pem")], &["add", "README.md"]).ok();
    refused(&s3, &[("AWS_CA_BUNDLE", "no/such.pem")], 2, &["no/such.pem", "AWS_CA_BUNDLE"]);
    s3.write("ca.pem", "no certificate");
    refused(&s3, &[("AWS_CA_BUNDLE", "ca.pem")], 2, &["AWS_CA_BUNDLE", "ca.pem"]);
}

/// The time is that of the check, whatever the settings allow an operation.
#[test]
fn an_endpoint_that_accepts_and_says_nothing() {
    let s3 = Place::with(options());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let connections: Vec<_> = listener.incoming().collect();
        drop(connections);
    });
    let environment = [("AWS_ENDPOINT_URL", silent.as_str())];
    refused_within(&s3, &environment, 1, &[&silent, "did not answer", "AWS_ENDPOINT_URL"], Duration::from_secs(5));
}

#[test]
fn an_endpoint_that_is_no_s3_service() {
    let s3 = Place::with(options());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(web_page));
    refused(&s3, &[("AWS_ENDPOINT_URL", &page)], 1, &["not what the S3 API says", "AWS_ENDPOINT_URL"]);
}

pub(super) fn web_page(mut stream: std::net::TcpStream) {
    use std::io::Write as _;
    let _ = stream.read(&mut [0; 4096]);
    let page = "<!doctype html><html><body>Console</body></html>";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
    let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len());
}
