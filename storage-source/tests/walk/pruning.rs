//! What is not listed changes nothing but the number of requests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use storage_core::Storage;
use storage_source::{Candidate, Filter, Outcome};

use crate::support::{Root, local, memory, paths, roots, s3, walked};

/// Segments of keys; some are what patterns speak of.
const SEGMENTS: [&str; 9] = ["a", "b", "ab", "src", "tmp", ".git", "é", "a.rs", "b.md"];

/// Segments of patterns.
const GLOBS: [&str; 18] = [
    "**",
    "**",
    "**",
    "*",
    "*",
    "a",
    "b",
    "src",
    "tmp",
    ".git",
    "*.rs",
    "a*",
    "{a,src}",
    "?",
    "[ab]",
    "[!a]",
    "{a/b,tmp}",
    "é",
];

fn pattern() -> impl Strategy<Value = String> {
    let plain = vec(prop::sample::select(&GLOBS[..]), 1..4).prop_map(|segments| segments.join("/"));
    // Whatever else globs may be written like.
    const ODD: [&str; 8] =
        ["a**", "**b", "{**/tmp,b/**}", "src{/**,}", "{a,b}/**", "src/**/*.{rs,md}", "[a-b/]*", "\\a/**"];
    prop_oneof![8 => plain, 1 => prop::sample::select(&ODD[..]).prop_map(str::to_owned)]
}

fn filter() -> impl Strategy<Value = Filter> {
    let exclude = (prop::bool::weighted(0.25), pattern());
    let exclude = exclude.prop_map(|(rescues, glob)| if rescues { format!("!{glob}") } else { glob });
    (vec(pattern(), 0..3), vec(exclude, 0..4), any::<bool>()).prop_map(|(include, exclude, literal)| {
        let mut filter = Filter::new().literal_separator(literal);
        (filter.include, filter.exclude) = (include, exclude);
        filter
    })
}

/// Keys of which none is a level of another, so that they can be files too.
fn tree() -> impl Strategy<Value = Vec<String>> {
    vec(vec(prop::sample::select(&SEGMENTS[..]), 1..5), 1..40).prop_map(|keys| {
        let mut keys: Vec<String> = keys.into_iter().map(|segments| segments.join("/")).collect();
        keys.sort();
        keys.dedup();
        keys
    })
}

/// What filtering a whole listing gives.
async fn filtered(storage: &Storage, prefix: &str, filter: &Filter) -> Vec<String> {
    let matcher = filter.compile().unwrap();
    let all = storage.list_all(prefix).await.unwrap();
    let rest = all.iter().map(|meta| (meta, &meta.key.as_str()[prefix.len()..]));
    let taken = rest.filter(|(meta, path)| matcher.judge(&Candidate::of(path, meta)).is_match());
    taken.map(|(_, path)| path.to_owned()).collect()
}

async fn same_as_filtered(root: &Root, filter: &Filter) -> Result<(), TestCaseError> {
    for prefix in ["", "a/", "src/"] {
        let (items, report) = walked(&root.storage, prefix, filter).await;
        let expected = filtered(&root.storage, prefix, filter).await;
        prop_assert_eq!(paths(&items), expected, "{} under {:?} with {:?}", root.name, prefix, filter);
        prop_assert_eq!(report.outcome, Outcome::Complete);
        prop_assert_eq!(report.scanned, report.matched + report.left_out.values().sum::<u64>());
    }
    Ok(())
}

/// Runs so many cases, each on a new root of this kind.
fn check(cases: u32, filters: usize, root: impl AsyncFn() -> Root) {
    let seed = std::env::var("WALK_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("WALK_SEED={seed}");
    let bytes = [seed; 4].map(u64::to_le_bytes).concat();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ran = runner.run(&(tree(), vec(filter(), filters)), |(keys, filters)| {
        runtime.block_on(async {
            let root = root().await;
            root.put(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
            for filter in &filters {
                same_as_filtered(&root, filter).await?;
            }
            Ok(())
        })
    });
    ran.unwrap_or_else(|error| panic!("WALK_SEED={seed}: {error}"));
}

/// Pruned listings give what filtering afterwards gives, in the same order, whatever the tree and the filter.
#[test]
fn a_pruned_walk_is_a_filtered_listing_on_memory() {
    check(400, 3, async || memory());
}

#[test]
fn a_pruned_walk_is_a_filtered_listing_on_a_directory() {
    check(60, 4, async || local());
}

#[test]
fn a_pruned_walk_is_a_filtered_listing_on_s3() {
    check(25, 4, async || s3().await);
}

const TREE: [&str; 12] = [
    ".git/config",
    "README.md",
    "docs/a.md",
    "docs/img/b.png",
    "node_modules/x/index.js",
    "node_modules/y/lib/index.js",
    "src/.git/head",
    "src/deep/er/node_modules/z.js",
    "src/deep/main.rs",
    "src/lib.rs",
    "srcs/other.rs",
    "target/debug/out",
];

/// Which listings a filter costs, by their prefixes: what is excluded or cannot match is never asked for.
#[tokio::test]
async fn only_what_can_match_is_listed() {
    let root = s3().await;
    root.put(&TREE).await;
    let filter = Filter::new;
    let cases: [(&str, Filter, &[&str], u64); 15] = [
        ("everything", filter(), &[""], 0),
        ("a file's end", filter().include("**/*.md"), &[""], 0),
        ("one level", filter().include("src/**/*.rs"), &["src/"], 0),
        (
            "several",
            filter().include("src/**").include("docs/*.md").include("src/deep/**"),
            &["docs/ LEVEL", "src/"],
            1,
        ),
        ("braces", filter().include("{docs,target}/**"), &["docs/", "target/"], 0),
        ("one key", filter().include("docs/a.md"), &["docs/a.md LEVEL"], 0),
        ("the start of a name", filter().include("src*/*.rs"), &["src"], 0),
        ("nothing deeper", filter().include("*.md"), &[" LEVEL"], 6),
        (
            "a directory at the top",
            filter().exclude("node_modules/**"),
            &[" LEVEL", ".git/", "docs/", "src/", "srcs/", "target/"],
            1,
        ),
        (
            "a directory anywhere",
            filter().exclude("**/node_modules/**").include("src/**"),
            &["src/ LEVEL", "src/.git/ LEVEL", "src/deep/ LEVEL", "src/deep/er/ LEVEL"],
            1,
        ),
        (
            "a rescue below",
            filter().exclude("src/**").exclude("!src/deep/main.rs").include("src/**"),
            &["src/ LEVEL", "src/deep/ LEVEL"],
            2,
        ),
        ("a rescue anywhere", filter().exclude("node_modules/**").exclude("!**/index.js"), &[""], 0),
        ("a rescue elsewhere", filter().exclude("src/**").exclude("!docs/keep").include("src/**"), &[], 1),
        ("everything under one", filter().include("src/**").exclude("src/**"), &[], 1),
        (
            "crossing",
            filter().literal_separator(false).exclude("*modules*").include("src/*"),
            &["src/ LEVEL", "src/.git/ LEVEL", "src/deep/ LEVEL", "src/deep/er/ LEVEL"],
            1,
        ),
    ];
    for (what, filter, expected, pruned) in cases {
        let (items, report) = walked(&root.storage, "", &filter).await;
        let asked = root.listings();
        assert_eq!(asked, expected, "{what}");
        assert_eq!(report.pruned_directories, pruned, "{what}");
        assert_eq!(paths(&items), filtered(&root.storage, "", &filter).await, "{what}");
        root.listings();
    }
}

/// Under a prefix the filter sees paths from there on, and what is listed lies there.
#[tokio::test]
async fn prefixes_count_from_the_walk_s() {
    for root in roots().await {
        root.put(&TREE).await;
        let (items, _) = walked(&root.storage, "src", &Filter::new().include("deep/**").exclude("**/er/**")).await;
        assert_eq!(paths(&items), ["deep/main.rs"], "{}", root.name);
        assert_eq!(items[0].file.key().as_str(), "src/deep/main.rs");
        if root.server.is_some() {
            assert_eq!(root.listings(), ["src/deep/ LEVEL"]);
        }
    }
}
