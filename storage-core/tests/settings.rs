//! Settings: which source wins, what is refused, and that no secret is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use storage_core::settings::{DATA_ROOT_DIRECTORY, STORAGE_BACKEND, SettingsBuilder, Source};
use storage_core::{Error, ErrorKind, Settings};

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// The error of a build that must fail, after a look that it is one of configuration.
fn refused(builder: SettingsBuilder) -> Error {
    let error = builder.build().expect_err("these settings are wrong");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error
}

fn from_environment(pairs: &[(&str, &str)]) -> SettingsBuilder {
    Settings::builder().environment_from(pairs.iter().copied())
}

#[test]
fn the_later_source_wins_whatever_the_order_of_the_calls() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "s.toml", "a = 'file'\nb = 'file'\nc = 'file'\nd = 'file'\n");
    write(directory.path(), ".env", "B=dotenv\nC=dotenv\nD=dotenv\n");
    let settings = Settings::builder()
        .set("d", "program")
        .environment_from([("C", "environment"), ("D", "environment")])
        .dotenv(".env")
        .file("s.toml")
        .directory(directory.path())
        .build()
        .unwrap();
    for (name, value) in [("a", "file"), ("B", "dotenv"), ("c", "environment"), ("D", "program")] {
        assert_eq!(settings.get(name).unwrap().unwrap().value(), value, "{name}");
    }
    let source = settings.get("b").unwrap().unwrap().source().clone();
    assert_eq!(source, Source::DotEnv(directory.path().join(".env")));
    assert_eq!(settings.get("missing").unwrap(), None);
}

#[test]
fn every_format_of_a_file_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("s.toml", "Storage_Backend = \"memory\"\nretries = 3\nssl = true\n"),
        ("s.yaml", "Storage_Backend: memory\nretries: 3\nssl: true\n"),
        ("s.yml", "Storage_Backend: memory\nretries: 3\nssl: true\n"),
        ("s.json", "{\"Storage_Backend\": \"memory\", \"retries\": 3, \"ssl\": true}"),
    ];
    for (name, text) in files {
        write(directory.path(), name, text);
        let settings = Settings::builder().directory(directory.path()).file(name).build().unwrap();
        for (key, value) in [("STORAGE_BACKEND", "memory"), ("RETRIES", "3"), ("SSL", "true")] {
            assert_eq!(settings.get(key).unwrap().unwrap().value(), value, "{key} in {name}");
        }
    }
}

#[test]
fn files_of_the_directory_are_found_and_two_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let here = || Settings::builder().directory(directory.path()).discover();
    assert_eq!(here().build().unwrap().get("x").unwrap(), None);
    write(directory.path(), "storage.yml", "x: file\ny: file\n");
    write(directory.path(), ".env", "Y=dotenv\n");
    let settings = here().build().unwrap();
    assert_eq!(settings.get("x").unwrap().unwrap().value(), "file");
    assert_eq!(settings.get("y").unwrap().unwrap().value(), "dotenv");
    write(directory.path(), "storage.toml", "x = 'other'\n");
    let message = refused(here()).to_string();
    assert!(message.contains("storage.yml") && message.contains("storage.toml"), "{message}");
}

#[test]
fn two_spellings_with_two_values_in_one_source_are_an_error() {
    let error = refused(from_environment(&[("storage_backend", "local"), ("STORAGE_BACKEND", "memory")]));
    for part in ["storage_backend", "STORAGE_BACKEND", "the environment"] {
        assert!(error.message().contains(part), "{error}");
    }
    let same = from_environment(&[("storage_backend", "local"), ("STORAGE_BACKEND", "local")]);
    assert_eq!(same.build().unwrap().get(STORAGE_BACKEND).unwrap().unwrap().value(), "local");
    let apart = from_environment(&[("storage_backend", "local")]).set("STORAGE_BACKEND", "memory");
    assert_eq!(apart.build().unwrap().get(STORAGE_BACKEND).unwrap().unwrap().value(), "memory");
}

#[test]
fn names_of_others_are_judged_only_when_asked_for() {
    let settings = from_environment(&[("http_proxy", "a"), ("HTTP_PROXY", "b"), ("EMPTY", "")]).build().unwrap();
    for name in ["http_proxy", "EMPTY"] {
        let error = settings.get(name).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn an_empty_value_and_one_that_is_no_text_name_the_setting_and_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let error = refused(from_environment(&[("Data_Root_Directory", "")]));
    assert_eq!(error.message(), "Data_Root_Directory, set in the environment, is empty");
    write(directory.path(), "s.toml", "storage_backend = ['local']\n");
    let error = refused(Settings::builder().directory(directory.path()).file("s.toml"));
    assert!(error.message().contains("storage_backend") && error.message().contains("s.toml"), "{error}");
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = std::ffi::OsString::from_vec(vec![0xff]);
    let error = refused(Settings::builder().environment_from([(DATA_ROOT_DIRECTORY, bytes)]));
    assert!(error.message().contains("not UTF-8"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_its_content_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("a.toml", "ok = 1\nsecret = hunter2\n", "line 2"),
        ("a.yaml", "ok: 1\nsecret: [hunter2\n", "line"),
        ("b.yaml", "hunter2\n", "b.yaml"),
        ("a.json", "{\"secret\": hunter2}", "line 1"),
        ("b.json", "\"hunter2\"", "b.json"),
        ("a.txt", "secret = hunter2", "no known format"),
    ];
    for (name, text, told) in files {
        write(directory.path(), name, text);
        let error = refused(Settings::builder().directory(directory.path()).file(name));
        assert!(error.message().contains(name) && error.message().contains(told), "{name}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let error = refused(Settings::builder().directory(directory.path()).file("missing.toml"));
    assert!(error.message().contains("missing.toml"), "{error}");
}

#[test]
fn a_broken_line_of_dotenv_is_told_by_its_number() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), ".env", "# comment\nA=1\nSECRET=hunter2 hunter3\n");
    let error = refused(Settings::builder().directory(directory.path()).dotenv(".env"));
    assert!(error.message().contains("line 3"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
}

#[test]
fn dotenv_has_quotes_exports_and_a_byte_order_mark_and_leaves_the_environment_alone() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), ".env", "\u{feff}FIRST=1\nexport SECOND='a # b'\nTHIRD=\"c d\"\n");
    let settings = Settings::builder().directory(directory.path()).dotenv(".env").build().unwrap();
    for (name, value) in [("FIRST", "1"), ("SECOND", "a # b"), ("THIRD", "c d")] {
        assert_eq!(settings.get(name).unwrap().unwrap().value(), value);
        assert!(std::env::var_os(name).is_none());
    }
}

#[test]
fn debug_shows_no_value_of_an_unknown_name_and_no_password() {
    let settings = from_environment(&[
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("STORAGE_BACKEND", "memory"),
        ("DATA_ROOT_DIRECTORY", "s3://key:hunter2@bucket"),
    ]);
    let settings = settings.build().unwrap();
    let secret = settings.get("aws_secret_access_key").unwrap().unwrap();
    let told = format!("{settings:?} {secret:?} {}", secret.refused("it is wrong", "another"));
    assert!(told.contains("AWS_SECRET_ACCESS_KEY") && told.contains("memory"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

/// Proves that a driver can find names that it does not know, faulty ones too, and that it says itself which values may be
/// shown.
#[test]
fn a_driver_finds_names_under_its_own_and_shows_what_is_no_secret() {
    let settings = from_environment(&[("vault_b", ""), ("VAULT_A", "slow"), ("VAULTS", "x"), ("OTHER", "x")]);
    let settings = settings.build().unwrap();
    assert_eq!(settings.names_under("Vault_").collect::<Vec<_>>(), ["VAULT_A", "VAULT_B"]);
    let setting = settings.get("vault_a").unwrap().unwrap();
    assert!(!setting.refused("it is wrong", "fast").to_string().contains("slow"));
    let told = setting.public().choose(&["fast", "safe"]).expect_err("it is neither").to_string();
    assert!(told.contains("VAULT_A = \"slow\"") && told.contains("fast or safe"), "{told}");
}
