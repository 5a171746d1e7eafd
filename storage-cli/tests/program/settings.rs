//! Settings: what each wrong one is answered with.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Run};

/// Settings that are wrong, and what the error must hold.
type Wrong<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn each_wrong_setting_is_one_clear_error() {
    let bench = Bench::with_files();
    let cases: [Wrong<'_>; 11] = [
        (&[("DATA_ROOT_DIRECTORY", "gs://b/x")], &["DATA_ROOT_DIRECTORY", "environment", "\"gs\"", "file, memory, s3"]),
        (&[("DATA_ROOT_DIRECTORY", "S3:/x")], &["DATA_ROOT_DIRECTORY", "two slashes"]),
        (&[("DATA_ROOT_DIRECTORY", "s3n://b/x")], &["DATA_ROOT_DIRECTORY", "\"s3n\"", "s3://bucket/prefix"]),
        (&[("STORAGE_BACKEND", "S3")], &["STORAGE_BUCKET_NAME"]),
        (&[("STORAGE_BACKEND", "gcs")], &["STORAGE_BACKEND", "\"gcs\"", "local, memory, s3"]),
        (
            &[("DATA_ROOT_DIRECTORY", "memory://m"), ("STORAGE_BACKEND", "local")],
            &["DATA_ROOT_DIRECTORY", "memory://m", "STORAGE_BACKEND", "\"local\""],
        ),
        (&[("DATA_ROOT_DIRECTORY", "")], &["DATA_ROOT_DIRECTORY", "environment", "empty"]),
        (&[("DATA_ROOT_DIRECTORY", "README.md")], &["DATA_ROOT_DIRECTORY", "README.md", "directory"]),
        (&[("data_root_directory", "README.md/below")], &["data_root_directory", "README.md", "directory"]),
        (&[("STORAGE_LOCAL_DURABILITY", "some")], &["STORAGE_LOCAL_DURABILITY", "\"some\"", "full or fast"]),
        (
            &[("STORAGE_BACKEND", "local"), ("storage_backend", "memory")],
            &["STORAGE_BACKEND", "storage_backend", "environment"],
        ),
    ];
    for (environment, parts) in cases {
        let started = Instant::now();
        bench.run_with(environment, &["add", "a note"]).refused(2, parts);
        assert!(started.elapsed() < Duration::from_secs(5), "{environment:?}");
    }
    assert!(!bench.exists(".storage"));
}

#[test]
fn a_root_that_cannot_be_made_names_its_setting() {
    let bench = Bench::new();
    let run = bench.run_with(&[("DATA_ROOT_DIRECTORY", "/proc/no/such")], &["add", "a note"]);
    assert!([1, 3, 4].contains(&run.code.unwrap()), "{run:?}");
    assert!(run.err.contains("DATA_ROOT_DIRECTORY"), "{run:?}");
}

#[test]
fn a_missing_permission_is_denied_and_names_the_root() {
    let bench = Bench::new();
    let run = unprivileged(&bench, &["add", "a note"]);
    run.refused(4, &["permission denied", "the data root is file://"]);
}

/// Runs the program as a user who may not write to the bench.
fn unprivileged(bench: &Bench, args: &[&str]) -> Run {
    let program = bench.path("storage");
    // By another process: what this one has open for writing, a program that is started meanwhile has too.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_storage")).arg(&program).status();
    assert!(copied.unwrap().success());
    std::fs::set_permissions(bench.path(""), std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = std::process::Command::new(program);
    command.args(args).current_dir(bench.path("")).env_clear();
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let run = loop {
        match command.output() {
            // Another test's child, which has not started its own program yet, still has the copy open.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            output => break Run::of(output.unwrap()),
        }
    };
    std::fs::set_permissions(bench.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    run
}

#[test]
fn roots_tells_which_can_be_used_and_makes_none() {
    let bench = Bench::with_files();
    bench.write("storage.toml", "data_root_directory = 'docs'\nsystem_root_directory = 'README.md/below'\n");
    let run = bench.run(&["roots", "--json"]);
    let states: Vec<_> = run.json().iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["exists", "unusable", "unmade"]);
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    let error = error["error"].as_str().unwrap();
    assert!(error.contains("system root") && error.contains("system_root_directory"), "{error}");
    let run = bench.run(&["roots"]);
    assert!(run.out.contains("will be made") && run.out.contains("cannot be used"), "{run:?}");
    run.refused(2, &["README.md/below", "directory"]);
    assert!(!bench.exists(".storage"));
}

#[test]
fn roots_tells_where_this_user_cannot_write() {
    let bench = Bench::new();
    bench.write("storage.toml", "data_root_directory = 'data'\nsystem_root_directory = 'memory://m'\n");
    std::fs::create_dir(bench.path("data")).unwrap();
    std::fs::set_permissions(bench.path("data"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let run = unprivileged(&bench, &["roots", "--json"]);
    let states: Vec<_> = run.json().iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["read_only", "unmade", "unusable"]);
    assert_eq!(run.code, Some(4));
    assert!(run.err.contains("the cache root") && !run.err.contains("the data root"), "{run:?}");
}

#[test]
fn an_error_elsewhere_is_not_blamed_on_a_root() {
    let bench = Bench::new();
    bench.run(&["add", "a note"]).ok();
    bench.write("file", "");
    let run = bench.run(&["cp", "@data/text_3403af8117ebb858a392014b80cb3833.txt", "file/below"]);
    assert!(!run.refused(2, &["file"]).err.contains("the data root is"));
}

#[test]
fn the_backend_is_taken_in_any_case() {
    let bench = Bench::new();
    for backend in ["local", "Local", "LOCAL"] {
        bench.run_with(&[("STORAGE_BACKEND", backend)], &["add", "a note"]).ok();
    }
    assert_eq!(bench.run(&["ls"]).ok().names(), ["text_3403af8117ebb858a392014b80cb3833.txt"]);
}

#[test]
fn roots_tells_where_each_lies_and_what_put_it_there() {
    let bench = Bench::new();
    bench.write("storage.toml", "data_root_directory = 'files/data'\n");
    bench.write(".env", "SYSTEM_ROOT_DIRECTORY=memory://system\n");
    let run = bench.run(&["roots", "--json"]).ok();
    let lines = run.json();
    let base = bench.path("").canonicalize().unwrap().display().to_string();
    let expected = [
        ("data", format!("file://{base}/files/data"), "local", "data_root_directory", "storage.toml"),
        ("system", "memory://system".to_owned(), "memory", "SYSTEM_ROOT_DIRECTORY", ".env"),
    ];
    for (line, (root, location, driver, setting, source)) in lines.iter().zip(expected) {
        assert_eq!(
            (&line["root"], &line["location"], &line["driver"]),
            (&root.into(), &location.into(), &driver.into())
        );
        assert_eq!(line["setting"], setting);
        assert!(line["source"].as_str().unwrap().ends_with(source), "{line}");
        assert!(line["capabilities"]["put_create_only"] == "yes", "{line}");
    }
    assert_eq!((lines.len(), lines[2]["setting"].is_null()), (3, true));
    let text = bench.run(&["roots"]).ok().out;
    assert!(text.contains("data_root_directory, set in the file") && text.contains("memory://system"), "{text}");
    assert!(!bench.exists("files"));
}

#[test]
fn a_named_settings_file_counts_its_paths_from_itself() {
    let bench = Bench::new();
    bench.write("etc/s.yaml", "DATA_ROOT_DIRECTORY: ../kept\nstorage_local_durability: Fast\n");
    bench.run(&["add", "a note", "--settings", "etc/s.yaml"]).ok();
    assert!(bench.exists("kept/text_3403af8117ebb858a392014b80cb3833.txt"));
    bench.run(&["roots", "--settings", "missing.toml"]).refused(2, &["missing.toml"]);
}

#[test]
fn a_broken_dotenv_line_is_not_told() {
    let bench = Bench::new();
    bench.write(".env", "KEY=hunter2 hunter3\n");
    let run = bench.run(&["roots"]).refused(2, &[".env", "line 1"]);
    assert!(!run.err.contains("hunter"), "{}", run.err);
}

#[test]
fn wrong_usage_ends_with_2() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["nonsense"]).code, Some(2));
    assert_eq!(bench.run(&["add"]).code, Some(2));
    assert_eq!(bench.run(&["rm", "--all", "x"]).code, Some(2));
    bench.run(&["ls", "@nowhere/x"]).refused(2, &["@nowhere/x", "@data"]);
    bench.run(&["cat", "@data/x//y"]).refused(2, &["x//y"]);
    bench.run(&["cat", "@data/../x"]).refused(2, &["../x"]);
    bench.run(&["cat", "memory://m/a?b"]).refused(2, &["%3F"]);
}

#[test]
fn errors_are_json_too_when_asked_for() {
    let bench = Bench::new();
    let run = bench.run(&["--json", "cat", "@data/missing"]);
    assert_eq!((run.code, run.out.as_str()), (Some(3), ""));
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!((&error["status"], &error["kind"]), (&404.into(), &"not found".into()));
    assert!(error["error"].as_str().unwrap().contains("missing"), "{error}");
}
