//! `storage add` from S3: what a name stands for, and what it costs.

use super::place::{BUCKET, Place};

/// A name is the object and what is under it, and no neighbour; a marker is nothing.
#[test]
fn an_object_and_what_is_under_its_name_are_both_added() {
    let s3 = Place::new();
    for key in ["docs/file", "docs/file/deep.md", "docs/file2", "docs/skip/x.md"] {
        s3.run(&["cp", "README.md", &format!("s3://{BUCKET}/in/{key}")]).ok();
    }
    s3.server.synthetic_object(BUCKET, "in/docs/", 0);
    s3.server.synthetic_object(BUCKET, "in/docs/file/", 0);
    let add = |place: &str, more: &[&str]| {
        let location = format!("s3://{BUCKET}/in/{place}");
        let run = s3.run(&[&["add", "--json", &location], more].concat()).ok();
        let inputs = run.json().into_iter().filter_map(|line| Some(line["input"].as_str()?.to_owned()));
        inputs.map(|input| input.rsplit_once("/in/").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(add("docs/file", &[]), ["docs/file", "docs/file/deep.md"]);
    assert_eq!(add("docs", &[]), ["docs/file", "docs/file/deep.md", "docs/file2", "docs/skip/x.md"]);
    assert_eq!(add("docs/", &["--exclude", "skip/**"]), ["docs/file", "docs/file/deep.md", "docs/file2"]);
    s3.run(&["add", &format!("s3://{BUCKET}/in/doc")]).refused(3, &["in/doc"]);
    // As long as a key may be.
    let long = format!("s3://{BUCKET}/{}/n", "n".repeat(1022));
    s3.run(&["add", &long]).refused(3, &["not found"]);
    s3.run(&["cp", "README.md", &long]).ok();
    s3.run(&["add", &long]).ok();
}

/// What the filter leaves out is neither listed, where it is a directory, nor read.
#[test]
fn what_is_left_out_is_not_asked_for() {
    let s3 = Place::new();
    for key in ["a.md", "b.png", "src/c.md", "src/d.png"] {
        s3.run(&["cp", "README.md", &format!("s3://{BUCKET}/in/{key}")]).ok();
    }
    s3.server.synthetic_objects(BUCKET, "in/node_modules/", 5000, 10);
    s3.server.reset_counts();
    let location = format!("s3://{BUCKET}/in/");
    let run = s3.run(&["add", &location, "--ext", "md", "--exclude", "node_modules/**"]).ok();
    let end = "left out: 2 wrong extension, 1 excluded directory not listed\n";
    assert!(run.out.ends_with(end), "{}", run.out);
    let requests = s3.server.requests();
    let listed: Vec<_> = requests.iter().filter(|request| request.target.contains("prefix=in")).collect();
    assert_eq!(listed.len(), 2, "the level, and what is under src/: {listed:?}");
    assert_eq!(s3.count("GetObject"), 2, "{}", s3.server.counts());
}
