//! `storage ls`, `cat`, `stat`, `rm`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::bench::Bench;

/// A bench whose data root holds `a`, `a/b`, `a/c/d` and a name that needs quoting in a URI.
fn bench() -> Bench {
    let bench = Bench::with_files();
    for key in ["a", "a/b", "a/c/d", "100%25 #1?.txt"] {
        bench.run(&["cp", "README.md", &format!("@data/{key}")]).ok();
    }
    bench
}

#[test]
fn ls_shows_one_level_or_all_in_order() {
    let bench = bench();
    assert_eq!(bench.run(&["ls"]).ok().names(), ["100%25 #1?.txt", "a", "a/"]);
    assert_eq!(bench.run(&["ls", "-r"]).ok().names(), ["100%25 #1?.txt", "a", "a/b", "a/c/d"]);
    assert_eq!(bench.run(&["ls", "@data/a/"]).ok().names(), ["a/b", "a/c/"]);
    assert_eq!(bench.run(&["ls", "@data/a/b"]).ok().names(), ["a/b"]);
    assert_eq!(bench.run(&["ls", "-r", "docs"]).ok().names(), ["a.txt", "sub/b c.txt"]);
    assert_eq!(bench.run(&["ls", "@cache"]).ok().out, "");
    bench.run(&["ls", "@data/x"]).refused(3, &["\"x\""]);
    bench.run(&["ls", "nowhere/"]).refused(3, &["nowhere"]);
    bench.run(&["ls", "memory://nowhere"]).refused(3, &["memory"]);
}

#[test]
fn the_uri_of_a_listing_opens_the_object() {
    let bench = bench();
    let long = format!("@data/{}/é", "long".repeat(80));
    bench.run(&["cp", "README.md", &long]).ok();
    for line in bench.run(&["ls", "-r", "--json"]).ok().json() {
        let uri = line["uri"].as_str().unwrap();
        assert_eq!(bench.run(&["cat", uri]).ok().out, "read me\n", "{uri}");
        assert_eq!(line["size"], 8);
        assert!(line["etag"].is_string() && line["last_modified"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    let levels = bench.run(&["ls", "--json"]).ok().json();
    assert_eq!((levels.len(), &levels[2]["prefix"]), (4, &"a/".into()));
}

#[test]
fn a_name_that_no_key_expresses_is_told_and_hides_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let bench = Bench::with_files();
    let name = std::ffi::OsStr::from_bytes(b"docs/\xff.txt");
    std::fs::write(bench.path("").join(name), "x").unwrap();
    let run = bench.run(&["ls", "-r", "docs"]);
    assert_eq!((run.code, run.names()), (Some(0), vec!["a.txt", "sub/b c.txt"]));
    assert!(run.err.starts_with("note: left out") && run.err.lines().count() == 1, "{}", run.err);
    let lines = bench.run(&["ls", "-r", "--json", "docs"]).ok().json();
    assert!(lines.iter().any(|line| line["skipped"].is_string() && line["reason"].is_string()), "{lines:?}");
    let run = bench.run(&["add", "docs"]);
    assert_eq!(run.code, Some(1), "not all was added: {run:?}");
    assert!(run.out.contains("2 objects written"), "{}", run.out);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let bench = Bench::new();
    for i in 0..3000 {
        std::fs::write(bench.path(&format!("a name of some length that fills the pipe {i:04}")), "").unwrap();
    }
    for args in [&["ls", "."][..], &["ls", ".", "--json"]] {
        let mut child = bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.contains("0000"), "{line}");
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    }
}

#[test]
fn cat_prints_the_bytes_of_all() {
    let bench = bench();
    assert_eq!(bench.run(&["cat", "README.md", "@data/a", "link.md"]).ok().out, "read me\n".repeat(3));
    bench.run(&["cat", "docs"]).refused(2, &["docs"]);
    bench.run(&["cat", "README.md/x"]).refused(2, &["README.md"]);
}

#[test]
fn stat_tells_of_an_object_and_of_a_level() {
    let bench = bench();
    let object = &bench.run(&["stat", "--json", "@data/a"]).ok().json()[0];
    assert_eq!((&object["key"], &object["size"]), (&"a".into(), &8.into()));
    assert_eq!(std::fs::read_to_string(object["path"].as_str().unwrap()).unwrap(), "read me\n");
    let level = &bench.run(&["stat", "--json", "@data/a/"]).ok().json()[0];
    assert_eq!((&level["objects"], &level["bytes"], &level["skipped"]), (&2.into(), &16.into(), &0.into()));
    let text = bench.run(&["stat", "@data/a"]).ok().out;
    assert!(text.contains("size      8\n"), "{text}");
    bench.run(&["stat", "@data/missing"]).refused(3, &["missing"]);
}

#[test]
fn rm_takes_what_is_named_and_nothing_else() {
    let bench = bench();
    bench.run(&["rm", "@data/a"]).ok();
    assert_eq!(bench.run(&["ls", "-r"]).ok().names(), ["100%25 #1?.txt", "a/b", "a/c/d"]);
    bench.run(&["rm", "@data/a"]).refused(3, &["\"a\""]);
    bench.run(&["rm", "@data/a/"]).refused(2, &["@data/a/"]);
    let removed = &bench.run(&["rm", "-r", "--json", "@data/a/"]).ok().json()[0];
    assert_eq!(removed["removed"], 2);
    bench.run(&["rm", "-r", "@data"]).refused(2, &["--all"]);
    bench.run(&["rm", "-r", "--all", "@data"]).ok();
    assert_eq!(bench.run(&["ls", "-r"]).ok().out, "");
    assert_eq!(bench.run(&["rm", "@data/x", "@data/y"]).code, Some(3));
}

#[test]
fn stat_of_a_name_that_only_begins_keys_is_that_of_their_level() {
    let bench = Bench::with_files();
    bench.run(&["cp", "-r", "docs", "@data/kept/docs"]).ok();
    for place in ["@data/kept", "@data/kept/", "@data/kept/docs"] {
        let level = &bench.run(&["stat", "--json", place]).ok().json()[0];
        assert_eq!((&level["objects"], &level["bytes"]), (&2.into(), &4.into()), "{place}");
    }
    bench.run(&["cp", "README.md", "@data/kept/docs"]).ok();
    assert_eq!(bench.run(&["stat", "--json", "@data/kept/docs"]).ok().json()[0]["size"], 8, "the object comes first");
    bench.run(&["stat", "@data/kep"]).refused(3, &["kep"]);
}
