//! The mode in which a filter takes what CocoIndex's engine takes, on every driver: its rule is `globset` with its own
//! options on the relative path; no include takes all, and excludes go before includes.

use globset::{Glob, GlobSet};
use storage_source::{Candidate, Filter};

use crate::support::{paths, roots, walked};

/// Paths with their sizes, in order.
const TREE: [(&str, usize); 20] = [
    (".env", 1),
    (".git/config", 2),
    ("README.md", 3),
    ("build/out.bin", 100),
    ("data/UPPER.PY", 4),
    ("data/[x].md", 5),
    ("data/report.tar.gz", 50),
    ("data/é.md", 6),
    ("docs/a/b/c.md", 7),
    ("docs/guide.md", 8),
    ("docs/img/logo.png", 9),
    ("main.py", 10),
    ("node_modules/x/index.js", 11),
    ("src/.hidden/x.py", 12),
    ("src/lib/util.py", 13),
    ("src/lib/util.rs", 14),
    ("src/main.py", 15),
    ("sub/node_modules/y.js", 16),
    ("tests/test_main.py", 17),
    ("tmp/a.tmp", 18),
];

const PYTHON: [&str; 5] = ["main.py", "src/.hidden/x.py", "src/lib/util.py", "src/main.py", "tests/test_main.py"];
const MARKDOWN: [&str; 5] = ["README.md", "data/[x].md", "data/é.md", "docs/a/b/c.md", "docs/guide.md"];
const DOCS: [&str; 3] = ["docs/a/b/c.md", "docs/guide.md", "docs/img/logo.png"];

enum Expected {
    Taken(Vec<&'static str>),
    AllBut(Vec<&'static str>),
}
use Expected::{AllBut, Taken};

/// Includes, excludes, and what is taken.
type Case = (&'static [&'static str], &'static [&'static str], Expected);

fn cases() -> Vec<Case> {
    vec![
        (&[], &[], AllBut(vec![])),
        (&["**"], &[], AllBut(vec![])),
        (&["*"], &[], AllBut(vec![])),
        (&["*.py"], &[], Taken(PYTHON.to_vec())),
        (&["**/*.py"], &[], Taken(PYTHON.to_vec())),
        (&["*.PY"], &[], Taken(vec!["data/UPPER.PY"])),
        (&["src/*.py"], &[], Taken(PYTHON[1..4].to_vec())),
        (&["src/**/*.py"], &[], Taken(PYTHON[1..4].to_vec())),
        (&["**/*.py", "**/*.md"], &[], Taken([&MARKDOWN[..1], &MARKDOWN[1..], &PYTHON].concat())),
        (&["**/*.{py,rs}"], &[], Taken([&PYTHON[..3], &["src/lib/util.rs"], &PYTHON[3..]].concat())),
        (&["docs/*"], &[], Taken(DOCS.to_vec())),
        (&["docs/**"], &[], Taken(DOCS.to_vec())),
        (&["docs/*/*"], &[], Taken(vec!["docs/a/b/c.md", "docs/img/logo.png"])),
        (&["*/*/*/*"], &[], Taken(vec!["docs/a/b/c.md"])),
        (&["????.py"], &[], Taken(vec!["main.py"])),
        (&["src?main.py"], &[], Taken(vec!["src/main.py"])),
        (&["data/[[]x].md", "**/é.md"], &[], Taken(vec!["data/[x].md", "data/é.md"])),
        (&["*.gz"], &[], Taken(vec!["data/report.tar.gz"])),
        (&["README*", "src/**"], &["src/lib/**"], Taken(vec!["README.md", "src/.hidden/x.py", "src/main.py"])),
        (&["**/*.py"], &["**/test_*"], Taken(PYTHON[..4].to_vec())),
        (&[], &["*.tmp"], AllBut(vec!["tmp/a.tmp"])),
        (&[], &["**/.*"], AllBut(vec![".env", ".git/config", "src/.hidden/x.py"])),
        (&[], &["**/node_modules/**"], AllBut(vec!["node_modules/x/index.js", "sub/node_modules/y.js"])),
        (&[], &["node_modules/**", "build/*"], AllBut(vec!["build/out.bin", "node_modules/x/index.js"])),
        // The name of a directory is no path of an object: as in their listing of a bucket, not in their local walk.
        (&[], &["tmp", "**/node_modules"], AllBut(vec![])),
        (&["**/*.py"], &["*"], Taken(vec![])),
        (&[], &["**/*.py", "!**/main.py"], AllBut([&PYTHON[1..3], &PYTHON[4..]].concat())),
        (&[], &["!**/main.py", "**/*.py"], AllBut([&PYTHON[1..3], &PYTHON[4..]].concat())),
        (&["src/**"], &["src/**", "!**/util.*"], Taken(vec!["src/lib/util.py", "src/lib/util.rs"])),
    ]
}

/// What their engine takes, with the rescues that are ours as they are theirs.
fn engine(include: &[&str], exclude: &[&str]) -> Vec<&'static str> {
    let set = |globs: Vec<&str>| {
        let globs: Vec<Glob> = globs.into_iter().map(|glob| Glob::new(glob).unwrap()).collect();
        GlobSet::new(globs).unwrap()
    };
    let (rescue, exclude): (Vec<&str>, Vec<&str>) = exclude.iter().partition(|glob| glob.starts_with('!'));
    let (includes, excludes) = (set(include.to_vec()), set(exclude));
    let rescues = set(rescue.into_iter().map(|glob| &glob[1..]).collect());
    let taken = |path: &&str| {
        (include.is_empty() || includes.is_match(path)) && (!excludes.is_match(path) || rescues.is_match(path))
    };
    TREE.into_iter().map(|(path, _)| path).filter(taken).collect()
}

/// One answer for a walk on every driver, for a single key and for their engine.
#[tokio::test]
async fn a_filter_takes_what_cocoindex_takes() {
    let roots = roots().await;
    for root in &roots {
        for (path, size) in TREE {
            root.storage.put(format!("in/{path}"), vec![0; size]).await.unwrap();
        }
        root.storage.put("in2/main.py", "beside").await.unwrap();
    }
    for (include, exclude, expected) in cases() {
        let mut filter = Filter::new().literal_separator(false);
        filter.include = include.iter().map(ToString::to_string).collect();
        filter.exclude = exclude.iter().map(ToString::to_string).collect();
        let case = format!("include {include:?} exclude {exclude:?}");
        let mut expected = match expected {
            Taken(taken) => taken,
            AllBut(left) => TREE.into_iter().map(|(path, _)| path).filter(|path| !left.contains(path)).collect(),
        };
        expected.sort_unstable();
        assert_eq!(engine(include, exclude), expected, "the engine, {case}");
        let matcher = filter.compile().unwrap();
        let single = TREE.into_iter().filter(|(path, _)| matcher.judge(&Candidate::new(path)).is_match());
        assert_eq!(single.map(|(path, _)| path).collect::<Vec<_>>(), expected, "single keys, {case}");
        for root in &roots {
            let (items, report) = walked(&root.storage, "in", &filter).await;
            assert_eq!(paths(&items), expected, "{}, {case}", root.name);
            assert!(report.complete, "{}, {case}", root.name);
        }
    }
}

/// `max_file_size` drops what is strictly larger; the key of an item is its path from the prefix on, and leads back to the
/// whole key.
#[tokio::test]
async fn sizes_and_keys_are_cocoindex_s() {
    for root in roots().await {
        root.storage.put("in/deep/ten", vec![0; 10]).await.unwrap();
        root.storage.put("in/eleven", vec![0; 11]).await.unwrap();
        root.storage.put("in/none", "").await.unwrap();
        let (items, _) = walked(&root.storage, "in/", &Filter::new().max_size(10)).await;
        assert_eq!(paths(&items), ["deep/ten", "none"], "{}", root.name);
        assert_eq!((items[0].file.key().as_str(), items[0].file.path().as_str()), ("in/deep/ten", "deep/ten"));
        let (items, report) = walked(&root.storage, "in/", &Filter::new().max_size(0)).await;
        assert_eq!((paths(&items), report.scanned), (vec!["none"], 3), "{}: an empty object is one", root.name);
        assert_eq!(items[0].file.read_prefix(2).await.unwrap(), "");
    }
}
