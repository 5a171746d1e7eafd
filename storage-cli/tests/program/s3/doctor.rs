//! `storage doctor` on a bucket: each fault is one failing line that says what to do, and nothing is left behind.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use s3_test_server::{Conditions, Fault, FaultAction, ServerOptions, User};
use serde_json::Value;

use super::place::{BUCKET, Place, until};
use crate::doctor::{Sheet, examined};

const SECRET: &str = "wJalrXUtnFEMI-a-secret";
const OTHER: &str = "another-canary-secret";

/// What is examined.
const ROOT: &str = "s3://my-bucket/data";

fn options() -> ServerOptions {
    ServerOptions::new().credentials("AKIA-test-access-key", SECRET)
}

/// The sheet of the root with these settings beside those that lead to the server, with its code; told in words and as a
/// document, neither with a secret.
#[track_caller]
fn examine(s3: &Place, environment: &[(&str, &str)]) -> Sheet {
    examine_with(s3, environment, &["doctor", ROOT])
}

#[track_caller]
fn examine_with(s3: &Place, environment: &[(&str, &str)], args: &[&str]) -> Sheet {
    let started = Instant::now();
    let words = s3.run_with(environment, args);
    let document = s3.run_with(environment, &[args, &["--json"]].concat());
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
    for text in [&words.out, &words.err, &document.out, &document.err] {
        for secret in [SECRET, OTHER, "AKIA-test", "Signature=", "panicked"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(!words.out.contains('\u{1b}') && words.err.is_empty(), "no colour and no progress in a pipe: {words:?}");
    examined(&document)
}

/// Proves that one check fails with these words and this fix, that those before it are good, and that those that need it are
/// not tried.
#[track_caller]
fn fails(sheet: &Sheet, check: &str, seen: &str, fix: &str, good: &[&str], not_tried: &[&str]) {
    assert_eq!(sheet.code, Some(1), "{sheet:?}");
    assert_eq!(sheet.failed(), [check], "{sheet:?}");
    sheet.tells(check, "failed", seen, fix);
    for check in good {
        sheet.is(check, "good");
    }
    for check in not_tried {
        sheet.is(check, "not_tried");
    }
}

#[test]
fn a_bucket_that_is_well_is_left_as_it_was() {
    let s3 = Place::with(options());
    s3.write(".env", "STORAGE_S3_ATTEMPTS=3\n");
    s3.run(&["cp", "README.md", "@data/x"]).ok();
    let sheet = examine(&s3, &[]);
    assert_eq!((sheet.code, sheet.failed(), sheet.of("not_tried")), (Some(0), vec![], vec![]), "{sheet:?}");
    for check in ["settings", "DNS", "TCP", "TLS", "credentials", "service", "clock", "key", "bucket", "region", "list"]
    {
        sheet.is(check, "good");
    }
    for check in ["write", "read", "begin an upload", "upload a part", "complete an upload", "abort an upload"] {
        sheet.is(check, "good");
    }
    for check in s3_conditions() {
        sheet.tells(check, "good", "kept", "");
    }
    for check in ["latency", "delete", "clean up"] {
        sheet.is(check, "good");
    }
    sheet.tells("credentials", "good", "…-key from AWS_ACCESS_KEY_ID, set in the environment", "");
    assert_eq!(sheet.setting("AWS_ACCESS_KEY_ID"), ("…-key", "the environment"));
    assert_eq!(sheet.setting("AWS_SECRET_ACCESS_KEY"), ("(hidden)", "the environment"));
    assert_eq!(sheet.setting("AWS_REGION").1, "the default");
    let (value, source) = sheet.setting("STORAGE_S3_ATTEMPTS");
    assert!(value == "3" && source.ends_with("/.env"), "{value} {source}");
    only_x_is_there(&s3);
}

/// Whatever else there was would be counted, under names that no listing shows too.
#[track_caller]
fn only_x_is_there(s3: &Place) {
    assert_eq!(s3.run(&["ls", "-r", "s3://my-bucket"]).ok().names(), ["data/x"]);
    assert_eq!(s3.server.unfinished_uploads(BUCKET), 0);
    let removed = s3.run(&["rm", "-r", "--all", "--json", "s3://my-bucket"]).ok().json();
    assert_eq!(removed[0]["removed"], 1, "{removed:?}");
}

fn s3_conditions() -> [&'static str; 6] {
    storage::s3::diagnose::CONDITIONS
}

#[test]
fn without_a_location_the_roots_are_examined() {
    let s3 = Place::with(options());
    let run = s3.run(&["doctor", "--read-only"]).ok();
    for root in ["@data s3://my-bucket/data, from the default for STORAGE_BACKEND", "@system s3:", "@cache s3:"] {
        assert!(run.out.contains(root), "{root}: {run:?}");
    }
    let run = s3.run_with(&[("STORAGE_BUCKET_NAME", "")], &["doctor", "--json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let checks = &document["places"][2]["checks"];
    assert!(checks[0]["fix"].as_str().unwrap().contains("STORAGE_BUCKET_NAME"), "{document}");
}

#[test]
fn read_only_writes_nothing() {
    let s3 = Place::with(options());
    s3.run(&["cp", "README.md", "@data/x"]).ok();
    s3.server.reset_counts();
    let sheet = examine_with(&s3, &[], &["doctor", ROOT, "--read-only"]);
    sheet.tells("read", "good", "\"x\"", "");
    sheet.is("latency", "good");
    sheet.tells("write", "not_tried", "--read-only", "");
    for operation in ["PutObject", "DeleteObject", "DeleteObjects", "CreateMultipartUpload", "CopyObject"] {
        assert_eq!(s3.count(operation), 0, "{operation}");
    }
}

#[test]
fn keys_that_are_wrong() {
    let s3 = Place::with(options());
    let (good, not_tried) =
        (["DNS", "TCP", "service", "clock"], ["bucket", "list", "write", "create-only put", "delete"]);
    let sheet = examine(&s3, &[("AWS_ACCESS_KEY_ID", OTHER)]);
    fails(&sheet, "key", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID", &good, &not_tried);
    let sheet = examine(&s3, &[("AWS_SECRET_ACCESS_KEY", OTHER)]);
    fails(&sheet, "key", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY", &good, &not_tried);
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let sheet = examine(&s3, &nobody);
    fails(&sheet, "credentials", "no credentials", "AWS_ACCESS_KEY_ID", &["DNS", "TCP"], &["service", "key", "write"]);
    let one = examine(&s3, &[("AWS_SECRET_ACCESS_KEY", "")]);
    fails(&one, "settings", "AWS_SECRET_ACCESS_KEY is not", "AWS_SECRET_ACCESS_KEY", &[], &["DNS", "TCP", "write"]);
    let s3 = Place::with(options().session_token(Some(OTHER.to_owned())));
    let sheet = examine(&s3, &[("AWS_SESSION_TOKEN", "wJalrXUtnFEMI-a-secret")]);
    fails(&sheet, "key", "InvalidToken", "AWS_SESSION_TOKEN", &good, &not_tried);
    assert_eq!(s3.count("PutObject"), 0);
}

/// Keys of a profile's file are named as such.
#[test]
fn credentials_say_where_they_come_from() {
    let s3 = Place::with(options());
    s3.write(
        "aws",
        &format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {SECRET}\n", s3.server.access_key()),
    );
    let file = s3.path("aws");
    let profile = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
    ];
    let sheet = examine_with(&s3, &profile, &["doctor", ROOT, "--read-only"]);
    sheet.tells("credentials", "good", "…-key from the profile's file", "");
    sheet.is("list", "good");
}

#[test]
fn a_clock_that_is_wrong() {
    for (offset, seen) in [(3600, "RequestTimeTooSkewed"), (-3600, "RequestTimeTooSkewed")] {
        let s3 = Place::with(options().clock_offset(offset));
        fails(&examine(&s3, &[]), "clock", seen, "set this machine's clock", &["DNS", "service"], &["key", "bucket"]);
    }
    let s3 = Place::with(options().clock_offset(-300));
    let sheet = examine_with(&s3, &[], &["doctor", ROOT, "--read-only"]);
    sheet.tells("clock", "note", "s ahead of the service's", "set this machine's clock");
    assert_eq!(sheet.code, Some(0), "{sheet:?}");
}

#[test]
fn a_bucket_or_a_region_that_is_wrong() {
    let s3 = Place::with(options());
    let sheet = examine_with(&s3, &[], &["doctor", "s3://no-bucket"]);
    fails(&sheet, "bucket", "\"no-bucket\"", "STORAGE_BUCKET_NAME, AWS_REGION", &["key", "clock"], &["region", "list"]);
    let sheet = examine(&s3, &[("AWS_REGION", "eu-west-1")]);
    fails(&sheet, "region", "not in the region", "set AWS_REGION to us-east-1", &["key", "bucket"], &["list", "write"]);
    s3.server.set_bucket_region(BUCKET, "eu-central-1");
    let sheet = examine_with(&s3, &[], &["doctor", ROOT, "--read-only"]);
    sheet.tells("region", "good", "eu-central-1", "");
}

#[test]
fn an_endpoint_that_is_down_silent_or_nowhere() {
    let s3 = Place::with(options());
    let closed = "127.0.0.1:1"; // no port that a system gives away
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", &format!("http://{closed}"))]);
    fails(&sheet, "TCP", "no connection", "AWS_ENDPOINT_URL", &["settings", "DNS"], &["TLS", "credentials", "write"]);
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", "http://nowhere.invalid:9000")]);
    fails(&sheet, "DNS", "has no address", "AWS_ENDPOINT_URL", &["settings"], &["TCP", "TLS", "service", "delete"]);
    let sheet = examine(&s3, &[("STORAGE_S3_PROXY", &format!("http://{closed}"))]);
    fails(&sheet, "TCP", "no connection", "STORAGE_S3_PROXY", &["DNS"], &["service"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", &silent), ("STORAGE_S3_ANSWER_TIMEOUT", "1s")]);
    fails(&sheet, "service", "took longer than 1s", "AWS_ENDPOINT_URL", &["TCP", "credentials"], &["clock", "key"]);
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", &silent.replace("http:", "https:"))]);
    fails(&sheet, "TLS", "took longer than", "AWS_ENDPOINT_URL", &["TCP"], &["credentials", "service"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(super::endpoints::web_page));
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", &page)]);
    fails(&sheet, "service", "not what the S3 API says", "AWS_ENDPOINT_URL", &["TCP"], &["clock", "key", "write"]);
}

#[test]
fn tls_and_plain_http_taken_for_each_other() {
    let (plain, tls) = (Place::with(options()), Place::with(options().tls(true)));
    let sheet = examine(&plain, &[("AWS_ENDPOINT_URL", &plain.server.endpoint().replacen("http:", "https:", 1))]);
    fails(&sheet, "TLS", "no TLS connection", "http:// in AWS_ENDPOINT_URL", &["DNS", "TCP"], &["service", "write"]);
    let sheet = examine(&tls, &[("AWS_ENDPOINT_URL", &tls.server.endpoint().replacen("https:", "http:", 1))]);
    fails(&sheet, "service", "", "https:// in AWS_ENDPOINT_URL", &["TCP", "TLS"], &["clock", "key", "write"]);
    let sheet = examine(&tls, &[]);
    fails(&sheet, "TLS", "certificate", "AWS_CA_BUNDLE", &["TCP"], &["credentials", "service"]);
    tls.write("ca.pem", tls.server.certificate_pem().unwrap());
    let sheet = examine_with(&tls, &[("AWS_CA_BUNDLE", "ca.pem")], &["doctor", ROOT, "--read-only"]);
    sheet.tells("TLS", "good", "TLS 1.3, certificate of ", "");
    assert_eq!(sheet.code, Some(0), "{sheet:?}");
}

#[test]
fn settings_that_are_misspelt() {
    let s3 = Place::with(options());
    let sheet = examine(&s3, &[("STORAGE_S3_ADRESSING", "path")]);
    fails(&sheet, "settings", "STORAGE_S3_ADRESSING", "STORAGE_S3_ADDRESSING", &[], &["DNS", "write", "delete"]);
    let sheet = examine(&s3, &[("AWS_ENDPOINT_URL", "http://me:another-canary-secret@127.0.0.1")]);
    fails(&sheet, "settings", "AWS_ENDPOINT_URL", "https://host", &[], &["DNS"]);
    assert_eq!(s3.server.counts().total(), 0, "{}", s3.server.counts());
}

/// A user who may not do these operations.
fn denied(operations: &[&str]) -> (Place, [(&'static str, &'static str); 2]) {
    let user = User::new(OTHER).deny(operations.iter().copied());
    let s3 = Place::with(options().user("his-access-key", user));
    s3.run(&["cp", "README.md", "@data/x"]).ok();
    (s3, [("AWS_ACCESS_KEY_ID", "his-access-key"), ("AWS_SECRET_ACCESS_KEY", OTHER)])
}

#[test]
fn each_right_that_is_missing_is_named() {
    for (operation, check, permission) in [
        ("ListObjectsV2", "list", "s3:ListBucket"),
        ("PutObject", "write", "s3:PutObject"),
        ("GetObject", "read", "s3:GetObject"),
        ("CreateMultipartUpload", "begin an upload", "s3:PutObject"),
        ("UploadPart", "upload a part", "s3:PutObject"),
        ("CompleteMultipartUpload", "complete an upload", "s3:PutObject"),
        ("AbortMultipartUpload", "abort an upload", "s3:AbortMultipartUpload"),
        ("ListMultipartUploads", "list uploads", "s3:ListBucketMultipartUploads"),
    ] {
        let (s3, his) = denied(&[operation]);
        let sheet = examine(&s3, &his);
        fails(&sheet, check, "AccessDenied", permission, &["key", "bucket"], &[]);
        only_x_is_there(&s3);
        if operation == "AbortMultipartUpload" {
            sheet.tells("if-match upload", "not_tried", "could not be removed", "");
        }
        if check.starts_with("list") {
            sheet.tells("clean up", "note", "cannot be seen whether there is more", permission);
        }
    }
}

/// What cannot be removed is told, with its name.
#[test]
fn who_may_not_delete_is_told_what_stays() {
    let (s3, his) = denied(&["DeleteObject", "DeleteObjects"]);
    let sheet = examine_with(&s3, &his, &["doctor", ROOT]);
    assert_eq!((sheet.code, sheet.failed()), (Some(1), vec!["delete", "clean up"]), "{sheet:?}");
    sheet.tells("delete", "failed", "AccessDenied", "s3:DeleteObject");
    sheet.tells("clean up", "failed", "storage-doctor-", "s3:DeleteObject");
    sheet.tells("create-only put", "not_tried", "could not be removed", "");
    // Two runs, one object each.
    let left = s3.run(&["ls", "-r", ROOT]).ok();
    assert_eq!(left.out.matches("/object").count(), 2, "{left:?}");
    assert_eq!(s3.versions().len(), 3, "nothing else: {left:?}");
}

#[test]
fn a_service_that_ignores_conditions() {
    let s3 = Place::with(options().conditions(Conditions::IGNORED));
    let sheet = examine(&s3, &[]);
    for check in s3_conditions() {
        sheet.tells(check, "note", "ignored: ", "answered as unsupported");
    }
    assert_eq!(sheet.code, Some(0), "nothing is broken: {sheet:?}");
    let sheet = examine(&s3, &[("STORAGE_S3_CONDITIONS", "all")]);
    assert_eq!((sheet.code, sheet.failed()), (Some(1), s3_conditions().to_vec()), "{sheet:?}");
    sheet.tells("if-match put", "failed", "trusted by the settings, and ignored: ", "STORAGE_S3_CONDITIONS=probe");
    let s3 = Place::with(options());
    s3.server.inject(Fault::status(501, "NotImplemented").on("CopyObject"));
    let sheet = examine(&s3, &[]);
    sheet.tells("create-only copy", "note", "refused: CopyObject was answered with 501", "answered as unsupported");
    sheet.is("if-match put", "good");
    let sheet = examine(&Place::with(options()), &[("STORAGE_S3_CONDITIONS", "none")]);
    sheet.tells("create-only copy", "note", "kept, but not trusted", "STORAGE_S3_CONDITIONS");
}

/// A bucket with versions keeps none of what was written, and the right to list them is one of its own.
#[test]
fn a_bucket_with_versions() {
    let (s3, his) = denied(&["ListObjectVersions"]);
    s3.server.set_versioning(BUCKET, true);
    let sheet = examine_with(&s3, &his, &["doctor", ROOT, "--read-only"]);
    fails(&sheet, "versions", "AccessDenied", "s3:ListBucketVersions", &["list", "read"], &[]);
    let before = s3.versions();
    let sheet = examine(&s3, &[]);
    assert_eq!((sheet.code, sheet.failed()), (Some(0), vec![]), "{sheet:?}");
    sheet.tells("versions", "good", "kept by the bucket", "");
    sheet.is("delete a version", "good");
    assert_eq!(s3.versions(), before);
}

/// Where versions stay, it is not said that nothing does.
#[test]
fn versions_that_stay_are_told() {
    for (operation, permission, failed) in [
        ("DeleteObjectVersion", "s3:DeleteObjectVersion", ["delete a version", "clean up"]),
        ("ListObjectVersions", "s3:ListBucketVersions", ["versions", "clean up"]),
    ] {
        let (s3, his) = denied(&[operation]);
        s3.server.set_versioning(BUCKET, true);
        let sheet = examine(&s3, &his);
        assert_eq!((sheet.code, sheet.failed()), (Some(1), failed.to_vec()), "{sheet:?}");
        failed.iter().for_each(|check| sheet.tells(check, "failed", "AccessDenied", permission));
    }
    let (s3, his) = denied(&["GetBucketVersioning", "ListObjectVersions"]);
    s3.server.set_versioning(BUCKET, true);
    let sheet = examine(&s3, &his);
    sheet.tells("versions", "note", "", "s3:GetBucketVersioning");
    sheet.tells("clean up", "note", "cannot be seen whether there is more", "s3:ListBucketVersions");
}

/// A slow way is told with what was timed of it, and is no failure.
#[test]
fn a_slow_service_is_noted() {
    let s3 = Place::with(options());
    let slow = |operation: &str| {
        let delay = FaultAction::Delay(Duration::from_millis(1100));
        s3.server.inject(Fault::new(delay).on(operation).times(u64::MAX));
    };
    slow("HeadObject");
    let sheet = examined(&s3.run(&["doctor", ROOT, "--json"]));
    sheet.tells("latency", "note", "heads: median 11", "nearer");
    assert_eq!((sheet.code, sheet.failed()), (Some(0), vec![]), "{sheet:?}");
}

#[test]
fn ctrl_c_leaves_nothing() {
    let s3 = Place::with(options());
    for operation in ["HeadObject", "UploadPart", "CopyObject"] {
        s3.run(&["cp", "README.md", "@data/x"]).ok();
        let fault = s3.server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(300))).on(operation));
        let mut child = s3.command(&["doctor", ROOT]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        until("the slow request", || fault.hits() > 0 || child.try_wait().unwrap().is_some());
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{operation}: {output:?}");
        s3.server.clear_faults();
        until("the uploads are gone", || s3.server.unfinished_uploads(BUCKET) == 0);
        only_x_is_there(&s3);
    }
}

/// `script` gives the program a terminal of its own.
#[test]
fn a_terminal_shows_colours() {
    let s3 = Place::with(options());
    let program = s3.command(&[]);
    let line = format!("{} doctor {ROOT} s3://no-bucket", program.get_program().to_str().unwrap());
    let mut script = std::process::Command::new("script");
    script.args(["-qefc", &line, "/dev/null"]).current_dir(s3.path(""));
    script.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
    script.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = script.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for told in ["\u{1b}[1m\u{1b}[32mok       \u{1b}[0m TCP", "\u{1b}[31mfail     \u{1b}[0m bucket"] {
        assert!(shown.contains(told), "{told:?} is not in {shown:?}");
    }
    assert!(!shown.contains(SECRET), "{shown}");
}
