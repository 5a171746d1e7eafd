//! `storage add` from S3: what a name stands for, and what it costs.

use s3_test_server::Fault;

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

/// Neither a prefix nor a bucket that is not there is passed over in silence, and what else was named is added.
#[test]
fn a_prefix_with_nothing_under_it_is_an_error_and_the_rest_is_added() {
    let s3 = Place::new();
    s3.run(&["cp", "README.md", &format!("s3://{BUCKET}/in/a.md")]).ok();
    for missing in ["nothing/", "nothing", "in/a.md/"] {
        let missing = format!("s3://{BUCKET}/{missing}");
        let run = s3.run(&["add", &missing, "README.md"]).refused(3, &[&missing]);
        assert!(run.out.contains("README.md"), "{run:?}");
    }
    let run = s3.run(&["add", "--json", "s3://no-such-bucket/x/", "README.md"]);
    assert_eq!((run.code, run.json().len()), (Some(3), 2), "{run:?}");
    // What a filter leaves out is there.
    s3.run(&["add", &format!("s3://{BUCKET}/in/"), "--include", "src/**"]).ok();
    std::fs::create_dir(s3.path("empty")).unwrap();
    s3.run(&["add", "empty"]).ok();
}

/// The roots of the host are left out of what holds them and refused themselves, however their ends are written.
#[test]
fn the_roots_themselves_are_left_out_of_a_bucket() {
    let s3 = Place::new();
    for end in ["", "/"] {
        let root = |name: &str| format!("s3://{BUCKET}/{name}{end}");
        let (data, system, cache) = (root("data"), root("sys"), root("cache"));
        let settings =
            [("DATA_ROOT_DIRECTORY", &*data), ("SYSTEM_ROOT_DIRECTORY", &*system), ("CACHE_ROOT_DIRECTORY", &*cache)];
        for key in ["data/x", "sys/x", "cache/x", "data2/x"] {
            s3.run(&["cp", "README.md", &format!("s3://{BUCKET}/{key}")]).ok();
        }
        for (written, name) in [("data", "data"), ("sys", "system"), ("cache", "cache")] {
            for text in [format!("s3://{BUCKET}/{written}"), format!("s3://{BUCKET}/{written}/")] {
                s3.run_with(&settings, &["add", &text]).refused(2, &[&format!("the {name} root itself")]);
            }
        }
        let lines = s3.run_with(&settings, &["add", "--json", &format!("s3://{BUCKET}/")]).ok().json();
        let inputs: Vec<_> = lines.iter().filter_map(|line| line["input"].as_str()).collect();
        assert_eq!(inputs, [format!("s3://{BUCKET}/data2/x")]);
    }
}

/// A data root that cannot be written ends the command with the first that it refuses; the report is told all the same.
#[test]
fn a_destination_that_fails_ends_all_with_a_report() {
    let s3 = Place::new();
    s3.server.inject(Fault::status(404, "NoSuchBucket").on("PutObject"));
    let run = s3.run(&["add", "--json", "README.md", "docs", "a note"]);
    let lines = run.json();
    assert_eq!((run.code, run.err.lines().count(), lines.len()), (Some(3), 1, 1), "{run:?}");
    assert_eq!(lines[0]["report"]["outcome"], "failed", "{run:?}");
}
