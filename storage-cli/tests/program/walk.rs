//! `storage walk`.

use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use crate::bench::Bench;

fn bench() -> Bench {
    let bench = Bench::with_files();
    for name in ["src/main.rs", "src/deep/lib.rs", "src/deep/big.RS", "node_modules/x/index.js", "é.md"] {
        bench.write(&format!("tree/{name}"), name);
    }
    bench
}

fn keys(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["key"].as_str()).collect()
}

#[test]
fn walk_takes_what_passes_the_filter_in_order() {
    let bench = bench();
    let cases: [(&[&str], &[&str]); 9] = [
        (&[], &["node_modules/x/index.js", "src/deep/big.RS", "src/deep/lib.rs", "src/main.rs", "é.md"]),
        (&["--ext", "rs,.MD"], &["src/deep/big.RS", "src/deep/lib.rs", "src/main.rs", "é.md"]),
        (&["--include", "src/*"], &["src/main.rs"]),
        (&["--include", "src/*", "--literal-separator=false"], &["src/deep/big.RS", "src/deep/lib.rs", "src/main.rs"]),
        (
            &["--exclude", "src/**", "--exclude", "!src/deep/**", "--exclude", "*/*/*.js"],
            &["src/deep/big.RS", "src/deep/lib.rs", "é.md"],
        ),
        (&["--max-size", "11"], &["src/main.rs", "é.md"]),
        (&["--min-size", "16"], &["node_modules/x/index.js"]),
        (&["--limit", "2"], &["node_modules/x/index.js", "src/deep/big.RS"]),
        (&["--older", "1h"], &[]),
    ];
    for (filter, expected) in cases {
        let run = bench.run(&[&["walk", "tree"], filter].concat()).ok();
        assert_eq!(run.names(), expected, "{filter:?}");
        let lines = bench.run(&[&["walk", "--json", "tree", "--newer", "1h"], filter].concat());
        if !filter.contains(&"--older") {
            assert_eq!(keys(&lines.ok().json()), expected, "{filter:?}");
        }
    }
}

#[test]
fn walk_reports_at_its_end() {
    let bench = bench();
    let lines = bench.run(&["walk", "--json", "tree", "--exclude", "**/node_modules/**", "--ext", "rs"]).ok().json();
    let (report, items) = lines.split_last().unwrap();
    assert_eq!(items.len(), 3);
    let first = &items[0];
    assert_eq!(
        (&first["key"], &first["size"], &first["content_type"]),
        (&"src/deep/big.RS".into(), &15.into(), &"text/x-rust".into())
    );
    assert_eq!(first["fingerprint"], format!("etag:{}", first["etag"].as_str().unwrap()));
    assert!(first["uri"].as_str().unwrap().ends_with("/tree/src/deep/big.RS") && first["modified"].is_string());
    let report = &report["report"];
    assert_eq!((&report["complete"], &report["outcome"]), (&true.into(), &"complete".into()));
    assert_eq!(
        (&report["scanned"], &report["matched"], &report["pruned_directories"]),
        (&4.into(), &3.into(), &1.into())
    );
    assert_eq!(report["left_out"], serde_json::json!({ "wrong_extension": 1 }));
}

#[test]
fn walk_names_what_no_key_expresses() {
    let bench = bench();
    let name = std::ffi::OsStr::from_bytes(b"tree/\xff.txt");
    std::fs::write(bench.path("").join(name), "x").unwrap();
    let run = bench.run(&["walk", "tree"]);
    assert_eq!((run.code, run.err.lines().count()), (Some(0), 1), "{run:?}");
    assert!(run.err.contains("left out \"\u{fffd}.txt\": the name is not UTF-8"), "{}", run.err);
    let report = bench.run(&["walk", "--json", "tree"]).ok().json().pop().unwrap();
    assert_eq!(report["report"]["left_out"]["not_expressible"], 1);
    assert_eq!(report["report"]["names"][0]["reason"], "not_expressible");
}

#[test]
fn walk_refuses_what_is_wrong_before_it_lists() {
    let bench = bench();
    bench.run(&["walk", "nowhere/", "--include", "src/[a"]).refused(2, &["\"src/[a\"", "character 5"]);
    for (option, wrong, right) in [("--max-size", "much", "4MiB"), ("--newer", "noon", "7d")] {
        let run = bench.run(&["walk", "tree", option, wrong]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.err.contains(wrong) && run.err.contains(right), "{run:?}");
    }
    let missing = bench.run(&["walk", "nowhere/"]);
    assert!(missing.code == Some(3) && missing.err.contains("nowhere"), "{missing:?}");
    bench.run(&["cp", "README.md", "@data/object"]).ok();
    bench.run(&["walk", "@data/object"]).refused(2, &["object", "stat"]);
    bench.run(&["walk", "@data/none"]).refused(3, &["none"]);
}
