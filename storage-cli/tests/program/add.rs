//! `storage add`.

use std::os::unix::ffi::OsStrExt as _;

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
    assert_eq!((&lines[2]["report"]["matched"], &lines[2]["report"]["complete"]), (&1.into(), &true.into()));
    assert_eq!(lines.len(), 3);
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

/// A tree of which the filters below take some.
fn with_tree() -> Bench {
    let bench = Bench::with_files();
    for name in ["a.md", "b.txt", "long.md", "skip/c.md", "skip/deep/d.md", "sub/e.MD", "sub/f.rs"] {
        bench.write(&format!("tree/{name}"), name);
    }
    bench.write("tree/long.md", "longer than the others");
    bench
}

/// The names that were added, in the order of the output.
fn added(lines: &[serde_json::Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["key"].as_str()?.split_once('/').map(|(_, name)| name)).collect()
}

#[test]
fn a_filter_says_what_is_taken_and_the_report_what_was_left_out() {
    let bench = with_tree();
    let filter = ["--ext", "md", "--exclude", "skip/**", "--max-size", "10"];
    let lines = bench.run(&[&["add", "--json", "tree", "a note"], &filter[..]].concat()).ok().json();
    assert_eq!(added(&lines), ["a.md", "e.MD"]);
    assert!(lines[2]["key"].as_str().unwrap().starts_with("text_"), "text is not filtered: {lines:?}");
    let report = &lines[3]["report"];
    assert_eq!(report["left_out"], json!({ "wrong_extension": 2, "too_large": 1 }));
    let counts = ["scanned", "matched", "pruned_directories"].map(|name| report[name].as_u64().unwrap());
    assert_eq!((counts, &report["complete"]), ([5, 2, 1], &true.into()));

    let text = bench.run(&[&["add", "tree"], &filter[..]].concat()).ok().out;
    let end = "0 objects written, 2 already there\n\
               left out: 2 wrong extension, 1 too large, 1 excluded directory not listed\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn what_is_named_is_judged_by_its_name_and_the_limit_counts_over_all() {
    let bench = with_tree();
    let run = bench.run(&["add", "--json", "tree/b.txt", "tree/a.md", "tree", "--include", "*.md"]).ok();
    assert_eq!(added(&run.json()), ["a.md", "a.md", "long.md"]);
    let lines = bench.run(&["add", "--json", "tree/b.txt", "docs", "tree", "tree/a.md", "--limit", "4"]).ok().json();
    assert_eq!(added(&lines), ["b.txt", "a.txt", "b c.txt", "a.md"]);
    let report = &lines[4]["report"];
    assert_eq!((&report["outcome"], &report["complete"]), (&"limited".into(), &false.into()));
    assert_eq!(report["left_out"], json!({ "over_limit": 2 }), "one at which the walk ended, and one that was named");
}

#[test]
fn a_wrong_filter_is_told_before_anything_is_written() {
    let bench = with_tree();
    bench.run(&["add", "tree", "--exclude", "!skip/[a"]).refused(2, &["exclude", "character 7"]);
    assert!(!bench.exists(".storage"));
}

#[test]
fn no_filter_brings_the_roots_themselves_in() {
    let bench = Bench::with_files();
    bench.run(&["cp", "README.md", "@system/own.txt"]).ok();
    let filter = ["--exclude", "**", "--exclude", "!**/*.txt", "--limit", "9"];
    let lines = bench.run(&[&["add", "--json", "."], &filter[..]].concat()).ok().json();
    assert_eq!(added(&lines), ["a.txt", "b c.txt"]);
    assert_eq!(lines[2]["report"]["outcome"], "complete");
}

#[test]
fn names_that_no_key_expresses_are_told_and_the_rest_is_added() {
    let bench = with_tree();
    std::fs::write(bench.path("tree").join(std::ffi::OsStr::from_bytes(b"\xff.md")), "x").unwrap();
    let run = bench.run(&["add", "tree", "--ext", "md"]);
    assert_eq!((run.code, run.err.lines().count()), (Some(1), 1), "{run:?}");
    assert!(run.err.contains("left out \"\u{fffd}.md\"") && run.out.contains("1 no key can express it"), "{run:?}");
    assert!(run.out.contains("5 objects written"), "{run:?}");
}

#[test]
fn an_input_that_fails_keeps_no_other_from_being_added() {
    let bench = with_tree();
    bench.run(&["add", "a note"]).ok();
    let run = bench.run(&["add", "--json", "memory://nothing/x", "tree/a.md", ".storage/data", "a note"]);
    let lines = run.json();
    assert_eq!(added(&lines), ["a.md"]);
    assert_eq!((run.code, run.err.lines().count(), lines.len()), (Some(1), 2, 3), "two codes, two errors: {run:?}");
    let report = &lines[2]["report"];
    assert_eq!((&report["outcome"], &report["complete"]), (&"failed".into(), &false.into()));
    assert!(report["error"].as_str().unwrap().contains("memory"), "the first: {report}");
    let run = bench.run(&["add", "memory://nothing/x", "tree/b.txt"]).refused(3, &["memory"]);
    assert!(run.out.ends_with("1 object written, 0 already there\n"), "{}", run.out);
}
