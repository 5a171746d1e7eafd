//! `storage walk` gives on S3 what it gives on a directory, byte for byte but for addresses, etags and times.

use serde_json::Value;

use super::place::Place;
use crate::bench::Bench;

const WALKS: &[&[&str]] = &[
    &[],
    &["--ext", "md", "--limit", "1"],
    &["--include", "sub/*"],
    &["--exclude", "**/sub/**"],
    &["--exclude", "s*", "--literal-separator=false"],
    &["--max-size", "1"],
];

fn plain(out: &str) -> Vec<String> {
    let lines = out.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for name in ["uri", "etag", "fingerprint", "modified"] {
            line.as_object_mut().unwrap().remove(name);
        }
        line.to_string()
    });
    lines.collect()
}

#[test]
fn a_walk_is_the_same_as_on_a_directory() {
    let (local, s3) = (Bench::with_files(), Place::new());
    for key in ["in/a.md", "in/sub/b c.md", "in/sub/deep/#?%.md", "in/sub-x", "in/é/ü.MD", "in2/x"] {
        let to = format!("@data/{key}");
        local.run(&["cp", "README.md", &to]).ok();
        s3.run(&["cp", "README.md", &to]).ok();
    }
    for filter in WALKS {
        let args = [&["walk", "--json", "@data/in"], *filter].concat();
        let (local, s3) = (local.run(&args).ok(), s3.run(&args).ok());
        assert_eq!(plain(&s3.out), plain(&local.out), "{filter:?}");
    }
}
