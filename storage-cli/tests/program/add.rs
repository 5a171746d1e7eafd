//! `storage add`.

use serde_json::json;

use crate::bench::Bench;

const README: &str = "2eb6f3d85c8037648139f3ae51ee5274/README.md";

#[test]
fn a_directory_and_memory_give_the_same_keys_and_output() {
    let bench = Bench::with_files();
    let args = ["add", "README.md", "docs", "a note to remember", "README.md"];
    let local = bench.run(&args).ok();
    let memory = bench.run_with(&[("STORAGE_BACKEND", "memory")], &args);
    assert_eq!(memory.out, local.out);
    assert_eq!(memory.code, Some(0));
    assert!(memory.err.contains("memory://data") && memory.err.contains("nothing of this remains"), "{}", memory.err);
    assert!(bench.exists(&format!(".storage/data/{README}")), "{}", local.out);
}

#[test]
fn the_same_bytes_are_kept_and_said_to_be_kept() {
    let bench = Bench::with_files();
    let first = bench.run(&["add", "README.md", "docs", "note"]).ok();
    assert!(first.out.ends_with("4 objects written, 0 already there\n"), "{}", first.out);
    let again = bench.run(&["add", "README.md", "docs", "note"]).ok();
    assert!(again.out.ends_with("0 objects written, 4 already there\n"), "{}", again.out);
    assert!(again.out.lines().filter(|line| line.starts_with("kept\t")).count() == 4, "{}", again.out);
}

#[test]
fn each_input_is_one_json_object() {
    let bench = Bench::with_files();
    let lines = bench.run(&["add", "--json", "README.md", "a note"]).ok().json();
    let uri = |key: &str| format!("file://{}/{key}", bench.path(".storage/data").canonicalize().unwrap().display());
    assert_eq!(
        lines[0],
        json!({
            "input": "README.md", "key": README, "md5": &README[..32], "size": 8, "uri": uri(README), "written": true,
        })
    );
    assert_eq!(lines[1]["key"], "text_3403af8117ebb858a392014b80cb3833.txt");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_missing_path_is_an_error_before_anything_is_written() {
    let bench = Bench::with_files();
    bench.run(&["add", "README.md", "missing.pdf"]).refused(3, &["missing.pdf", "--text"]);
    assert!(!bench.exists(".storage"));
    bench.run(&["add", "--text", "missing.pdf"]).ok();
    bench.run(&["add", "--path", "a note"]).refused(3, &["a note"]);
    bench.run(&["add", "gs://bucket/x"]).refused(2, &["\"gs\"", "file, memory"]);
    bench.run(&["add", "memory://nothing/x"]).refused(3, &["memory"]);
}

#[test]
fn the_roots_themselves_are_left_out_of_a_directory() {
    let bench = Bench::with_files();
    bench.run(&["cp", "README.md", "@system/own.txt"]).ok();
    let first = bench.run(&["add", "."]).ok();
    let again = bench.run(&["add", "."]).ok();
    assert_eq!(first.out.lines().count(), again.out.lines().count());
    assert!(!again.out.contains("own.txt") && again.out.contains("\t2\t"), "{}", again.out);
    bench.run(&["add", ".storage/data"]).refused(2, &["the data root itself"]);
}

#[test]
fn a_link_that_is_named_is_followed() {
    let bench = Bench::with_files();
    let run = bench.run(&["add", "link.md"]).ok();
    assert!(run.out.contains(README), "{}", run.out);
}
