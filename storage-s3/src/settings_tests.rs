use std::path::Path;

use storage_core::ErrorKind;

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::builder().directory("/work/here").environment_from(pairs.iter().copied()).build().unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Result<S3Options> {
    S3Options::from_settings("bucket", "", &settings(pairs))
}

/// What Debug shows of options, in which a changed field can be looked for.
fn shown(pairs: &[(&str, &str)]) -> String {
    format!("{:?}", read(pairs).unwrap_or_else(|error| panic!("{pairs:?}: {error}")))
}

/// Proves that without settings the options are the defaults, with the machine's own credentials.
#[test]
fn without_settings_options_are_the_defaults() {
    assert_eq!(read(&[]).unwrap(), S3Options::new("bucket"));
    assert_eq!(S3Options::from_settings("b", "a//", &settings(&[])).unwrap().prefix, "a//");
}

/// Proves of every setting that each of its values arrives, names and words in any case.
#[test]
fn every_setting_arrives() {
    let cases = [
        ("AWS_REGION", "eu-west-1", "region: Some(\"eu-west-1\")"),
        ("aws_default_region", "eu-west-2", "region: Some(\"eu-west-2\")"),
        ("AWS_REGION", "AUTO", "region: Some(\"auto\")"),
        ("AWS_ENDPOINT_URL", "HTTP://Host:9000/", "endpoint: Some(\"http://Host:9000\")"),
        ("aws_endpoint_url_s3", "minio.lan:9000", "endpoint: Some(\"https://minio.lan:9000\")"),
        ("AWS_ENDPOINT_URL", "https://[::1]:9000", "endpoint: Some(\"https://[::1]:9000\")"),
        ("AWS_CA_BUNDLE", "ca.pem", "ca_bundle: Some(\"/work/here/ca.pem\")"),
        ("STORAGE_S3_USE_SSL", "No", "use_ssl: false"),
        ("STORAGE_S3_ADDRESSING", "PATH", "addressing: Path"),
        ("STORAGE_S3_ADDRESSING", "virtual", "addressing: VirtualHost"),
        ("STORAGE_S3_ANONYMOUS", "true", "credentials: Anonymous"),
        ("STORAGE_S3_SERVICE", "MinIO", "service: Some(Minio)"),
        ("storage_s3_service", "b2", "service: Some(BackblazeB2)"),
        ("STORAGE_S3_CONDITIONS", "all", "conditions: All"),
        ("STORAGE_S3_CONDITIONS", "none", "conditions: None"),
        ("STORAGE_S3_CONDITIONS", "probe", "conditions: Probe"),
        ("STORAGE_S3_PROXY", "proxy.lan:3128", "proxy: Some(\"http://proxy.lan:3128\")"),
        ("STORAGE_S3_TLS_ROOTS", "bundled", "roots: Bundled"),
        ("STORAGE_S3_CONNECT_TIMEOUT", "1s", "connect: 1s"),
        ("STORAGE_S3_ANSWER_TIMEOUT", "250ms", "answer: 250ms"),
        ("STORAGE_S3_OPERATION_TIMEOUT", "1m 30s", "operation: 90s"),
        ("STORAGE_S3_ATTEMPTS", "1", "attempts: 1,"),
        ("STORAGE_S3_CONNECTIONS", "7", "connections: 7,"),
        ("STORAGE_S3_PART_SIZE", "16 mib", "part_size: 16777216"),
        ("STORAGE_S3_PART_SIZE", "5242880", "part_size: 5242880"),
        ("STORAGE_S3_PART_CONCURRENCY", "9", "part_concurrency: 9,"),
        ("STORAGE_S3_CHECKSUM", "CRC32C", "checksum: Crc32c"),
        ("STORAGE_S3_CHECKSUM", "crc64nvme", "checksum: Crc64Nvme"),
        ("STORAGE_S3_CHECKSUM", "none", "checksum: None"),
        ("STORAGE_S3_SIGN_PAYLOAD", "always", "payload_signing: Signed"),
        ("STORAGE_S3_SIGN_PAYLOAD", "never", "payload_signing: Unsigned"),
        ("STORAGE_S3_STORAGE_CLASS", "STANDARD_IA", "storage_class: Some(\"STANDARD_IA\")"),
        ("STORAGE_S3_ENCRYPTION", "aes256", "encryption: Some(Aes256)"),
        ("STORAGE_S3_ENCRYPTION", "aws:kms", "encryption: Some(Kms { key_id: None })"),
        ("STORAGE_S3_REQUESTER_PAYS", "1", "requester_pays: true"),
    ];
    for (name, value, expected) in cases {
        let options = shown(&[(name, value)]);
        assert!(options.contains(expected), "{name}={value}: {options}");
        assert_ne!(options, shown(&[]), "{name}={value} changed nothing");
    }
    let key = [("STORAGE_S3_ENCRYPTION", "aws:kms"), ("STORAGE_S3_KMS_KEY_ID", "arn:aws:kms:eu-west-1:1:key/2")];
    assert!(shown(&key).contains("key_id: Some(\"arn:aws:kms:eu-west-1:1:key/2\")"));
}

/// Proves that every name of the driver's own stands in the tests above, and that the list is without a double.
#[test]
fn no_setting_is_forgotten() {
    let tests = include_str!("settings_tests.rs").to_ascii_uppercase();
    for name in OWN {
        assert!(tests.contains(&format!("(\"{name}\"")), "{name} is not tested");
    }
    assert!(OWN.is_sorted(), "in order, so that a double would show");
}

/// Proves that the more special name wins, as the AWS tools have it.
#[test]
fn the_more_special_name_wins() {
    let both = [("AWS_DEFAULT_REGION", "eu-west-2"), ("AWS_REGION", "eu-west-1")];
    assert_eq!(read(&both).unwrap().region.as_deref(), Some("eu-west-1"));
    let both = [("AWS_ENDPOINT_URL", "http://one"), ("AWS_ENDPOINT_URL_S3", "http://two")];
    assert_eq!(read(&both).unwrap().endpoint.as_deref(), Some("http://two"));
    let plain = [("AWS_ENDPOINT_URL", "host:9000"), ("STORAGE_S3_USE_SSL", "false")];
    assert_eq!(read(&plain).unwrap().endpoint.as_deref(), Some("http://host:9000"));
}

/// Proves of every wrong value that the error names the setting, its source and what is expected, and shows the value.
#[test]
fn every_wrong_value_is_told() {
    let cases = [
        ("AWS_REGION", "eu west", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "ftp://host", "scheme"),
        ("AWS_ENDPOINT_URL", "http://host/path", "path"),
        ("AWS_ENDPOINT_URL", "host:port", "port"),
        ("AWS_ENDPOINT_URL", "https://", "no host"),
        ("AWS_ENDPOINT_URL", "http://host:99999", "port"),
        ("AWS_ENDPOINT_URL", "/", "no host"),
        ("STORAGE_S3_USE_SSL", "perhaps", "true or false"),
        ("STORAGE_S3_ADDRESSING", "host", "auto or path or virtual"),
        ("STORAGE_S3_ANONYMOUS", "2", "true or false"),
        ("STORAGE_S3_SERVICE", "minioo", "minio"),
        ("STORAGE_S3_CONDITIONS", "some", "service or all or none or probe"),
        ("STORAGE_S3_PROXY", "https://proxy:1", "http only"),
        ("STORAGE_S3_PROXY", "http://proxy/path", "path"),
        ("STORAGE_S3_TLS_ROOTS", "mozilla", "system or bundled"),
        ("STORAGE_S3_CONNECT_TIMEOUT", "5", "unit"),
        ("STORAGE_S3_ANSWER_TIMEOUT", "0s", "1ms to 24h"),
        ("STORAGE_S3_OPERATION_TIMEOUT", "1week", "1ms to 24h"),
        ("STORAGE_S3_ATTEMPTS", "0", "1 to 100"),
        ("STORAGE_S3_ATTEMPTS", "many", "1 to 100"),
        ("STORAGE_S3_CONNECTIONS", "-1", "1 to 10000"),
        ("STORAGE_S3_PART_SIZE", "4MiB", "5MiB to 5GiB"),
        ("STORAGE_S3_PART_SIZE", "6GiB", "5MiB to 5GiB"),
        ("STORAGE_S3_PART_SIZE", "8MB", "8MiB"),
        ("STORAGE_S3_PART_SIZE", "99999999999999999999GiB", "8MiB"),
        ("STORAGE_S3_PART_CONCURRENCY", "1001", "1 to 1000"),
        ("STORAGE_S3_CHECKSUM", "md5", "crc32c"),
        ("STORAGE_S3_SIGN_PAYLOAD", "true", "always"),
        ("STORAGE_S3_STORAGE_CLASS", "cold storage", "STANDARD_IA"),
        ("STORAGE_S3_ENCRYPTION", "rot13", "AES256 or aws:kms"),
        ("STORAGE_S3_KMS_KEY_ID", "key", "STORAGE_S3_ENCRYPTION"),
        ("STORAGE_S3_REQUESTER_PAYS", "me", "true or false"),
    ];
    for (name, value, told) in cases {
        let error = read(&[(name, value)]).expect_err(&format!("{name}={value}"));
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let text = error.to_string();
        for part in [name, "the environment", "expected: ", told, value] {
            assert!(text.contains(part), "{name}={value}: {part:?} is missing in {text}");
        }
    }
}

/// Proves that a scheme and STORAGE_S3_USE_SSL that contradict each other are an error, which names both.
#[test]
fn a_scheme_that_contradicts_use_ssl_is_an_error() {
    for (endpoint, ssl) in [("http://host", "true"), ("https://host", "false")] {
        let error = read(&[("AWS_ENDPOINT_URL", endpoint), ("STORAGE_S3_USE_SSL", ssl)]).unwrap_err().to_string();
        assert!(error.contains("AWS_ENDPOINT_URL") && error.contains("STORAGE_S3_USE_SSL"), "{error}");
    }
    assert!(read(&[("AWS_ENDPOINT_URL", "https://host"), ("STORAGE_S3_USE_SSL", "true")]).is_ok());
}

/// Proves that a name which does not exist is an error with the nearest that does, and that its value stays untold.
#[test]
fn an_unknown_name_is_told_with_the_nearest() {
    let cases = [
        ("STORAGE_S3_CONECTIONS", "STORAGE_S3_CONNECTIONS"),
        ("storage_s3_partsize", "STORAGE_S3_PART_SIZE"),
        ("STORAGE_S3_SECRET_KEY", "STORAGE_S3_"),
    ];
    for (name, nearest) in cases {
        let error = read(&[(name, "hunter2")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(nearest) && text.contains("the environment"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// Proves that keys are taken whole or not at all, and win over the chain, which then reads nothing (rule S10).
#[test]
fn keys_are_whole_and_hermetic() {
    let keys = [
        ("aws_access_key_id", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_PROFILE", "work"),
        ("HOME", "/home/me"),
    ];
    assert_eq!(read(&keys).unwrap().credentials, Credentials::keys("AKIA", "hunter2"));
    let token = read(&[keys[0], keys[1], ("AWS_SESSION_TOKEN", "hunter3")]).unwrap();
    assert!(matches!(&token.credentials, Credentials::Keys { session_token: Some(token), .. } if token == "hunter3"));
    assert!(matches!(
        read(&[keys[0], keys[1], ("STORAGE_S3_ANONYMOUS", "yes")]).unwrap().credentials,
        Credentials::Anonymous
    ));

    let incomplete: [(&[(&str, &str)], &str); 4] = [
        (&keys[..1], "AWS_SECRET_ACCESS_KEY"),
        (&keys[1..2], "AWS_ACCESS_KEY_ID"),
        (&[("AWS_SESSION_TOKEN", "hunter3")], "AWS_ACCESS_KEY_ID"),
        (&[("AWS_SESSION_TOKEN", "hunter3"), keys[0]], "AWS_SECRET_ACCESS_KEY"),
    ];
    for (pairs, missing) in incomplete {
        let error = read(pairs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(text.contains(missing) && text.contains("the environment"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}

/// Proves that a key with a space or a line break in it is told before anything is signed with it, and is not shown.
#[test]
fn a_key_that_was_copied_badly_is_told() {
    let error = read(&[("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hunter2\n")]).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("AWS_SECRET_ACCESS_KEY") && text.contains("line break"), "{text}");
    assert!(!text.contains("hunter"), "{text}");
}

/// Proves that the chain gets what the AWS tools read and nothing else, whatever the process environment holds.
#[test]
fn the_chain_reads_the_settings_alone() {
    let options = read(&[
        ("aws_profile", "work"),
        ("HOME", "/home/me"),
        ("AWS_CONFIG_FILE", "aws.ini"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/keys"),
        ("HTTPS_PROXY", "http://proxy:1"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let Credentials::Chain(chain) = &options.credentials else {
        panic!("{:?}", options.credentials);
    };
    let expected = [
        ("AWS_CONFIG_FILE", "/work/here/aws.ini"),
        ("AWS_PROFILE", "work"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/keys"),
        ("HOME", "/home/me"),
    ];
    assert_eq!(chain.environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(options.proxy, None, "HTTPS_PROXY is not honoured");
}

/// Proves that a relative CA bundle counts from the file that names it.
#[test]
fn a_relative_ca_bundle_counts_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("etc")).unwrap();
    std::fs::write(directory.path().join("etc/s.toml"), "aws_ca_bundle = 'ca.pem'\n").unwrap();
    let settings = Settings::builder().directory(directory.path()).file("etc/s.toml").build().unwrap();
    let options = S3Options::from_settings("b", "", &settings).unwrap();
    assert_eq!(options.tls.ca_bundle.as_deref(), Some(directory.path().join(Path::new("etc/ca.pem")).as_path()));
}

/// Proves that no secret shows: in Debug of the options, in errors of URLs that carry one (rule S09).
#[test]
fn no_secret_is_told() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hunter2"), ("AWS_SESSION_TOKEN", "hunter3")];
    let text = shown(&keys);
    assert!(text.contains("AKIA") && !text.contains("hunter"), "{text}");
    assert!(!shown(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2")]).contains("hunter"));
    let urls = [
        ("AWS_ENDPOINT_URL", "http://me:hunter2@host"),
        ("AWS_ENDPOINT_URL", "me:hunter2@host:9000"),
        ("AWS_ENDPOINT_URL", "http://host?token=hunter2"),
        ("AWS_ENDPOINT_URL", "http://host#hunter2"),
        ("STORAGE_S3_PROXY", "http://me:hunter2@proxy:1"),
        ("STORAGE_S3_PROXY", "http://proxy:1?hunter2"),
    ];
    for (name, url) in urls {
        let error = read(&[(name, url)]).expect_err(url);
        let text = format!("{error} {error:?}");
        assert!(text.contains(name) && text.contains("expected"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}

/// Proves that a bucket's name which would change an address is refused, by the setting's name where one gave it.
#[test]
fn a_name_that_no_bucket_has_is_refused() {
    for name in ["", ".", "..", "a/b", "a b", "a\nb", "a?b", "a#b", "a%2fb", "me@host"] {
        let error = S3Options::from_settings(name, "", &settings(&[])).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
        assert_eq!(S3Options::new(name).check().expect_err(name).kind(), ErrorKind::Configuration);
    }
    for name in ["my-data", "My_Data", "a.b", "x", "bücket"] {
        assert!(S3Options::from_settings(name, "", &settings(&[])).is_ok(), "{name}");
    }
    let named = settings(&[("STORAGE_BUCKET_NAME", "a b")]);
    let error = S3Options::from_settings("a b", "", &named).unwrap_err().to_string();
    assert!(error.contains("STORAGE_BUCKET_NAME") && error.contains("the environment"), "{error}");
}

/// Proves that options which a program made wrong are refused before anything is sent.
#[test]
fn options_of_a_program_are_checked() {
    let wrong: [fn(&mut S3Options); 6] = [
        |options| options.endpoint = Some("http://host/path".to_owned()),
        |options| options.part_size = 1,
        |options| options.part_size = 6 << 30,
        |options| options.connections = 0,
        |options| options.part_concurrency = 0,
        |options| options.retries.attempts = 0,
    ];
    for change in wrong {
        let mut options = S3Options::new("b");
        change(&mut options);
        assert_eq!(options.check().unwrap_err().kind(), ErrorKind::Configuration);
    }
    assert!(S3Options::new("b").check().is_ok());
}
