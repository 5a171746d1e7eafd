//! The same commands on a directory and on S3: the same keys, the same output, the same exit codes.

use serde_json::{Value, json};

use super::place::Place;
use crate::bench::{Bench, Run};

/// What is run, in this order, on both.
const COMMANDS: &[&[&str]] = &[
    &["ls"],
    &["add", "README.md", "docs", "a note to remember", "README.md"],
    &["add", "README.md", "docs", "another note"],
    &["add", "--json", "README.md", "a third"],
    &["ls"],
    &["ls", "--json"],
    &["ls", "-r"],
    &["ls", "-r", "--json"],
    &["stat", "--json", "@data"],
    &["stat", "--json", "@data/text_3403af8117ebb858a392014b80cb3833.txt"],
    &["cp", "-r", "docs", "@system/in"],
    &["cp", "README.md", "@system/in"],
    &["cp", "empty", "@system/empty"],
    &["cp", "-r", "--json", "@system/in", "@system/again/"],
    &["cp", "@system/in/a.txt", "@system/b"],
    &["cp", "@system/in/a.txt", "@system/x/"],
    &["cp", "--json", "@system/in/a.txt", "@cache"],
    &["mv", "@system/b", "@system/moved"],
    &["mv", "-r", "--json", "@system/x", "@system/y"],
    &["mv", "@system/moved", "@system/moved"],
    &["ls", "--json", "@system"],
    &["ls", "--json", "@system/in"],
    &["ls", "-r", "--json", "@system/in/"],
    &["ls", "@system/moved"],
    &["stat", "--json", "@system/moved"],
    &["stat", "--json", "@system/in"],
    &["stat", "--json", "@system/in/"],
    &["cat", "@system/moved", "@system/in/sub/b c.txt", "@system/empty"],
    &["rm", "@system/moved"],
    &["rm", "@system/moved"],
    &["rm", "-r", "--json", "@system/again"],
    &["rm", "-r", "@system/in"],
    &["ls", "-r", "--json", "@system"],
    &["cat", "@system/in"],
    &["cat", "@system/nothing"],
    &["ls", "@system/nothing"],
    &["stat", "@system/nothing"],
    &["cp", "@system/nothing", "out"],
    &["cp", "-r", "@system/nothing", "out"],
    &["cp", "-r", "@system", "@system/inside"],
    &["rm", "@system/nothing"],
    &["rm", "-r", "@system/nothing"],
    &["cat", "@data/a//b"],
    &["rm", "-r", "@system"],
    &["rm", "-r", "--all", "--json", "@system"],
    &["ls", "-r", "@system"],
];

#[test]
fn every_command_gives_what_it_gives_on_a_directory() {
    let (local, s3) = (Bench::with_files(), Place::new());
    local.write("empty", "");
    s3.write("empty", "");
    for args in COMMANDS {
        let (local, s3) = (local.run(args), s3.run(args));
        assert_eq!((s3.code, plain(&s3.out)), (local.code, plain(&local.out)), "{args:?}: {s3:?}");
        assert_eq!(error_kinds(&s3), error_kinds(&local), "{args:?}");
    }
    assert!(!s3.exists(".storage"), "something was kept here");
    assert_eq!(s3.server.unfinished_uploads(super::place::BUCKET), 0);
}

/// A directory and a prefix of a bucket are told alike where they are named by their locations.
#[test]
fn what_lies_at_a_location_is_told_from_there() {
    let (local, s3) = (Bench::with_files(), Place::new());
    let told = |place: &str, run: &dyn Fn(&[&str]) -> Run| {
        run(&["cp", "-r", "docs", &format!("{place}/in/")]).ok();
        let ask = |args: &[&str], below: &str| plain(&run(&[args, &[&format!("{place}{below}")]].concat()).ok().out);
        [
            ask(&["ls", "--json"], "/"),
            ask(&["ls", "-r", "--json"], ""),
            ask(&["ls", "-r"], "/in/"),
            ask(&["ls", "--json"], "/in/a.txt"),
            ask(&["stat", "--json"], "/in/sub/b c.txt"),
            ask(&["walk", "--json"], "/in"),
        ]
    };
    let here = told("place", &|args| local.run(args));
    assert_eq!(told(&format!("s3://{}/some/place", super::place::BUCKET), &|args| s3.run(args)), here);
    assert_eq!(here[1][0]["key"], "in/a.txt");
}

/// The output without what may differ: addresses, etags and times.
fn plain(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).map_or_else(|_| plain_row(line), plain_object)).collect()
}

fn plain_object(mut line: Value) -> Value {
    for name in ["uri", "etag", "fingerprint", "modified", "last_modified", "path"] {
        line.as_object_mut().unwrap().remove(name);
    }
    for name in ["from", "to"] {
        if let Some(uri) = line.get_mut(name) {
            // A root's name and what is under it.
            let path = uri.as_str().unwrap().rsplit("/system/").next().unwrap().rsplit("/cache/").next().unwrap();
            *uri = path.replace("%20", " ").into();
        }
    }
    line
}

fn plain_row(line: &str) -> Value {
    let is_time = |cell: &&str| cell.ends_with('Z') && cell.contains('T') && cell.len() == 20;
    line.split('\t').filter(|cell| !is_time(cell)).collect::<Vec<_>>().into()
}

/// What was wrong, in the words that are the same everywhere: the text up to the kind holds the backend's name.
fn error_kinds(run: &Run) -> Value {
    let errors = run.err.lines().filter(|line| line.starts_with("error: "));
    let kinds = ["not found", "invalid key", "invalid input", "unsupported", "denied"];
    let found = errors.map(|line| kinds.iter().find(|kind| line.contains(*kind)).copied());
    json!(found.collect::<Vec<_>>())
}

#[test]
fn names_of_cognee_in_lower_case_lead_to_the_bucket() {
    let s3 = Place::new();
    s3.write(
        ".env",
        &format!(
            "STORAGE_BACKEND=\"s3\"\nSTORAGE_BUCKET_NAME=\"{}\"\naws_region=\"us-east-1\"\naws_access_key_id=\"{}\"\n\
             aws_secret_access_key=\"{}\"\naws_endpoint_url=\"{}\"\n",
            super::place::BUCKET,
            s3.server.access_key(),
            s3.server.secret_key(),
            s3.server.endpoint()
        ),
    );
    Bench::run(&s3, &["add", "README.md"]).ok();
    assert_eq!(Bench::run(&s3, &["ls", "-r"]).ok().names(), ["2eb6f3d85c8037648139f3ae51ee5274/README.md"]);
    let roots = Bench::run(&s3, &["roots"]).ok().out;
    assert!(roots.contains("s3://my-bucket/data") && roots.contains("STORAGE_BACKEND, set in"), "{roots}");
}

#[test]
fn a_settings_file_leads_to_the_bucket() {
    let s3 = Place::new();
    s3.write(
        "storage.toml",
        &format!(
            "data_root_directory = 's3://{}/some/place'\naws_endpoint_url = '{}'\naws_access_key_id = '{}'\n\
             aws_secret_access_key = '{}'\n",
            super::place::BUCKET,
            s3.server.endpoint(),
            s3.server.access_key(),
            s3.server.secret_key()
        ),
    );
    Bench::run(&s3, &["cp", "README.md", "@data/x"]).ok();
    assert_eq!(s3.run(&["cat", "s3://my-bucket/some/place/x"]).ok().out, "read me\n");
}
