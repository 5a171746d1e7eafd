//! Names: what a key may hold, what only a bucket can hold, and what nobody can.

use super::place::Place;

/// Each is a file here and a key there.
const NAMES: [&str; 9] =
    [" leading and trailing ", "100%", "a%2Fb", "a+b&c=d;e", "deep/er/x", "empty", "etc.", "q?x#y", "é🦀\u{301}"];

#[test]
fn awkward_names_go_there_and_come_back() {
    let s3 = Place::new();
    for name in NAMES {
        s3.write(&format!("names/{name}"), if name == "empty" { "" } else { name });
    }
    s3.run(&["cp", "-r", "names", "s3://my-bucket/in it"]).ok();
    let listed = s3.run(&["ls", "-r", "--json", "s3://my-bucket/in it/"]).ok().json();
    let keys: Vec<_> = listed.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, NAMES);
    for line in &listed {
        let (uri, name) = (line["uri"].as_str().unwrap(), line["key"].as_str().unwrap());
        let text = s3.run(&["cat", uri]).ok().out;
        assert_eq!(text, if name == "empty" { "" } else { name }, "{uri}");
    }
    s3.run(&["cp", "-r", "s3://my-bucket/in it", "s3://my-bucket/copied"]).ok();
    s3.run(&["mv", "-r", "s3://my-bucket/copied", "back"]).ok();
    for name in NAMES {
        assert_eq!(s3.read(&format!("back/{name}")), s3.read(&format!("names/{name}")), "{name:?}");
    }
}

#[test]
fn an_object_and_the_level_of_its_name_go_together() {
    let s3 = Place::new();
    for key in ["a", "a/b", "a/b/c"] {
        s3.run(&["cp", "README.md", &format!("@data/{key}")]).ok();
    }
    assert_eq!(s3.run(&["ls"]).ok().names(), ["a", "a/"]);
    s3.run(&["cp", "-r", "@data", "out"]).ok();
    assert_eq!(s3.run(&["ls", "-r", "out"]).ok().names(), ["a", "a/b", "a/b/c"]);
    s3.run(&["cp", "-r", "out", "@system/back"]).ok();
    assert_eq!(s3.run(&["ls", "-r", "@system"]).ok().names(), ["back/a", "back/a/b", "back/a/b/c"]);
    s3.run(&["rm", "@data/a"]).ok();
    assert_eq!(s3.run(&["ls", "-r"]).ok().names(), ["a/b", "a/b/c"]);
}

#[test]
fn a_root_may_stand_where_no_key_can() {
    let s3 = Place::new();
    let root = [("DATA_ROOT_DIRECTORY", "s3://my-bucket/x//y//")];
    s3.run_with(&root, &["cp", "-r", "docs", "@data/in"]).ok();
    assert_eq!(s3.run_with(&root, &["ls", "-r"]).ok().names(), ["in/a.txt", "in/sub/b c.txt"]);
    assert_eq!(s3.run_with(&root, &["cat", "@data/in/a.txt"]).ok().out, "a\n");
    let uri = &s3.run_with(&root, &["stat", "--json", "@data/in/a.txt"]).ok().json()[0]["uri"];
    assert_eq!(uri, "s3://my-bucket/x//y//in/a.txt");
    assert_eq!(s3.run(&["cat", uri.as_str().unwrap()]).ok().out, "a\n");
    s3.run_with(&root, &["rm", "-r", "--all", "@data"]).ok();
    assert_eq!(s3.run_with(&root, &["ls", "-r"]).ok().out, "");
}

/// Names that the bucket holds and no key expresses are told and counted, and hide nothing.
#[test]
fn what_is_left_out_is_told() {
    let s3 = Place::new();
    s3.run(&["cp", "docs/a.txt", "@data/good"]).ok();
    s3.run_with(&[("DATA_ROOT_DIRECTORY", "s3://my-bucket/data/x//")], &["cp", "docs/a.txt", "@data/bad"]).ok();
    let run = s3.run(&["ls", "-r"]);
    assert_eq!((run.code, run.names()), (Some(0), vec!["good"]));
    assert!(run.err.starts_with("note: left out \"x//bad\"") && run.err.lines().count() == 1, "{}", run.err);
    let lines = s3.run(&["ls", "-r", "--json"]).ok().json();
    assert!(lines.iter().any(|line| line["skipped"] == "x//bad" && line["reason"].is_string()), "{lines:?}");
    assert_eq!(s3.run(&["stat", "--json", "@data"]).ok().json()[0]["skipped"], 1);
    let run = s3.run(&["cp", "-r", "@data", "out"]);
    assert_eq!(run.code, Some(1), "not all was copied: {run:?}");
    assert_eq!(s3.read("out/good"), "a\n");
}
