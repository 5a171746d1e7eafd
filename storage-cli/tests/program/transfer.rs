//! `storage cp` and `storage mv`.

use crate::bench::Bench;

#[test]
fn a_target_that_is_a_level_or_a_directory_takes_the_name() {
    let bench = Bench::with_files();
    bench.run(&["cp", "docs/a.txt", "@data/new.txt"]).ok();
    bench.run(&["cp", "docs/a.txt", "@data/x/"]).ok();
    bench.run(&["cp", "docs/a.txt", "@data"]).ok();
    assert_eq!(bench.run(&["ls", "-r"]).ok().names(), ["a.txt", "new.txt", "x/a.txt"]);
    bench.run(&["cp", "@data/x/a.txt", "docs/sub"]).ok();
    bench.run(&["cp", "@data/x/a.txt", "made/deep/"]).ok();
    bench.run(&["cp", "@data/x/a.txt", "made/other.txt"]).ok();
    for copy in ["docs/sub/a.txt", "made/deep/a.txt", "made/other.txt"] {
        assert_eq!(bench.read(copy), "a\n", "{copy}");
    }
}

#[test]
fn a_recursive_copy_keeps_the_keys_under_the_level() {
    let bench = Bench::with_files();
    bench.run(&["cp", "-r", "docs", "@data/in"]).ok();
    assert_eq!(bench.run(&["ls", "-r"]).ok().names(), ["in/a.txt", "in/sub/b c.txt"]);
    bench.run(&["cp", "-r", "@data/in/sub", "out"]).ok();
    assert_eq!(bench.read("out/b c.txt"), "b\n");
    let lines = bench.run(&["cp", "-r", "--json", "@data/in", "@data/again/"]).ok().json();
    assert_eq!((lines.len(), &lines[0]["size"]), (2, &2.into()));
    assert!(lines[1]["to"].as_str().unwrap().ends_with("/again/sub/b%20c.txt"), "{lines:?}");
    bench.run(&["cp", "-r", "@data/in/a.txt", "@data/single/"]).ok();
    assert_eq!(bench.run(&["ls", "@data/single/"]).ok().names(), ["single/a.txt"]);
    bench.run(&["cp", "docs", "@data/"]).refused(2, &["docs", "-r"]);
    bench.run(&["cp", "-r", "@data/none", "x"]).refused(3, &["none"]);
}

#[test]
fn a_target_inside_the_source_is_refused() {
    let bench = Bench::with_files();
    bench.run(&["cp", "-r", ".", "@data/all"]).refused(2, &["lies inside"]);
    bench.run(&["cp", "-r", ".", "docs"]).refused(2, &["lies inside"]);
    bench.run(&["mv", "-r", "@data", "@data/x"]).refused(2, &["lies inside"]);
    assert!(!bench.exists(".storage"));
}

#[test]
fn memory_and_directories_copy_to_each_other() {
    let bench = Bench::with_files();
    let lines = bench.run(&["cp", "-r", "--json", "docs", "memory://m/docs"]).ok().json();
    assert_eq!(lines[0]["to"], "memory://m/docs/a.txt");
    let memory = [("SYSTEM_ROOT_DIRECTORY", "memory://s")];
    bench.run_with(&memory, &["cp", "docs/a.txt", "@system/"]).ok();
    bench.run_with(&memory, &["cp", "@system/a.txt", "back.txt"]).refused(3, &["a.txt"]);
    assert!(!bench.exists("back.txt"));
}

#[test]
fn a_missing_source_leaves_the_target_as_it_was() {
    let bench = Bench::with_files();
    for command in ["cp", "mv"] {
        bench.run(&[command, "missing.txt", "README.md"]).refused(3, &["missing.txt"]);
        bench.run(&[command, "nowhere/missing.txt", "README.md"]).refused(3, &["nowhere"]);
    }
    assert_eq!(bench.read("README.md"), "read me\n");
}

#[test]
fn mv_leaves_one_object_where_there_was_one() {
    let bench = Bench::with_files();
    bench.run(&["mv", "README.md", "@data/moved"]).ok();
    assert!(!bench.exists("README.md"));
    bench.run(&["mv", "@data/moved", "@data/renamed"]).ok();
    bench.run(&["mv", "-r", "docs", "@data/docs"]).ok();
    assert_eq!(bench.run(&["ls", "-r"]).ok().names(), ["docs/a.txt", "docs/sub/b c.txt", "renamed"]);
    assert_eq!(bench.run(&["cat", "@data/renamed"]).ok().out, "read me\n");
    assert_eq!(bench.run(&["ls", "-r", "docs"]).ok().out, "");
}

#[test]
fn moving_an_object_onto_itself_keeps_it_by_whatever_name() {
    let bench = Bench::with_files();
    let roots = [("DATA_ROOT_DIRECTORY", "docs")];
    std::os::unix::fs::symlink("sub", bench.path("docs/alias")).unwrap();
    let ways = [
        ("docs/sub/b c.txt", "docs/sub/b c.txt"),
        ("docs/sub/b c.txt", "docs/../docs/sub/"),
        ("docs/sub/b c.txt", "@data/sub/b c.txt"),
        ("@data/sub/b c.txt", "docs/sub/b c.txt"),
        ("docs/alias/b c.txt", "@data/alias/b c.txt"),
    ];
    for (from, to) in ways {
        bench.run_with(&roots, &["mv", from, to]).ok();
        assert_eq!(bench.read("docs/sub/b c.txt"), "b\n", "{from} to {to}");
    }
}

#[test]
fn an_empty_file_and_a_large_one_arrive_whole() {
    let bench = Bench::new();
    bench.write("empty", "");
    bench.write("large", &"0123456789abcdef".repeat(1 << 20));
    bench.run(&["cp", "-r", ".", "memory://m"]).ok();
    for name in ["empty", "large"] {
        bench.run(&["cp", name, "@data/"]).ok();
        bench.run(&["cp", &format!("@data/{name}"), &format!("copy of {name}")]).ok();
        assert!(bench.read(name) == bench.read(&format!("copy of {name}")), "{name} differs");
    }
}
